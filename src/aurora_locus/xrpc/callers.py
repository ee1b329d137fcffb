"""The dispatcher's port for callers, driven by the accounts' credentials: which grade of caller a method lets in."""

from collections.abc import Mapping

from aurora_locus.accounts.credentials import BASIC, Administration, Credentials, Session
from aurora_locus.accounts.model import Scope
from aurora_locus.accounts.service_callers import ServiceCallers, is_service_token
from aurora_locus.xrpc.authentication import Authenticate, Caller, Need
from groundwork.errors import Forbidden, NotSignedIn

# Only signing out takes a refresh token that has expired: the wish is plain, and granting it harms nobody.
_TAKES_EXPIRED = "com.atproto.server.deleteSession"

# What an account that was taken down may still do: see where it stands, and leave. Its
# repository and blobs are read where anybody may ask, as their owner.
_WHILE_TAKEN_DOWN = frozenset(
    {
        "app.bsky.actor.getPreferences",
        "com.atproto.identity.requestPlcOperationSignature",
        "com.atproto.identity.signPlcOperation",
        "com.atproto.server.checkAccountStatus",
        "com.atproto.server.getServiceAuth",
        "com.atproto.server.getSession",
    }
)


def authenticator(credentials: Credentials, services: ServiceCallers) -> Authenticate:
    """The driver over sessions, the administration's password and the tokens of other services."""

    async def authenticate(need: Need, nsid: str, headers: Mapping[bytes, bytes], /) -> Caller | None:
        if need is Need.REFRESH:
            token = credentials.read_refresh(headers, even_if_expired=nsid == _TAKES_EXPIRED)
            return Caller(token.did, Scope.REFRESH, refresh=token)
        if need is Need.SERVICE and (service_token := _service_token(headers)) is not None:
            account = await credentials.speaking_through_a_service(await services.read(service_token, nsid))
            return Caller(account.did)
        found = await credentials.read(headers)
        match found:
            case None:
                if need is Need.NOTHING:
                    return None
                challenge = BASIC if need is Need.ADMIN else None
                raise NotSignedIn("This needs an account; sign in first.", name="AuthMissing", headers=challenge)
            case Administration():
                if need in {Need.NOTHING, Need.ADMIN}:
                    return Caller(None, is_admin=True)
                raise Forbidden("This is for accounts, not for the administration.")
            case Session():
                return _caller(need, nsid, found)

    return authenticate


def _caller(need: Need, nsid: str, session: Session) -> Caller:
    if need is Need.ADMIN:
        raise NotSignedIn("This is for the administration.", name="AuthenticationRequired", headers=BASIC)
    if session.scope is Scope.TAKENDOWN:
        if need is not Need.NOTHING and nsid not in _WHILE_TAKEN_DOWN:
            raise NotSignedIn("This account has been taken down.", name="AccountTakedown")
        return Caller(session.account.did, session.scope)
    if need is Need.FULL_ACCESS and session.scope is not Scope.FULL:
        raise Forbidden("Sign in with the account's own password for this; an app password is not enough.")
    return Caller(session.account.did, session.scope)


def _service_token(headers: Mapping[bytes, bytes]) -> str | None:
    scheme, _, text = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    return text if scheme.lower() == "bearer" and is_service_token(text) else None
