"""The Authorization header (protocol/xrpc.md 3): session tokens as Bearer, the administration as Basic.

A header that is present and unusable is refused even where nobody needs to sign in, so that clients notice. Whether the
account behind a token is still there, not taken down and not told to sign in anew is asked of the database every time:
a token says who somebody was when it was made.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from at_protocol.syntax.did import Did
from aurora_locus.accounts import queries
from aurora_locus.accounts.model import Account, RefreshToken, Scope
from aurora_locus.accounts.session_tokens import SessionTokens
from aurora_locus.repository.model import Status
from groundwork.clock import Clock
from groundwork.database.transaction import Database
from groundwork.errors import Forbidden, NotSignedIn
from groundwork.settings import Secret


@dataclass(frozen=True, slots=True)
class Session:
    """An account that is signed in, and how."""

    account: Account
    scope: Scope


class Administration:
    """Marks a caller who knows the administration's password."""


class Credentials:
    """Reads Authorization headers for one server."""

    def __init__(self, db: Database, tokens: SessionTokens, admin_password: Secret, clock: Clock) -> None:
        self._db = db
        self._tokens = tokens
        self._admin = admin_password
        self._clock = clock

    async def read(self, headers: Mapping[bytes, bytes]) -> Session | Administration | None:
        """Whoever sent this request; None without a header. Raises NotSignedIn or Forbidden."""
        scheme, value = _split(headers)
        match scheme:
            case None:
                return None
            case "bearer":
                return await self._session(value)
            case "basic":
                return self._administration(value)
            case _:
                raise NotSignedIn("Use a Bearer token here.", name="InvalidToken")

    def read_refresh(self, headers: Mapping[bytes, bytes], *, even_if_expired: bool) -> RefreshToken:
        """The refresh token of a request that needs one. Raises NotSignedIn."""
        scheme, value = _split(headers)
        if scheme is None:
            raise NotSignedIn("Send the refresh token as Bearer.", name="AuthMissing")
        if scheme != "bearer":
            raise NotSignedIn("Send the refresh token as Bearer.", name="InvalidToken")
        return self._tokens.read_refresh(value, self._clock.now(), even_if_expired=even_if_expired)

    async def _session(self, token: str) -> Session:
        access = self._tokens.read_access(token, self._clock.now())
        async with self._db.reader() as reader:
            account = await queries.find(reader, access.did)
        return Session(_usable(account, access.did, access.issued_at), access.scope)

    def _administration(self, value: str) -> Administration:
        try:
            user, _, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            user, password = "", ""
        known = hmac.compare_digest(password.encode(), self._admin.reveal().encode())
        if user != "admin" or not known or not self._admin:
            raise NotSignedIn("Wrong administration password.", name="AuthenticationRequired")
        return Administration()


def _usable(account: Account | None, did: Did, issued_at: int) -> Account:
    if account is None or account.status is Status.DELETED:
        raise Forbidden(f"There is no account {did} on this server.", name="AccountNotFound")
    if account.status in {Status.TAKENDOWN, Status.SUSPENDED}:
        raise NotSignedIn("This account has been taken down.", name="AccountTakedown")
    if issued_at < account.tokens_valid_after:
        raise NotSignedIn("This session was ended. Sign in again.", name="InvalidToken")
    return account


def _split(headers: Mapping[bytes, bytes]) -> tuple[str | None, str]:
    header = headers.get(b"authorization")
    if header is None:
        return None, ""
    scheme, _, value = header.decode("latin-1").partition(" ")
    if not value or " " in value.strip():
        raise NotSignedIn("The Authorization header is not two words.", name="InvalidToken")
    return scheme.lower(), value.strip()
