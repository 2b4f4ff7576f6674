# Azure AI Search, created only with a search_sku: what answers with sources are based on. Keyless, as everything here.

locals {
  search_count    = var.search_sku == "" ? 0 : 1
  search_endpoint = var.search_sku == "" ? "" : "https://srch-${local.resource_token}.search.windows.net"
}

resource "azurerm_search_service" "search" {
  count = local.search_count

  name                          = "srch-${local.resource_token}"
  resource_group_name           = azurerm_resource_group.group.name
  location                      = azurerm_resource_group.group.location
  tags                          = local.tags
  sku                           = var.search_sku
  local_authentication_enabled  = false
  replica_count                 = 1
  partition_count               = 1
  semantic_search_sku           = "free"
  public_network_access_enabled = !var.vnet_enabled
  network_rule_bypass_option    = "None"

  # With this identity an index's vectorizer calls a model; its role on the account is up to whoever defines such an index.
  identity {
    type = "SystemAssigned"
  }
}

resource "azurerm_monitor_diagnostic_setting" "search_diagnostics" {
  count = local.search_count

  name                       = "audit"
  target_resource_id         = azurerm_search_service.search[0].id
  log_analytics_workspace_id = azurerm_log_analytics_workspace.workspace.id

  enabled_log {
    category_group = "audit"
  }
}
