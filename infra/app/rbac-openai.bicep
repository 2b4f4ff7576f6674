// Role assignments on one Azure OpenAI account. The module's scope is the account's resource group, the role's scope the account.

@description('Required. Name of the account.')
param accountName string

@description('Required. Resource ID of the app\'s identity, for the names of its roles: known before it exists.')
param identityId string

@description('Required. Principal ID of the app\'s identity.')
param appPrincipalId string

@description('Optional. Object ID of a developer, granted access to call the account; empty for none.')
param developerPrincipalId string = ''

@description('Optional. Type of that principal.')
@allowed([
  'User'
  'Group'
  'ServicePrincipal'
])
param developerPrincipalType string = 'User'

var roleIds = {
  cognitiveServicesOpenAiUser: '5e0bd9bd-7b93-4f28-af87-19fc36ad61bd' // Cognitive Services OpenAI User
}

resource account 'Microsoft.CognitiveServices/accounts@2025-12-01' existing = {
  name: accountName
}

resource appOpenAiUser 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, identityId, roleIds.cognitiveServicesOpenAiUser)
  scope: account
  properties: {
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      roleIds.cognitiveServicesOpenAiUser
    )
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource developerOpenAiUser 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(developerPrincipalId)) {
  name: guid(account.id, developerPrincipalId, roleIds.cognitiveServicesOpenAiUser)
  scope: account
  properties: {
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      roleIds.cognitiveServicesOpenAiUser
    )
    principalId: developerPrincipalId
    principalType: developerPrincipalType
  }
}
