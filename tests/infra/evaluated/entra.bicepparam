using '../../../infra/main.bicep'

param environmentName = 'chat'
param location = 'swedencentral'
param authMode = 'entra'
param authClientId = 'id'
param corsAllowedOrigins = ['https://app.example.com']
