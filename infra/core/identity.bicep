// The identity of the app. User-assigned, so that its roles exist before the app starts for the first time.

import { Tags } from '../types.bicep'

@description('Required. Name of the identity.')
param name string

@description('Required. Region.')
param location string

@description('Optional. Tags.')
param tags Tags = {}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: tags
}

@description('Resource ID, for the app and its deployment storage.')
output id string = identity.id

@description('Client ID, for settings such as AZURE_CLIENT_ID.')
output clientId string = identity.properties.clientId

@description('Principal ID, for role assignments.')
output principalId string = identity.properties.principalId
