using '../../../infra/main.bicep'

param environmentName = 'chat'
param location = 'swedencentral'
param searchSku = 'basic'
param principalId = '00000000-0000-0000-0000-00000000000a'
