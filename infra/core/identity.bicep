// The one identity that the app runs as. User-assigned, so that its roles exist before the app starts for the first time.

@description('Required. Name of the identity.')
param name string

@description('Required. Region.')
param location string

@description('Optional. Tags.')
param tags object = {}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: tags
}

@description('Resource id, which the app and its deployment storage name.')
output id string = identity.id

@description('Client id, which settings name: AZURE_CLIENT_ID and its like.')
output clientId string = identity.properties.clientId

@description('Principal id, which role assignments name.')
output principalId string = identity.properties.principalId
