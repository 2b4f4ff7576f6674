// The virtual network: one subnet for the app, one for private endpoints, and the private DNS zones for them.

import { Tags } from '../types.bicep'

@description('Required. Name of the virtual network.')
param name string

@description('Required. Name prefix of the network security groups.')
param securityGroupPrefix string

@description('Required. Region.')
param location string

@description('Optional. Tags.')
param tags Tags = {}

@description('Optional. Address range of the network.')
param addressPrefix string = '10.0.0.0/16'

@description('Optional. Address range of the app\'s subnet; a /24 leaves room for scaling out.')
param appSubnetPrefix string = '10.0.1.0/24'

@description('Optional. Address range of the private endpoints\' subnet.')
param endpointsSubnetPrefix string = '10.0.2.0/24'

var zoneNames = [
  'privatelink.blob.${environment().suffixes.storage}'
  'privatelink.table.${environment().suffixes.storage}'
  'privatelink.openai.azure.com'
  'privatelink.vaultcore.azure.net'
  'privatelink.search.windows.net'
]

resource appSecurityGroup 'Microsoft.Network/networkSecurityGroups@2025-05-01' = {
  name: '${securityGroupPrefix}app'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'deny-inbound'
        properties: {
          description: 'Requests arrive through the platform, never through this subnet.'
          access: 'Deny'
          direction: 'Inbound'
          priority: 4096
          protocol: '*'
          sourceAddressPrefix: 'Internet'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

resource endpointsSecurityGroup 'Microsoft.Network/networkSecurityGroups@2025-05-01' = {
  name: '${securityGroupPrefix}endpoints'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'allow-app-https'
        properties: {
          description: 'The app calls the private endpoints over TLS.'
          access: 'Allow'
          direction: 'Inbound'
          priority: 100
          protocol: 'Tcp'
          sourceAddressPrefix: appSubnetPrefix
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '443'
        }
      }
      {
        name: 'deny-inbound'
        properties: {
          description: 'No other traffic is allowed.'
          access: 'Deny'
          direction: 'Inbound'
          priority: 4096
          protocol: '*'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [
        addressPrefix
      ]
    }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: appSubnetPrefix
          networkSecurityGroup: {
            id: appSecurityGroup.id
          }
          delegations: [
            {
              name: 'flex-consumption'
              properties: {
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: endpointsSubnetPrefix
          networkSecurityGroup: {
            id: endpointsSecurityGroup.id
          }
          privateEndpointNetworkPolicies: 'NetworkSecurityGroupEnabled'
        }
      }
    ]
  }
}

resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for zoneName in zoneNames: {
    name: zoneName
    location: 'global'
    tags: tags
  }
]

resource zoneLinks 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (zoneName, i) in zoneNames: {
    parent: zones[i]
    name: name
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: {
        id: network.id
      }
    }
  }
]

@description('Resource ID of the app\'s subnet.')
output appSubnetId string = '${network.id}/subnets/app'

@description('Resource ID of the private endpoints\' subnet.')
output endpointsSubnetId string = '${network.id}/subnets/endpoints'

@description('Resource IDs of the private DNS zones, by the group ID of the service.')
output zoneIds { *: string } = {
  blob: zones[0].id
  table: zones[1].id
  account: zones[2].id
  vault: zones[3].id
  searchService: zones[4].id
}
