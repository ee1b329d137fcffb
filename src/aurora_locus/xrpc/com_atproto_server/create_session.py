"""Sign in with handle, DID or e-mail address and a password, the account's own or one for apps."""

from aurora_locus.accounts import sessions
from aurora_locus.accounts.registry import Registry
from aurora_locus.accounts.second_factors import checking
from aurora_locus.xrpc.com_atproto_server.session_view import session_view
from aurora_locus.xrpc.method import Call, Outcome


async def run(registry: Registry, call: Call) -> Outcome:
    """Raises NotSignedIn, the same for an unknown identifier and a wrong password; ``AuthFactorTokenRequired`` where the
    account asks for more.
    """
    proof = await sessions.authenticate(
        registry.db,
        registry.passwords,
        call.body["identifier"],
        call.body["password"],
        allow_takendown=call.body.get("allowTakendown", False),
    )
    await checking.require(registry, proof, call.body.get("authFactorToken"))
    await sessions.renew_hash(registry.db, registry.passwords, proof, call.body["password"])
    tokens = await registry.db.write(lambda w: sessions.open_proven(w, registry.tokens, proof))
    return {**session_view(proof.account), "accessJwt": tokens.access, "refreshJwt": tokens.refresh}
