"""OAuth sign-in at a person's authorization server: the request and the callback.

Source: atproto OAuth profile; RFC 9126, 7636, 9449, 9207. Identity comes first: the typed name is resolved to a DID,
its document names the PDS, and the PDS names its authorization server. The callback uses no parameter before it has
checked the state: the state must be known, unused and from this browser, and the issuer must be the server that the
request was sent to (mix-up attack). Then the code is exchanged. The account that the server names must be the expected
one or, if only a server was named, one whose document points to this server. Requests that wait for their callback are
sealed, expire after ten minutes and work only once.
"""

import secrets
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from urllib.parse import urlencode

import msgspec

from at_network.oauth_client import OAuthClientIdentity, Tokens
from at_protocol.crypto import p256
from at_protocol.crypto.scalar import RECOMMENDED_ENTROPY_BYTES
from at_protocol.oauth import pkce
from at_protocol.oauth.server_metadata import ServerMetadata
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import INVALID
from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Database
from groundwork.errors import (
    Explanation,
    Failure,
    Forbidden,
    InvalidInput,
    NotFound,
    NotSignedIn,
    Refused,
    RemoteFailed,
    Why,
)
from groundwork.http.reach import AddressRefused
from groundwork.sealing import CannotUnseal
from groundwork.telemetry.logs import log
from openmeet.domain.identities import session_queries
from openmeet.domain.identities.model import NewSession, PdsSessionKind, SealedSession
from openmeet.domain.identities.permissions import (
    SCOPES,
    Feature,
    features_in,
    granted_features,
    refused_features,
    scope_for,
)
from openmeet.domain.users.model import UserId
from openmeet.network.repositories import oauth_client_keys, session_sealing, sessions
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.reasons import RepositoryReason
from openmeet.network.repositories.sign_in import FIELD, Named, ServerOrigin, text_of

LIFE = 10 * MINUTE
_SECRET_BYTES = 32
LOGIN = "login"  # value of ``prompt`` (OpenID Connect Core 1.0, section 3.1.2.1)


class AuthorizationPurpose(StrEnum):
    """Why somebody is sent to their server."""

    SIGN_IN = "sign_in"
    LINK = "link"  # another account of a signed-in user
    PERMIT = "permit"  # more permissions than were requested at first


class CallbackProblem(StrEnum):
    """Why a callback is refused. Pages have a sentence for each value."""

    UNKNOWN = "unknown"  # no such state, or it was already used
    EXPIRED = "expired"
    OTHER_BROWSER = "other_browser"
    MIXED_UP = "mixed_up"  # the issuer is not the server that the request was sent to
    DENIED = "denied"
    SERVER_REFUSED = "server_refused"
    OTHER_ACCOUNT = "other_account"
    NOT_THEIRS = "not_theirs"  # the named account has a different PDS


class CallbackRefused(Forbidden):
    """The callback is refused. ``typed``: what the person typed at the beginning, if known."""

    def __init__(self, problem: CallbackProblem, why: Why, *, typed: str = "", next_path: str = "/") -> None:
        super().__init__(why, name=problem.value)
        self.problem = problem
        self.typed = typed
        self.next_path = next_path


@dataclass(frozen=True, slots=True)
class AuthorizationOptions:
    """What to ask a person's authorization server for, and where to go afterwards. ``user_id``: the signed-in user, when
    linking an account. ``next_path``: the page to return to. ``feature``: the feature to request permission for.

    ``asks_login``: ask the server to prompt for the password, even if the person is signed in there.
    """

    purpose: AuthorizationPurpose
    named: Named
    next_path: str
    browser: str
    user_id: UserId | None = None
    feature: Feature | None = None
    asks_login: bool = False


@dataclass(frozen=True, slots=True)
class CallbackParameters:
    """What the browser sends to the callback: the parameters of the redirect, and the secret in its cookie."""

    state: str
    issuer: str
    code: str
    error: str
    browser: str


@dataclass(frozen=True, slots=True)
class AuthorizedAccount:
    """An account whose owner has signed in at its PDS: its verified handle (or ``""``), its PDS, and the session to store.

    ``session``: None if the stored session is valid and has more permissions. ``asked_login``: the request told the
    server to prompt for the password, and the server claims to support that.
    """

    did: Did
    handle: str
    pds_url: str
    session: NewSession | None
    purpose: AuthorizationPurpose
    user_id: UserId | None
    next_path: str
    asked_login: bool


class AuthorizationState(msgspec.Struct, frozen=True):
    """What is stored between the request and the callback."""

    purpose: AuthorizationPurpose
    issuer: str
    did: str
    typed: str
    verifier: str
    key: bytes
    client_id: str
    client_key_id: str
    redirect_uri: str
    scope: str
    browser_hash: bytes
    next_path: str
    user_id: str
    asked_login: bool = False


async def begin(db: Database, network: NetworkClients, options: AuthorizationOptions) -> str:
    """Return the address to redirect the browser to.

    Raises InvalidInput and NotFound (``identifier``: unknown name, or the server does not support OAuth clients),
    RemoteFailed and RemoteSlow (a server does not respond), Refused (the authorization server refuses us).
    """
    if network.app is None:
        raise Refused(RepositoryReason.SITE_NOT_TRUSTED, name="NoOAuth")
    did, hint, server = await _find_server(network, options.named)
    stored = await _stored_session(db, did)
    features = [*(granted_features(stored) if stored is not None and stored.kind is PdsSessionKind.OAUTH else ())]
    scope = scope_for(*features, *([options.feature] if options.feature is not None else []))
    client = await oauth_client_keys.client_for_new_session(db, network)
    key = p256.P256PrivateKey.from_random(secrets.token_bytes(RECOMMENDED_ENTROPY_BYTES))
    asks_login = options.asks_login and LOGIN in server.prompts
    state, verifier = secrets.token_urlsafe(_SECRET_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
    parameters = {
        "response_type": "code",
        "redirect_uri": network.app.redirect_uri,
        "scope": scope,
        "state": state,
        "code_challenge": pkce.challenge_of(verifier),
        "code_challenge_method": pkce.METHOD,
        **({"login_hint": hint} if hint else {}),
        # We push the request ourselves, so the browser cannot leave this out.
        **({"prompt": LOGIN} if asks_login else {}),
    }
    request_uri = await network.oauth.push(server, client, key, parameters)
    pending = AuthorizationState(
        purpose=options.purpose,
        issuer=server.issuer,
        did=did or "",
        typed=text_of(options.named),
        verifier=verifier,
        key=key.to_bytes(),
        client_id=client.client_id,
        client_key_id=client.key_id,
        redirect_uri=network.app.redirect_uri,
        scope=scope,
        browser_hash=_hash(options.browser),
        next_path=options.next_path,
        user_id=options.user_id or "",
        asked_login=asks_login,
    )
    async with db.transaction() as tx:
        state_hash = _hash(state)
        sealed = network.sealer.seal(msgspec.json.encode(pending), _purpose(network, state_hash))
        await session_queries.insert_authorization(tx, state_hash, sealed, expires_at=Instant(tx.now + LIFE))
    endpoint = server.authorization_endpoint
    query = urlencode({"client_id": client.client_id, "request_uri": request_uri})
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{query}"


async def finish(db: Database, network: NetworkClients, callback: CallbackParameters) -> AuthorizedAccount:
    """Return the account of a callback. Raises CallbackRefused, and RemoteFailed and RemoteSlow if a server does
    not respond.
    """
    pending = await _take_pending(db, network, callback)
    _check_response(pending, callback)
    server = await network.servers.at(pending.issuer)
    client = await oauth_client_keys.client_of_session(
        db, network, client_id=pending.client_id, key_id=pending.client_key_id
    )
    key = p256.P256PrivateKey(pending.key)
    tokens = await _exchange_code(network, pending, callback.code, server, client, key)
    try:
        handle, pds = await _check_subject(network, pending, tokens)
    except Failure:
        await revoke_tokens(network, server, client, key, tokens.refresh or tokens.access)
        raise
    stored = await _stored_session(db, tokens.did)
    session = _new_session(network, pending, tokens, pds, key, stored)
    keeps_stored = stored is not None and stored.pds_url == pds and _has_more_scopes(stored, session)
    keeps_stored = keeps_stored and await _is_accepted(db, network, tokens.did)
    if keeps_stored:
        await revoke_tokens(network, server, client, key, tokens.refresh or tokens.access)
    return AuthorizedAccount(
        tokens.did,
        handle,
        pds,
        None if keeps_stored else session,
        pending.purpose,
        UserId(pending.user_id) if pending.user_id else None,
        pending.next_path,
        pending.asked_login,
    )


def _check_response(pending: AuthorizationState, callback: CallbackParameters) -> None:
    """Check that the response is from the server of the request, and that it grants access. Raises CallbackRefused."""
    if callback.issuer != pending.issuer:
        # Nothing in this response is used: another server may try to obtain the code that was meant for the server of
        # the request (RFC 9207).
        log.warning("authorization.mixed_up", expected=pending.issuer)
        raise _callback_refused(CallbackProblem.MIXED_UP, pending, RepositoryReason.OTHER_SERVER_ANSWERED)
    if callback.error == "access_denied":
        raise _callback_refused(CallbackProblem.DENIED, pending, RepositoryReason.NOT_ALLOWED_BY_YOU)
    if callback.error or not callback.code:
        raise _callback_refused(CallbackProblem.SERVER_REFUSED, pending, RepositoryReason.SERVER_REFUSED)


async def _exchange_code(
    network: NetworkClients,
    pending: AuthorizationState,
    code: str,
    server: ServerMetadata,
    client: OAuthClientIdentity,
    key: p256.P256PrivateKey,
) -> Tokens:
    try:
        return await network.oauth.exchange(
            server, client, key, code=code, verifier=pending.verifier, redirect_uri=pending.redirect_uri
        )
    except (NotSignedIn, Refused) as refused:
        log.warning("authorization.code_refused", issuer=pending.issuer, reason=refused.name)
        raise _callback_refused(CallbackProblem.SERVER_REFUSED, pending, RepositoryReason.SERVER_REFUSED) from None


def _new_session(
    network: NetworkClients,
    pending: AuthorizationState,
    tokens: Tokens,
    pds: str,
    key: p256.P256PrivateKey,
    stored: SealedSession | None,
) -> NewSession:
    """Return the session to store. A scope that was refused before stays stored as refused until it is requested again
    and granted.
    """
    # Carry over refusals only. A scope that was granted before and not requested this time was not refused.
    refused_scopes = [scope for feature in (refused_features(stored) if stored else ()) for scope in SCOPES[feature]]
    return NewSession(
        tokens.did,
        PdsSessionKind.OAUTH,
        pds,
        session_sealing.seal(network, tokens.did, tokens.access, tokens.refresh, key),
        issuer=pending.issuer,
        client_id=pending.client_id,
        client_key_id=pending.client_key_id,
        scope=tokens.scope,
        asked_scope=" ".join(dict.fromkeys([*pending.scope.split(), *refused_scopes])),
        access_ends_at=sessions.access_end(network, tokens.expires_in_seconds),
    )


def _has_more_scopes(stored: SealedSession, new: NewSession) -> bool:
    """Whether the stored session has all scopes of the new one, and at least one that was not requested this time.

    If only a server was named, the account is not known until the callback, so only the default scopes were requested.
    """
    if stored.kind is not PdsSessionKind.OAUTH or stored.needs_login or stored.issuer != new.issuer:
        return False
    stored_features, new_features = set(granted_features(stored)), set(features_in(new.scope))
    return new_features <= stored_features and not stored_features <= set(features_in(new.asked_scope))


async def _is_accepted(db: Database, network: NetworkClients, did: Did) -> bool:
    """Whether the server still accepts our session of a DID. Tested by refreshing it."""
    try:
        await sessions.refresh(db, network, did)
    except Failure as failure:
        log.info("authorization.session_not_kept", did=did, reason=failure.name)
        return False
    return True


async def revoke_tokens(
    network: NetworkClients, server: ServerMetadata, client: OAuthClientIdentity, key: p256.P256PrivateKey, token: str
) -> None:
    """Revoke tokens. If the server does not accept the request, they expire on their own."""
    try:
        await network.oauth.revoke(server, client, key, token)
    except Failure as failure:
        log.warning("session.not_revoked", issuer=server.issuer, reason=failure.name, why=failure.why)


async def _find_server(network: NetworkClients, identifier: Named) -> tuple[Did | None, str, ServerMetadata]:
    """Return the expected DID (None if only a server was named), the login hint, and the authorization server."""
    if isinstance(identifier, ServerOrigin):
        try:
            return None, "", await network.servers.for_address(identifier.origin)
        except AddressRefused:
            raise InvalidInput(FIELD, RepositoryReason.NO_SERVER_ADDRESS) from None
        except NotFound:
            raise NotFound(RepositoryReason.NO_SIGN_IN_SERVER) from None
    try:
        account = await network.handles.identities.identify(identifier)
    except NotFound as failure:
        raise NotFound(_reason_not_found(identifier, failure)) from None
    pds = account.document.pds
    if pds is None:
        raise NotFound(RepositoryReason.NO_ACCOUNT_SERVER)
    # Somebody who typed a DID is not refused because of a broken handle.
    hint = account.did if account.handle == INVALID else str(account.handle)
    try:
        return account.did, hint, await network.servers.for_pds(pds)
    except AddressRefused:
        raise NotFound(RepositoryReason.ACCOUNT_SERVER_NOT_PUBLIC) from None


def _reason_not_found(identifier: Named, failure: NotFound) -> Explanation:
    if failure.name == "DidDeactivated":
        return RepositoryReason.ACCOUNT_CLOSED()
    if text_of(identifier).startswith("did:"):
        return RepositoryReason.NO_SUCH_ACCOUNT(did=text_of(identifier))
    return RepositoryReason.NO_SUCH_HANDLE(handle=text_of(identifier))


async def _take_pending(db: Database, network: NetworkClients, callback: CallbackParameters) -> AuthorizationState:
    """Take the pending request if it belongs to this browser. It cannot be used again."""
    state_hash = _hash(callback.state)
    async with db.transaction() as tx:
        row = await session_queries.find_authorization(tx, state_hash)
        if row is None:
            raise CallbackRefused(CallbackProblem.UNKNOWN, RepositoryReason.SIGN_IN_UNKNOWN)
        try:
            unsealed = network.sealer.unseal(row.sealed, _purpose(network, state_hash))
        except CannotUnseal:
            raise CallbackRefused(CallbackProblem.UNKNOWN, RepositoryReason.SIGN_IN_UNKNOWN) from None
        pending = msgspec.json.decode(unsealed, type=AuthorizationState)
        if not secrets.compare_digest(pending.browser_hash, _hash(callback.browser)):
            raise CallbackRefused(CallbackProblem.OTHER_BROWSER, RepositoryReason.SIGN_IN_OTHER_BROWSER)
        if row.is_over:
            raise _callback_refused(CallbackProblem.EXPIRED, pending, RepositoryReason.SIGN_IN_EXPIRED)
        if not await session_queries.use_authorization(tx, state_hash):
            raise _callback_refused(CallbackProblem.UNKNOWN, pending, RepositoryReason.SIGN_IN_UNKNOWN)
    return pending


async def _check_subject(network: NetworkClients, pending: AuthorizationState, tokens: Tokens) -> tuple[str, str]:
    """Return the handle and PDS of the account that the server names, resolved afresh and not through that server."""
    if pending.did and tokens.did != pending.did:
        raise _callback_refused(CallbackProblem.OTHER_ACCOUNT, pending, RepositoryReason.OTHER_ACCOUNT_SIGNED_IN)
    try:
        document = await network.dids.resolve_current(tokens.did)
    except (NotFound, InvalidInput):
        raise _callback_refused(CallbackProblem.NOT_THEIRS, pending, RepositoryReason.ACCOUNT_NOT_FOUND) from None
    pds = document.pds
    try:
        issuer = "" if pds is None else await network.servers.issuer_of(pds)
    except (NotFound, AddressRefused, RemoteFailed) as failure:
        raise _callback_refused(CallbackProblem.NOT_THEIRS, pending, failure.why) from None
    if pds is None or issuer != pending.issuer:
        raise _callback_refused(CallbackProblem.NOT_THEIRS, pending, RepositoryReason.ACCOUNT_ELSEWHERE)
    try:
        handle = await network.handles.identities.verified_handle(document)
    except Failure as failure:
        log.info("authorization.handle_unverified", did=tokens.did, why=failure.why)
        return "", pds
    return "" if handle == INVALID else str(handle), pds


async def _stored_session(db: Database, did: Did | None) -> SealedSession | None:
    if did is None:
        return None
    async with db.reader() as reader:
        return await session_queries.find(reader, did)


def _callback_refused(problem: CallbackProblem, pending: AuthorizationState, why: Why) -> CallbackRefused:
    return CallbackRefused(problem, why, typed=pending.typed, next_path=pending.next_path)


def _hash(secret: str) -> bytes:
    """Hash a secret for storage. It has 256 random bits and cannot be guessed."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _purpose(network: NetworkClients, state_hash: bytes) -> str:
    return f"openmeet/authorization/{network.tenant}/{state_hash.hex()}"
