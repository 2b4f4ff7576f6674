using '../../../infra/main.bicep'

param environmentName = 'chat'
param location = 'swedencentral'
param appSettings = {
  SYSTEM_PROMPT: 'Be brief: "yes".'
  AUTH_MODE: 'anonymous'
}
