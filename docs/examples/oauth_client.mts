// Sign somebody in with OAuth, write an event to their repository, and revoke the access.
//
//   npx tsx oauth_client.mts http://localhost:3000 ana.test [http://localhost:2582]
//
// Prints the URL that the person must open, and waits on the loopback for the redirect. Needs the official clients
// (npm install @atproto/api @atproto/oauth-client-node). The last argument is the PLC directory of a local network.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Agent } from '@atproto/api'
import { NodeOAuthClient, buildAtprotoLoopbackClientMetadata } from '@atproto/oauth-client-node'

const COLLECTION = 'community.lexicon.calendar.event'

const [pds, handle, plcDirectoryUrl] = process.argv.slice(2)

let answer: (parameters: URLSearchParams) => void
const answered = new Promise<URLSearchParams>((resolve) => (answer = resolve))
const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1')
  response.end('You can close this window.\n')
  if (url.pathname === '/callback') answer(url.searchParams)
})
await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
const redirect_uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback` as const

// A real app stores both persistently: the states for some minutes, the sessions until the user signs out.
const memory = <T>() => {
  const kept = new Map<string, T>()
  return {
    get: async (key: string) => kept.get(key),
    set: async (key: string, value: T) => void kept.set(key, value),
    del: async (key: string) => void kept.delete(key),
  }
}

const client = new NodeOAuthClient({
  clientMetadata: buildAtprotoLoopbackClientMetadata({
    scope: `atproto repo:${COLLECTION}`,
    redirect_uris: [redirect_uri],
  }),
  stateStore: memory(),
  sessionStore: memory(),
  handleResolver: pds,
  plcDirectoryUrl,
  allowHttp: true, // only for a network on your own machine
})

console.log(`Open ${await client.authorize(handle)}`)
const { session } = await client.callback(await answered)
server.close()
console.log(`${session.did} allows ${(await session.getTokenInfo(false)).scope}`)

const written = await new Agent(session).com.atproto.repo.createRecord({
  repo: session.did,
  collection: COLLECTION,
  record: {
    $type: COLLECTION,
    name: 'Board games at the library',
    createdAt: new Date().toISOString(),
    startsAt: new Date(Date.now() + 7 * 24 * 3600 * 1000).toISOString(),
  },
})
console.log(written.data.uri)
await session.signOut()
