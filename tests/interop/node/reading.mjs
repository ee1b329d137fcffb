// A person with an app: sign in, read preferences, post, like, change the profile, and read all of it back at once.
//   node reading.mjs SERVICE IDENTIFIER PASSWORD
import { AtpAgent } from '@atproto/api'

const [service, identifier, password] = process.argv.slice(2)
const agent = new AtpAgent({ service })
await agent.login({ identifier, password })
const did = agent.assertDid

const before = await agent.getPreferences()
await agent.setAdultContentEnabled(true)
const generator = 'at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/app.bsky.feed.generator/art'
await agent.addSavedFeeds([{ type: 'feed', value: generator, pinned: false }])
const after = await agent.getPreferences()

const first = await agent.post({ text: 'first' })
const answer = await agent.post({ text: 'answer', reply: { root: first, parent: first } })
const liked = await agent.like(first.uri, first.cid)
await agent.upsertProfile((existing) => ({ ...existing, displayName: 'Ana the first' }))

const feed = await agent.getAuthorFeed({ actor: did })
const timeline = await agent.getTimeline()
const profile = await agent.getProfile({ actor: did })
const thread = await agent.getPostThread({ uri: first.uri })
const likes = await agent.com.atproto.repo.listRecords({ repo: did, collection: 'app.bsky.feed.like' })
const chat = await agent
  .withProxy('bsky_chat', 'did:web:localhost')
  .chat.bsky.convo.listConvos()
  .then(
    () => 'answered',
    (error) => error.error,
  )
console.log(
  JSON.stringify({
    adult: [before.moderationPrefs.adultContentEnabled, after.moderationPrefs.adultContentEnabled],
    savedFeeds: after.savedFeeds.map((feed) => feed.value),
    feed: feed.data.feed.map((item) => item.post.record.text),
    lag: Number(feed.headers['atproto-upstream-lag']),
    timeline: timeline.data.feed.map((item) => [item.post.author.displayName, item.post.record.text]),
    profile: profile.data.displayName,
    followers: profile.data.followersCount,
    thread: [thread.data.thread.post.record.text, ...thread.data.thread.replies.map((reply) => reply.post.record.text)],
    answer: answer.uri,
    liked: likes.data.records.some((record) => record.uri === liked.uri),
    chat,
  }),
)
