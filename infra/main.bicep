// Everything the app needs, starting from an empty subscription: one resource group, no keys.
targetScope = 'subscription'

import { Account } from 'types.bicep'

@description('Required. Name of the environment; all other names are derived from it.')
@minLength(1)
@maxLength(64)
param environmentName string

@description('Required. Region of all resources; models may have another (openAiLocation). It has to support Flex Consumption.')
@minLength(1)
@metadata({
  azd: {
    type: 'location'
    default: 'swedencentral'
    // azd offers only regions with quota for the default model. A region that is set (AZURE_LOCATION) is not asked for.
    usageName: [
      'OpenAI.GlobalStandard.gpt-5.4-mini,30'
    ]
  }
})
param location string

@description('Optional. Name of the resource group; default: rg- followed by the environment\'s name.')
param resourceGroupName string = ''

@description('Optional. Object ID of the deploying principal; granted access to call the models created here and to write secrets to the vault. Empty for none.')
param principalId string = ''

@description('Optional. Type of that principal.')
@allowed([
  'User'
  'Group'
  'ServicePrincipal'
])
param principalType string = 'User'

@description('Optional. Region of the model; default: location.')
param openAiLocation string = ''

@description('Optional. Name of the model\'s deployment, which is also the name that callers use; default: the model\'s name.')
param openAiDeploymentName string = ''

@description('Optional. Model.')
param openAiModelName string = 'gpt-5.4-mini'

@description('Optional. Version of the model.')
param openAiModelVersion string = '2026-03-17'

@description('Optional. Type of deployment. Global types may process requests in any region, data zone types within the zone (EU or US), Standard within the region.')
@allowed([
  'GlobalStandard'
  'DataZoneStandard'
  'Standard'
  'GlobalProvisionedManaged'
  'DataZoneProvisionedManaged'
  'ProvisionedManaged'
])
param openAiDeploymentSkuName string = 'GlobalStandard'

@description('Optional. Capacity in thousands of tokens per minute (provisioned types: units).')
@minValue(1)
param openAiDeploymentCapacity int = 30

@description('Optional. Several accounts, instead of the one described by the parameters above; their fields are those of Account in types.bicep. The app fails over from one to the next.')
param openAiAccounts Account[] = []

@description('Optional. Resource ID of an existing Azure OpenAI account; no account is created then.')
param existingOpenAiResourceId string = ''

@description('Optional. For the existing account: names that callers use, each with its deployment. Empty: every name is used as a deployment name.')
param existingOpenAiDeployments { *: string } = {}

@description('Optional. Whether the models are blocked from fetching URLs for a caller. They then reject images given by URL.')
param openAiRestrictOutbound bool = false

@description('Optional. Caller authentication: function (the Functions host\'s keys), keys (the app\'s own keys), entra (tokens), anonymous (none).')
@allowed([
  'function'
  'keys'
  'entra'
  'anonymous'
])
param authMode string = 'function'

@description('Optional. Client ID of the app registration that callers request tokens for; required with authMode entra.')
param authClientId string = ''

@description('Optional. Client IDs of the applications allowed to call with authMode entra; empty: only the registration itself.')
param authAllowedClientIds string[] = []

@description('Optional. Origins of web pages allowed to call (CORS), each as https://host.')
param corsAllowedOrigins string[] = []

@description('Optional. App settings that override the app\'s defaults, by name. No secrets.')
param appSettings { *: string } = {}

@description('Optional. Python version: the one that the app is tested on.')
@allowed([
  '3.13'
])
param pythonVersion string = '3.13'

@description('Optional. Memory of an instance in MB: 512 comes with a quarter of a core, 2048 with one, 4096 with two.')
@allowed([
  512
  2048
  4096
])
param instanceMemoryMB int = 2048

@description('Optional. Maximum number of instances, which limits the cost of compute.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Optional. Concurrent requests per instance before another instance starts. A stream mostly waits, so one instance can hold many. Unset, the platform uses 1 for Python.')
@minValue(1)
@maxValue(1000)
param httpPerInstanceConcurrency int = 100

@description('Optional. Always-ready instances for HTTP, which avoid cold starts. They are billed all the time.')
@minValue(0)
param httpAlwaysReadyInstances int = 0

@description('Optional. What a deploy and a change of settings do to running instances: Recreate restarts all of them at once, RollingUpdate (a preview of the platform) replaces them in turn and lets requests finish.')
@allowed([
  'Recreate'
  'RollingUpdate'
])
param siteUpdateStrategy string = 'Recreate'

@description('Optional. Whether instances are spread over availability zones; requires at least 2 always-ready instances.')
param zoneRedundant bool = false

@description('Optional. Whether storage, models and vault are reachable only by the app, through private endpoints in its own virtual network.')
param vnetEnabled bool = false

@description('Optional. Pricing tier of an Azure AI Search service for answers with sources; empty: none. It is billed by the hour, idle or not.')
@allowed([
  ''
  'basic'
  'standard'
])
param searchSku string = ''

@description('Optional. Whether the app is reachable only through Front Door Premium with a web application firewall.')
param frontDoorEnabled bool = false

@description('Optional. Retention of logs in days.')
@minValue(30)
@maxValue(730)
param logRetentionInDays int = 30

@description('Optional. Daily cap on log ingestion in GB; -1 for no cap.')
param logDailyQuotaGb int = 1

@description('Optional. Monthly amount of the budget, in the subscription\'s currency; 0 for no budget.')
@minValue(0)
param budgetAmount int = 0

@description('Optional. First day of the budget\'s first month, as 2026-01-01; required with a budget, and fixed after its creation.')
param budgetStartDate string = ''

@description('Optional. Email addresses notified by the budget, in addition to the owners.')
param budgetContactEmails string[] = []

@description('Optional. Email addresses notified when answers begin late or fail, or no backend is ready; empty for no alert rules.')
param alertContactEmails string[] = []

var abbreviations = loadJsonContent('./abbreviations.json')
var resourceToken = toLower(uniqueString(subscription().id, environmentName, location))
var tags = {
  'azd-env-name': environmentName
}
var groupName = empty(resourceGroupName)
  ? '${abbreviations.resourcesResourceGroups}${environmentName}'
  : resourceGroupName
// Computed here, not taken from what a module outputs: a preview of a deployment skips whatever has a name that is not known at its start.
var identityName = '${abbreviations.managedIdentityUserAssignedIdentities}${resourceToken}'
var storageName = '${abbreviations.storageStorageAccounts}${resourceToken}'
var applicationInsightsName = '${abbreviations.insightsComponents}${resourceToken}'
var vaultName = authMode == 'keys' ? '${abbreviations.keyVaultVaults}${resourceToken}' : ''
var searchName = empty(searchSku) ? '' : '${abbreviations.searchSearchServices}${resourceToken}'
var frontDoorName = '${abbreviations.cdnProfiles}${resourceToken}'
var accountPrefix = '${abbreviations.cognitiveServicesAccounts}${resourceToken}-'
var identityId = '${subscription().id}/resourceGroups/${groupName}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${identityName}'
var deploymentContainerName = 'app-package-${take(resourceToken, 7)}'

// Tables hold what callers may use and have used.
var usesTables = !empty(appSettings.?CALLER_LIMITS ?? '') || !empty(appSettings.?OPERATORS ?? '')

// As the app reads it: in any case of letters, whatever blanks stand around it.
var keepsObjects = toLower(trim(appSettings.?OPENAI_STATEFUL ?? 'off')) == 'on'

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

// The segments of /subscriptions/{2}/resourceGroups/{4}/providers/Microsoft.CognitiveServices/accounts/{8}.
var existingIdParts = split(
  usesExisting ? existingOpenAiResourceId : '${subscription().id}/resourceGroups/${groupName}/providers/none/none/none',
  '/'
)

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: groupName
  location: location
  tags: tags
}

module identity 'core/identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    name: identityName
    location: location
    tags: tags
  }
}

module monitoring 'core/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    workspaceName: '${abbreviations.operationalInsightsWorkspaces}${resourceToken}'
    applicationInsightsName: applicationInsightsName
    location: location
    tags: tags
    retentionInDays: logRetentionInDays
    dailyQuotaGb: logDailyQuotaGb
  }
}

module workbook 'core/workbook.bicep' = {
  name: 'workbook'
  scope: group
  params: {
    applicationInsightsName: applicationInsightsName
    location: location
    tags: tags
  }
  dependsOn: [
    monitoring
  ]
}

module alerts 'core/alerts.bicep' = if (!empty(alertContactEmails)) {
  name: 'alerts'
  scope: group
  params: {
    actionGroupName: '${abbreviations.insightsActionGroups}${resourceToken}'
    namePrefix: '${abbreviations.insightsScheduledQueryRules}${resourceToken}-'
    applicationInsightsName: applicationInsightsName
    location: location
    tags: tags
    contactEmails: alertContactEmails
  }
  dependsOn: [
    monitoring
  ]
}

module storage 'core/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: storageName
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
    namePrefix: accountPrefix
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
    name: vaultName
    location: location
    tags: tags
    workspaceId: monitoring.outputs.workspaceId
    privateOnly: vnetEnabled
  }
}

module search 'core/search.bicep' = if (!empty(searchSku)) {
  name: 'search'
  scope: group
  params: {
    name: searchName
    location: location
    tags: tags
    skuName: searchSku == 'standard' ? 'standard' : 'basic'
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
    endpoints: concat(
      [
        {
          name: 'storage'
          resourceId: storage.outputs.id
          groupId: 'blob'
        }
      ],
      usesTables
        ? [
            {
              name: 'storage-table'
              resourceId: storage.outputs.id
              groupId: 'table'
            }
          ]
        : [],
      openAi.outputs.endpoints,
      usesExisting
        ? [
            {
              name: 'openai-existing'
              resourceId: existingOpenAiResourceId
              groupId: 'account'
            }
          ]
        : [],
      authMode == 'keys'
        ? [
            {
              name: 'vault'
              resourceId: vault!.outputs.id
              groupId: 'vault'
            }
          ]
        : [],
      !empty(searchSku)
        ? [
            {
              name: 'search'
              resourceId: search!.outputs.id
              groupId: 'searchService'
            }
          ]
        : []
    )
  }
}

module rbac 'app/rbac.bicep' = {
  name: 'rbac'
  scope: group
  params: {
    identityId: identityId
    appPrincipalId: identity.outputs.principalId
    developerPrincipalId: principalId
    developerPrincipalType: principalType
    storageAccountName: storageName
    usesTables: usesTables
    applicationInsightsName: applicationInsightsName
    vaultName: vaultName
    searchName: searchName
  }
  dependsOn: [
    storage
    monitoring
    vault
    search
  ]
}

module openAiRbac 'app/rbac-openai.bicep' = [
  for account in accounts: {
    name: 'rbac-openai-${account.name}'
    scope: group
    params: {
      accountName: '${accountPrefix}${account.name}'
      identityId: identityId
      appPrincipalId: identity.outputs.principalId
      keepsObjects: keepsObjects
      developerPrincipalId: principalId
      developerPrincipalType: principalType
    }
    dependsOn: [
      openAi
    ]
  }
]

// Only the app's roles: the deploying principal may already have one on its account, and Azure rejects a duplicate.
module existingOpenAiRbac 'app/rbac-openai.bicep' = if (usesExisting) {
  name: 'rbac-openai-existing'
  scope: resourceGroup(existingIdParts[2], existingIdParts[4])
  params: {
    accountName: existingIdParts[8]
    identityId: identityId
    appPrincipalId: identity.outputs.principalId
    keepsObjects: keepsObjects
  }
}

module frontDoor 'edge/frontdoor.bicep' = if (frontDoorEnabled) {
  name: 'frontdoor'
  scope: group
  params: {
    name: frontDoorName
    firewallPolicyName: '${abbreviations.networkFrontDoorWebApplicationFirewallPolicies}${resourceToken}'
    tags: tags
    workspaceId: monitoring.outputs.workspaceId
  }
}

// The app starts only after its roles and private endpoints exist.
module api 'app/function.bicep' = {
  name: 'api'
  scope: group
  params: {
    planName: '${abbreviations.webServerFarms}${resourceToken}'
    name: '${abbreviations.webSitesFunctions}${resourceToken}'
    location: location
    tags: tags
    identityId: identityId
    identityClientId: identity.outputs.clientId
    storageBlobEndpoint: storage.outputs.blobEndpoint
    storageTableEndpoint: usesTables ? storage.outputs.tableEndpoint : ''
    usesTables: usesTables
    deploymentContainerName: deploymentContainerName
    applicationInsightsName: applicationInsightsName
    workspaceId: monitoring.outputs.workspaceId
    pythonVersion: pythonVersion
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    httpPerInstanceConcurrency: httpPerInstanceConcurrency
    httpAlwaysReadyInstances: httpAlwaysReadyInstances
    siteUpdateStrategy: siteUpdateStrategy
    zoneRedundant: zoneRedundant
    subnetId: vnetEnabled ? network!.outputs.appSubnetId : ''
    authMode: authMode
    vaultUri: authMode == 'keys' ? vault!.outputs.uri : ''
    authClientId: authClientId
    authAllowedClientIds: authAllowedClientIds
    corsAllowedOrigins: corsAllowedOrigins
    behindFrontDoor: frontDoorEnabled
    frontDoorId: frontDoorEnabled ? frontDoor!.outputs.frontDoorId : ''
    openAiEndpoint: openAiBackends[0].endpoint
    openAiDefaultDeployment: defaultDeployment
    openAiBackends: openAiBackends
    searchEndpoint: !empty(searchSku) ? search!.outputs.endpoint : ''
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
    profileName: frontDoorName
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

@description('Name of the app, under the key that azd expects.')
output SERVICE_API_NAME string = api.outputs.name

@description('Base URL for callers.')
output SERVICE_API_URI string = 'https://${frontDoorEnabled ? edgeRoutes!.outputs.hostName : api.outputs.hostName}'

@description('Name of the app, for `func azure functionapp publish`.')
output AZURE_FUNCTION_NAME string = api.outputs.name

@description('Client ID of the app\'s identity.')
output AZURE_CLIENT_ID string = identity.outputs.clientId

@description('URL of the first Azure OpenAI account.')
output AZURE_OPENAI_ENDPOINT string = openAiBackends[0].endpoint

@description('Name of the first Azure OpenAI account.')
output AZURE_OPENAI_RESOURCE string = usesExisting ? existingIdParts[8] : '${accountPrefix}${accounts[0].name}'

@description('Default model name, for requests that name none.')
output AZURE_OPENAI_DEPLOYMENT string = defaultDeployment

@description('Name of the key vault of caller keys; empty if there is none.')
output AZURE_KEY_VAULT_NAME string = vaultName

@description('URL of the search service; empty if there is none.')
output AZURE_SEARCH_ENDPOINT string = !empty(searchSku) ? search!.outputs.endpoint : ''
