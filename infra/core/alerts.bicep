// Alert rules over the answers' receipts and the state of the backends. Their queries are in alerts.json, for Terraform too.

import { Tags } from '../types.bicep'

@description('Required. Name of the action group.')
param actionGroupName string

@description('Required. Beginning of the names of the alert rules.')
param namePrefix string

@description('Required. Name of the Application Insights component that they read.')
param applicationInsightsName string

@description('Required. Region.')
param location string

@description('Optional. Tags.')
param tags Tags = {}

@description('Required. Email addresses to notify.')
param contactEmails string[]

var rules = loadJsonContent('alerts.json')

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: applicationInsightsName
}

resource actionGroup 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: actionGroupName
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'answers'
    enabled: true
    emailReceivers: [
      for (address, i) in contactEmails: {
        name: 'email-${i}'
        emailAddress: address
        useCommonAlertSchema: true
      }
    ]
  }
}

resource alertRules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in rules: {
    name: '${namePrefix}${rule.name}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: rule.displayName
      description: rule.description
      severity: rule.severity
      enabled: true
      evaluationFrequency: 'PT5M'
      windowSize: 'PT15M'
      autoMitigate: true
      scopes: [
        applicationInsights.id
      ]
      criteria: {
        allOf: [
          {
            query: rule.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      actions: {
        actionGroups: [
          actionGroup.id
        ]
      }
    }
  }
]
