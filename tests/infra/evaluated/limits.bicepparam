using '../../../infra/main.bicep'

param environmentName = 'chat'
param location = 'swedencentral'
param appSettings = {
  CALLER_LIMITS: '{"*": {"streams": 20}}'
}
