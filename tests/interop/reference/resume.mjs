// Resume a session that the official client stored: refresh, write, read.
//   node resume.mjs SERVICE SESSION
import { AtpAgent } from '@atproto/api'

const [service, session] = process.argv.slice(2)
const agent = new AtpAgent({ service })
await agent.resumeSession(JSON.parse(session))
await agent.sessionManager.refreshSession()
const repo = agent.assertDid
const collection = 'org.example.note'
const record = { $type: collection, text: 'written after the move' }
const { uri } = (await agent.com.atproto.repo.createRecord({ repo, collection, record })).data
const rkey = uri.split('/').pop()
const read = await agent.com.atproto.repo.getRecord({ repo, collection, rkey })
console.log(JSON.stringify({ did: repo, text: read.data.value.text }))
