// An existing Azure OpenAI account, possibly in another resource group: only read, never changed.

import { Backend, DeploymentNames } from '../types.bicep'

@description('Required. Name of the account.')
param name string

@description('Optional. Names that callers use, each with its deployment. Empty: every name is used as a deployment name.')
param deployments DeploymentNames = {}

resource account 'Microsoft.CognitiveServices/accounts@2025-12-01' existing = {
  name: name
}

@description('Resource ID, for the private endpoint.')
output id string = account.id

@description('Entries for AZURE_OPENAI_BACKENDS.')
output backends Backend[] = [
  {
    name: account.name
    endpoint: account.properties.endpoint
    priority: 1
    weight: 1
    deployments: deployments
  }
]
