// Read a whole repository and one record proof with the official repository package:
//   node repository.mjs SERVICE DID DID_KEY [COLLECTION RKEY]
// Prints {"records": {path: cid}, "proven": {path: cid|null}}; exits with status 1 if anything does not verify.
import { AtpAgent } from '@atproto/api'
import { verifyRecords, verifyRepoCar } from '@atproto/repo'

const [service, did, didKey, collection, rkey] = process.argv.slice(2)
const agent = new AtpAgent({ service })

const whole = await agent.com.atproto.sync.getRepo({ did })
const verified = await verifyRepoCar(whole.data, did, didKey)
const records = {}
for (const write of verified.creates) records[`${write.collection}/${write.rkey}`] = write.cid.toString()

const proven = {}
if (collection) {
  const proof = await agent.com.atproto.sync.getRecord({ did, collection, rkey })
  for (const claim of await verifyRecords(proof.data, did, didKey)) {
    proven[`${claim.collection}/${claim.rkey}`] = claim.record
  }
}
console.log(JSON.stringify({ records, proven, commit: verified.commit.cid.toString() }))
