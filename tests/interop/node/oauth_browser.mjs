// The official OAuth client for browsers, on a page of its own origin: redirects the user to sign in, restores the session from
// the URL fragment afterwards, writes a record, and signs out. The title and the text of the page contain the result.
import { Agent } from "@atproto/api";
import { BrowserOAuthClient, buildAtprotoLoopbackClientMetadata } from "@atproto/oauth-client-browser";

const { pds, plc, handle, scope } = JSON.parse(document.getElementById("wish").textContent);
const client = new BrowserOAuthClient({
  clientMetadata: buildAtprotoLoopbackClientMetadata({ scope, redirect_uris: [location.origin + location.pathname] }),
  handleResolver: pds,
  plcDirectoryUrl: plc,
  allowHttp: true,
});

const say = (title, value) => {
  document.querySelector("pre").textContent = JSON.stringify(value);
  document.title = title;
};

try {
  const found = await client.init();
  if (!found) {
    await client.signIn(handle, { state: "kept by the page" });
  } else {
    const { session, state } = found;
    const agent = new Agent(session);
    const collection = "org.example.note";
    const written = await agent.com.atproto.repo.createRecord({
      repo: session.did,
      collection,
      record: { $type: collection, text: "from a browser" },
    });
    const refreshed = await session.getTokenInfo(true);
    await session.signOut();
    say("done", { did: session.did, state, uri: written.data.uri, scope: refreshed.scope });
  }
} catch (error) {
  say("failed", { error: String(error), cause: String(error.cause) });
}
