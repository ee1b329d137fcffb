// A person with another app: reads the events of an events site, checks them with the official validator, then writes an RSVP
// to one of them and an event of their own.
//   node calendar.mjs PDS IDENTIFIER PASSWORD LEXICONS HOST
// LEXICONS is a JSON list of paths of Lexicon documents, HOST the DID whose event is answered. Prints one line of JSON.
import { readFileSync } from 'node:fs'
import { AtpAgent } from '@atproto/api'
import { Lexicons } from '@atproto/lexicon'

const EVENT = 'community.lexicon.calendar.event'
const RSVP = 'community.lexicon.calendar.rsvp'

const [service, identifier, password, paths, host] = process.argv.slice(2)
const lexicons = new Lexicons(JSON.parse(paths).map((path) => JSON.parse(readFileSync(path, 'utf8'))))
const agent = new AtpAgent({ service })
await agent.login({ identifier, password })

async function records(repo, collection) {
  const { data } = await agent.com.atproto.repo.listRecords({ repo, collection })
  return data.records
}

const read = await records(host, EVENT)
for (const { value } of read) lexicons.assertValidRecord(EVENT, value)
const answered = read[0]

async function write(collection, record) {
  lexicons.assertValidRecord(collection, record)
  const { data } = await agent.com.atproto.repo.createRecord({ repo: agent.assertDid, collection, record })
  return data.uri
}

const createdAt = new Date().toISOString()
const answer = await write(RSVP, {
  $type: RSVP,
  subject: { uri: answered.uri, cid: answered.cid },
  status: `${RSVP}#going`,
  createdAt,
})
const event = await write(EVENT, {
  $type: EVENT,
  name: 'Written in another app',
  description: 'With words of its own.',
  startsAt: '2026-05-01T17:00:00.000Z',
  endsAt: '2026-05-01T19:00:00.000Z',
  mode: `${EVENT}#inperson`,
  status: `${EVENT}#scheduled`,
  locations: [{ $type: 'community.lexicon.location.address', country: 'AT', locality: 'Graz', name: 'The old mill' }],
  createdAt,
})
const own = (await records(agent.assertDid, RSVP)).filter(({ uri }) => uri !== answer)
for (const { value } of own) lexicons.assertValidRecord(RSVP, value)
console.log(JSON.stringify({ read: read.map(({ value }) => value.name), own: own.map(({ value }) => value.status), answer, event }))
