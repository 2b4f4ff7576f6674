using '../../../infra/main.bicep'

param environmentName = 'chat'
param location = 'swedencentral'
param authMode = 'keys'
param principalId = '00000000-0000-0000-0000-00000000000a'
