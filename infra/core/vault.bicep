// The vault for the hashes of the caller keys, created only with authMode 'keys'. Templates never contain the secret's value.

import { Tags } from '../types.bicep'

@description('Required. Name of the vault.')
param name string

@description('Required. Region.')
param location string

@description('Optional. Tags.')
param tags Tags = {}

@description('Required. Resource ID of the Log Analytics workspace.')
param workspaceId string

@description('Optional. Whether only private endpoints can reach the vault.')
param privateOnly bool = false

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 7
    enablePurgeProtection: true
    publicNetworkAccess: privateOnly ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'None'
      defaultAction: privateOnly ? 'Deny' : 'Allow'
    }
  }
}

resource vaultDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: vault
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        categoryGroup: 'audit'
        enabled: true
      }
    ]
  }
}

@description('Resource ID, for the private endpoint.')
output id string = vault.id

@description('Name, for role assignments and for `az keyvault secret set`.')
output name string = vault.name

@description('URL of the vault, with a trailing slash.')
output uri string = vault.properties.vaultUri
