// A whole session with the official client: sign in, refresh, write, list, delete, sign out.
//   node session.mjs SERVICE IDENTIFIER PASSWORD
import { AtpAgent } from '@atproto/api'

const [service, identifier, password] = process.argv.slice(2)
const agent = new AtpAgent({ service })
await agent.login({ identifier, password })
const did = agent.assertDid
const before = agent.session.refreshJwt
await agent.sessionManager.refreshSession()
if (agent.session.refreshJwt === before) throw new Error('the refresh token was not rotated')

const collection = 'app.bsky.feed.post'
const record = { $type: collection, text: 'héllo 👨‍👩‍👧', createdAt: new Date().toISOString() }
const { uri } = (await agent.com.atproto.repo.createRecord({ repo: did, collection, record })).data
const rkey = uri.split('/').pop()
const page = await agent.com.atproto.repo.listRecords({ repo: did, collection, limit: 10 })
const listed = page.data.records.map((found) => found.uri)
if (!listed.includes(uri)) throw new Error('the record is not listed')

const blob = await agent.uploadBlob(new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10, 0]), { encoding: 'image/png' })
const applied = await agent.com.atproto.repo.applyWrites({
  repo: did,
  writes: [
    { $type: 'com.atproto.repo.applyWrites#update', collection, rkey, value: { ...record, text: 'changed' } },
    { $type: 'com.atproto.repo.applyWrites#create', collection, value: { ...record, text: 'second' } },
  ],
})
await agent.com.atproto.repo.deleteRecord({ repo: did, collection, rkey })
const after = await agent.com.atproto.repo.listRecords({ repo: did, collection, limit: 10 })
const described = await agent.com.atproto.repo.describeRepo({ repo: did })
await agent.logout()
console.log(
  JSON.stringify({
    did,
    results: applied.data.results.length,
    left: after.data.records.length,
    blob: blob.data.blob.ref.toString(),
    handleIsCorrect: described.data.handleIsCorrect,
  }),
)
