"""The Authorization header: session tokens as Bearer, the administrator as Basic.

An unusable header is refused even on methods that need no sign-in, so that clients notice the problem. A token proves
who the caller was when it was issued, so each request checks that the account still exists, is not taken down and was
not signed out since then.

This runs before every write, so there are two bounded caches: verified tokens (their expiry is checked on each use) and
accounts (dropped when this process changes them; changes by other processes are seen after ``MAX_AGE``, and the
statement that moves a repository's head refuses inactive accounts in any case).

Wrong administrator passwords are counted together with those entered on the operators' page.
"""

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from cachetools import LRUCache
from starlette.requests import HTTPConnection

from at_protocol.syntax.did import Did
from aurora_locus.accounts import queries
from aurora_locus.accounts.model import AccessToken, Account, GuessContext, RefreshToken, SessionScope
from aurora_locus.accounts.operator_guesses import OWN_NAME, OperatorGuesses
from aurora_locus.accounts.session_tokens import SessionTokenSigner, expired_token
from aurora_locus.accounts.sign_in_source import SignInSource, source_of
from aurora_locus.repository.model import OF_THE_HOST, HostingStatus
from aurora_locus.repository.repositories import Repositories
from groundwork.clock import SECOND, Clock, Instant
from groundwork.errors import Forbidden, NotSignedIn
from groundwork.rate_limit.contract import Counters
from groundwork.settings import Secret

MAX_AGE = 2 * SECOND
# About 8 MB in total: a header and its token take about 900 bytes, an account about 1,000.
_KEPT_TOKENS = 4096
_KEPT_ACCOUNTS = 4096

_NO_KEY = Secret("")

# Tells the administrator's client how to authenticate; RFC 9110 section 11.6.1 requires it with every 401.
BASIC = {"www-authenticate": 'Basic realm="administration"'}


@dataclass(frozen=True, slots=True)
class AccountSession:
    """A signed-in account, and the scope of its session."""

    account: Account
    scope: SessionScope


class AdministratorCaller:
    """A caller who has sent the administrator password."""


class CredentialReader:
    """Reads Authorization headers for one server."""

    def __init__(
        self,
        repositories: Repositories,
        tokens: SessionTokenSigner,
        admin_password: Secret,
        clock: Clock,
        counters: Counters,
        guess_context: GuessContext,
        *,
        peer_key: Secret = _NO_KEY,
    ) -> None:
        """``peer_key`` is the key of services that may name the client on whose behalf they call."""
        self._db = repositories.db
        self._tokens = tokens
        self._admin = admin_password
        self._clock = clock
        self._guesses = OperatorGuesses(guess_context, counters, clock)
        self._peer_key = peer_key
        self._verified: LRUCache[bytes, AccessToken] = LRUCache(_KEPT_TOKENS)
        self._accounts: LRUCache[Did, tuple[Account, Instant]] = LRUCache(_KEPT_ACCOUNTS)
        self._changes = 0
        repositories.when_forgotten(self._forget)

    async def read(
        self, headers: Mapping[bytes, bytes], connection: HTTPConnection
    ) -> AccountSession | AdministratorCaller | None:
        """Return the caller of this request; None without an ``Authorization`` header, or with an empty one.

        Raises NotSignedIn, Forbidden, and RateLimited after too many wrong administrator passwords.
        """
        header = headers.get(b"authorization")
        if not header:
            return None
        now = self._clock.now()
        access = self._verified.get(header)
        if access is None:
            scheme, value = _split(header)
            match scheme:
                case "bearer":
                    access = self._tokens.read_access(value, now)
                    self._verified[header] = access
                case "basic":
                    return await self._administration(value, source_of(connection, key=self._peer_key))
                case _:
                    raise NotSignedIn("Use a Bearer token here.", name="InvalidToken")
        elif access.expires_at <= now:
            raise expired_token()
        return AccountSession(
            _require_usable(await self._account(access.did, now), access.issued_at, access.scope), access.scope
        )

    def read_refresh(self, headers: Mapping[bytes, bytes], *, even_if_expired: bool) -> RefreshToken:
        """Return the refresh token of a request that requires one. Raises NotSignedIn."""
        header = headers.get(b"authorization")
        if not header:
            raise NotSignedIn("Send the refresh token as Bearer.", name="AuthMissing")
        scheme, value = _split(header)
        if scheme in ("basic", "dpop"):
            raise NotSignedIn("Send the refresh token as Bearer.", name="AuthMissing")
        if scheme != "bearer":
            raise NotSignedIn("Send the refresh token as Bearer.", name="InvalidToken")
        return self._tokens.read_refresh(value, self._clock.now(), even_if_expired=even_if_expired)

    async def of_an_app(self, did: Did, issued_at: Instant) -> Account:
        """Return the account for which an OAuth app acts, with a token issued at this time. Raises NotSignedIn or
        Forbidden unless the account is active: apps cannot act for a hidden account.
        """
        account = _require_usable(await self._account(did, self._clock.now()), issued_at, SessionScope.FULL)
        if account.status is not HostingStatus.ACTIVE:
            raise NotSignedIn("This account is deactivated.", name="AccountDeactivated")
        return account

    async def of_service_token(self, did: Did) -> Account:
        """Return the account that signed a service token. Raises NotSignedIn or Forbidden unless the account may act on
        this server.
        """
        now = self._clock.now()
        # The token's reader has already checked expiry and single use, and service tokens do not end with sessions.
        account = await self._account(did, now)
        return _require_usable(account, max(now, account.tokens_valid_after), SessionScope.FULL)

    async def _account(self, did: Did, now: Instant) -> Account:
        cached = self._accounts.get(did)
        if cached is not None and now < cached[1] + MAX_AGE:
            return cached[0]
        changes = self._changes
        async with self._db.reader() as reader:
            account = await queries.find(reader, did)
        if account is None:
            raise Forbidden(f"There is no account {did} on this server.", name="AccountNotFound")
        # If the account changed during the read, the result may be outdated.
        if changes == self._changes:
            self._accounts[did] = (account, now)
        return account

    def _forget(self, did: Did) -> None:
        self._changes += 1
        self._accounts.pop(did, None)

    async def _administration(self, value: str, source: SignInSource) -> AdministratorCaller:
        try:
            user, _, password = base64.b64decode(value, validate=True).partition(b":")
        except ValueError:
            user, password = b"", b""
        # Both comparisons always run, in constant time.
        is_right = hmac.compare_digest(password, self._admin.reveal().encode()) & hmac.compare_digest(user, b"admin")
        if not is_right or not self._admin:
            await self._guesses.count(OWN_NAME, source)
            raise NotSignedIn("Wrong administration password.", name="AuthenticationRequired", headers=BASIC)
        # Programs send the right password with every call, so it is not counted. After too many guesses even the right
        # one is refused, unless it was given from the same source before.
        await self._guesses.require_left(OWN_NAME, source)
        await self._guesses.note(OWN_NAME, source)
        return AdministratorCaller()


def scheme_of(headers: Mapping[bytes, bytes]) -> str:
    """Return the authentication scheme of a request in lower case (``bearer``, ``basic``, ``dpop`` …); empty without a
    header.
    """
    return headers.get(b"authorization", b"").partition(b" ")[0].decode("latin-1").lower()


def _require_usable(account: Account, issued_at: Instant, scope: SessionScope) -> Account:
    if account.status is HostingStatus.ACTIVE and issued_at >= account.tokens_valid_after:
        return account
    if account.status is HostingStatus.DELETED:
        raise Forbidden(f"There is no account {account.did} on this server.", name="AccountNotFound")
    if account.status in OF_THE_HOST and scope is not SessionScope.TAKENDOWN:
        raise NotSignedIn("This account has been taken down.", name="AccountTakedown")
    if issued_at < account.tokens_valid_after:
        raise NotSignedIn("This session was ended. Sign in again.", name="InvalidToken")
    return account


def _split(header: bytes) -> tuple[str, str]:
    words = header.decode("latin-1").split(" ")
    if len(words) != 2 or not words[1]:
        raise NotSignedIn("The Authorization header must have two words.", name="InvalidToken")
    return words[0].lower(), words[1]
