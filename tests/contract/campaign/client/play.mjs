// Plays Adobe's own client against a server given by its URL and prints what each operation gave, as one JSON object.
// Usage: node play.mjs <origin> <tenant> <apiKey> <accessToken>
//
// The client has no setting for its host. It reads its OpenAPI document once, through Node's module cache, so the
// server's address is set on that object in memory; none of the client's files is touched.
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const [origin, tenant, apiKey, accessToken] = process.argv.slice(2)
const description = require('@adobe/aio-lib-campaign-standard/spec/api.json')
description.servers[0].url = `${origin}/{ORGANIZATION}/campaign`
const { init } = require('@adobe/aio-lib-campaign-standard')

const results = {}

async function play (name, operation) {
  try {
    const response = await operation()
    results[name] = { ok: true, status: response.status, body: response.body }
  } catch (error) {
    results[name] = { ok: false, code: error.code, message: error.message }
  }
  return results[name]
}

const client = await init(tenant, apiKey, accessToken)
const created = await play('createProfile', () =>
  client.createProfile({ firstName: 'Ada', lastName: 'lovelace', email: 'ada@example.com', gender: 'female' }))
const pkey = created.body.PKey
await play('createProfileWithBadEnum', () => client.createProfile({ gender: 'invalid' }))
await play('getProfile', () => client.getProfile(pkey))
await play('updateProfile', () => client.updateProfile(pkey, { firstName: 'Augusta' }))
await play('getProfileAfterUpdate', () => client.getProfile(pkey))
await play('getProfileGarbageKey', () => client.getProfile('@gibberish'))
await play('getProfileUnknownKey', () => client.getProfile('nobody'))
await play('getAllProfiles', () => client.getAllProfiles())
await play('getAllProfilesByText', () => client.getAllProfiles({ filters: ['byText'], text: 'Lovelace' }))
await play('getAllProfilesByCustomFilter', () =>
  client.getAllProfiles({ filters: ['byExternalId'], hasCustomFilter: true, externalId_parameter: 'ext-1' }))
await play('getAllProfilesTwoByEmail', () => client.getAllProfiles({ lineCount: 2, order: 'email' }))
await play('getAllServices', () => client.getAllServices())
await play('getHistoryOfProfile', () => client.getHistoryOfProfile(pkey))
await play('getMetadataForResource', () => client.getMetadataForResource('profile'))
await play('getCustomResources', () => client.getCustomResources())
const vehicle = await play('createCustomResource', () =>
  client.createCustomResource('cusVehicle', { externalId: 'v-1', profileExternalId: 'ext-1', VIN: 'VIN1' }))
const vehicleKey = vehicle.body.PKey
await play('createCustomResourceAgain', () =>
  client.createCustomResource('cusVehicle', { externalId: 'v-1', profileExternalId: 'ext-1' }))
await play('getAllProfileAndServicesExt', () => client.getAllProfileAndServicesExt('cusVehicle'))
await play('getAllProfileAndServicesExtByFilter', () => client.getAllProfileAndServicesExt(
  'cusVehicle', { filters: ['byExternalId'], hasCustomFilter: true, externalId_parameter: 'v-1' }))
// An operation of its OpenAPI document that has no method of its own.
await play('getCustomResource', () => client.sdk.apis.customresource.getCustomResource(
  { CUSTOMRESOURCE: 'cusVehicle', PKEY: vehicleKey }, client.__createRequestOptions({ body: null })))
await play('getAllBasicCustomResources', () => client.getAllBasicCustomResources('cusDealer'))
await play('updateCustomResource', () => client.updateCustomResource('cusVehicle', vehicleKey, { color: 'red' }))
await play('updateCustomResourceWithText', () => client.updateCustomResource('cusVehicle', vehicleKey, '@gibberish'))
await play('updateCustomResourceGarbageKey', () => client.updateCustomResource('cusVehicle', '@gibberish', {}))
await play('getAllAfterUpdate', () => client.getAllProfileAndServicesExt('cusVehicle'))
const hidden = await play('createHiddenChild', () =>
  client.createCustomResource('cusVehicle', { externalId: 'v-2', profileExternalId: 'nobody' }))
await play('getAllWithHiddenChild', () => client.getAllProfileAndServicesExt('cusVehicle'))
await play('updateHiddenChild', () => client.updateCustomResource('cusVehicle', hidden.body.PKey, { color: 'red' }))
await play('deleteHiddenChild', () => client.deleteCustomResource('cusVehicle', hidden.body.PKey))
await play('deleteCustomResource', () => client.deleteCustomResource('cusVehicle', vehicleKey))
await play('deleteCustomResourceAgain', () => client.deleteCustomResource('cusVehicle', vehicleKey))
await play('getAllOfUnknownResource', () => client.getAllProfileAndServicesExt('cusShop'))
await play('createOfUnknownResource', () => client.createCustomResource('cusShop', {}))
await play('getWorkflow', () => client.getWorkflow('WKF1'))
const privacy = { name: 'REQ-1', namespaceName: 'd365ExternalId', reconciliationValue: 'ext-1', label: 'Delete', type: 'delete' }
await play('createGDPRRequestWithoutRegulation', () => client.createGDPRRequest(privacy))
await play('createGDPRRequest', () => client.createGDPRRequest({ ...privacy, regulation: 'gdpr' }))
await play('createGDPRRequestAgain', () => client.createGDPRRequest({ ...privacy, regulation: 'gdpr' }))
await play('getGDPRRequest', () => client.getGDPRRequest())

const stranger = await init(tenant, apiKey, 'not-a-token')
await play('badToken', () => stranger.getAllProfiles())
const keyless = await init(tenant, 'not-a-key', accessToken)
await play('badApiKey', () => keyless.getAllProfiles())
const elsewhere = await init('nowhere', apiKey, accessToken)
await play('unknownTenantCold', () => elsewhere.getAllProfiles())
await play('unknownTenantWarm', () => elsewhere.getAllProfiles())

process.stdout.write(JSON.stringify(results))
