"""An app with some scopes, and its calls for its user."""

from at_protocol.syntax.did import Did
from tests.aurora_locus.deployment import Deployment
from tests.aurora_locus.oauth.apps import App, Tokens, localhost_id, named

REPO, IDENTITY = "com.atproto.repo", "com.atproto.identity"
# The name is that of the reference PDS; apps compare it.
SCOPE_MISSING = (403, "ScopeMissingError")


class ScopedApp:
    """An app with some scopes, and its user."""

    def __init__(self, app: App, tokens: Tokens) -> None:
        self.app, self.token, self.did = app, tokens.access_token, Did(tokens.sub)

    async def post(self, nsid: str, body: object = None, **options: object) -> tuple[int, str]:
        answer = await self.app.call(nsid, self.token, {} if body is None and not options else body, **options)
        return named(answer) if answer.status_code != 200 else (200, "")

    async def get(self, nsid: str, **parameters: str) -> tuple[int, str]:
        answer = await self.app.call(nsid, self.token, params=parameters)
        return named(answer) if answer.status_code != 200 else (200, "")

    async def write(self, method: str, collection: str, rkey: str = "one") -> tuple[int, str]:
        body = {"repo": self.did, "collection": collection, "rkey": rkey}
        if method != "deleteRecord":
            body["record"] = {"$type": collection, "text": "hello"}  # type: ignore[assignment]
        return await self.post(f"{REPO}.{method}", body)


async def let_in_scoped_app(deployment: Deployment, did: Did, scope: str) -> ScopedApp:
    app = App(deployment, client_id=localhost_id(scope), scope=scope)
    return ScopedApp(app, await app.let_in(did))
