# azd writes the outputs to its environment, so their names are those of azd and the app.

output "AZURE_LOCATION" {
  description = "Region."
  value       = var.location
}

output "AZURE_TENANT_ID" {
  description = "Tenant."
  value       = data.azurerm_client_config.current.tenant_id
}

output "AZURE_RESOURCE_GROUP" {
  description = "Name of the resource group."
  value       = azurerm_resource_group.group.name
}

output "SERVICE_API_NAME" {
  description = "Name of the app, under the key that azd expects."
  value       = azapi_resource.site.name
}

output "SERVICE_API_URI" {
  description = "Base URL for callers."
  value       = "https://${var.front_door_enabled ? azurerm_cdn_frontdoor_endpoint.endpoint[0].host_name : azapi_resource.site.output.properties.defaultHostName}"
}

output "AZURE_FUNCTION_NAME" {
  description = "Name of the app, for `func azure functionapp publish`."
  value       = azapi_resource.site.name
}

output "AZURE_CLIENT_ID" {
  description = "Client ID of the app's identity."
  value       = azurerm_user_assigned_identity.identity.client_id
}

output "AZURE_OPENAI_ENDPOINT" {
  description = "URL of the first Azure OpenAI account."
  value       = local.open_ai_backends[0].endpoint
}

output "AZURE_OPENAI_RESOURCE" {
  description = "Name of the first Azure OpenAI account."
  value       = local.uses_existing ? local.open_ai_backends[0].name : azurerm_cognitive_account.account[local.accounts[0].name].name
}

output "AZURE_OPENAI_DEPLOYMENT" {
  description = "Default model name, for requests that name none."
  value       = local.default_deployment
}

output "AZURE_KEY_VAULT_NAME" {
  description = "Name of the key vault of caller keys; empty if there is none."
  value       = var.auth_mode == "keys" ? azurerm_key_vault.vault[0].name : ""
}

output "AZURE_SEARCH_ENDPOINT" {
  description = "URL of the search service; empty if there is none."
  value       = local.search_endpoint
}
