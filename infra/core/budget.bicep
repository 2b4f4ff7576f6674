// A monthly budget for the resource group. It notifies; it does not stop anything.

@description('Required. Name of the budget.')
param name string

@description('Required. Monthly amount, in the subscription\'s currency.')
@minValue(1)
param amount int

@description('Required. First day of the first month, as 2026-01-01. It cannot be changed later.')
param startDate string

@description('Optional. Email addresses to notify, in addition to the owners of the subscription.')
param contactEmails string[] = []

resource budget 'Microsoft.Consumption/budgets@2024-08-01' = {
  name: name
  properties: {
    category: 'Cost'
    amount: amount
    timeGrain: 'Monthly'
    timePeriod: {
      startDate: startDate
    }
    notifications: {
      actual80: {
        enabled: true
        operator: 'GreaterThanOrEqualTo'
        threshold: 80
        thresholdType: 'Actual'
        contactEmails: contactEmails
        contactRoles: [
          'Owner'
        ]
      }
      forecasted100: {
        enabled: true
        operator: 'GreaterThanOrEqualTo'
        threshold: 100
        thresholdType: 'Forecasted'
        contactEmails: contactEmails
        contactRoles: [
          'Owner'
        ]
      }
    }
  }
}

@description('Name of the budget.')
output name string = budget.name
