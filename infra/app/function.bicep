// The Flex Consumption plan and the app on it, with every app setting. One app per plan is what Flex Consumption allows.

import { AppSettings, Backend, Tags } from '../types.bicep'

@description('Required. Name of the plan.')
param planName string

@description('Required. Name of the app.')
param name string

@description('Required. Region.')
param location string

@description('Optional. Tags.')
param tags Tags = {}

@description('Required. Resource ID of the app\'s identity.')
param identityId string

@description('Required. Client ID of the app\'s identity.')
param identityClientId string

@description('Required. URL of the blob service, with a trailing slash.')
param storageBlobEndpoint string

@description('Optional. URL of the table service, with a trailing slash; empty where the app keeps no tables.')
param storageTableEndpoint string = ''

@description('Optional. Whether the app keeps tables there.')
param usesTables bool = false

@description('Required. Name of the container for deployment packages.')
param deploymentContainerName string

@description('Required. Name of the Application Insights component for telemetry.')
param applicationInsightsName string

@description('Required. Resource ID of the Log Analytics workspace.')
param workspaceId string

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

@description('Optional. Concurrent requests per instance before another instance starts. Unset, the platform uses 1 for Python: every stream would occupy an instance.')
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

@description('Optional. Resource ID of the subnet of the app; empty for none.')
param subnetId string = ''

@description('Optional. Caller authentication: the Functions host\'s keys, the app\'s own keys, Entra tokens, or none.')
@allowed([
  'function'
  'keys'
  'entra'
  'anonymous'
])
param authMode string = 'function'

@description('Optional. URL of the vault that holds the secret caller-keys, with a trailing slash; required with authMode keys.')
param vaultUri string = ''

@description('Optional. Client ID of the app registration that callers request tokens for; required with authMode entra.')
param authClientId string = ''

@description('Optional. Client IDs of the applications allowed to call with authMode entra; empty: only the registration itself.')
param authAllowedClientIds string[] = []

@description('Optional. Origins of web pages allowed to call (CORS).')
param corsAllowedOrigins string[] = []

@description('Optional. ID of the Front Door profile in front of the app; empty if there is none.')
param frontDoorId string = ''

@description('Optional. Whether that profile is the only allowed origin.')
param behindFrontDoor bool = false

@description('Required. URL of the first Azure OpenAI account.')
param openAiEndpoint string

@description('Required. Default model name, for requests that name none.')
param openAiDefaultDeployment string

@description('Required. Entries of AZURE_OPENAI_BACKENDS.')
param openAiBackends Backend[]

@description('Optional. URL of the search service; empty if there is none.')
param searchEndpoint string = ''

@description('Optional. App settings that override the defaults below. No secrets.')
param appSettings AppSettings = {}

// With Easy Auth the platform has to answer CORS preflights, which carry no token; otherwise the app does. Never both.
var platformCors = authMode == 'entra'

// All settings of the app, with the app's defaults. The parameter appSettings overrides them.
var defaultSettings = {
  AZURE_OPENAI_ENDPOINT: openAiEndpoint
  AZURE_OPENAI_DEPLOYMENT: openAiDefaultDeployment
  AZURE_OPENAI_API: 'chat'
  AZURE_OPENAI_SCOPE: 'https://cognitiveservices.azure.com/.default'
  MEDIA_API_VERSION: '2025-04-01-preview'
  AZURE_OPENAI_BACKENDS: string(openAiBackends)
  AZURE_OPENAI_MODELS: ''
  PASS_HEADERS: ''
  STREAMING_ENABLED: 'true'
  SYSTEM_PROMPT: ''
  CHAT_TOOLS: ''
  OPENAI_STATEFUL: 'off'
  RESUME: 'off'
  RESUME_GRACE_SECONDS: '60'
  RETRIEVAL: 'off'
  SEARCH_ENDPOINT: searchEndpoint
  SEARCH_INDEX: ''
  SEARCH_KNOWLEDGE_BASE: ''
  SEARCH_FIELDS: 'content,title,url'
  SEARCH_SEMANTIC_CONFIGURATION: ''
  SEARCH_VECTOR_FIELDS: ''
  SEARCH_TOP: '5'
  SEARCH_FILTER: ''
  SEARCH_SECONDS: '10'
  SEARCH_REQUIRED: 'false'
  CALLER_LIMITS: ''
  LIMITS_MODE: 'enforce'
  LIMITS_WHEN_STORE_FAILS: 'open'
  OPERATORS: ''
  PRICES: ''
  MAX_REQUEST_BYTES: '16777216'
  MAX_UPLOAD_BYTES: '52428800'
  MAX_OUTPUT_TOKENS: ''
  MAX_EVENT_BYTES: '16777216'
  MAX_OPEN_STREAMS: '0'
  COMMIT_SECONDS: '10'
  FIRST_CONTENT_SECONDS: '600'
  ATTEMPT_BUDGET_SECONDS: '610'
  UPSTREAM_SILENCE_SECONDS: '120'
  HEARTBEAT_SECONDS: '15'
  WRITE_WINDOW_SECONDS: '0.03'
  DRAIN_SECONDS: '25'
  OTEL_EXPORTER_OTLP_ENDPOINT: ''
  OTEL_EXPORTER_OTLP_HEADERS: ''
  TELEMETRY_SEMCONV: '1.41'
  TELEMETRY_SAMPLE: '1'
  TELEMETRY_CALLERS: 'false'
  DEBUG_HEADERS: 'false'
}

// Settings that follow from the deployed resources. They cannot be overridden.
var deployedSettings = {
  AUTH_MODE: authMode
  CALLER_KEYS: authMode == 'keys' ? '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/caller-keys)' : ''
  ALLOWED_ORIGINS: platformCors ? '' : join(corsAllowedOrigins, ',')
}

var namedSettings = union(defaultSettings, appSettings, deployedSettings)

var tableSettings = usesTables
  ? [
      {
        name: 'AzureWebJobsStorage__tableServiceUri'
        value: storageTableEndpoint
      }
    ]
  : []

var namedSettingList = [
  for setting in items(namedSettings): {
    name: setting.key
    value: setting.value
  }
]

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: applicationInsightsName
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
    zoneRedundant: zoneRedundant
  }
}

resource site 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'api' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    publicNetworkAccess: 'Enabled'
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storageBlobEndpoint}${deploymentContainerName}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'python'
        version: pythonVersion
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: httpAlwaysReadyInstances > 0
          ? [
              {
                name: 'http'
                instanceCount: httpAlwaysReadyInstances
              }
            ]
          : []
        triggers: {
          http: {
            perInstanceConcurrency: httpPerInstanceConcurrency
          }
        }
      }
      // The service knows this property, and the types of its newest API version do not. Without it: Recreate.
      #disable-next-line BCP037
      siteUpdateStrategy: siteUpdateStrategy == 'Recreate'
        ? null
        : {
            type: siteUpdateStrategy
          }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      http20Enabled: true
      cors: {
        allowedOrigins: platformCors ? corsAllowedOrigins : []
        supportCredentials: false
      }
      ipSecurityRestrictionsDefaultAction: behindFrontDoor ? 'Deny' : 'Allow'
      ipSecurityRestrictions: behindFrontDoor
        ? [
            {
              name: 'front-door'
              description: 'Only this Front Door profile.'
              action: 'Allow'
              priority: 100
              tag: 'ServiceTag'
              ipAddress: 'AzureFrontDoor.Backend'
              headers: {
                'x-azure-fdid': [
                  frontDoorId
                ]
              }
            }
          ]
        : []
      scmIpSecurityRestrictionsUseMain: false
      scmIpSecurityRestrictionsDefaultAction: 'Allow'
      appSettings: concat(
        [
          {
            name: 'AzureWebJobsStorage__credential'
            value: 'managedidentity'
          }
          {
            name: 'AzureWebJobsStorage__clientId'
            value: identityClientId
          }
          {
            name: 'AzureWebJobsStorage__blobServiceUri'
            value: storageBlobEndpoint
          }
          {
            name: 'AZURE_CLIENT_ID'
            value: identityClientId
          }
          {
            name: 'APPLICATIONINSIGHTS_CONNECTION_STRING'
            value: applicationInsights.properties.ConnectionString
          }
          {
            name: 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING'
            value: 'ClientId=${identityClientId};Authorization=AAD'
          }
          {
            name: 'AzureWebJobsDisableHomepage'
            value: 'true'
          }
          {
            name: 'PYTHON_ENABLE_INIT_INDEXING'
            value: '1'
          }
        ],
        tableSettings,
        namedSettingList
      )
    }
  }
}

// Deployments use Entra tokens; basic authentication is disabled.
resource scmBasicAuth 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: site
  name: 'scm'
  properties: {
    allow: false
  }
}

resource ftpBasicAuth 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: site
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource easyAuth 'Microsoft.Web/sites/config@2025-03-01' = if (authMode == 'entra') {
  parent: site
  name: 'authsettingsV2'
  properties: {
    platform: {
      enabled: true
    }
    globalValidation: {
      requireAuthentication: true
      unauthenticatedClientAction: 'Return401'
      excludedPaths: [
        '/health'
      ]
    }
    httpSettings: {
      requireHttps: true
    }
    identityProviders: {
      azureActiveDirectory: {
        enabled: true
        registration: {
          clientId: authClientId
          openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
        }
        validation: {
          allowedAudiences: [
            authClientId
            'api://${authClientId}'
          ]
          defaultAuthorizationPolicy: {
            allowedApplications: empty(authAllowedClientIds)
              ? [
                  authClientId
                ]
              : authAllowedClientIds
          }
        }
      }
    }
    login: {
      tokenStore: {
        enabled: false
      }
    }
  }
}

resource siteDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'host'
  scope: site
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'FunctionAppLogs'
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

@description('Name of the app.')
output name string = site.name

@description('Host name of the app.')
output hostName string = site.properties.defaultHostName
