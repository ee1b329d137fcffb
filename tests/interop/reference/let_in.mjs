// Authorize an app for an account, as the reference PDS stores it: a session with its tokens, and the consent.
//   PDS_… node let_in.mjs DID CLIENT_ID JKT SCOPE
import { PDS } from '@atproto/pds'

const [did, client_id, dpop_jkt, scope] = process.argv.slice(2)
const { ctx } = await PDS.fromEnv()
const { clientManager, accountManager, tokenManager } = ctx.oauthProvider
const client = await clientManager.getClient(client_id)
const account = { did, pds: ctx.cfg.service.did }
const parameters = { client_id, dpop_jkt, scope, response_type: 'code', redirect_uri: client.metadata.redirect_uris[0] }
const tokens = await tokenManager.createToken(client, { method: 'none' }, client.metadata, account, null, parameters, null)
await accountManager.setAuthorizedClient({ sub: did, did }, client, { authorizedScopes: scope.split(' ') })
console.log(JSON.stringify(tokens))
await ctx.destroy()
