// Azure AI Search, created only with a searchSku: what answers with sources are based on. Keyless, as everything here.

import { Tags } from '../types.bicep'

@description('Required. Name of the search service, which is also its host name.')
param name string

@description('Required. Region.')
param location string

@description('Optional. Tags.')
param tags Tags = {}

@description('Optional. Pricing tier. All of them are billed by the hour, whether anything is searched or not.')
@allowed([
  'basic'
  'standard'
])
param skuName string = 'basic'

@description('Required. Resource ID of the Log Analytics workspace.')
param workspaceId string

@description('Optional. Whether only private endpoints can reach the search service.')
param privateOnly bool = false

resource search 'Microsoft.Search/searchServices@2025-05-01' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: skuName
  }
  // With this identity an index's vectorizer calls a model; its role on the account is up to whoever defines such an index.
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    disableLocalAuth: true
    hostingMode: 'Default'
    replicaCount: 1
    partitionCount: 1
    semanticSearch: 'free'
    publicNetworkAccess: privateOnly ? 'Disabled' : 'Enabled'
    networkRuleSet: {
      bypass: 'None'
    }
  }
}

resource searchDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: search
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        categoryGroup: 'audit'
        enabled: true
      }
    ]
  }
}

@description('Resource ID, for the private endpoint.')
output id string = search.id

@description('Name, for role assignments.')
output name string = search.name

@description('URL of the service.')
output endpoint string = 'https://${search.name}.search.windows.net'
