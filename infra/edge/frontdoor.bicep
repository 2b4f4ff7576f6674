// Front Door Premium and its firewall policy. The routes are separate (routes.bicep), because the app needs the profile's ID first.

import { Tags } from '../types.bicep'

@description('Required. Name of the profile.')
param name string

@description('Required. Name of the firewall policy: letters and digits only.')
param firewallPolicyName string

@description('Optional. Tags.')
param tags Tags = {}

@description('Required. Resource ID of the Log Analytics workspace.')
param workspaceId string

resource profile 'Microsoft.Cdn/profiles@2025-06-01' = {
  name: name
  location: 'global'
  tags: tags
  sku: {
    name: 'Premium_AzureFrontDoor'
  }
  properties: {
    originResponseTimeoutSeconds: 240
  }
}

resource firewall 'Microsoft.Network/FrontDoorWebApplicationFirewallPolicies@2025-03-01' = {
  name: firewallPolicyName
  location: 'global'
  tags: tags
  sku: {
    name: 'Premium_AzureFrontDoor'
  }
  properties: {
    policySettings: {
      enabledState: 'Enabled'
      mode: 'Prevention'
      requestBodyCheck: 'Enabled'
    }
    managedRules: {
      managedRuleSets: [
        {
          ruleSetType: 'Microsoft_DefaultRuleSet'
          ruleSetVersion: '2.1'
          ruleSetAction: 'Block'
          // A prompt may contain SQL or shell code, which is never executed: JSON values are not inspected for attacks.
          exclusions: [
            {
              matchVariable: 'RequestBodyJsonArgNames'
              selectorMatchOperator: 'EqualsAny'
              selector: '*'
            }
          ]
        }
        {
          ruleSetType: 'Microsoft_BotManagerRuleSet'
          ruleSetVersion: '1.0'
        }
      ]
    }
  }
}

resource frontDoorDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: profile
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'FrontDoorWebApplicationFirewallLog'
        enabled: true
      }
    ]
    metrics: [
      {
        category: 'AllMetrics'
        enabled: true
      }
    ]
  }
}

@description('Name of the profile, for its routes.')
output name string = profile.name

@description('ID that Front Door sends in X-Azure-FDID.')
output frontDoorId string = profile.properties.frontDoorId

@description('Resource ID of the firewall policy, for its routes.')
output firewallPolicyId string = firewall.id
