# Both accept data only from Entra identities; the daily cap limits the cost of logs.

resource "azurerm_log_analytics_workspace" "workspace" {
  name                            = "log-${local.resource_token}"
  resource_group_name             = azurerm_resource_group.group.name
  location                        = azurerm_resource_group.group.location
  tags                            = local.tags
  sku                             = "PerGB2018"
  retention_in_days               = var.log_retention_in_days
  daily_quota_gb                  = var.log_daily_quota_gb
  local_authentication_enabled    = false
  allow_resource_only_permissions = true
}

resource "azurerm_application_insights" "application_insights" {
  name                         = "appi-${local.resource_token}"
  resource_group_name          = azurerm_resource_group.group.name
  location                     = azurerm_resource_group.group.location
  tags                         = local.tags
  application_type             = "web"
  workspace_id                 = azurerm_log_analytics_workspace.workspace.id
  local_authentication_enabled = false
}
