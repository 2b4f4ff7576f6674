# Everything the app needs, starting from an empty subscription: one resource group, no keys. Mirrors ../main.bicep.

data "azurerm_client_config" "current" {}

locals {
  subscription_id = "/subscriptions/${data.azurerm_client_config.current.subscription_id}"
  resource_token  = substr(sha256("${local.subscription_id}/${var.environment_name}/${var.location}"), 0, 13)
  group_name      = var.resource_group_name == "" ? "rg-${var.environment_name}" : var.resource_group_name
  tags            = { "azd-env-name" = var.environment_name }
}

resource "azurerm_resource_group" "group" {
  name     = local.group_name
  location = var.location
  tags     = local.tags
}

# User-assigned, so that its roles exist before the app starts for the first time.
resource "azurerm_user_assigned_identity" "identity" {
  name                = "id-${local.resource_token}"
  resource_group_name = azurerm_resource_group.group.name
  location            = azurerm_resource_group.group.location
  tags                = local.tags
}

# It notifies; it does not stop anything.
resource "azurerm_consumption_budget_resource_group" "budget" {
  count = var.budget_amount > 0 ? 1 : 0

  name              = "budget-${local.resource_token}"
  resource_group_id = azurerm_resource_group.group.id
  amount            = var.budget_amount
  time_grain        = "Monthly"

  time_period {
    start_date = "${var.budget_start_date}T00:00:00Z"
  }

  notification {
    enabled        = true
    operator       = "GreaterThanOrEqualTo"
    threshold      = 80
    threshold_type = "Actual"
    contact_emails = var.budget_contact_emails
    contact_roles  = ["Owner"]
  }

  notification {
    enabled        = true
    operator       = "GreaterThanOrEqualTo"
    threshold      = 100
    threshold_type = "Forecasted"
    contact_emails = var.budget_contact_emails
    contact_roles  = ["Owner"]
  }
}
