metadata description = 'A private address in the network for each service, and the DNS zones that make its public name lead there.'

param name string
param location string
param tags object
param networkId string
param subnetId string
param hostStorageId string
param dataStorageId string
param keyVaultId string
param serviceBusId string

@description('Only a Premium namespace can have a private endpoint.')
param serviceBusToo bool

var always = [
  {
    name: 'host-blob'
    resourceId: hostStorageId
    group: 'blob'
    zone: 'privatelink.blob.${environment().suffixes.storage}'
  }
  {
    name: 'data-blob'
    resourceId: dataStorageId
    group: 'blob'
    zone: 'privatelink.blob.${environment().suffixes.storage}'
  }
  {
    name: 'data-table'
    resourceId: dataStorageId
    group: 'table'
    zone: 'privatelink.table.${environment().suffixes.storage}'
  }
  {
    name: 'vault'
    resourceId: keyVaultId
    group: 'vault'
    zone: 'privatelink.vaultcore.azure.net'
  }
]
var onlyPremium = [
  {
    name: 'service-bus'
    resourceId: serviceBusId
    group: 'namespace'
    zone: 'privatelink.servicebus.windows.net'
  }
]
var services = serviceBusToo ? concat(always, onlyPremium) : always
var storageAndVaultZones = [
  'privatelink.blob.${environment().suffixes.storage}'
  'privatelink.table.${environment().suffixes.storage}'
  'privatelink.vaultcore.azure.net'
]
var serviceBusZones = [
  'privatelink.servicebus.windows.net'
]
var zoneNames = serviceBusToo ? concat(storageAndVaultZones, serviceBusZones) : storageAndVaultZones

resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [for zone in zoneNames: {
  name: zone
  location: 'global'
  tags: tags
}]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [for (zone, number) in zoneNames: {
  parent: zones[number]
  name: name
  location: 'global'
  tags: tags
  properties: {
    registrationEnabled: false
    virtualNetwork: {
      id: networkId
    }
  }
}]

resource endpoints 'Microsoft.Network/privateEndpoints@2025-05-01' = [for service in services: {
  name: '${name}-${service.name}'
  location: location
  tags: tags
  properties: {
    subnet: {
      id: subnetId
    }
    privateLinkServiceConnections: [
      {
        name: service.name
        properties: {
          privateLinkServiceId: service.resourceId
          groupIds: [
            service.group
          ]
        }
      }
    ]
  }
}]

resource records 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-05-01' = [for (service, number) in services: {
  parent: endpoints[number]
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: service.group
        properties: {
          privateDnsZoneId: resourceId('Microsoft.Network/privateDnsZones', service.zone)
        }
      }
    ]
  }
  dependsOn: [
    zones
  ]
}]
