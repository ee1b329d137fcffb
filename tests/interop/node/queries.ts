// An app with a client that the official tool generated from the Lexicons: calls every query, anonymously and through a
// person's PDS.
//   tsx queries.ts SITE SERVICE_DID PDS IDENTIFIER PASSWORD QUESTIONS
// QUESTIONS is a JSON object: the parameters by the name of a query. Prints one line of JSON: responses or error names.
import { AtpAgent } from '@atproto/api'
import { XRPCError } from '@atproto/xrpc'
import { AtpBaseClient, type OpenmeetLexiconNS } from './generated/index.js'

const [site, service, pds, identifier, password, questions] = process.argv.slice(2)

type Name = Exclude<keyof OpenmeetLexiconNS & string, '_client'>

// The generated client checks parameters and responses against the Lexicons itself, and throws if one is invalid.
async function askAll(client: AtpBaseClient): Promise<Record<string, unknown>> {
  const answers: Record<string, unknown> = {}
  for (const [name, parameters] of Object.entries(JSON.parse(questions))) {
    const ask = client.openmeet.lexicon[name as Name].bind(client.openmeet.lexicon) as (
      parameters: unknown,
    ) => Promise<{ data: unknown }>
    answers[name] = await ask(parameters).then(
      (answer) => answer.data,
      (error) => {
        if (error instanceof XRPCError && error.status === 400) return error.error
        throw error
      },
    )
  }
  return answers
}

const agent = new AtpAgent({ service: pds })
await agent.login({ identifier, password })
const proxied = agent.withProxy('openmeet' as never, service)
const names = Object.getOwnPropertyNames(new AtpBaseClient(site).openmeet.lexicon.constructor.prototype)

console.log(
  JSON.stringify({
    methods: names.filter((name) => name !== 'constructor'),
    anonymous: await askAll(new AtpBaseClient(site)),
    asThemselves: await askAll(new AtpBaseClient(proxied.fetchHandler.bind(proxied))),
  }),
)
