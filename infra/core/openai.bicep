// All Azure OpenAI accounts of the deployment: one module each, so that accounts are created in parallel.

import { Account, Backend, Endpoint, Tags } from '../types.bicep'

@description('Required. Accounts.')
param accounts Account[]

@description('Required. Name prefix of the accounts.')
param namePrefix string

@description('Required. Region of accounts without a location.')
param location string

@description('Optional. Tags.')
param tags Tags = {}

@description('Required. Resource ID of the Log Analytics workspace.')
param workspaceId string

@description('Optional. Whether only private endpoints can reach the accounts.')
param privateOnly bool = false

@description('Optional. Whether the service is blocked from fetching URLs for a caller.')
param restrictOutbound bool = false

module account 'openai-account.bicep' = [
  for item in accounts: {
    name: 'openai-${item.name}'
    params: {
      name: '${namePrefix}${item.name}'
      backendName: item.name
      location: empty(item.?location) ? location : item.location!
      tags: tags
      priority: item.?priority ?? 1
      weight: item.?weight ?? 1
      deployments: item.deployments
      workspaceId: workspaceId
      privateOnly: privateOnly
      restrictOutbound: restrictOutbound
    }
  }
]

@description('Names of the accounts, for role assignments.')
output names string[] = [for (item, i) in accounts: account[i].outputs.name]

@description('Entries for AZURE_OPENAI_BACKENDS.')
output backends Backend[] = [for (item, i) in accounts: account[i].outputs.backend]

@description('Name, resource ID and group ID of each account, for private endpoints.')
output endpoints Endpoint[] = [
  for (item, i) in accounts: {
    name: 'openai-${item.name}'
    resourceId: account[i].outputs.id
    groupId: 'account'
  }
]
