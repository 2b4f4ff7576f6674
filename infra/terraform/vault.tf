# The vault for the hashes of the caller keys, created only with auth_mode "keys". Terraform never contains the secret's value.

resource "azurerm_key_vault" "vault" {
  count = var.auth_mode == "keys" ? 1 : 0

  name                          = "kv-${local.resource_token}"
  resource_group_name           = azurerm_resource_group.group.name
  location                      = azurerm_resource_group.group.location
  tags                          = local.tags
  tenant_id                     = data.azurerm_client_config.current.tenant_id
  sku_name                      = "standard"
  rbac_authorization_enabled    = true
  soft_delete_retention_days    = 7
  purge_protection_enabled      = true
  public_network_access_enabled = !var.vnet_enabled

  network_acls {
    bypass         = "None"
    default_action = var.vnet_enabled ? "Deny" : "Allow"
  }
}

resource "azurerm_monitor_diagnostic_setting" "vault_diagnostics" {
  count = var.auth_mode == "keys" ? 1 : 0

  name                       = "audit"
  target_resource_id         = azurerm_key_vault.vault[0].id
  log_analytics_workspace_id = azurerm_log_analytics_workspace.workspace.id

  enabled_log {
    category_group = "audit"
  }
}
