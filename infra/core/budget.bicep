// A monthly budget over the resource group. It warns; it stops nothing.

@description('Required. Name of the budget.')
param name string

@description('Required. Amount a month, in the currency of the subscription.')
@minValue(1)
param amount int

@description('Required. First day of the first month, as 2026-01-01. Azure refuses to change it later.')
param startDate string

@description('Optional. Addresses to warn, beside the owners of the subscription.')
param contactEmails array = []

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
