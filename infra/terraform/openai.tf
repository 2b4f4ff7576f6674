# Azure OpenAI: accounts created here, or an existing one, and the resulting failover list. No keys.

locals {
  described_deployment = var.open_ai_deployment_name == "" ? var.open_ai_model_name : var.open_ai_deployment_name
  described_accounts = [{
    name     = "primary"
    location = var.open_ai_location
    priority = 1
    weight   = 1
    deployments = [{
      name     = local.described_deployment
      model    = var.open_ai_model_name
      version  = var.open_ai_model_version
      sku      = var.open_ai_deployment_sku_name
      capacity = var.open_ai_deployment_capacity
      alias    = null
    }]
  }]
  listed_accounts    = length(var.open_ai_accounts) == 0 ? local.described_accounts : var.open_ai_accounts
  uses_existing      = var.existing_open_ai_resource_id != ""
  accounts           = local.uses_existing ? [] : local.listed_accounts
  first_deployment   = local.listed_accounts[0].deployments[0]
  default_deployment = local.uses_existing ? local.described_deployment : coalesce(local.first_deployment.alias, local.first_deployment.name)

  deployments = merge([
    for account in local.accounts : {
      for deployment in account.deployments : "${account.name}/${deployment.name}" => merge(deployment, { account = account.name })
    }
  ]...)

  open_ai_backends = local.uses_existing ? [{
    name        = reverse(split("/", var.existing_open_ai_resource_id))[0]
    endpoint    = data.azapi_resource.existing_open_ai[0].output.properties.endpoint
    priority    = 1
    weight      = 1
    deployments = var.existing_open_ai_deployments
    }] : [
    for account in local.accounts : {
      name        = account.name
      endpoint    = azurerm_cognitive_account.account[account.name].endpoint
      priority    = account.priority
      weight      = account.weight
      deployments = { for deployment in account.deployments : coalesce(deployment.alias, deployment.name) => deployment.name }
    }
  ]

  # All accounts that the app calls, by backend name.
  open_ai_account_ids = local.uses_existing ? { existing = var.existing_open_ai_resource_id } : {
    for account in local.accounts : account.name => azurerm_cognitive_account.account[account.name].id
  }
}

# Only read, never changed. It may be in another resource group or subscription.
data "azapi_resource" "existing_open_ai" {
  count = local.uses_existing ? 1 : 0

  type                   = "Microsoft.CognitiveServices/accounts@2025-06-01"
  resource_id            = var.existing_open_ai_resource_id
  response_export_values = ["properties.endpoint"]
}

resource "azurerm_cognitive_account" "account" {
  for_each = { for account in local.accounts : account.name => account }

  name                               = "cog-${local.resource_token}-${each.key}"
  resource_group_name                = azurerm_resource_group.group.name
  location                           = each.value.location == "" ? azurerm_resource_group.group.location : each.value.location
  tags                               = local.tags
  kind                               = "OpenAI"
  sku_name                           = "S0"
  custom_subdomain_name              = "cog-${local.resource_token}-${each.key}"
  local_auth_enabled                 = false
  public_network_access_enabled      = !var.vnet_enabled
  outbound_network_access_restricted = var.open_ai_restrict_outbound

  network_acls {
    default_action = var.vnet_enabled ? "Deny" : "Allow"
  }
}

# The provider changes the deployments of an account one at a time.
resource "azurerm_cognitive_deployment" "model_deployments" {
  for_each = local.deployments

  name                   = each.value.name
  cognitive_account_id   = azurerm_cognitive_account.account[each.value.account].id
  rai_policy_name        = "Microsoft.DefaultV2"
  version_upgrade_option = "OnceCurrentVersionExpired"

  model {
    format  = "OpenAI"
    name    = each.value.model
    version = each.value.version
  }

  sku {
    name     = each.value.sku
    capacity = each.value.capacity
  }
}

# What azurerm has no arguments for.
resource "azapi_update_resource" "deployment_options" {
  for_each = { for key, deployment in local.deployments : key => deployment if deployment.serviceTier != null || deployment.spilloverDeployment != null }

  type        = "Microsoft.CognitiveServices/accounts/deployments@2025-12-01"
  resource_id = azurerm_cognitive_deployment.model_deployments[each.key].id
  body = {
    properties = { for name, value in {
      serviceTier             = each.value.serviceTier
      spilloverDeploymentName = each.value.spilloverDeployment
    } : name => value if value != null }
  }

  # The deployment that takes what the units cannot exists first.
  depends_on = [azurerm_cognitive_deployment.model_deployments]
}

resource "azurerm_monitor_diagnostic_setting" "open_ai_diagnostics" {
  for_each = azurerm_cognitive_account.account

  name                       = "audit"
  target_resource_id         = each.value.id
  log_analytics_workspace_id = azurerm_log_analytics_workspace.workspace.id

  enabled_log {
    category_group = "allLogs"
  }

  enabled_metric {
    category = "AllMetrics"
  }
}
