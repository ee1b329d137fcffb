"""The dispatcher's port for callers, driven by the accounts' credentials: which grade of caller a method lets in."""

from collections.abc import Mapping
from dataclasses import replace

from starlette.types import Scope as Request

from at_network.service_callers import ServiceCallers, is_service_token
from at_protocol.crypto import jwt
from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did
from aurora_locus.accounts.credentials import BASIC, Administration, Credentials, Session
from aurora_locus.accounts.model import Account, Scope
from aurora_locus.accounts.wishes import Awaits
from aurora_locus.moderation.roles import ADMINISTRATION, Operator, Role
from aurora_locus.oauth.access_tokens import Access
from aurora_locus.oauth.callers import AppCallers, is_app, refused_token
from aurora_locus.xrpc.authentication import Authenticate, Caller, Need
from groundwork.errors import Forbidden, NotSignedIn, Refused

# Only signing out takes a refresh token that has expired: the wish is plain, and granting it harms nobody.
_TAKES_EXPIRED = "com.atproto.server.deleteSession"

# What an account that was taken down may still do: see where it stands, and leave. Its
# repository and blobs are read where anybody may ask, as their owner.
_WHILE_TAKEN_DOWN = frozenset(
    {
        "app.bsky.actor.getPreferences",
        "com.atproto.identity.requestPlcOperationSignature",
        "com.atproto.identity.signPlcOperation",
        "com.atproto.moderation.createReport",
        "com.atproto.server.checkAccountStatus",
        "com.atproto.server.getServiceAuth",
        "com.atproto.server.getSession",
    }
)

# An account whose identity names another server: what would be written here nobody would ever read.
_NOT_AFTER_MOVING = frozenset(
    {
        "com.atproto.identity.updateHandle",
        "com.atproto.repo.applyWrites",
        "com.atproto.repo.createRecord",
        "com.atproto.repo.deleteRecord",
        "com.atproto.repo.putRecord",
        "com.atproto.repo.uploadBlob",
    }
)

_OF_OPERATORS = frozenset({Need.MODERATOR, Need.ADMIN})


def authenticator(
    credentials: Credentials, services: ServiceCallers, moderation: str = "", apps: AppCallers | None = None
) -> Authenticate:
    """The driver over sessions, the administration's password and the tokens of other services.

    ``moderation`` is the DID of the service that moderates for this host; empty: none does.
    """

    async def authenticate(need: Need, nsid: str, headers: Mapping[bytes, bytes], request: Request, /) -> Caller | None:
        authorization = headers.get(b"authorization")
        if apps is not None and authorization is not None and is_app(authorization) and need is not Need.REFRESH:
            access = await apps.read(authorization, request["headers"], request["method"], request["path"])
            account = await _of_an_app(credentials, access)
            caller = _caller(need, nsid, Session(account, Scope.FULL))
            return replace(caller, scope=None, grant=access.grant)
        if need is Need.REFRESH:
            token = credentials.read_refresh(headers, even_if_expired=nsid == _TAKES_EXPIRED)
            return Caller(token.did, Scope.REFRESH, refresh=token)
        if need is Need.SERVICE and (service_token := _service_token(headers)) is not None:
            account = await credentials.speaking_through_a_service(await services.read(service_token, nsid))
            return Caller(account.did)
        if need is Need.ARRIVAL and (service_token := _service_token(headers)) is not None:
            return Caller(await _arriving(services, service_token, nsid))
        if need is Need.MODERATOR and (service_token := _service_token(headers)) is not None:
            issuer = await services.read(service_token, nsid, allow_labeler=True)
            if not moderation or issuer != moderation:
                raise NotSignedIn("This service does not moderate for this host.", name="UntrustedIss")
            return Caller(None, operator=Operator(issuer, Role.MODERATOR))
        try:
            client = request.get("client")
            found = await credentials.read(headers, client[0] if client else "")
        except NotSignedIn as refused:
            raise (_bound_to_a_key() if _is_bound(authorization) else refused) from None
        match found:
            case None:
                if need in {Need.NOTHING, Need.ARRIVAL}:
                    return None
                challenge = BASIC if need in _OF_OPERATORS else None
                raise NotSignedIn("This needs an account; sign in first.", name="AuthMissing", headers=challenge)
            case Administration():
                if need in {Need.NOTHING, Need.ARRIVAL, *_OF_OPERATORS}:
                    return Caller(None, operator=ADMINISTRATION)
                raise Forbidden("This is for accounts, not for the administration.")
            case Session():
                return _caller(need, nsid, found)

    return authenticate


async def _arriving(services: ServiceCallers, token: str, nsid: str) -> Did:
    try:
        return await services.read(token, nsid)
    except NotSignedIn as refused:
        # Nobody can sign for an identity that does not resolve: the Lexicon has a name for that.
        if refused.name == "BadJwtIss":
            raise Refused(refused.why, name="UnresolvableDid") from None
        raise


def _is_bound(authorization: bytes | None) -> bool:
    """Whether a token that was refused is one of an app, sent without its proof."""
    try:
        claims = jwt.read((authorization or b"").decode("latin-1").partition(" ")[2]).claims
    except Malformed:
        return False
    return "cnf" in claims


def _bound_to_a_key() -> NotSignedIn:
    return refused_token("invalid_token", "This token is bound to a key; send it as DPoP, with a proof.")


async def _of_an_app(credentials: Credentials, access: Access) -> Account:
    try:
        return await credentials.of_an_app(access.did, access.issued_at)
    except NotSignedIn as refused:
        # Apps refresh, and hear then that it is over, on OAuth's own word for this.
        if refused.name == "InvalidToken":
            raise refused_token("invalid_token", refused.why) from None
        raise


def _caller(need: Need, nsid: str, session: Session) -> Caller:
    if need in _OF_OPERATORS:
        raise NotSignedIn("This is for the administration.", name="AuthenticationRequired", headers=BASIC)
    if session.scope is Scope.TAKENDOWN:
        if need is not Need.NOTHING and nsid not in _WHILE_TAKEN_DOWN:
            raise NotSignedIn("This account has been taken down.", name="AccountTakedown")
        return Caller(session.account.did, session.scope)
    if session.account.moved_to is not None and nsid in _NOT_AFTER_MOVING:
        raise Refused(f"This account has moved to {session.account.moved_to}; write there.", name="RepoDeactivated")
    if need is Need.FULL_ACCESS and session.scope is not Scope.FULL:
        raise Forbidden("Sign in with the account's own password for this; an app password is not enough.")
    return Caller(session.account.did, session.scope, is_arriving=session.account.awaits == Awaits.MOVE)


def _service_token(headers: Mapping[bytes, bytes]) -> str | None:
    scheme, _, text = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    return text if scheme.lower() == "bearer" and is_service_token(text) else None
