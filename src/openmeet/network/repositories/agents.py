"""Agents act for a person in their repository. This is the only place where a call gets the person's credentials.

An agent is an XRPC client bound to a session: by OAuth (a DPoP proof for each request, with the server's newest nonce),
by app password, or by the password of a custodial account. It refreshes tokens itself and respects the rate limits that
the server last stated: a write beyond them raises TooMany instead of being sent.
"""

import asyncio
import secrets
from collections.abc import Mapping

from at_network.oauth_client import USE_NONCE
from at_network.xrpc_client import XrpcClient
from at_protocol.oauth.dpop import make_proof
from at_protocol.xrpc.errors import ErrorBody
from groundwork.clock import SECOND, Instant
from groundwork.database.transaction import Database
from groundwork.errors import Failure, Forbidden, NotSignedIn
from openmeet.domain.identities.model import ACTIVE, Identity
from openmeet.network.repositories import sessions
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.reasons import RepositoryReason
from openmeet.network.repositories.session_sealing import PdsSession

# Errors for an expired access token: OAuth's name, and those that servers use with status 400 or 401.
_WORTH_REFRESHING = frozenset({"invalid_token", "ExpiredToken", "InvalidToken"})
# The error names of the reference PDS, of our own PDS, and of RFC 6750.
_WANTS_PERMISSION = frozenset({"ScopeMissing", "ScopeMissingError", "insufficient_scope"})
# Refresh this long before expiry, plus a random time of up to the second value, so that two workers rarely refresh at
# the same moment.
_EARLY_SECONDS = 60
_JITTER_SECONDS = 30
# A token this young that is refused would be refused again after a refresh.
_YOUNG_SECONDS = 60


async def agent_for(db: Database, network: NetworkClients, identity: Identity) -> XrpcClient:
    """Return the authenticated client for a repository whose identity is already loaded."""
    if identity.status != ACTIVE:
        raise NotSignedIn(RepositoryReason.ACCOUNT_INACTIVE, name="AccountInactive")
    session = await sessions.open_session(db, network, identity)
    return XrpcClient(
        network.http,
        network.clock,
        session.stored.pds_url,
        credentials=_SessionCredentials(db, network, identity, session),
        paces=network.paces,
        circuits=network.circuits,
        account=identity.did,
    )


def is_not_allowed(failure: Failure) -> bool:
    """Whether a server refused a write because the person has not granted the scope. The write then waits until they
    do.
    """
    return isinstance(failure, Forbidden) and failure.name in _WANTS_PERMISSION


async def note_refused(client: XrpcClient, refused: NotSignedIn) -> None:
    """Note that the PDS refused the session of this client of ``agent_for`` (``sessions.note_refused``)."""
    if isinstance(client.credentials, _SessionCredentials):
        await client.credentials.note_refused(refused)


class _SessionCredentials:
    """Credentials of one session of one agent."""

    def __init__(self, db: Database, network: NetworkClients, identity: Identity, session: PdsSession) -> None:
        self._db = db
        self._network = network
        self._identity = identity
        self._session = session
        self._lock = asyncio.Lock()
        self._renewed_at: Instant | None = None

    async def headers(self, method: str, url: str) -> Mapping[str, str]:
        """Return the headers for this one request, including its proof. The token is refreshed first if it is about to
        expire.
        """
        if self._is_ending():
            await self._renew(self._session.access)
        session = self._session
        if session.key is None:
            return {"authorization": f"Bearer {session.access}"}
        proof = make_proof(
            session.key,
            method=method,
            url=url,
            token_id=secrets.token_urlsafe(16),
            now_seconds=self._network.clock.now() // SECOND,
            nonce=self._network.nonces.newest(url),
            access_token=session.access,
        )
        return {"authorization": f"DPoP {session.access}", "dpop": proof}

    async def store_nonce(self, url: str, headers: Mapping[str, str]) -> None:
        self._network.nonces.store_nonce(url, headers)

    async def renew(self, refused: Mapping[str, str], status: int, error: ErrorBody) -> bool:
        """Decide whether to repeat a refused request. A new nonce is already stored; the token is refreshed unless that
        has happened since the request was sent.
        """
        if self._session.key is not None and error.name == USE_NONCE:
            return True
        if status != 401 and error.name not in _WORTH_REFRESHING:
            return False
        if self._session.key is not None and error.name not in _WORTH_REFRESHING:
            return False  # another kind of refusal (scope, proof), which a fresh token would not change
        access = refused.get("authorization", "").partition(" ")[2]
        if access == self._session.access and self._is_young():
            return False
        await self._renew(access)
        return True

    async def note_refused(self, refused: NotSignedIn) -> None:
        await sessions.note_refused(self._db, self._network, self._identity, self._session.stored, refused)

    def _is_ending(self) -> bool:
        ends_at = self._session.stored.access_ends_at
        early = _EARLY_SECONDS + secrets.randbelow(_JITTER_SECONDS)
        return ends_at is not None and ends_at - self._network.clock.now() < early * SECOND

    def _is_young(self) -> bool:
        now = self._network.clock.now()
        return self._renewed_at is not None and now - self._renewed_at < _YOUNG_SECONDS * SECOND

    async def _renew(self, refused_access: str) -> None:
        async with self._lock:
            if refused_access == self._session.access:
                self._session = await sessions.renew(self._db, self._network, self._identity, self._session)
                self._renewed_at = self._network.clock.now()
