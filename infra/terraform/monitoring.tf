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

# What the answers' receipts say: how slow, how many, which backend, who left, what it used.
resource "azurerm_application_insights_workbook" "workbook" {
  name                = uuidv5("url", "${azurerm_application_insights.application_insights.id}/answers")
  resource_group_name = azurerm_resource_group.group.name
  location            = azurerm_resource_group.group.location
  tags                = local.tags
  display_name        = "Answers of the streaming endpoint"
  category            = "workbook"
  source_id           = lower(azurerm_application_insights.application_insights.id)
  data_json           = file("${path.module}/../core/workbook.json")
}

locals {
  alert_rules = length(var.alert_contact_emails) == 0 ? [] : jsondecode(file("${path.module}/../core/alerts.json"))
}

resource "azurerm_monitor_action_group" "action_group" {
  count = length(var.alert_contact_emails) == 0 ? 0 : 1

  name                = "ag-${local.resource_token}"
  resource_group_name = azurerm_resource_group.group.name
  tags                = local.tags
  short_name          = "answers"
  enabled             = true

  dynamic "email_receiver" {
    for_each = var.alert_contact_emails

    content {
      name                    = "email-${email_receiver.key}"
      email_address           = email_receiver.value
      use_common_alert_schema = true
    }
  }
}

resource "azurerm_monitor_scheduled_query_rules_alert_v2" "alert_rules" {
  for_each = { for rule in local.alert_rules : rule.name => rule }

  name                    = "sqr-${local.resource_token}-${each.key}"
  resource_group_name     = azurerm_resource_group.group.name
  location                = azurerm_resource_group.group.location
  tags                    = local.tags
  display_name            = each.value.displayName
  description             = each.value.description
  severity                = each.value.severity
  enabled                 = true
  evaluation_frequency    = "PT5M"
  window_duration         = "PT15M"
  auto_mitigation_enabled = true
  scopes                  = [azurerm_application_insights.application_insights.id]

  criteria {
    query                   = each.value.query
    time_aggregation_method = "Count"
    operator                = "GreaterThan"
    threshold               = 0

    failing_periods {
      number_of_evaluation_periods             = 1
      minimum_failing_periods_to_trigger_alert = 1
    }
  }

  action {
    action_groups = [azurerm_monitor_action_group.action_group[0].id]
  }
}
