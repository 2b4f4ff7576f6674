// An Azure OpenAI account that exists already, perhaps in another resource group: only read here, never changed.

@description('Required. Name of the account.')
param name string

@description('Optional. Names that callers use, each with the deployment that serves it; empty: every name is taken for a deployment.')
param deployments object = {}

resource account 'Microsoft.CognitiveServices/accounts@2025-06-01' existing = {
  name: name
}

@description('Resource id, for the private endpoint.')
output id string = account.id

@description('Entries for AZURE_OPENAI_BACKENDS.')
output backends array = [
  {
    name: account.name
    endpoint: account.properties.endpoint
    priority: 1
    weight: 1
    deployments: deployments
  }
]
