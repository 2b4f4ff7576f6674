# All role assignments, each on a single resource.

locals {
  role_ids = {
    storage_blob_data_owner                = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b" # Storage Blob Data Owner
    storage_table_data_contributor         = "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3" # Storage Table Data Contributor
    monitoring_metrics_publisher           = "3913510d-42f4-4e42-8a64-420c390055eb" # Monitoring Metrics Publisher
    key_vault_secrets_user                 = "4633458b-17de-408a-b874-0445c86b69e6" # Key Vault Secrets User
    key_vault_secrets_officer              = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7" # Key Vault Secrets Officer
    search_index_data_reader               = "1407120a-92aa-4202-b7e9-c0e197c71c8f" # Search Index Data Reader
    search_index_data_contributor          = "8ebe5a00-799e-43f5-93ac-243d3dce84a7" # Search Index Data Contributor
    search_service_contributor             = "7ca78c08-252a-4471-8644-bb5ff32d4ba0" # Search Service Contributor
    cognitive_services_open_ai_user        = "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd" # Cognitive Services OpenAI User
    cognitive_services_open_ai_contributor = "a001fd3d-188f-4b5d-821b-7da978bf7442" # Cognitive Services OpenAI Contributor
  }
  role_definitions = "${local.subscription_id}/providers/Microsoft.Authorization/roleDefinitions"
  has_developer    = var.principal_id != ""

  # As the app reads it: in any case of letters, whatever blanks stand around it.
  keeps_objects       = lower(trimspace(lookup(var.app_settings, "OPENAI_STATEFUL", "off"))) == "on"
  keeping_account_ids = local.keeps_objects ? local.open_ai_account_ids : {}

  # The deploying principal may already have a role on its own account, and Azure rejects a duplicate.
  developer_account_ids = local.has_developer && !local.uses_existing ? local.open_ai_account_ids : {}
}

# The Functions host stores its locks and keys in blobs, the app its signing keys, and the platform reads the deployment
# package from a blob.
resource "azurerm_role_assignment" "app_storage_blob_data_owner" {
  scope              = azurerm_storage_account.account.id
  role_definition_id = "${local.role_definitions}/${local.role_ids.storage_blob_data_owner}"
  principal_id       = azurerm_user_assigned_identity.identity.principal_id
  principal_type     = "ServicePrincipal"
}

# What callers may use and have used, only where CALLER_LIMITS or OPERATORS is set.
resource "azurerm_role_assignment" "app_storage_table_data_contributor" {
  count = local.uses_tables ? 1 : 0

  scope              = azurerm_storage_account.account.id
  role_definition_id = "${local.role_definitions}/${local.role_ids.storage_table_data_contributor}"
  principal_id       = azurerm_user_assigned_identity.identity.principal_id
  principal_type     = "ServicePrincipal"
}

resource "azurerm_role_assignment" "app_monitoring_metrics_publisher" {
  scope              = azurerm_application_insights.application_insights.id
  role_definition_id = "${local.role_definitions}/${local.role_ids.monitoring_metrics_publisher}"
  principal_id       = azurerm_user_assigned_identity.identity.principal_id
  principal_type     = "ServicePrincipal"
}

resource "azurerm_role_assignment" "app_key_vault_secrets_user" {
  count = var.auth_mode == "keys" ? 1 : 0

  scope              = azurerm_key_vault.vault[0].id
  role_definition_id = "${local.role_definitions}/${local.role_ids.key_vault_secrets_user}"
  principal_id       = azurerm_user_assigned_identity.identity.principal_id
  principal_type     = "ServicePrincipal"
}

# The deploying principal writes the hashes of the caller keys to the vault.
resource "azurerm_role_assignment" "developer_key_vault_secrets_officer" {
  count = var.auth_mode == "keys" && local.has_developer ? 1 : 0

  scope              = azurerm_key_vault.vault[0].id
  role_definition_id = "${local.role_definitions}/${local.role_ids.key_vault_secrets_officer}"
  principal_id       = var.principal_id
  principal_type     = var.principal_type
}

resource "azurerm_role_assignment" "app_open_ai_user" {
  for_each = local.open_ai_account_ids

  scope              = each.value
  role_definition_id = "${split("/resourceGroups/", each.value)[0]}/providers/Microsoft.Authorization/roleDefinitions/${local.role_ids.cognitive_services_open_ai_user}"
  principal_id       = azurerm_user_assigned_identity.identity.principal_id
  principal_type     = "ServicePrincipal"
}

# Uploads files and begins batches, only where OPENAI_STATEFUL is on. It comes beside the role above and not in its place: a
# new assignment takes minutes to work, and callers would be refused until then.
resource "azurerm_role_assignment" "app_open_ai_contributor" {
  for_each = local.keeping_account_ids

  scope              = each.value
  role_definition_id = "${split("/resourceGroups/", each.value)[0]}/providers/Microsoft.Authorization/roleDefinitions/${local.role_ids.cognitive_services_open_ai_contributor}"
  principal_id       = azurerm_user_assigned_identity.identity.principal_id
  principal_type     = "ServicePrincipal"
}

resource "azurerm_role_assignment" "developer_open_ai_user" {
  for_each = local.developer_account_ids

  scope              = each.value
  role_definition_id = "${split("/resourceGroups/", each.value)[0]}/providers/Microsoft.Authorization/roleDefinitions/${local.role_ids.cognitive_services_open_ai_user}"
  principal_id       = var.principal_id
  principal_type     = var.principal_type
}

resource "azurerm_role_assignment" "app_search_index_data_reader" {
  count = local.search_count

  scope              = azurerm_search_service.search[0].id
  role_definition_id = "${local.role_definitions}/${local.role_ids.search_index_data_reader}"
  principal_id       = azurerm_user_assigned_identity.identity.principal_id
  principal_type     = "ServicePrincipal"
}

# The deploying principal defines the index and fills it.
resource "azurerm_role_assignment" "developer_search_service_contributor" {
  count = local.has_developer ? local.search_count : 0

  scope              = azurerm_search_service.search[0].id
  role_definition_id = "${local.role_definitions}/${local.role_ids.search_service_contributor}"
  principal_id       = var.principal_id
  principal_type     = var.principal_type
}

resource "azurerm_role_assignment" "developer_search_index_data_contributor" {
  count = local.has_developer ? local.search_count : 0

  scope              = azurerm_search_service.search[0].id
  role_definition_id = "${local.role_definitions}/${local.role_ids.search_index_data_contributor}"
  principal_id       = var.principal_id
  principal_type     = var.principal_type
}
