# The virtual network, created only with vnet_enabled: one subnet for the app, one for private endpoints, and private DNS.

locals {
  network_count     = var.vnet_enabled ? 1 : 0
  app_subnet_prefix = "10.0.1.0/24"

  # The private DNS zone of each type of endpoint, by group ID.
  zone_names = var.vnet_enabled ? {
    blob          = "privatelink.blob.core.windows.net"
    table         = "privatelink.table.core.windows.net"
    account       = "privatelink.openai.azure.com"
    vault         = "privatelink.vaultcore.azure.net"
    searchService = "privatelink.search.windows.net"
  } : {}

  endpoints = var.vnet_enabled ? merge(
    { storage = { resource_id = azurerm_storage_account.account.id, group_id = "blob" } },
    local.uses_tables ? { storage-table = { resource_id = azurerm_storage_account.account.id, group_id = "table" } } : {},
    { for name, id in local.open_ai_account_ids : "openai-${name}" => { resource_id = id, group_id = "account" } },
    var.auth_mode == "keys" ? { vault = { resource_id = azurerm_key_vault.vault[0].id, group_id = "vault" } } : {},
    var.search_sku != "" ? { search = { resource_id = azurerm_search_service.search[0].id, group_id = "searchService" } } : {},
  ) : {}
}

resource "azurerm_network_security_group" "app_security_group" {
  count = local.network_count

  name                = "nsg-${local.resource_token}-app"
  resource_group_name = azurerm_resource_group.group.name
  location            = azurerm_resource_group.group.location
  tags                = local.tags

  security_rule {
    name                       = "deny-inbound"
    description                = "Requests arrive through the platform, never through this subnet."
    access                     = "Deny"
    direction                  = "Inbound"
    priority                   = 4096
    protocol                   = "*"
    source_address_prefix      = "Internet"
    source_port_range          = "*"
    destination_address_prefix = "*"
    destination_port_range     = "*"
  }
}

resource "azurerm_network_security_group" "endpoints_security_group" {
  count = local.network_count

  name                = "nsg-${local.resource_token}-endpoints"
  resource_group_name = azurerm_resource_group.group.name
  location            = azurerm_resource_group.group.location
  tags                = local.tags

  security_rule {
    name                       = "allow-app-https"
    description                = "The app calls the private endpoints over TLS."
    access                     = "Allow"
    direction                  = "Inbound"
    priority                   = 100
    protocol                   = "Tcp"
    source_address_prefix      = local.app_subnet_prefix
    source_port_range          = "*"
    destination_address_prefix = "*"
    destination_port_range     = "443"
  }

  security_rule {
    name                       = "deny-inbound"
    description                = "No other traffic is allowed."
    access                     = "Deny"
    direction                  = "Inbound"
    priority                   = 4096
    protocol                   = "*"
    source_address_prefix      = "*"
    source_port_range          = "*"
    destination_address_prefix = "*"
    destination_port_range     = "*"
  }
}

resource "azurerm_virtual_network" "network" {
  count = local.network_count

  name                = "vnet-${local.resource_token}"
  resource_group_name = azurerm_resource_group.group.name
  location            = azurerm_resource_group.group.location
  tags                = local.tags
  address_space       = ["10.0.0.0/16"]
}

resource "azurerm_subnet" "app" {
  count = local.network_count

  name                 = "app"
  resource_group_name  = azurerm_resource_group.group.name
  virtual_network_name = azurerm_virtual_network.network[0].name
  address_prefixes     = [local.app_subnet_prefix]

  delegation {
    name = "flex-consumption"

    service_delegation {
      name    = "Microsoft.App/environments"
      actions = ["Microsoft.Network/virtualNetworks/subnets/join/action"]
    }
  }
}

resource "azurerm_subnet" "endpoints" {
  count = local.network_count

  name                              = "endpoints"
  resource_group_name               = azurerm_resource_group.group.name
  virtual_network_name              = azurerm_virtual_network.network[0].name
  address_prefixes                  = ["10.0.2.0/24"]
  private_endpoint_network_policies = "NetworkSecurityGroupEnabled"
}

resource "azurerm_subnet_network_security_group_association" "app" {
  count = local.network_count

  subnet_id                 = azurerm_subnet.app[0].id
  network_security_group_id = azurerm_network_security_group.app_security_group[0].id
}

resource "azurerm_subnet_network_security_group_association" "endpoints" {
  count = local.network_count

  subnet_id                 = azurerm_subnet.endpoints[0].id
  network_security_group_id = azurerm_network_security_group.endpoints_security_group[0].id
}

resource "azurerm_private_dns_zone" "zones" {
  for_each = local.zone_names

  name                = each.value
  resource_group_name = azurerm_resource_group.group.name
  tags                = local.tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "zone_links" {
  for_each = local.zone_names

  name                 = azurerm_virtual_network.network[0].name
  private_dns_zone_id  = azurerm_private_dns_zone.zones[each.key].id
  virtual_network_id   = azurerm_virtual_network.network[0].id
  registration_enabled = false
  tags                 = local.tags
}

resource "azurerm_private_endpoint" "endpoint" {
  for_each = local.endpoints

  name                = "pep-${local.resource_token}-${each.key}"
  resource_group_name = azurerm_resource_group.group.name
  location            = azurerm_resource_group.group.location
  tags                = local.tags
  subnet_id           = azurerm_subnet.endpoints[0].id

  private_service_connection {
    name                           = each.key
    is_manual_connection           = false
    private_connection_resource_id = each.value.resource_id
    subresource_names              = [each.value.group_id]
  }

  private_dns_zone_group {
    name                 = "default"
    private_dns_zone_ids = [azurerm_private_dns_zone.zones[each.value.group_id].id]
  }

  # An account rejects concurrent changes.
  depends_on = [azurerm_cognitive_deployment.model_deployments]
}
