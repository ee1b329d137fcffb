// Follow a PDS with the official sync package, which checks every commit against the DID document, and print one JSON
// line per event: node firehose.mjs SERVICE_WS PLC_URL COUNT [CURSOR]. Exits with status 0 after COUNT events, 1 on any error.
import { IdResolver } from '@atproto/identity'
import { Firehose, MemoryRunner } from '@atproto/sync'

const [service, plcUrl, count, cursor] = process.argv.slice(2)
let left = Number(count)

const firehose = new Firehose({
  service,
  idResolver: new IdResolver({ plcUrl }),
  unauthenticatedHandles: true,
  runner: cursor === undefined ? undefined : new MemoryRunner({ startCursor: Number(cursor) }),
  handleEvent: (event) => {
    const { seq, did, collection, rkey, cid, record, status, active } = event
    console.log(
      JSON.stringify({ seq, did, event: event.event, collection, rkey, cid: cid?.toString(), record, status, active }),
    )
    left -= 1
    if (left === 0) process.exit(0)
  },
  onError: (error) => {
    console.error(String(error), String(error?.err ?? error?.cause ?? ''))
    process.exit(1)
  },
})
console.error('listening')
firehose.start()
