terraform {
  required_version = ">= 1.9, < 2.0"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 5.2, < 6.0"
    }
    # The Function App is an azapi resource: azurerm's own always sends a connection string with an account key for
    # AzureWebJobsStorage, empty or not, where only the identity's settings may be.
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
      # Application Insights puts an alert rule and an action group of its own into the group: destroy would stop at them.
      prevent_deletion_if_contains_resources = false
    }

    storage {
      # The account may be reachable from its own network alone: everything here is done through Resource Manager.
      data_plane_available = false
    }
  }
}

provider "azapi" {}
