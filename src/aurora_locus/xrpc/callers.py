"""Authentication of XRPC callers with the accounts' credentials."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from starlette.requests import HTTPConnection
from starlette.types import Scope as Request

from at_network.service_callers import ServiceCallers, is_service_token
from at_protocol.crypto import jwt
from at_protocol.failures import Malformed
from aurora_locus.accounts.account_requests import UnannouncedReason
from aurora_locus.accounts.credentials import BASIC, AccountSession, AdministratorCaller, CredentialReader, scheme_of
from aurora_locus.accounts.model import SessionScope
from aurora_locus.moderation.roles import ADMINISTRATION, OperatorRole, PdsOperator
from aurora_locus.oauth.access_tokens import AccessClaims
from aurora_locus.oauth.callers import AppCallers, is_app, refused_token
from aurora_locus.xrpc.authentication import AccessLevel, PdsCaller
from groundwork.errors import Forbidden, NotSignedIn, Refused

# Only sign-out accepts an expired refresh token: the intent is clear, and it does no harm.
_TAKES_EXPIRED = "com.atproto.server.deleteSession"

# What the owner of a taken-down account may still do: read its status, and move to another server. As the owner, they
# can also read its repository and blobs.
_WHILE_TAKEN_DOWN = frozenset(
    {
        "app.bsky.actor.getPreferences",
        "com.atproto.identity.requestPlcOperationSignature",
        "com.atproto.identity.signPlcOperation",
        "com.atproto.moderation.createReport",
        "com.atproto.server.checkAccountStatus",
        "com.atproto.server.deactivateAccount",
        "com.atproto.server.getServiceAuth",
        "com.atproto.server.getSession",
    }
)

# Refused for an account whose identity names another server, because consumers ignore what it writes on this server.
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

# Refused for an account whose owner has not confirmed the e-mail address, as the calls are that this server would proxy:
# anybody can sign up, and other services trust the accounts of this server.
_NOT_BEFORE_CONFIRMATION = frozenset({"com.atproto.server.getServiceAuth"})

_SCHEMES = frozenset({"basic", "bearer", "dpop"})
_OF_OPERATORS = frozenset({AccessLevel.MODERATOR, AccessLevel.ADMIN})
_OF_ACCOUNTS = frozenset({AccessLevel.ACCESS, AccessLevel.FULL_ACCESS, AccessLevel.SERVICE})


@dataclass(frozen=True, slots=True)
class XrpcAuthenticator:
    """Authenticates XRPC calls: sessions, the administrator password, service tokens, OAuth apps. It implements
    ``Authenticate``.

    ``moderation_did`` is the DID of the service that moderates for this host; empty if there is none.
    """

    credentials: CredentialReader
    services: ServiceCallers
    moderation_did: str = ""
    apps: AppCallers | None = None

    async def __call__(
        self, need: AccessLevel, nsid: str, headers: Mapping[bytes, bytes], request: Request, /
    ) -> PdsCaller | None:
        """Return the caller; None for an anonymous one. Raises NotSignedIn or Forbidden."""
        if need is AccessLevel.OPTIONAL_LENIENT:
            try:
                return await self(AccessLevel.OPTIONAL, nsid, headers, request)
            except (NotSignedIn, Forbidden):
                return None
        if need in _OF_OPERATORS:
            return await self._operator(need, nsid, headers, request)
        authorization, scheme = headers.get(b"authorization") or None, scheme_of(headers)
        if need is AccessLevel.ARRIVAL and authorization is not None and scheme != "basic":
            return await self._arriving_account(nsid, headers)
        if need in _OF_ACCOUNTS and scheme == "basic":
            raise NotSignedIn("Sign in as an account; this is not for the administration.", name="InvalidToken")
        if need is AccessLevel.REFRESH:
            token = self.credentials.read_refresh(headers, even_if_expired=nsid == _TAKES_EXPIRED)
            return PdsCaller(token.did, SessionScope.REFRESH, refresh=token)
        if self.apps is not None and authorization is not None and is_app(authorization):
            access = await self.apps.read(authorization, request["headers"], request["method"], request["path"])
            return await self._app(need, nsid, access)
        if need is AccessLevel.SERVICE and (service_token := _service_token(headers)) is not None:
            account = await self.credentials.of_service_token(await self.services.read(service_token, nsid))
            return PdsCaller(account.did)
        return await self._session_or_administrator(need, nsid, headers, request)

    async def _operator(
        self, need: AccessLevel, nsid: str, headers: Mapping[bytes, bytes], request: Request
    ) -> PdsCaller:
        """Authenticate the administrator by password, or the moderation service by token."""
        if need is AccessLevel.MODERATOR and not _is_readable(headers):
            raise NotSignedIn("Send the administration's password, or a service's token.", name="InvalidToken")
        if scheme_of(headers) == "bearer" and need is AccessLevel.MODERATOR:
            moderation_did, token = self.moderation_did, _bearer_token(headers)
            issuer = await self.services.read(token, nsid, allow_labeler=True) if moderation_did else ""
            if not moderation_did or issuer != moderation_did:
                raise NotSignedIn("This service does not moderate for this host.", name="UntrustedIss")
            return PdsCaller(None, operator=PdsOperator(issuer, OperatorRole.MODERATOR))
        if scheme_of(headers) != "basic":
            raise NotSignedIn(
                "This is for the administration: send its password.", name="AuthenticationRequired", headers=BASIC
            )
        await self.credentials.read(headers, HTTPConnection(request))
        return PdsCaller(None, operator=ADMINISTRATION)

    async def _arriving_account(self, nsid: str, headers: Mapping[bytes, bytes]) -> PdsCaller:
        """Authenticate an account of another server by its service token. Whoever can sign for an identity can occupy it
        here, so a key that was replaced a moment ago is refused.
        """
        if not _is_readable(headers):
            raise NotSignedIn("Send a service token as Bearer, or nothing.", name="InvalidToken")
        if scheme_of(headers) != "bearer":
            raise NotSignedIn("Send a service token as Bearer, or nothing.", name="AuthenticationRequired")
        try:
            return PdsCaller(await self.services.read(_bearer_token(headers), nsid, needs_current_key=True))
        except NotSignedIn as refused:
            # An identity that cannot be resolved cannot sign. The Lexicon has an error name for that.
            if refused.name == "BadJwtIss":
                raise Refused(refused.why, name="UnresolvableDid") from None
            raise

    async def _app(self, need: AccessLevel, nsid: str, access: AccessClaims) -> PdsCaller:
        """Return the caller for an OAuth app's verified access token."""
        try:
            account = await self.credentials.of_an_app(access.did, access.issued_at)
        except NotSignedIn as refused:
            # Apps refresh their token when they see OAuth's own error name, and then learn that the session has ended.
            if refused.name == "InvalidToken":
                raise refused_token("invalid_token", str(refused.why)) from None
            raise
        caller = _caller(need, nsid, AccountSession(account, SessionScope.FULL))
        return replace(caller, scope=None, grant=access.grant)

    async def _session_or_administrator(
        self, need: AccessLevel, nsid: str, headers: Mapping[bytes, bytes], request: Request
    ) -> PdsCaller | None:
        try:
            credentials = await self.credentials.read(headers, HTTPConnection(request))
        except NotSignedIn as refused:
            is_bound = _is_bound(headers.get(b"authorization"))
            raise (_bound_to_a_key() if is_bound else refused) from None
        match credentials:
            case None:
                if need in {AccessLevel.OPTIONAL, AccessLevel.ARRIVAL}:
                    return None
                raise NotSignedIn("This needs an account; sign in first.", name="AuthMissing")
            case AdministratorCaller():
                return PdsCaller(None, operator=ADMINISTRATION)
            case AccountSession():
                return _caller(need, nsid, credentials)


def _is_bound(authorization: bytes | None) -> bool:
    """Whether a refused token belongs to an OAuth app and was sent without its proof."""
    try:
        claims = jwt.read((authorization or b"").decode("latin-1").partition(" ")[2]).claims
    except Malformed:
        return False
    return "cnf" in claims


def _bound_to_a_key() -> NotSignedIn:
    return refused_token("invalid_token", "This token is bound to a key; send it as DPoP, with a proof.")


def _caller(need: AccessLevel, nsid: str, session: AccountSession) -> PdsCaller:
    if session.account.awaits == UnannouncedReason.CONFIRMATION and nsid in _NOT_BEFORE_CONFIRMATION:
        raise NotSignedIn("Confirm the e-mail address of this account first.", name="AccountDeactivated")
    if session.scope is SessionScope.TAKENDOWN:
        if need is not AccessLevel.OPTIONAL and nsid not in _WHILE_TAKEN_DOWN:
            raise NotSignedIn("This account has been taken down.", name="AccountTakedown")
        return PdsCaller(session.account.did, session.scope)
    if session.account.moved_to is not None and nsid in _NOT_AFTER_MOVING:
        raise Refused(f"This account has moved to {session.account.moved_to}; write there.", name="RepoDeactivated")
    if need is AccessLevel.FULL_ACCESS and session.scope is not SessionScope.FULL:
        # The reference server's error name and status, which tell apps that another password may work.
        raise NotSignedIn(
            "Bad token scope: this requires the account's own password, not an app password.", name="InvalidToken"
        )
    return PdsCaller(session.account.did, session.scope, is_arriving=session.account.awaits == UnannouncedReason.MOVE)


def _service_token(headers: Mapping[bytes, bytes]) -> str | None:
    text = _bearer_token(headers)
    return text if scheme_of(headers) == "bearer" and is_service_token(text) else None


def _is_readable(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the Authorization header is absent, or consists of a known scheme and one more word."""
    header = headers.get(b"authorization")
    return header is None or (scheme_of(headers) in _SCHEMES and len(header.split(b" ")) == 2)


def _bearer_token(headers: Mapping[bytes, bytes]) -> str:
    return headers.get(b"authorization", b"").decode("latin-1").partition(" ")[2]
