// Role assignments on one Azure OpenAI account. The module's scope is the account's resource group, the role's scope the account.

@description('Required. Name of the account.')
param accountName string

@description('Required. Resource ID of the app\'s identity, for the names of its roles: known before it exists.')
param identityId string

@description('Required. Principal ID of the app\'s identity.')
param appPrincipalId string

@description('Optional. Whether the app keeps files and batches in the account.')
param keepsObjects bool = false

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
  cognitiveServicesOpenAiContributor: 'a001fd3d-188f-4b5d-821b-7da978bf7442' // Cognitive Services OpenAI Contributor
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

// Uploads files and begins batches, only where OPENAI_STATEFUL is on. It comes beside the role above and not in its place: a
// new assignment takes minutes to work, and callers would be refused until then.
resource appOpenAiContributor 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (keepsObjects) {
  name: guid(account.id, identityId, roleIds.cognitiveServicesOpenAiContributor)
  scope: account
  properties: {
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      roleIds.cognitiveServicesOpenAiContributor
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
