// One Azure OpenAI account with its deployments, and its entry in AZURE_OPENAI_BACKENDS. No keys.

import { Backend, Deployment, Tags } from '../types.bicep'

@description('Required. Name of the account and of its subdomain, which Entra tokens require.')
param name string

@description('Required. Name of the backend in AZURE_OPENAI_BACKENDS.')
param backendName string

@description('Required. Region.')
param location string

@description('Optional. Tags.')
param tags Tags = {}

@description('Optional. Priority among the backends; the lowest number goes first.')
@minValue(0)
param priority int = 1

@description('Optional. Share of the requests among backends of the same priority.')
@minValue(1)
param weight int = 1

@description('Required. Deployments, in the order in which they are created.')
@minLength(1)
param deployments Deployment[]

@description('Required. Resource ID of the Log Analytics workspace.')
param workspaceId string

@description('Optional. Whether only private endpoints can reach the account.')
param privateOnly bool = false

@description('Optional. Whether the service is blocked from fetching URLs for a caller. It then rejects images given by URL.')
param restrictOutbound bool = false

var deploymentNames = [for deployment in deployments: '"${deployment.?alias ?? deployment.name}":"${deployment.name}"']

resource account 'Microsoft.CognitiveServices/accounts@2025-12-01' = {
  name: name
  location: location
  tags: tags
  kind: 'OpenAI'
  sku: {
    name: 'S0'
  }
  properties: {
    customSubDomainName: name
    disableLocalAuth: true
    publicNetworkAccess: privateOnly ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: privateOnly ? 'Deny' : 'Allow'
    }
    restrictOutboundNetworkAccess: restrictOutbound
  }
}

// One at a time: the service rejects concurrent changes to an account.
@batchSize(1)
resource modelDeployments 'Microsoft.CognitiveServices/accounts/deployments@2025-12-01' = [
  for deployment in deployments: {
    parent: account
    name: deployment.name
    sku: {
      name: deployment.sku
      capacity: deployment.capacity
    }
    properties: {
      model: {
        format: 'OpenAI'
        name: deployment.model
        version: deployment.version
      }
      raiPolicyName: 'Microsoft.DefaultV2'
      versionUpgradeOption: 'OnceCurrentVersionExpired'
      serviceTier: deployment.?serviceTier
      spilloverDeploymentName: deployment.?spilloverDeployment
    }
  }
]

resource openAiDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: account
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        categoryGroup: 'allLogs'
        enabled: true
      }
    ]
    metrics: [
      {
        category: 'AllMetrics'
        enabled: true
      }
    ]
  }
}

@description('Resource ID, for the private endpoint.')
output id string = account.id

@description('Name, for role assignments.')
output name string = account.name

@description('URL of the account.')
output endpoint string = account.properties.endpoint

@description('Entry for AZURE_OPENAI_BACKENDS.')
output backend Backend = {
  name: backendName
  endpoint: account.properties.endpoint
  priority: priority
  weight: weight
  deployments: json('{${join(deploymentNames, ',')}}')
}
