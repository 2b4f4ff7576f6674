using '../../../infra/main.bicep'

param environmentName = 'chat'
param location = 'swedencentral'
param existingOpenAiResourceId = '/subscriptions/00000000-0000-0000-0000-000000000003/resourceGroups/mine/providers/Microsoft.CognitiveServices/accounts/mine'
param existingOpenAiDeployments = {
  smart: 'big'
}
param openAiDeploymentName = 'smart'
param appSettings = {
  OPENAI_STATEFUL: ' On '
}
