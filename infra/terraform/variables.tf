variable "environment_name" {
  description = "Required. Name of the environment; every other name is made from it."
  type        = string

  validation {
    condition     = length(var.environment_name) >= 1 && length(var.environment_name) <= 64
    error_message = "environment_name has to have 1 to 64 characters."
  }
}

variable "location" {
  description = "Required. Region of everything but, if you say so, the models. It has to offer Flex Consumption."
  type        = string
}

variable "resource_group_name" {
  description = "Optional. Name of the resource group; by default rg- and the environment's name."
  type        = string
  default     = ""
}

variable "principal_id" {
  description = "Optional. Object id of who deploys: may then call the models that are made here from their own machine, and fill the vault. Empty for nobody."
  type        = string
  default     = ""
}

variable "principal_type" {
  description = "Optional. What kind of principal that is."
  type        = string
  default     = "User"

  validation {
    condition     = contains(["User", "Group", "ServicePrincipal"], var.principal_type)
    error_message = "principal_type is one of User, Group, ServicePrincipal."
  }
}

variable "open_ai_location" {
  description = "Optional. Region of the model; by default the region of everything else."
  type        = string
  default     = ""
}

variable "open_ai_deployment_name" {
  description = "Optional. Name of the deployment of the model, which is also what callers name; by default the model's own name."
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
  description = "Optional. Kind of deployment. Global ones may answer from anywhere, data zone ones from the same zone (EU or US), Standard ones from the region."
  type        = string
  default     = "GlobalStandard"

  validation {
    condition     = contains(["GlobalStandard", "DataZoneStandard", "Standard", "GlobalProvisionedManaged", "DataZoneProvisionedManaged", "ProvisionedManaged"], var.open_ai_deployment_sku_name)
    error_message = "open_ai_deployment_sku_name is one of GlobalStandard, DataZoneStandard, Standard, GlobalProvisionedManaged, DataZoneProvisionedManaged, ProvisionedManaged."
  }
}

variable "open_ai_deployment_capacity" {
  description = "Optional. Thousands of tokens a minute (provisioned kinds: units)."
  type        = number
  default     = 30

  validation {
    condition     = var.open_ai_deployment_capacity >= 1
    error_message = "open_ai_deployment_capacity is at least 1."
  }
}

variable "open_ai_accounts" {
  description = "Optional. Several accounts, in place of the one that the variables above describe. The app fails over from one to the next."
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
    }))
  }))
  default = []

  validation {
    condition     = alltrue([for account in var.open_ai_accounts : length(account.deployments) > 0])
    error_message = "Every account needs at least one deployment."
  }
}

variable "existing_open_ai_resource_id" {
  description = "Optional. Resource id of an Azure OpenAI account that exists already; then none is made."
  type        = string
  default     = ""
}

variable "existing_open_ai_deployments" {
  description = "Optional. For that account: names that callers use, each with its deployment; empty: every name is taken for a deployment."
  type        = map(string)
  default     = {}
}

variable "open_ai_restrict_outbound" {
  description = "Optional. Whether the models may fetch nothing from other addresses on a caller's behalf. They then refuse images by address."
  type        = bool
  default     = false
}

variable "auth_mode" {
  description = "Optional. Who may call: function (the Functions host's keys), keys (keys of the app's own), entra (tokens), anonymous (anyone)."
  type        = string
  default     = "function"

  validation {
    condition     = contains(["function", "keys", "entra", "anonymous"], var.auth_mode)
    error_message = "auth_mode is one of function, keys, entra, anonymous."
  }
}

variable "auth_client_id" {
  description = "Optional. Client id of the app registration that callers ask tokens for; needed with auth_mode entra."
  type        = string
  default     = ""

  validation {
    condition     = var.auth_mode != "entra" || var.auth_client_id != ""
    error_message = "auth_mode entra needs auth_client_id."
  }
}

variable "auth_allowed_client_ids" {
  description = "Optional. Client ids of the applications that may call with auth_mode entra; empty for the registration itself alone."
  type        = list(string)
  default     = []
}

variable "cors_allowed_origins" {
  description = "Optional. Origins of browser pages that may call, each as https://host."
  type        = list(string)
  default     = []
}

variable "app_settings" {
  description = "Optional. App settings that differ from the app's defaults, by name. Never a secret."
  type        = map(string)
  default     = {}
}

variable "python_version" {
  description = "Optional. Version of Python."
  type        = string
  default     = "3.13"

  validation {
    condition     = contains(["3.13", "3.14"], var.python_version)
    error_message = "python_version is one of 3.13, 3.14."
  }
}

variable "instance_memory_mb" {
  description = "Optional. Memory of an instance: 512 is a quarter of a core, 2048 one, 4096 two."
  type        = number
  default     = 2048

  validation {
    condition     = contains([512, 2048, 4096], var.instance_memory_mb)
    error_message = "instance_memory_mb is one of 512, 2048, 4096."
  }
}

variable "maximum_instance_count" {
  description = "Optional. The most instances at one time: the bound of what compute can cost."
  type        = number
  default     = 40

  validation {
    condition     = var.maximum_instance_count >= 1 && var.maximum_instance_count <= 1000
    error_message = "maximum_instance_count is 1 to 1000."
  }
}

variable "http_per_instance_concurrency" {
  description = "Optional. Open requests per instance before another instance starts. A stream is mostly waiting, so one instance holds many; unset, Python gets 1."
  type        = number
  default     = 100

  validation {
    condition     = var.http_per_instance_concurrency >= 1 && var.http_per_instance_concurrency <= 1000
    error_message = "http_per_instance_concurrency is 1 to 1000."
  }
}

variable "http_always_ready_instances" {
  description = "Optional. Instances that are always ready for HTTP, so that nobody waits for a cold start. They cost money all the time."
  type        = number
  default     = 0

  validation {
    condition     = var.http_always_ready_instances >= 0
    error_message = "http_always_ready_instances is at least 0."
  }
}

variable "zone_redundant" {
  description = "Optional. Whether instances are spread over availability zones; needs at least 2 that are always ready."
  type        = bool
  default     = false
}

variable "vnet_enabled" {
  description = "Optional. Whether the app reaches storage, models and vault through private endpoints in a virtual network of its own, and nobody else does."
  type        = bool
  default     = false
}

variable "front_door_enabled" {
  description = "Optional. Whether Front Door Premium with a web application firewall stands before the app, and is the only way to it."
  type        = bool
  default     = false
}

variable "log_retention_in_days" {
  description = "Optional. Days that logs are kept."
  type        = number
  default     = 30

  validation {
    condition     = var.log_retention_in_days >= 30 && var.log_retention_in_days <= 730
    error_message = "log_retention_in_days is 30 to 730."
  }
}

variable "log_daily_quota_gb" {
  description = "Optional. Gigabytes of logs a day after which no more are taken until the next day; -1 for no cap."
  type        = number
  default     = 1
}

variable "budget_amount" {
  description = "Optional. Monthly amount, in the currency of the subscription, that a budget warns about; 0 for no budget."
  type        = number
  default     = 0

  validation {
    condition     = var.budget_amount >= 0
    error_message = "budget_amount is at least 0."
  }
}

variable "budget_start_date" {
  description = "Optional. First day of the budget's first month, as 2026-01-01; needed with a budget, and fixed once it is made."
  type        = string
  default     = ""

  validation {
    condition     = var.budget_amount == 0 || can(regex("^[0-9]{4}-[0-9]{2}-01$", var.budget_start_date))
    error_message = "A budget needs budget_start_date, the first day of a month, as 2026-01-01."
  }
}

variable "budget_contact_emails" {
  description = "Optional. Addresses that the budget warns, beside the owners."
  type        = list(string)
  default     = []
}
