// Open a session with a password, write an event to your own repository, and read it back.
//
//   npx tsx password_client.mts http://localhost:3000 ana.test PASSWORD
//
// Needs the official client (npm install @atproto/api), which contains no code for OpenMeet.
import { AtpAgent } from '@atproto/api'

const COLLECTION = 'community.lexicon.calendar.event'

const [service, identifier, password] = process.argv.slice(2)
const agent = new AtpAgent({ service })
await agent.login({ identifier, password })
const repo = agent.assertDid

const written = await agent.com.atproto.repo.createRecord({
  repo,
  collection: COLLECTION,
  record: {
    $type: COLLECTION,
    name: 'Board games at the library',
    createdAt: new Date().toISOString(),
    startsAt: new Date(Date.now() + 7 * 24 * 3600 * 1000).toISOString(),
  },
})
const rkey = written.data.uri.split('/').pop() as string
const read = await agent.com.atproto.repo.getRecord({ repo, collection: COLLECTION, rkey })
if (read.data.cid !== written.data.cid) throw new Error('the record differs from what was written')
console.log(read.data.uri)
console.log((read.data.value as { name: string }).name)
