terraform {
  required_version = ">= 1.9, < 2.0"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 5.2, < 6.0"
    }
    # The Function App is an azapi resource: the azurerm resource always sends a connection string with an account key for
    # AzureWebJobsStorage, even if empty, where only the identity's settings are allowed.
    azapi = {
      source  = "Azure/azapi"
      version = ">= 2.12, < 3.0"
    }
  }
}

# The subscription comes from ARM_SUBSCRIPTION_ID; azd sets it.
provider "azurerm" {
  storage_use_azuread = true

  features {
    resource_group {
      # Application Insights adds an alert rule and an action group to the resource group, which would make destroy fail.
      prevent_deletion_if_contains_resources = false
    }

    storage {
      # The account may be reachable only from its own network: everything here goes through Resource Manager.
      data_plane_available = false
    }
  }
}

provider "azapi" {}
