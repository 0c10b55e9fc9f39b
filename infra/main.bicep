metadata name = 'Dynamics-Campaign bridge'
metadata description = 'Everything the bridge runs on, in one resource group and one region. docs/deploy.md tells how to use it.'

targetScope = 'resourceGroup'

// What a deployment asks for.

@minLength(2)
@maxLength(20)
@description('A name for this installation, such as prod; part of the names of its resources.')
param environmentName string

@description('The region. Nothing is stored in another.')
param location string = resourceGroup().location

@description('The Dataverse environment, e.g. https://acme.crm4.dynamics.com')
param dynamicsUrl string

@description('How the bridge proves itself to Dataverse. The first needs no secret at all.')
@allowed([
  'managed_identity'
  'certificate'
  'secret'
])
param dynamicsAuthentication string = 'managed_identity'

@description('Client id of the app registration; not needed with managed_identity.')
param dynamicsClientId string = ''

@description('https://mc.adobe.io/ORGANISATION/campaign')
param campaignUrl string

@description('Client id of the Adobe Developer Console project.')
param campaignClientId string

@description('The IMS organisation, ...@AdobeOrg')
param campaignOrganizationId string

@description('The I/O Events journal of the e-mail events; empty if they come from log files.')
param campaignEventsUrl string = ''

@description('Instead of the journal: the folder into which Campaign exports its logs, at the place of the opt-out files.')
param eventFilesUrl string = ''

@description('Where access tokens for Campaign come from.')
param campaignTokenUrl string = 'https://ims-na1.adobelogin.com/ims/token/v3'

@description('Where Campaign exports its opt-outs: sftp://USER@HOST:PORT/FOLDER, s3://BUCKET/PREFIX or a blob container.')
param optoutFilesUrl string

@description('The SFTP server\'s public key as a known_hosts line. It is no secret.')
param optoutSftpHostKey string

@description('Addresses that the alarms are mailed to, separated by commas.')
@minLength(3)
param alarmEmails string

// What has a sensible answer.

@description('Ask Campaign for changed opt-outs between two files.')
param optoutPoll bool = false

@description('Let Dataverse fill the queue dataverse-inbox. Its endpoint knows shared keys only, so the namespace then takes them.')
param dataverseInbox bool = false

@description('Further app settings, or other values for those below; docs/settings.md lists them all.')
param moreSettings object = {}

@description('Object id of the group of people who operate the bridge: they set secrets and use the bridge command. Empty: nobody gets a role here.')
param operatorGroupId string = ''

@description('Standard does; Premium adds private endpoints and isolation. It cannot be changed later.')
@allowed([
  'Standard'
  'Premium'
])
param serviceBusTier string = 'Standard'

@description('Messaging units of a Premium namespace.')
@allowed([
  1
  2
  4
  8
  16
])
param serviceBusUnits int = 1

@description('Copies of stored data: within one data centre, over three zones, or in a second region as well. The last leaves the region.')
@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GZRS'
])
param storageRedundancy string = 'Standard_ZRS'

@description('A network of its own: private endpoints, and one static address for everything that leaves.')
param vnetEnabled bool = false

@description('The range of the app\'s subnet: Flex Consumption wants a /27 at least.')
param appSubnetPrefix string = '10.90.0.0/26'

@description('The range of the private endpoints\' subnet.')
param endpointSubnetPrefix string = '10.90.0.64/26'

@description('Addresses or ranges from which operators may reach storage and vault while vnetEnabled closes them.')
param operatorAddresses array = []

@description('Most instances of each function that scales by itself; Flex Consumption takes no less than 40.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Memory of an instance in MB.')
@allowed([
  512
  2048
  4096
])
param instanceMemoryMB int = 2048

@description('Instances that never sleep, by group: http, or function:NAME.')
param alwaysReady array = [
  {
    name: 'http'
    instanceCount: 1
  }
]

@description('Calls of the webhook that one instance takes at once.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int = 16

@description('How long logs are kept, in days.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

@description('Most log data a day in GB; -1: no limit. Beyond it alarms are blind.')
param logDailyCapGb int = -1

@description('Days for which entries of the opt-out journal can be neither changed nor deleted; 0: no such policy.')
@minValue(0)
@maxValue(3650)
param journalImmutabilityDays int = 0

@description('Days after which entries of the opt-out journal are deleted.')
@minValue(30)
param journalRetentionDays int = 3650

@description('Days after which the log of what operators did to messages is deleted.')
@minValue(30)
param operatorLogRetentionDays int = 365

var token = uniqueString(resourceGroup().id, environmentName)
var name = 'bridge-${environmentName}-${take(token, 6)}'
var tags = {
  'azd-env-name': environmentName
  application: 'dynamics-campaign-bridge'
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  params: {
    name: name
    location: location
    tags: tags
  }
}

module monitor 'modules/monitor.bicep' = {
  name: 'monitor'
  params: {
    name: name
    location: location
    tags: tags
    identityPrincipalId: identity.outputs.principalId
    retentionDays: logRetentionDays
    dailyCapGb: logDailyCapGb
    alarmEmails: split(alarmEmails, ',')
    operatorGroupId: operatorGroupId
  }
}

module network 'modules/network.bicep' = if (vnetEnabled) {
  name: 'network'
  params: {
    name: name
    location: location
    tags: tags
    appSubnetPrefix: appSubnetPrefix
    endpointSubnetPrefix: endpointSubnetPrefix
  }
}

module serviceBus 'modules/service_bus.bicep' = {
  name: 'service-bus'
  params: {
    name: name
    location: location
    tags: tags
    tier: serviceBusTier
    units: serviceBusUnits
    identityPrincipalId: identity.outputs.principalId
    operatorGroupId: operatorGroupId
    workspaceId: monitor.outputs.workspaceId
    closed: vnetEnabled && serviceBusTier == 'Premium'
    operatorAddresses: operatorAddresses
    dataverseInbox: dataverseInbox
  }
}

module hostStorage 'modules/host_storage.bicep' = {
  name: 'host-storage'
  params: {
    name: 'bridgehost${take(token, 13)}'
    location: location
    tags: tags
    redundancy: storageRedundancy
    identityPrincipalId: identity.outputs.principalId
    workspaceId: monitor.outputs.workspaceId
    closed: vnetEnabled
  }
}

module dataStorage 'modules/data_storage.bicep' = {
  name: 'data-storage'
  params: {
    name: 'bridgedata${take(token, 13)}'
    location: location
    tags: tags
    redundancy: storageRedundancy
    identityPrincipalId: identity.outputs.principalId
    operatorGroupId: operatorGroupId
    workspaceId: monitor.outputs.workspaceId
    closed: vnetEnabled
    operatorAddresses: operatorAddresses
    journalImmutabilityDays: journalImmutabilityDays
    journalRetentionDays: journalRetentionDays
    operatorLogRetentionDays: operatorLogRetentionDays
  }
}

module keyVault 'modules/key_vault.bicep' = {
  name: 'key-vault'
  params: {
    name: 'bridge-${take(token, 13)}'
    location: location
    tags: tags
    identityPrincipalId: identity.outputs.principalId
    operatorGroupId: operatorGroupId
    workspaceId: monitor.outputs.workspaceId
    closed: vnetEnabled
    operatorAddresses: operatorAddresses
  }
}

module endpoints 'modules/private_endpoints.bicep' = if (vnetEnabled) {
  name: 'private-endpoints'
  params: {
    name: name
    location: location
    tags: tags
    networkId: vnetEnabled ? network.outputs.networkId : ''
    subnetId: vnetEnabled ? network.outputs.endpointSubnetId : ''
    hostStorageId: hostStorage.outputs.id
    dataStorageId: dataStorage.outputs.id
    keyVaultId: keyVault.outputs.id
    serviceBusId: serviceBus.outputs.id
    serviceBusToo: serviceBusTier == 'Premium'
  }
}

var secrets = '@Microsoft.KeyVault(SecretUri=${keyVault.outputs.uri}secrets'

var dynamicsSettings = {
  managed_identity: {
    DYNAMICS_CLIENT_ID: identity.outputs.clientId
    DYNAMICS_MANAGED_IDENTITY: 'true'
  }
  certificate: {
    DYNAMICS_CLIENT_ID: dynamicsClientId
    DYNAMICS_CLIENT_CERTIFICATE: '${secrets}/dynamics-client-certificate)'
  }
  secret: {
    DYNAMICS_CLIENT_ID: dynamicsClientId
    DYNAMICS_CLIENT_SECRET: '${secrets}/dynamics-client-secret)'
  }
}

var bridgeSettings = {
  DYNAMICS_URL: dynamicsUrl
  DYNAMICS_AUTHORITY: uri(environment().authentication.loginEndpoint, tenant().tenantId)
  CAMPAIGN_URL: campaignUrl
  CAMPAIGN_TOKEN_URL: campaignTokenUrl
  CAMPAIGN_CLIENT_ID: campaignClientId
  CAMPAIGN_CLIENT_SECRET: '${secrets}/campaign-client-secret)'
  CAMPAIGN_ORGANIZATION_ID: campaignOrganizationId
  CAMPAIGN_EVENTS_URL: campaignEventsUrl
  EVENT_FILES_URL: eventFilesUrl
  WEBHOOK_SECRETS: '${secrets}/webhook-secrets)'
  OPTOUT_FILES_URL: optoutFilesUrl
  OPTOUT_SFTP_KEY: '${secrets}/optout-sftp-key)'
  OPTOUT_SFTP_HOST_KEY: optoutSftpHostKey
  CHANGE_SWEEP_SCHEDULE: '0 */5 * * * *'
  OPTOUT_FILE_SCHEDULE: '0 */15 * * * *'
  JOURNAL_SEAL_SCHEDULE: '0 20 1 * * *'
  EVENT_EGRESS_SCHEDULE: '0 */5 * * * *'
  LEDGER_CHECKS_SCHEDULE: '30 * * * * *'
  OPTOUT_POLL: optoutPoll ? 'true' : 'false'
  OPTOUT_POLL_SCHEDULE: '0 7,22,37,52 * * * *'
  OPTOUT_DEADLINES_SCHEDULE: '0 5 * * * *'
}

module app 'modules/app.bicep' = {
  name: 'app'
  params: {
    name: name
    location: location
    tags: union(tags, {
      'azd-service-name': 'functions'
    })
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    hostBlobEndpoint: hostStorage.outputs.blobEndpoint
    packageContainer: hostStorage.outputs.packageContainer
    dataBlobEndpoint: dataStorage.outputs.blobEndpoint
    dataTableEndpoint: dataStorage.outputs.tableEndpoint
    serviceBusHost: serviceBus.outputs.host
    insightsConnectionString: monitor.outputs.insightsConnectionString
    workspaceId: monitor.outputs.workspaceId
    subnetId: vnetEnabled ? network.outputs.appSubnetId : ''
    maximumInstanceCount: maximumInstanceCount
    instanceMemoryMB: instanceMemoryMB
    alwaysReady: alwaysReady
    httpConcurrency: httpConcurrency
    settings: union(bridgeSettings, dynamicsSettings[dynamicsAuthentication], moreSettings)
  }
  dependsOn: [
    endpoints
  ]
}

module metricAlerts 'modules/metric_alerts.bicep' = {
  name: 'metric-alerts'
  params: {
    name: name
    tags: tags
    serviceBusId: serviceBus.outputs.id
    actionGroupId: monitor.outputs.actionGroupId
  }
}

module logAlerts 'modules/log_alerts.bicep' = {
  name: 'log-alerts'
  params: {
    optoutPoll: optoutPoll
    name: name
    location: location
    tags: tags
    workspaceId: monitor.outputs.workspaceId
    actionGroupId: monitor.outputs.actionGroupId
  }
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  params: {
    name: name
    location: location
    tags: tags
    workspaceId: monitor.outputs.workspaceId
  }
}

@description('Register this in Dataverse, with the header x-bridge-key.')
output WEBHOOK_URL string = 'https://${app.outputs.host}/api/dataverse'

@description('Becomes the application user in Dataverse (with managed_identity).')
output DYNAMICS_APPLICATION_ID string = identity.outputs.clientId

output FUNCTION_APP string = app.outputs.name
output KEY_VAULT string = keyVault.outputs.name
output SERVICE_BUS_HOST string = serviceBus.outputs.host
output DATA_STORAGE string = dataStorage.outputs.name

@description('For the allow list of Campaign\'s SFTP; empty without a network.')
output OUTBOUND_ADDRESS string = vnetEnabled ? network.outputs.address : ''
