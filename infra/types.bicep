// Types that main.bicep and the modules share. They are sealed: a field that nobody reads, or a value that no service takes, is an
// error at its place, before anything is deployed.

@export()
@description('Tags of a resource, by name.')
type Tags = {
  *: string
}

@export()
@description('App settings, by name. Azure takes text alone: numbers and switches are quoted.')
type AppSettings = {
  *: string
}

@export()
@description('Names that callers use, each with its deployment.')
type DeploymentNames = {
  *: string
}

@export()
@description('Type of a deployment. Global types may process requests in any region, data zone types within the zone (EU or US), Standard within the region.')
type DeploymentSku =
  | 'GlobalStandard'
  | 'DataZoneStandard'
  | 'Standard'
  | 'GlobalProvisionedManaged'
  | 'DataZoneProvisionedManaged'
  | 'ProvisionedManaged'

@export()
@description('A deployment of a model.')
@sealed()
type Deployment = {
  @description('Name of the deployment.')
  @minLength(2)
  name: string

  @description('Model.')
  model: string

  @description('Version of the model.')
  version: string

  sku: DeploymentSku

  @description('Capacity in thousands of tokens per minute (provisioned types: units).')
  @minValue(1)
  capacity: int

  @description('Name that callers use; default: the deployment\'s name.')
  alias: string?

  @description('Priority pays more per token for a target of speed; GlobalStandard and DataZoneStandard alone. Default: the service\'s.')
  serviceTier: ('Default' | 'Priority')?

  @description('Provisioned types alone: a standard deployment of the same account, named before this one, that takes what the units cannot.')
  spilloverDeployment: string?
}

@export()
@description('An Azure OpenAI account to create.')
@sealed()
type Account = {
  @description('Name of the backend; part of the account\'s name.')
  @minLength(1)
  name: string

  @description('Region; default: the deployment\'s.')
  location: string?

  @description('Priority among the accounts; the lowest number goes first. Default: 1.')
  @minValue(0)
  priority: int?

  @description('Share of the requests among accounts of the same priority. Default: 1.')
  @minValue(1)
  weight: int?

  @minLength(1)
  deployments: Deployment[]
}

@export()
@description('An entry of AZURE_OPENAI_BACKENDS.')
@sealed()
type Backend = {
  name: string
  endpoint: string
  priority: int
  weight: int
  deployments: DeploymentNames
}

@export()
@description('A resource that the app reaches through a private endpoint.')
@sealed()
type Endpoint = {
  name: string
  resourceId: string
  groupId: EndpointGroup
}

@export()
@description('The part of a service that a private endpoint leads to; each has its DNS zone.')
type EndpointGroup = 'blob' | 'table' | 'account' | 'vault' | 'searchService'
