"""Sign in with handle, DID or e-mail address and a password."""

from aurora_locus.accounts import sessions
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.com_atproto_server.session_view import session_view
from aurora_locus.xrpc.method import Call, Outcome


async def run(registry: Registry, call: Call) -> Outcome:
    """Raises NotSignedIn, the same for an unknown identifier and a wrong password."""
    account = await sessions.authenticate(
        registry.db, registry.passwords, call.body["identifier"], call.body["password"]
    )
    tokens = await registry.db.write(lambda w: sessions.open_session(w, registry.tokens, account.did))
    return {**session_view(account), "accessJwt": tokens.access, "refreshJwt": tokens.refresh}
