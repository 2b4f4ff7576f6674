using '../../../infra/main.bicep'

param environmentName = 'chat'
param location = 'swedencentral'
param vnetEnabled = true
