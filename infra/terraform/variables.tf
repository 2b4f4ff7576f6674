variable "environment_name" {
  description = "Required. Name of the environment; all other names are derived from it."
  type        = string

  validation {
    condition     = length(var.environment_name) >= 1 && length(var.environment_name) <= 64
    error_message = "environment_name has to have 1 to 64 characters."
  }
}

variable "location" {
  description = "Required. Region of all resources; models may have another (open_ai_location). It has to support Flex Consumption."
  type        = string
}

variable "resource_group_name" {
  description = "Optional. Name of the resource group; default: rg- followed by the environment's name."
  type        = string
  default     = ""
}

variable "principal_id" {
  description = "Optional. Object ID of the deploying principal; granted access to call the models created here and to write secrets to the vault. Empty for none."
  type        = string
  default     = ""
}

variable "principal_type" {
  description = "Optional. Type of that principal."
  type        = string
  default     = "User"

  validation {
    condition     = contains(["User", "Group", "ServicePrincipal"], var.principal_type)
    error_message = "principal_type is one of User, Group, ServicePrincipal."
  }
}

variable "open_ai_location" {
  description = "Optional. Region of the model; default: location."
  type        = string
  default     = ""
}

variable "open_ai_deployment_name" {
  description = "Optional. Name of the model's deployment, which is also the name that callers use; default: the model's name."
  type        = string
  default     = ""
}

variable "open_ai_model_name" {
  description = "Optional. Model."
  type        = string
  default     = "gpt-5.4-mini"
}

variable "open_ai_model_version" {
  description = "Optional. Version of the model."
  type        = string
  default     = "2026-03-17"
}

variable "open_ai_deployment_sku_name" {
  description = "Optional. Type of deployment. Global types may process requests in any region, data zone types within the zone (EU or US), Standard within the region."
  type        = string
  default     = "GlobalStandard"

  validation {
    condition     = contains(["GlobalStandard", "DataZoneStandard", "Standard", "GlobalProvisionedManaged", "DataZoneProvisionedManaged", "ProvisionedManaged"], var.open_ai_deployment_sku_name)
    error_message = "open_ai_deployment_sku_name is one of GlobalStandard, DataZoneStandard, Standard, GlobalProvisionedManaged, DataZoneProvisionedManaged, ProvisionedManaged."
  }
}

variable "open_ai_deployment_capacity" {
  description = "Optional. Capacity in thousands of tokens per minute (provisioned types: units)."
  type        = number
  default     = 30

  validation {
    condition     = var.open_ai_deployment_capacity >= 1
    error_message = "open_ai_deployment_capacity is at least 1."
  }
}

variable "open_ai_accounts" {
  description = "Optional. Several accounts, instead of the one described by the variables above. The app fails over from one to the next."
  type = list(object({
    name     = string
    location = optional(string, "")
    priority = optional(number, 1)
    weight   = optional(number, 1)
    deployments = list(object({
      name     = string
      model    = string
      version  = string
      sku      = string
      capacity = number
      alias    = optional(string)
      # Under the names that Bicep has, so that azd gives both trees the same list.
      serviceTier         = optional(string)
      spilloverDeployment = optional(string)
    }))
  }))
  default = []

  validation {
    condition     = alltrue([for account in var.open_ai_accounts : length(account.deployments) > 0])
    error_message = "Every account needs at least one deployment."
  }

  validation {
    condition = alltrue(flatten([for account in var.open_ai_accounts : [for deployment in account.deployments :
      contains(["Default", "Priority"], coalesce(deployment.serviceTier, "Default"))
    ]]))
    error_message = "serviceTier of a deployment is Default or Priority."
  }
}

variable "existing_open_ai_resource_id" {
  description = "Optional. Resource ID of an existing Azure OpenAI account; no account is created then."
  type        = string
  default     = ""
}

variable "existing_open_ai_deployments" {
  description = "Optional. For the existing account: names that callers use, each with its deployment. Empty: every name is used as a deployment name."
  type        = map(string)
  default     = {}
}

variable "open_ai_restrict_outbound" {
  description = "Optional. Whether the models are blocked from fetching URLs for a caller. They then reject images given by URL."
  type        = bool
  default     = false
}

variable "auth_mode" {
  description = "Optional. Caller authentication: function (the Functions host's keys), keys (the app's own keys), entra (tokens), anonymous (none)."
  type        = string
  default     = "function"

  validation {
    condition     = contains(["function", "keys", "entra", "anonymous"], var.auth_mode)
    error_message = "auth_mode is one of function, keys, entra, anonymous."
  }
}

variable "auth_client_id" {
  description = "Optional. Client ID of the app registration that callers request tokens for; required with auth_mode entra."
  type        = string
  default     = ""

  validation {
    condition     = var.auth_mode != "entra" || var.auth_client_id != ""
    error_message = "auth_mode entra needs auth_client_id."
  }
}

variable "auth_allowed_client_ids" {
  description = "Optional. Client IDs of the applications allowed to call with auth_mode entra; empty: only the registration itself."
  type        = list(string)
  default     = []
}

variable "cors_allowed_origins" {
  description = "Optional. Origins of web pages allowed to call (CORS), each as https://host."
  type        = list(string)
  default     = []
}

variable "app_settings" {
  description = "Optional. App settings that override the app's defaults, by name. No secrets."
  type        = map(string)
  default     = {}
}

variable "python_version" {
  description = "Optional. Python version: the one that the app is tested on."
  type        = string
  default     = "3.13"

  validation {
    condition     = contains(["3.13"], var.python_version)
    error_message = "python_version is 3.13."
  }
}

variable "instance_memory_mb" {
  description = "Optional. Memory of an instance in MB: 512 comes with a quarter of a core, 2048 with one, 4096 with two."
  type        = number
  default     = 2048

  validation {
    condition     = contains([512, 2048, 4096], var.instance_memory_mb)
    error_message = "instance_memory_mb is one of 512, 2048, 4096."
  }
}

variable "maximum_instance_count" {
  description = "Optional. Maximum number of instances, which limits the cost of compute."
  type        = number
  default     = 40

  validation {
    condition     = var.maximum_instance_count >= 1 && var.maximum_instance_count <= 1000
    error_message = "maximum_instance_count is 1 to 1000."
  }
}

variable "http_per_instance_concurrency" {
  description = "Optional. Concurrent requests per instance before another instance starts. A stream mostly waits, so one instance can hold many. Unset, the platform uses 1 for Python."
  type        = number
  default     = 100

  validation {
    condition     = var.http_per_instance_concurrency >= 1 && var.http_per_instance_concurrency <= 1000
    error_message = "http_per_instance_concurrency is 1 to 1000."
  }
}

variable "http_always_ready_instances" {
  description = "Optional. Always-ready instances for HTTP, which avoid cold starts. They are billed all the time."
  type        = number
  default     = 0

  validation {
    condition     = var.http_always_ready_instances >= 0
    error_message = "http_always_ready_instances is at least 0."
  }
}

variable "site_update_strategy" {
  description = "Optional. What a deploy and a change of settings do to running instances: Recreate restarts all of them at once, RollingUpdate (a preview of the platform) replaces them in turn and lets requests finish."
  type        = string
  default     = "Recreate"

  validation {
    condition     = contains(["Recreate", "RollingUpdate"], var.site_update_strategy)
    error_message = "site_update_strategy is Recreate or RollingUpdate."
  }
}

variable "zone_redundant" {
  description = "Optional. Whether instances are spread over availability zones; requires at least 2 always-ready instances."
  type        = bool
  default     = false
}

variable "vnet_enabled" {
  description = "Optional. Whether storage, models and vault are reachable only by the app, through private endpoints in its own virtual network."
  type        = bool
  default     = false
}

variable "search_sku" {
  description = "Optional. Pricing tier of an Azure AI Search service for answers with sources; empty: none. It is billed by the hour, idle or not."
  type        = string
  default     = ""

  validation {
    condition     = contains(["", "basic", "standard"], var.search_sku)
    error_message = "search_sku is empty, basic or standard."
  }
}

variable "front_door_enabled" {
  description = "Optional. Whether the app is reachable only through Front Door Premium with a web application firewall."
  type        = bool
  default     = false
}

variable "log_retention_in_days" {
  description = "Optional. Retention of logs in days."
  type        = number
  default     = 30

  validation {
    condition     = var.log_retention_in_days >= 30 && var.log_retention_in_days <= 730
    error_message = "log_retention_in_days is 30 to 730."
  }
}

variable "log_daily_quota_gb" {
  description = "Optional. Daily cap on log ingestion in GB; -1 for no cap."
  type        = number
  default     = 1
}

variable "budget_amount" {
  description = "Optional. Monthly amount of the budget, in the subscription's currency; 0 for no budget."
  type        = number
  default     = 0

  validation {
    condition     = var.budget_amount >= 0
    error_message = "budget_amount is at least 0."
  }
}

variable "budget_start_date" {
  description = "Optional. First day of the budget's first month, as 2026-01-01; required with a budget, and fixed after its creation."
  type        = string
  default     = ""

  validation {
    condition     = var.budget_amount == 0 || can(regex("^[0-9]{4}-[0-9]{2}-01$", var.budget_start_date))
    error_message = "A budget needs budget_start_date, the first day of a month, as 2026-01-01."
  }
}

variable "budget_contact_emails" {
  description = "Optional. Email addresses notified by the budget, in addition to the owners."
  type        = list(string)
  default     = []
}

variable "alert_contact_emails" {
  description = "Optional. Email addresses notified when answers begin late or fail, or no backend is ready; empty for no alert rules."
  type        = list(string)
  default     = []
}
