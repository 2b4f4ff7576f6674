// Log Analytics and Application Insights. Both accept data only from Entra identities; the daily cap limits the cost of logs.

import { Tags } from '../types.bicep'

@description('Required. Name of the Log Analytics workspace.')
param workspaceName string

@description('Required. Name of the Application Insights component.')
param applicationInsightsName string

@description('Required. Region.')
param location string

@description('Optional. Tags.')
param tags Tags = {}

@description('Optional. Retention of logs in days.')
@minValue(30)
@maxValue(730)
param retentionInDays int = 30

@description('Optional. Daily cap on log ingestion in GB; -1 for no cap.')
param dailyQuotaGb int = 1

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' = {
  name: workspaceName
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: retentionInDays
    features: {
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: true
    }
    workspaceCapping: {
      dailyQuotaGb: dailyQuotaGb
    }
  }
}

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' = {
  name: applicationInsightsName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    IngestionMode: 'LogAnalytics'
    DisableLocalAuth: true
  }
}

@description('Resource ID of the workspace, for diagnostic settings.')
output workspaceId string = workspace.id

@description('Name of the Application Insights component, for the app\'s settings and role assignment.')
output applicationInsightsName string = applicationInsights.name
