// Every Azure OpenAI account of the deployment: one module each, so that accounts are made side by side.

@description('Required. List of {name, location, priority, weight, deployments}; all but name and deployments may be left out.')
param accounts array

@description('Required. What every account name starts with.')
param namePrefix string

@description('Required. Region of accounts that name none.')
param location string

@description('Optional. Tags.')
param tags object = {}

@description('Required. Resource id of the Log Analytics workspace.')
param workspaceId string

@description('Optional. Whether only private endpoints lead to the accounts.')
param privateOnly bool = false

@description('Optional. Whether the service may fetch nothing from other addresses on a caller\'s behalf.')
param restrictOutbound bool = false

module account 'openai-account.bicep' = [for item in accounts: {
  name: 'openai-${item.name}'
  params: {
    name: '${namePrefix}${item.name}'
    backendName: item.name
    location: empty(item.?location ?? '') ? location : item.location
    tags: tags
    priority: item.?priority ?? 1
    weight: item.?weight ?? 1
    deployments: item.deployments
    workspaceId: workspaceId
    privateOnly: privateOnly
    restrictOutbound: restrictOutbound
  }
}]

@description('Names of the accounts, for role assignments.')
output names array = [for (item, i) in accounts: account[i].outputs.name]

@description('Entries for AZURE_OPENAI_BACKENDS.')
output backends array = [for (item, i) in accounts: account[i].outputs.backend]

@description('What private endpoints need to know of each account.')
output endpoints array = [for (item, i) in accounts: {
  name: 'openai-${item.name}'
  resourceId: account[i].outputs.id
  groupId: 'account'
}]
