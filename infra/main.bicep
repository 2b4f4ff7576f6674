// Everything the app needs, from an empty subscription: one resource group, no keys anywhere.
targetScope = 'subscription'

@description('Required. Name of the environment; every other name is made from it.')
@minLength(1)
@maxLength(64)
param environmentName string

@description('Required. Region of everything but, if you say so, the models. It has to offer Flex Consumption.')
@minLength(1)
@metadata({
  azd: {
    type: 'location'
  }
})
param location string

@description('Optional. Name of the resource group; by default rg- and the environment\'s name.')
param resourceGroupName string = ''

@description('Optional. Object id of who deploys: may then call the models that are made here from their own machine, and fill the vault. Empty for nobody.')
param principalId string = ''

@description('Optional. What kind of principal that is.')
@allowed([
  'User'
  'Group'
  'ServicePrincipal'
])
param principalType string = 'User'

@description('Optional. Region of the model; by default the region of everything else.')
param openAiLocation string = ''

@description('Optional. Name of the deployment of the model, which is also what callers name; by default the model\'s own name.')
param openAiDeploymentName string = ''

@description('Optional. Model.')
param openAiModelName string = 'gpt-5.4-mini'

@description('Optional. Version of the model.')
param openAiModelVersion string = '2026-03-17'

@description('Optional. Kind of deployment. Global ones may answer from anywhere, data zone ones from the same zone (EU or US), Standard ones from the region.')
@allowed([
  'GlobalStandard'
  'DataZoneStandard'
  'Standard'
  'GlobalProvisionedManaged'
  'DataZoneProvisionedManaged'
  'ProvisionedManaged'
])
param openAiDeploymentSkuName string = 'GlobalStandard'

@description('Optional. Thousands of tokens a minute (provisioned kinds: units).')
@minValue(1)
param openAiDeploymentCapacity int = 30

@description('Optional. Several accounts, in place of the one that the parameters above describe: list of {name, location, priority, weight, deployments: [{name, model, version, sku, capacity, alias}]}. The app fails over from one to the next.')
param openAiAccounts array = []

@description('Optional. Resource id of an Azure OpenAI account that exists already; then none is made.')
param existingOpenAiResourceId string = ''

@description('Optional. For that account: names that callers use, each with its deployment; empty: every name is taken for a deployment.')
param existingOpenAiDeployments object = {}

@description('Optional. Whether the models may fetch nothing from other addresses on a caller\'s behalf. They then refuse images by address.')
param openAiRestrictOutbound bool = false

@description('Optional. Who may call: function (the Functions host\'s keys), keys (keys of the app\'s own), entra (tokens), anonymous (anyone).')
@allowed([
  'function'
  'keys'
  'entra'
  'anonymous'
])
param authMode string = 'function'

@description('Optional. Client id of the app registration that callers ask tokens for; needed with authMode entra.')
param authClientId string = ''

@description('Optional. Client ids of the applications that may call with authMode entra; empty for the registration itself alone.')
param authAllowedClientIds array = []

@description('Optional. Origins of browser pages that may call, each as https://host.')
param corsAllowedOrigins array = []

@description('Optional. App settings that differ from the app\'s defaults, by name. Never a secret.')
param appSettings object = {}

@description('Optional. Version of Python.')
@allowed([
  '3.13'
  '3.14'
])
param pythonVersion string = '3.13'

@description('Optional. Memory of an instance: 512 is a quarter of a core, 2048 one, 4096 two.')
@allowed([
  512
  2048
  4096
])
param instanceMemoryMB int = 2048

@description('Optional. The most instances at one time: the bound of what compute can cost.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Optional. Open requests per instance before another instance starts. A stream is mostly waiting, so one instance holds many; unset, Python gets 1.')
@minValue(1)
@maxValue(1000)
param httpPerInstanceConcurrency int = 100

@description('Optional. Instances that are always ready for HTTP, so that nobody waits for a cold start. They cost money all the time.')
@minValue(0)
param httpAlwaysReadyInstances int = 0

@description('Optional. Whether instances are spread over availability zones; needs at least 2 that are always ready.')
param zoneRedundant bool = false

@description('Optional. Whether the app reaches storage, models and vault through private endpoints in a virtual network of its own, and nobody else does.')
param vnetEnabled bool = false

@description('Optional. Whether Front Door Premium with a web application firewall stands before the app, and is the only way to it.')
param frontDoorEnabled bool = false

@description('Optional. Days that logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionInDays int = 30

@description('Optional. Gigabytes of logs a day after which no more are taken until the next day; -1 for no cap.')
param logDailyQuotaGb int = 1

@description('Optional. Monthly amount, in the currency of the subscription, that a budget warns about; 0 for no budget.')
@minValue(0)
param budgetAmount int = 0

@description('Optional. First day of the budget\'s first month, as 2026-01-01; needed with a budget, and fixed once it is made.')
param budgetStartDate string = ''

@description('Optional. Addresses that the budget warns, beside the owners.')
param budgetContactEmails array = []

var abbreviations = loadJsonContent('./abbreviations.json')
var resourceToken = toLower(uniqueString(subscription().id, environmentName, location))
var tags = {
  'azd-env-name': environmentName
}
var groupName = empty(resourceGroupName) ? '${abbreviations.resourcesResourceGroups}${environmentName}' : resourceGroupName
var deploymentContainerName = 'app-package-${take(resourceToken, 7)}'

var describedDeployment = empty(openAiDeploymentName) ? openAiModelName : openAiDeploymentName
var describedAccounts = [
  {
    name: 'primary'
    location: openAiLocation
    deployments: [
      {
        name: describedDeployment
        model: openAiModelName
        version: openAiModelVersion
        sku: openAiDeploymentSkuName
        capacity: openAiDeploymentCapacity
      }
    ]
  }
]
var listedAccounts = empty(openAiAccounts) ? describedAccounts : openAiAccounts
var usesExisting = !empty(existingOpenAiResourceId)
var accounts = usesExisting ? [] : listedAccounts
var firstDeployment = listedAccounts[0].deployments[0]
var defaultDeployment = usesExisting ? describedDeployment : (firstDeployment.?alias ?? firstDeployment.name)

// The parts of /subscriptions/{2}/resourceGroups/{4}/providers/Microsoft.CognitiveServices/accounts/{8}.
var existingIdParts = split(usesExisting ? existingOpenAiResourceId : '${subscription().id}/resourceGroups/${groupName}/providers/none/none/none', '/')

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: groupName
  location: location
  tags: tags
}

module identity 'core/identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    name: '${abbreviations.managedIdentityUserAssignedIdentities}${resourceToken}'
    location: location
    tags: tags
  }
}

module monitoring 'core/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    workspaceName: '${abbreviations.operationalInsightsWorkspaces}${resourceToken}'
    applicationInsightsName: '${abbreviations.insightsComponents}${resourceToken}'
    location: location
    tags: tags
    retentionInDays: logRetentionInDays
    dailyQuotaGb: logDailyQuotaGb
  }
}

module storage 'core/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: '${abbreviations.storageStorageAccounts}${resourceToken}'
    location: location
    tags: tags
    containerName: deploymentContainerName
    workspaceId: monitoring.outputs.workspaceId
    privateOnly: vnetEnabled
  }
}

module openAi 'core/openai.bicep' = {
  name: 'openai'
  scope: group
  params: {
    accounts: accounts
    namePrefix: '${abbreviations.cognitiveServicesAccounts}${resourceToken}-'
    location: location
    tags: tags
    workspaceId: monitoring.outputs.workspaceId
    privateOnly: vnetEnabled
    restrictOutbound: openAiRestrictOutbound
  }
}

module existingOpenAi 'core/openai-existing.bicep' = if (usesExisting) {
  name: 'openai-existing'
  scope: resourceGroup(existingIdParts[2], existingIdParts[4])
  params: {
    name: existingIdParts[8]
    deployments: existingOpenAiDeployments
  }
}

module vault 'core/vault.bicep' = if (authMode == 'keys') {
  name: 'vault'
  scope: group
  params: {
    name: '${abbreviations.keyVaultVaults}${resourceToken}'
    location: location
    tags: tags
    workspaceId: monitoring.outputs.workspaceId
    privateOnly: vnetEnabled
  }
}

module network 'core/network.bicep' = if (vnetEnabled) {
  name: 'network'
  scope: group
  params: {
    name: '${abbreviations.networkVirtualNetworks}${resourceToken}'
    securityGroupPrefix: '${abbreviations.networkNetworkSecurityGroups}${resourceToken}-'
    location: location
    tags: tags
  }
}

var openAiBackends = usesExisting ? existingOpenAi!.outputs.backends : openAi.outputs.backends

module privateEndpoints 'core/private-endpoints.bicep' = if (vnetEnabled) {
  name: 'private-endpoints'
  scope: group
  params: {
    namePrefix: '${abbreviations.networkPrivateEndpoints}${resourceToken}-'
    location: location
    tags: tags
    subnetId: network!.outputs.endpointsSubnetId
    zoneIds: network!.outputs.zoneIds
    endpoints: concat([
      {
        name: 'storage'
        resourceId: storage.outputs.id
        groupId: 'blob'
      }
    ], openAi.outputs.endpoints, usesExisting ? [
      {
        name: 'openai-existing'
        resourceId: existingOpenAiResourceId
        groupId: 'account'
      }
    ] : [], authMode == 'keys' ? [
      {
        name: 'vault'
        resourceId: vault!.outputs.id
        groupId: 'vault'
      }
    ] : [])
  }
}

module rbac 'app/rbac.bicep' = {
  name: 'rbac'
  scope: group
  params: {
    appPrincipalId: identity.outputs.principalId
    developerPrincipalId: principalId
    developerPrincipalType: principalType
    storageAccountName: storage.outputs.name
    applicationInsightsName: monitoring.outputs.applicationInsightsName
    vaultName: authMode == 'keys' ? vault!.outputs.name : ''
  }
}

module openAiRbac 'app/rbac-openai.bicep' = [for (account, i) in accounts: {
  name: 'rbac-openai-${account.name}'
  scope: group
  params: {
    accountName: openAi.outputs.names[i]
    appPrincipalId: identity.outputs.principalId
    developerPrincipalId: principalId
    developerPrincipalType: principalType
  }
}]

// The app's role alone: whoever deploys may well have one on their own account, and Azure refuses a second of the same kind.
module existingOpenAiRbac 'app/rbac-openai.bicep' = if (usesExisting) {
  name: 'rbac-openai-existing'
  scope: resourceGroup(existingIdParts[2], existingIdParts[4])
  params: {
    accountName: existingIdParts[8]
    appPrincipalId: identity.outputs.principalId
  }
}

module frontDoor 'edge/frontdoor.bicep' = if (frontDoorEnabled) {
  name: 'frontdoor'
  scope: group
  params: {
    name: '${abbreviations.cdnProfiles}${resourceToken}'
    firewallPolicyName: '${abbreviations.networkFrontDoorWebApplicationFirewallPolicies}${resourceToken}'
    tags: tags
    workspaceId: monitoring.outputs.workspaceId
  }
}

// The app starts only when its roles exist and its private endpoints answer.
module api 'app/function.bicep' = {
  name: 'api'
  scope: group
  params: {
    planName: '${abbreviations.webServerFarms}${resourceToken}'
    name: '${abbreviations.webSitesFunctions}${resourceToken}'
    location: location
    tags: tags
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    storageBlobEndpoint: storage.outputs.blobEndpoint
    deploymentContainerName: deploymentContainerName
    applicationInsightsName: monitoring.outputs.applicationInsightsName
    workspaceId: monitoring.outputs.workspaceId
    pythonVersion: pythonVersion
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    httpPerInstanceConcurrency: httpPerInstanceConcurrency
    httpAlwaysReadyInstances: httpAlwaysReadyInstances
    zoneRedundant: zoneRedundant
    subnetId: vnetEnabled ? network!.outputs.appSubnetId : ''
    authMode: authMode
    vaultUri: authMode == 'keys' ? vault!.outputs.uri : ''
    authClientId: authClientId
    authAllowedClientIds: authAllowedClientIds
    corsAllowedOrigins: corsAllowedOrigins
    frontDoorId: frontDoorEnabled ? frontDoor!.outputs.frontDoorId : ''
    openAiEndpoint: openAiBackends[0].endpoint
    openAiDefaultDeployment: defaultDeployment
    openAiBackends: openAiBackends
    appSettings: appSettings
  }
  dependsOn: [
    rbac
    openAiRbac
    existingOpenAiRbac
    privateEndpoints
  ]
}

module edgeRoutes 'edge/routes.bicep' = if (frontDoorEnabled) {
  name: 'edge-routes'
  scope: group
  params: {
    profileName: frontDoor!.outputs.name
    endpointName: '${abbreviations.cdnProfilesAfdEndpoints}${resourceToken}'
    tags: tags
    originHostName: api.outputs.hostName
    firewallPolicyId: frontDoor!.outputs.firewallPolicyId
  }
}

module budget 'core/budget.bicep' = if (budgetAmount > 0) {
  name: 'budget'
  scope: group
  params: {
    name: '${abbreviations.consumptionBudgets}${resourceToken}'
    // The condition above lets no smaller amount through; the compiler has to see it in the type.
    amount: max(budgetAmount, 1)
    startDate: budgetStartDate
    contactEmails: budgetContactEmails
  }
}

@description('Region.')
output AZURE_LOCATION string = location

@description('Tenant.')
output AZURE_TENANT_ID string = tenant().tenantId

@description('Name of the resource group.')
output AZURE_RESOURCE_GROUP string = group.name

@description('Name of the app, as azd calls it.')
output SERVICE_API_NAME string = api.outputs.name

@description('Where callers send their requests.')
output SERVICE_API_URI string = 'https://${frontDoorEnabled ? edgeRoutes!.outputs.hostName : api.outputs.hostName}'

@description('Name of the app, for `func azure functionapp publish`.')
output AZURE_FUNCTION_NAME string = api.outputs.name

@description('Client id of the app\'s identity.')
output AZURE_CLIENT_ID string = identity.outputs.clientId

@description('Address of the first Azure OpenAI account.')
output AZURE_OPENAI_ENDPOINT string = openAiBackends[0].endpoint

@description('Name of the first Azure OpenAI account.')
output AZURE_OPENAI_RESOURCE string = usesExisting ? existingIdParts[8] : openAi.outputs.names[0]

@description('The name that stands for the model when a request gives none.')
output AZURE_OPENAI_DEPLOYMENT string = defaultDeployment

@description('Name of the vault of caller keys; empty where there is none.')
output AZURE_KEY_VAULT_NAME string = authMode == 'keys' ? vault!.outputs.name : ''
