"""Sign in with a handle, DID or e-mail address and a password: the account's own or an app password."""

from aurora_locus.accounts import password_guesses, queries, sessions
from aurora_locus.accounts.limits import SIGN_IN, SIGN_IN_ADDRESS, SIGN_IN_DAILY
from aurora_locus.accounts.model import TokenPair
from aurora_locus.accounts.second_factors import checking
from aurora_locus.i18n.language import stated_language
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.com_atproto_server.session_view import session_view
from aurora_locus.xrpc.limits import all_of, per_address, per_identifier_and_address
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure
from groundwork.database.transaction import Writer


async def create_session(call: XrpcCall) -> Outcome:
    """Sign in with a password and open a session.

    Raises NotSignedIn: with the same message for an unknown identifier and a wrong password, and
    ``AuthFactorTokenRequired`` if the account has a second factor.
    """
    registry = call.registry
    proof = await password_guesses.authenticate(
        registry,
        call.body["identifier"],
        call.body["password"],
        call.source,
        allow_takendown=call.body.get("allowTakendown", False),
    )
    await checking.require(registry, proof, call.body.get("authFactorToken"))
    await sessions.renew_hash(registry.db, registry.passwords, proof, call.body["password"])

    # With an app password, the request is that of a program, such as a bot.
    language = stated_language() if proof.app_password is None else ""

    def work(w: Writer) -> TokenPair:
        tokens = sessions.open_proven(w, registry.tokens, proof)
        queries.set_language(w, proof.account.did, language)
        password_guesses.note(w, registry.guess_context, proof.account.did, call.source)
        return tokens

    tokens = await registry.db.write(work)
    return {**await session_view(call.host, proof.account), "accessJwt": tokens.access, "refreshJwt": tokens.refresh}


METHOD = procedure(
    "com.atproto.server.createSession",
    create_session,
    AccessLevel.OPTIONAL_LENIENT,
    charges=all_of(per_identifier_and_address(SIGN_IN, SIGN_IN_DAILY), per_address(SIGN_IN_ADDRESS)),
)
