using '../../../infra/main.bicep'

param environmentName = 'chat'
param location = 'swedencentral'
param openAiAccounts = [
  {
    name: 'sweden'
    location: 'swedencentral'
    deployments: [
      {
        name: 'mini'
        model: 'gpt-5.4-mini'
        version: '2026-03-17'
        sku: 'GlobalStandard'
        capacity: 30
        serviceTier: 'Priority'
      }
      { name: 'big', model: 'gpt-5.4', version: '2026-03-05', sku: 'Standard', capacity: 9 }
      {
        name: 'big-units'
        model: 'gpt-5.4'
        version: '2026-03-05'
        sku: 'ProvisionedManaged'
        capacity: 50
        alias: 'smart'
        spilloverDeployment: 'big'
      }
    ]
  }
  {
    name: 'us'
    priority: 2
    weight: 3
    deployments: [
      { name: 'mini', model: 'gpt-5.4-mini', version: '2026-03-17', sku: 'GlobalStandard', capacity: 30 }
    ]
  }
]
param principalId = '00000000-0000-0000-0000-00000000000a'
param authMode = 'keys'
param vnetEnabled = true
param searchSku = 'basic'
param frontDoorEnabled = true
param appSettings = {
  CALLER_LIMITS: '{"*": {"streams": 20}}'
  OPENAI_STATEFUL: 'on'
}
param httpAlwaysReadyInstances = 2
param zoneRedundant = true
param corsAllowedOrigins = ['https://app.example.com', 'https://other.example.com']
param budgetAmount = 100
param budgetStartDate = '2026-01-01'
param alertContactEmails = ['me@example.com']
