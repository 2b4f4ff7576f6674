# The Flex Consumption plan and the app on it, with every app setting.

locals {
  # With Easy Auth the platform has to answer CORS preflights, which carry no token; otherwise the app does. Never both.
  platform_cors = var.auth_mode == "entra"

  # All settings of the app, with the app's defaults. The variable app_settings overrides them.
  default_settings = {
    AZURE_OPENAI_ENDPOINT         = local.open_ai_backends[0].endpoint
    AZURE_OPENAI_DEPLOYMENT       = local.default_deployment
    AZURE_OPENAI_API              = "chat"
    AZURE_OPENAI_SCOPE            = "https://cognitiveservices.azure.com/.default"
    MEDIA_API_VERSION             = "2025-04-01-preview"
    AZURE_OPENAI_BACKENDS         = jsonencode(local.open_ai_backends)
    AZURE_OPENAI_MODELS           = ""
    PASS_HEADERS                  = ""
    STREAMING_ENABLED             = "true"
    SYSTEM_PROMPT                 = ""
    CHAT_TOOLS                    = ""
    OPENAI_STATEFUL               = "off"
    RESUME                        = "off"
    RESUME_GRACE_SECONDS          = "60"
    RETRIEVAL                     = "off"
    SEARCH_ENDPOINT               = local.search_endpoint
    SEARCH_INDEX                  = ""
    SEARCH_KNOWLEDGE_BASE         = ""
    SEARCH_FIELDS                 = "content,title,url"
    SEARCH_SEMANTIC_CONFIGURATION = ""
    SEARCH_VECTOR_FIELDS          = ""
    SEARCH_TOP                    = "5"
    SEARCH_FILTER                 = ""
    SEARCH_SECONDS                = "10"
    SEARCH_REQUIRED               = "false"
    CALLER_LIMITS                 = ""
    LIMITS_MODE                   = "enforce"
    LIMITS_WHEN_STORE_FAILS       = "open"
    OPERATORS                     = ""
    PRICES                        = ""
    MAX_REQUEST_BYTES             = "16777216"
    MAX_UPLOAD_BYTES              = "52428800"
    MAX_OUTPUT_TOKENS             = ""
    MAX_EVENT_BYTES               = "16777216"
    MAX_OPEN_STREAMS              = "0"
    COMMIT_SECONDS                = "10"
    FIRST_CONTENT_SECONDS         = "600"
    ATTEMPT_BUDGET_SECONDS        = "610"
    UPSTREAM_SILENCE_SECONDS      = "120"
    HEARTBEAT_SECONDS             = "15"
    WRITE_WINDOW_SECONDS          = "0.03"
    DRAIN_SECONDS                 = "25"
    OTEL_EXPORTER_OTLP_ENDPOINT   = ""
    OTEL_EXPORTER_OTLP_HEADERS    = ""
    TELEMETRY_SEMCONV             = "1.41"
    TELEMETRY_SAMPLE              = "1"
    TELEMETRY_CALLERS             = "false"
    DEBUG_HEADERS                 = "false"
  }

  # Settings that follow from the deployed resources. They cannot be overridden.
  deployed_settings = {
    AUTH_MODE       = var.auth_mode
    CALLER_KEYS     = var.auth_mode == "keys" ? "@Microsoft.KeyVault(SecretUri=${azurerm_key_vault.vault[0].vault_uri}secrets/caller-keys)" : ""
    ALLOWED_ORIGINS = local.platform_cors ? "" : join(",", var.cors_allowed_origins)
  }

  table_settings = local.uses_tables ? [{
    name  = "AzureWebJobsStorage__tableServiceUri"
    value = azurerm_storage_account.account.primary_table_endpoint
  }] : []

  named_settings = merge(local.default_settings, var.app_settings, local.deployed_settings)
}

resource "azurerm_service_plan" "plan" {
  name                   = "plan-${local.resource_token}"
  resource_group_name    = azurerm_resource_group.group.name
  location               = azurerm_resource_group.group.location
  tags                   = local.tags
  os_type                = "Linux"
  sku_name               = "FC1"
  zone_balancing_enabled = var.zone_redundant
}

resource "azapi_resource" "site" {
  type      = "Microsoft.Web/sites@2025-03-01"
  name      = "func-${local.resource_token}"
  parent_id = azurerm_resource_group.group.id
  location  = azurerm_resource_group.group.location
  tags      = merge(local.tags, { "azd-service-name" = "api" })

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.identity.id]
  }

  body = {
    kind = "functionapp,linux"
    properties = {
      serverFarmId              = azurerm_service_plan.plan.id
      httpsOnly                 = true
      publicNetworkAccess       = "Enabled"
      keyVaultReferenceIdentity = azurerm_user_assigned_identity.identity.id
      virtualNetworkSubnetId    = var.vnet_enabled ? azurerm_subnet.app[0].id : null
      functionAppConfig = {
        deployment = {
          storage = {
            type  = "blobContainer"
            value = "${azurerm_storage_account.account.primary_blob_endpoint}${azurerm_storage_container.packages.name}"
            authentication = {
              type                           = "UserAssignedIdentity"
              userAssignedIdentityResourceId = azurerm_user_assigned_identity.identity.id
            }
          }
        }
        runtime = {
          name    = "python"
          version = var.python_version
        }
        scaleAndConcurrency = {
          instanceMemoryMB     = var.instance_memory_mb
          maximumInstanceCount = var.maximum_instance_count
          alwaysReady = var.http_always_ready_instances > 0 ? [{
            name          = "http"
            instanceCount = var.http_always_ready_instances
          }] : []
          triggers = {
            http = {
              perInstanceConcurrency = var.http_per_instance_concurrency
            }
          }
        }
        # Not in the types: the service knows this property, its newest API version does not. Without it: Recreate.
        siteUpdateStrategy = var.site_update_strategy == "Recreate" ? null : {
          type = var.site_update_strategy
        }
      }
      siteConfig = {
        minTlsVersion    = "1.2"
        scmMinTlsVersion = "1.2"
        http20Enabled    = true
        cors = {
          allowedOrigins     = local.platform_cors ? var.cors_allowed_origins : []
          supportCredentials = false
        }
        ipSecurityRestrictionsDefaultAction = var.front_door_enabled ? "Deny" : "Allow"
        ipSecurityRestrictions = var.front_door_enabled ? [{
          name        = "front-door"
          description = "Only this Front Door profile."
          action      = "Allow"
          priority    = 100
          tag         = "ServiceTag"
          ipAddress   = "AzureFrontDoor.Backend"
          headers = {
            "x-azure-fdid" = [azurerm_cdn_frontdoor_profile.profile[0].resource_guid]
          }
        }] : []
        scmIpSecurityRestrictionsUseMain       = false
        scmIpSecurityRestrictionsDefaultAction = "Allow"
        appSettings = concat([
          {
            name  = "AzureWebJobsStorage__credential"
            value = "managedidentity"
          },
          {
            name  = "AzureWebJobsStorage__clientId"
            value = azurerm_user_assigned_identity.identity.client_id
          },
          {
            name  = "AzureWebJobsStorage__blobServiceUri"
            value = azurerm_storage_account.account.primary_blob_endpoint
          },
          {
            name  = "AZURE_CLIENT_ID"
            value = azurerm_user_assigned_identity.identity.client_id
          },
          {
            name  = "APPLICATIONINSIGHTS_CONNECTION_STRING"
            value = azurerm_application_insights.application_insights.connection_string
          },
          {
            name  = "APPLICATIONINSIGHTS_AUTHENTICATION_STRING"
            value = "ClientId=${azurerm_user_assigned_identity.identity.client_id};Authorization=AAD"
          },
          {
            name  = "AzureWebJobsDisableHomepage"
            value = "true"
          },
          {
            name  = "PYTHON_ENABLE_INIT_INDEXING"
            value = "1"
          },
        ], local.table_settings, [for name, value in local.named_settings : { name = name, value = value }])
      }
    }
  }

  # The provider checks the body against those types: it would refuse the one property above.
  schema_validation_enabled = var.site_update_strategy == "Recreate"

  ignore_null_property   = true
  response_export_values = ["properties.defaultHostName"]

  # The app starts only after its roles and private endpoints exist and its subnets have stopped changing.
  depends_on = [
    azurerm_role_assignment.app_storage_blob_data_owner,
    azurerm_role_assignment.app_storage_table_data_contributor,
    azurerm_role_assignment.app_monitoring_metrics_publisher,
    azurerm_role_assignment.app_key_vault_secrets_user,
    azurerm_role_assignment.app_search_index_data_reader,
    azurerm_role_assignment.app_open_ai_user,
    azurerm_role_assignment.app_open_ai_contributor,
    azurerm_private_endpoint.endpoint,
    azurerm_private_dns_zone_virtual_network_link.zone_links,
    azurerm_subnet_network_security_group_association.app,
    azurerm_subnet_network_security_group_association.endpoints,
  ]
}

# Deployments use Entra tokens; basic authentication is disabled. The two policies exist with every site: they are
# updated, not created. The name inside the body distinguishes the types of config; the platform returns it unchanged.
resource "azapi_update_resource" "scm_basic_auth" {
  type      = "Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01"
  parent_id = azapi_resource.site.id
  name      = "scm"

  body = {
    name = "scm"
    properties = {
      allow = false
    }
  }
}

resource "azapi_update_resource" "ftp_basic_auth" {
  type      = "Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01"
  parent_id = azapi_resource.site.id
  name      = "ftp"

  body = {
    name = "ftp"
    properties = {
      allow = false
    }
  }
}

resource "azapi_update_resource" "easy_auth" {
  count = var.auth_mode == "entra" ? 1 : 0

  type      = "Microsoft.Web/sites/config@2025-03-01"
  parent_id = azapi_resource.site.id
  name      = "authsettingsV2"

  body = {
    name = "authsettingsV2"
    properties = {
      platform = {
        enabled = true
      }
      globalValidation = {
        requireAuthentication       = true
        unauthenticatedClientAction = "Return401"
        excludedPaths               = ["/health"]
      }
      httpSettings = {
        requireHttps = true
      }
      identityProviders = {
        azureActiveDirectory = {
          enabled = true
          registration = {
            clientId     = var.auth_client_id
            openIdIssuer = "https://login.microsoftonline.com/${data.azurerm_client_config.current.tenant_id}/v2.0"
          }
          validation = {
            allowedAudiences = [var.auth_client_id, "api://${var.auth_client_id}"]
            defaultAuthorizationPolicy = {
              allowedApplications = length(var.auth_allowed_client_ids) == 0 ? [var.auth_client_id] : var.auth_allowed_client_ids
            }
          }
        }
      }
      login = {
        tokenStore = {
          enabled = false
        }
      }
    }
  }
}

resource "azurerm_monitor_diagnostic_setting" "site_diagnostics" {
  name                       = "host"
  target_resource_id         = azapi_resource.site.id
  log_analytics_workspace_id = azurerm_log_analytics_workspace.workspace.id

  enabled_log {
    category = "FunctionAppLogs"
  }

  enabled_metric {
    category = "AllMetrics"
  }
}
