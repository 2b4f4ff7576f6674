// A workbook with what the answers' receipts say: how slow, how many, which backend, who left, what it used.

import { Tags } from '../types.bicep'

@description('Required. Name of the Application Insights component that it reads.')
param applicationInsightsName string

@description('Required. Region.')
param location string

@description('Optional. Tags.')
param tags Tags = {}

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: applicationInsightsName
}

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(applicationInsights.id, 'answers')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Answers of the streaming endpoint'
    category: 'workbook'
    sourceId: applicationInsights.id
    serializedData: loadTextContent('workbook.json')
  }
}
