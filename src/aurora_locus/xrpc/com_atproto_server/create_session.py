"""Sign in with a handle, DID or e-mail address and a password: the account's own or an app password."""

from aurora_locus.accounts import password_guesses, sessions
from aurora_locus.accounts.model import TokenPair
from aurora_locus.accounts.registry import Registry
from aurora_locus.accounts.second_factors import checking
from aurora_locus.xrpc.com_atproto_server.session_view import session_view
from aurora_locus.xrpc.method import Outcome, XrpcCall
from groundwork.database.transaction import Writer


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """Sign in with a password and open a session.

    Raises NotSignedIn: with the same message for an unknown identifier and a wrong password, and
    ``AuthFactorTokenRequired`` if the account has a second factor.
    """
    proof = await password_guesses.authenticate(
        registry,
        call.body["identifier"],
        call.body["password"],
        call.source,
        allow_takendown=call.body.get("allowTakendown", False),
    )
    await checking.require(registry, proof, call.body.get("authFactorToken"))
    await sessions.renew_hash(registry.db, registry.passwords, proof, call.body["password"])

    def work(w: Writer) -> TokenPair:
        tokens = sessions.open_proven(w, registry.tokens, proof)
        password_guesses.note(w, registry.guess_context, proof.account.did, call.source)
        return tokens

    tokens = await registry.db.write(work)
    return {**await session_view(call.host, proof.account), "accessJwt": tokens.access, "refreshJwt": tokens.refresh}
