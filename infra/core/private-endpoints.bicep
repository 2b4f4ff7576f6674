// One private endpoint with its DNS entry for each resource that the app calls.

import { Endpoint, Tags } from '../types.bicep'

@description('Required. Name prefix of the endpoints.')
param namePrefix string

@description('Required. Region of the network.')
param location string

@description('Optional. Tags.')
param tags Tags = {}

@description('Required. Resource ID of the subnet.')
param subnetId string

@description('Required. Resource IDs of the private DNS zones, by group ID.')
param zoneIds { *: string }

@description('Required. What to reach through them.')
param endpoints Endpoint[]

resource endpoint 'Microsoft.Network/privateEndpoints@2025-05-01' = [
  for item in endpoints: {
    name: '${namePrefix}${item.name}'
    location: location
    tags: tags
    properties: {
      subnet: {
        id: subnetId
      }
      privateLinkServiceConnections: [
        {
          name: item.name
          properties: {
            privateLinkServiceId: item.resourceId
            groupIds: [
              item.groupId
            ]
          }
        }
      ]
    }
  }
]

resource zoneGroup 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-05-01' = [
  for (item, i) in endpoints: {
    parent: endpoint[i]
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: item.groupId
          properties: {
            privateDnsZoneId: zoneIds[item.groupId]
          }
        }
      ]
    }
  }
]

@description('Names of the endpoints.')
output names string[] = [for (item, i) in endpoints: endpoint[i].name]
