metadata description = 'The namespace and its queues, from the list that the code and the sandbox read too.'

param name string
param location string
param tags object
param tier string
param units int
param identityPrincipalId string
param operatorGroupId string
param workspaceId string

@description('Reachable over private endpoints only, but for the operators\' addresses.')
param closed bool

param operatorAddresses array

@description('Whether Dataverse may send to its queue, with a key that can do nothing else.')
param dataverseInbox bool

var queues = loadJsonContent('../../shared/queues.json').queues
var serviceBusDataOwner = '090c5cfd-751d-490a-894a-3ce6f1109419'
var serviceBusDataSender = '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39'
var serviceBusDataReceiver = '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0'
var ownerRole = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', serviceBusDataOwner)
var senderRole = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', serviceBusDataSender)
// To show, replay and discard what waits for a person.
var desk = [
  serviceBusDataReceiver
  serviceBusDataSender
]
var operatorRoles = empty(operatorGroupId) ? [] : desk

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: tier
    tier: tier
    capacity: tier == 'Premium' ? units : null
  }
  properties: {
    disableLocalAuth: !dataverseInbox
    minimumTlsVersion: '1.2'
    publicNetworkAccess: closed && empty(operatorAddresses) ? 'Disabled' : 'Enabled'
  }
}

resource rules 'Microsoft.ServiceBus/namespaces/networkRuleSets@2024-01-01' = if (closed) {
  parent: namespace
  name: 'default'
  properties: {
    publicNetworkAccess: empty(operatorAddresses) ? 'Disabled' : 'Enabled'
    defaultAction: 'Deny'
    ipRules: [for address in operatorAddresses: {
      ipMask: address
      action: 'Allow'
    }]
  }
}

resource lanes 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = [for queue in queues: {
  parent: namespace
  name: queue.name
  properties: {
    lockDuration: queue.lockDuration
    maxDeliveryCount: queue.maxDeliveryCount
    requiresDuplicateDetection: queue.requiresDuplicateDetection
    duplicateDetectionHistoryTimeWindow: queue.duplicateDetectionHistoryTimeWindow
    defaultMessageTimeToLive: queue.defaultMessageTimeToLive
    deadLetteringOnMessageExpiration: queue.deadLetteringOnMessageExpiration
    // A message that waits for weeks must not fill the queue: 5 GB is the most of a Standard queue.
    maxSizeInMegabytes: 5120
  }
}]

resource inbox 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' existing = {
  parent: namespace
  name: 'dataverse-inbox'
}

// The one key of the namespace that is meant to be used: it sends to this queue and can do nothing else.
resource inboxKey 'Microsoft.ServiceBus/namespaces/queues/authorizationRules@2024-01-01' = if (dataverseInbox) {
  parent: inbox
  name: 'dataverse'
  properties: {
    rights: [
      'Send'
    ]
  }
  dependsOn: [
    lanes
  ]
}

// The app receives from and sends to every lane, and the platform scales by a queue's length, which only an owner of
// the queue may read. What it parks it never takes back: a person does, by the bridge command.
resource work 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (queue, number) in queues: {
  name: guid(lanes[number].id, identityPrincipalId, 'work')
  scope: lanes[number]
  properties: {
    principalId: identityPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: queue.name == 'parked' ? senderRole : ownerRole
  }
}]

resource operate 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in operatorRoles: {
  name: guid(namespace.id, operatorGroupId, role)
  scope: namespace
  properties: {
    principalId: operatorGroupId
    principalType: 'Group'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
  }
}]

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: namespace
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        categoryGroup: 'allLogs'
        enabled: true
      }
    ]
    metrics: [
      {
        category: 'AllMetrics'
        enabled: true
      }
    ]
  }
}

output id string = namespace.id
output host string = replace(replace(namespace.properties.serviceBusEndpoint, 'https://', ''), ':443/', '')
