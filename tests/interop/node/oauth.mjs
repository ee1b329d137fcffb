// The official OAuth client for servers, as an app under development. It requests authorization, prints the URL for the user,
// reads the final redirect URL from standard input, and then writes, refreshes and signs out. One JSON object per line.
import { createInterface } from "node:readline";
import { Agent } from "@atproto/api";
import { NodeOAuthClient, buildAtprotoLoopbackClientMetadata } from "@atproto/oauth-client-node";

const [pds, plc, handle, scope] = process.argv.slice(2);

const memory = () => {
  const kept = new Map();
  return {
    get: async (key) => kept.get(key),
    set: async (key, value) => void kept.set(key, value),
    del: async (key) => void kept.delete(key),
  };
};

const client = new NodeOAuthClient({
  clientMetadata: buildAtprotoLoopbackClientMetadata({ scope, redirect_uris: ["http://127.0.0.1/callback"] }),
  stateStore: memory(),
  sessionStore: memory(),
  handleResolver: pds,
  plcDirectoryUrl: plc,
  allowHttp: true,
});

const say = (value) => console.log(JSON.stringify(value));
const attempt = async (work) => {
  try {
    return { ok: await work() };
  } catch (error) {
    return { refused: error.error ?? error.name, status: error.status };
  }
};

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const where = await client.authorize(handle, { state: "kept by the app" });
say({ where: where.href });
const back = new URL((await lines.next()).value);
const { session, state } = await client.callback(back.searchParams);
say({ did: session.did, state });

const agent = new Agent(session);
const write = (collection) =>
  agent.com.atproto.repo.createRecord({ repo: session.did, collection, record: { $type: collection, text: "by OAuth" } });
const own = await write("org.example.note");
say({
  uri: own.data.uri,
  other: await attempt(() => write("org.example.other")),
  granted: (await session.getTokenInfo(false)).scope,
});

const refreshed = await session.getTokenInfo(true);
const again = await write("org.example.note");
say({ refreshed: refreshed.scope.includes("atproto"), uri: again.data.uri });

await session.signOut();
say({ after: await attempt(() => write("org.example.note")) });
process.exit(0);
