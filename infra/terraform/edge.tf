# Front Door Premium with a firewall, created only with front_door_enabled: HTTPS only, without caching and compression,
# which would buffer streams.

locals {
  edge_count = var.front_door_enabled ? 1 : 0
}

resource "azurerm_cdn_frontdoor_profile" "profile" {
  count = local.edge_count

  name                     = "afd-${local.resource_token}"
  resource_group_name      = azurerm_resource_group.group.name
  tags                     = local.tags
  sku_name                 = "Premium_AzureFrontDoor"
  response_timeout_seconds = 240
}

resource "azurerm_cdn_frontdoor_firewall_policy" "firewall" {
  count = local.edge_count

  name                       = "fdfp${local.resource_token}"
  resource_group_name        = azurerm_resource_group.group.name
  tags                       = local.tags
  sku_name                   = "Premium_AzureFrontDoor"
  enabled                    = true
  mode                       = "Prevention"
  request_body_check_enabled = true

  managed_rule {
    type    = "Microsoft_DefaultRuleSet"
    version = "2.1"
    action  = "Block"

    # A prompt may contain SQL or shell code, which is never executed: JSON values are not inspected for attacks.
    exclusion {
      match_variable = "RequestBodyJsonArgNames"
      operator       = "EqualsAny"
      selector       = "*"
    }
  }

  managed_rule {
    type    = "Microsoft_BotManagerRuleSet"
    version = "1.0"
    action  = "Block"
  }
}

resource "azurerm_cdn_frontdoor_endpoint" "endpoint" {
  count = local.edge_count

  name                     = "fde-${local.resource_token}"
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.profile[0].id
  tags                     = local.tags
  enabled                  = true
}

# No health probe: with a single origin there is no choice, and a probe would keep instances running.
resource "azurerm_cdn_frontdoor_origin_group" "origin_group" {
  count = local.edge_count

  name                     = "api"
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.profile[0].id
  session_affinity_enabled = false

  load_balancing {
    sample_size                        = 4
    successful_samples_required        = 3
    additional_latency_in_milliseconds = 50
  }
}

resource "azurerm_cdn_frontdoor_origin" "origin" {
  count = local.edge_count

  name                           = "api"
  cdn_frontdoor_origin_group_id  = azurerm_cdn_frontdoor_origin_group.origin_group[0].id
  host_name                      = azapi_resource.site.output.properties.defaultHostName
  origin_host_header             = azapi_resource.site.output.properties.defaultHostName
  http_port                      = 80
  https_port                     = 443
  priority                       = 1
  weight                         = 1000
  enabled                        = true
  certificate_name_check_enabled = true
}

resource "azurerm_cdn_frontdoor_route" "route" {
  count = local.edge_count

  name                          = "api"
  cdn_frontdoor_endpoint_id     = azurerm_cdn_frontdoor_endpoint.endpoint[0].id
  cdn_frontdoor_origin_group_id = azurerm_cdn_frontdoor_origin_group.origin_group[0].id
  cdn_frontdoor_origin_ids      = [azurerm_cdn_frontdoor_origin.origin[0].id]
  supported_protocols           = ["Https"]
  patterns_to_match             = ["/*"]
  forwarding_protocol           = "HttpsOnly"
  https_redirect_enabled        = false
  link_to_default_domain        = true
  enabled                       = true
}

resource "azurerm_cdn_frontdoor_security_policy" "security_policy" {
  count = local.edge_count

  name                     = "firewall"
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.profile[0].id

  security_policies {
    firewall {
      cdn_frontdoor_firewall_policy_id = azurerm_cdn_frontdoor_firewall_policy.firewall[0].id

      association {
        patterns_to_match = ["/*"]

        domain {
          cdn_frontdoor_domain_id = azurerm_cdn_frontdoor_endpoint.endpoint[0].id
        }
      }
    }
  }
}

resource "azurerm_monitor_diagnostic_setting" "front_door_diagnostics" {
  count = local.edge_count

  name                       = "audit"
  target_resource_id         = azurerm_cdn_frontdoor_profile.profile[0].id
  log_analytics_workspace_id = azurerm_log_analytics_workspace.workspace.id

  enabled_log {
    category = "FrontDoorWebApplicationFirewallLog"
  }

  enabled_metric {
    category = "AllMetrics"
  }
}
