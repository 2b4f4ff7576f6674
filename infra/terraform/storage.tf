# The storage account required by the Functions host, with the containers for deployment packages and for the app's own
# state. No shared keys.

locals {
  deployment_container_name = "app-package-${substr(local.resource_token, 0, 7)}"
}

resource "azurerm_storage_account" "account" {
  name                             = "st${local.resource_token}"
  resource_group_name              = azurerm_resource_group.group.name
  location                         = azurerm_resource_group.group.location
  tags                             = local.tags
  account_kind                     = "StorageV2"
  account_tier                     = "Standard"
  account_replication_type         = "LRS"
  access_tier                      = "Hot"
  shared_access_key_enabled        = false
  default_to_oauth_authentication  = true
  allow_nested_items_to_be_public  = false
  cross_tenant_replication_enabled = false
  https_traffic_only_enabled       = true
  local_user_enabled               = false
  min_tls_version                  = "TLS1_2"
  public_network_access_enabled    = !var.vnet_enabled

  network_rules {
    default_action = var.vnet_enabled ? "Deny" : "Allow"
    bypass         = ["None"]
  }

  sas_policy {
    expiration_action = "Log"
    expiration_period = "00.01:00:00"
  }

  blob_properties {
    delete_retention_policy {
      days = 7
    }

    container_delete_retention_policy {
      days = 7
    }
  }
}

locals {
  # Tables hold what callers may use and have used.
  uses_tables = lookup(var.app_settings, "CALLER_LIMITS", "") != "" || lookup(var.app_settings, "OPERATORS", "") != ""
}

resource "azurerm_storage_container" "packages" {
  name                  = local.deployment_container_name
  storage_account_id    = azurerm_storage_account.account.id
  container_access_type = "private"
}

# What outlives the app's processes, under the name that shared/state/blob_keys.py has.
resource "azurerm_storage_container" "state" {
  name                  = "state"
  storage_account_id    = azurerm_storage_account.account.id
  container_access_type = "private"
}

resource "azurerm_monitor_diagnostic_setting" "blob_diagnostics" {
  name                       = "audit"
  target_resource_id         = "${azurerm_storage_account.account.id}/blobServices/default"
  log_analytics_workspace_id = azurerm_log_analytics_workspace.workspace.id

  enabled_log {
    category = "StorageWrite"
  }

  enabled_log {
    category = "StorageDelete"
  }
}
