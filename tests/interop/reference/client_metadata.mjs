// Validates documents of OAuth clients as the reference PDS does after fetching them. Input: a JSON array of pairs of
// client_id and document. Output: a JSON array of messages, null for a valid document.

import { text } from 'node:stream/consumers'
import { ClientManager } from './node_modules/@atproto/oauth-provider/dist/client/client-manager.js'
import { oauthClientMetadataSchema } from './node_modules/@atproto/oauth-types/dist/index.js'

const grants = { grant_types_supported: ['authorization_code', 'refresh_token'] }
const manager = Object.assign(Object.create(ClientManager.prototype), { serverMetadata: grants })

function problem([clientId, document]) {
  try {
    manager.validateClientMetadata(clientId, oauthClientMetadataSchema.parse(document))
    return null
  } catch (error) {
    return error.message
  }
}

console.log(JSON.stringify(JSON.parse(await text(process.stdin)).map(problem)))
