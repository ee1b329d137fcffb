// The official OAuth client for servers, as an app in production: it authenticates with a signed assertion (private_key_jwt).
// It prints its metadata and keys, to be published, and the URL for the user; reads the final redirect URL from standard
// input; then writes, refreshes with a new process's client, replaces its key, and signs out. One JSON object per line.
import dns from "node:dns";
import { createInterface } from "node:readline";
import { Agent } from "@atproto/api";
import { JoseKey, NodeOAuthClient } from "@atproto/oauth-client-node";

const [pds, plc, app, handle, scope] = process.argv.slice(2);

// Names of the test network are on this machine.
const lookUp = dns.lookup;
dns.lookup = (name, ...rest) => lookUp(name.endsWith(".example.com") ? "127.0.0.1" : name, ...rest);

const memory = () => {
  const kept = new Map();
  return {
    get: async (key) => kept.get(key),
    set: async (key, value) => void kept.set(key, value),
    del: async (key) => void kept.delete(key),
  };
};
const stores = { stateStore: memory(), sessionStore: memory() };

const clientWith = (keyset) =>
  new NodeOAuthClient({
    clientMetadata: {
      client_id: `${app}/client-metadata.json`,
      client_name: "Town Events",
      client_uri: app,
      application_type: "web",
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      redirect_uris: [`${app}/callback`],
      scope,
      dpop_bound_access_tokens: true,
      token_endpoint_auth_method: "private_key_jwt",
      token_endpoint_auth_signing_alg: "ES256",
      jwks_uri: `${app}/jwks.json`,
    },
    keyset,
    ...stores,
    handleResolver: pds,
    plcDirectoryUrl: plc,
    fetch: globalThis.fetch,
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
const first = await JoseKey.generate(["ES256"], "first");
const client = clientWith([first]);
say({ metadata: client.clientMetadata, jwks: client.jwks });
const where = await client.authorize(handle, { state: "kept by the app" });
say({ where: where.href });
const back = new URL((await lines.next()).value);
const { session, state } = await client.callback(back.searchParams);
say({ did: session.did, state });

const collection = "org.example.note";
const write = (from) =>
  new Agent(from).com.atproto.repo.createRecord({ repo: from.did, collection, record: { $type: collection, text: "by an app" } });
say({ uri: (await write(session)).data.uri });

// A restarted app has the same stores and a second key; the session stays bound to the first one.
const second = await JoseKey.generate(["ES256"], "second");
const restarted = clientWith([second, first]);
say({ jwks: restarted.jwks });
await lines.next();
const restored = await restarted.restore(session.did, true);
say({ refreshed: (await restored.getTokenInfo(false)).scope, uri: (await write(restored)).data.uri });

// Once the key is no longer published, the session cannot be refreshed with it.
say({ jwks: clientWith([second]).jwks });
await lines.next();
say({ without: await attempt(() => clientWith([second]).restore(session.did, true).then(() => "refreshed")) });
process.exit(0);
