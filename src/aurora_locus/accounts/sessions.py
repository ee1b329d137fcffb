"""Sessions of apps: sign-in, refresh, sign-out.

A refresh token has exactly one successor. Its first use fixes the identifier of the successor and makes the old token
expire in two hours, its grace period. Further uses in that period, including concurrent ones, return the same
successor. Signing out with any token of a chain ends the whole chain.
"""

import asyncio
import secrets
from dataclasses import dataclass

from at_protocol.syntax.did import Did
from aurora_locus.accounts import app_passwords, browser_sessions, queries
from aurora_locus.accounts.app_passwords import AppPassword
from aurora_locus.accounts.model import Account, RefreshToken, SessionScope, TokenPair
from aurora_locus.accounts.passwords import Passwords
from aurora_locus.accounts.session_tokens import REFRESH_LIFETIME, SessionTokenSigner
from aurora_locus.repository.model import OF_THE_HOST
from groundwork.clock import HOUR, Instant
from groundwork.database.pages import change_in_pages, delete_some
from groundwork.database.transaction import Database, Reader, Writer
from groundwork.errors import NotSignedIn

GRACE = 2 * HOUR

# Not a valid DID, so no account and no app password can have it.
_NOBODY = Did("")

# A refusal takes at least this long, so that its duration does not reveal whether the account exists.
LEAST_SECONDS_OF_REFUSAL = 0.35

_INSERT = """
    insert into sessions (id, did, app_password_name, expires_at, created_at)
    values (:id, :did, :app_password_name, :expires_at, :created_at)
    on conflict (id) do nothing
"""
_FIND = "select did, app_password_name, next_id, expires_at from sessions where id = :id"
_FIX_SUCCESSOR = """
    update sessions
       set next_id = coalesce(next_id, :next_id),
           expires_at = case when expires_at < :grace_ends_at then expires_at else :grace_ends_at end
     where id = :id and did = :did and expires_at > :now
    returning next_id, app_password_name
"""
# Delete the whole chain in both directions, because the token may be one in its grace period.
_DELETE = """
    with recursive chain (id, next_id) as (
        select s.id, s.next_id from sessions s where s.id = :id and s.did = :did
        union
        select s.id, s.next_id from sessions s join chain c on s.next_id = c.id or s.id = c.next_id where s.did = :did
    )
    delete from sessions where id in (select id from chain)
"""
# Only the newest token of each chain; earlier ones are in their grace period.
_OPEN = """
    select id, app_password_name, created_at, expires_at from sessions
     where did = :did and next_id is null and expires_at > :now
     order by created_at desc, id
"""
_DELETE_ALL = "delete from sessions where did = :did"
_VALID_AFTER = "select tokens_valid_after from accounts where did = :did"


@dataclass(frozen=True, slots=True)
class ProvenAccount:
    """An account and the password that was verified. ``app_password`` is None for the account's own password."""

    account: Account
    app_password: AppPassword | None


async def renew_hash(db: Database, passwords: Passwords, proof: ProvenAccount, password: str) -> None:
    """Replace the hash of a verified password if it has outdated parameters or comes from another server."""
    old = proof.account.password_hash
    if proof.app_password is not None or old is None or not passwords.is_outdated(old):
        return
    new = await passwords.hash(password)
    await db.write(lambda w: queries.renew_hash(w, proof.account.did, old=old, new=new))


async def verify_password(db: Database, passwords: Passwords, account: Account | None, password: str) -> ProvenAccount:
    """Verify a password: the account's own, or one of its app passwords. Guesses are counted by ``password_guesses``.

    Raises NotSignedIn. Message and cost are the same for an unknown account and a wrong password.
    """
    loop = asyncio.get_running_loop()
    answers_at = loop.time() + LEAST_SECONDS_OF_REFUSAL
    try:
        return await _prove(db, passwords, account, password)
    except NotSignedIn:
        await asyncio.sleep(answers_at - loop.time())
        raise


def not_proven() -> NotSignedIn:
    """Return the error for an unknown identifier or a wrong password. Both get the same error, which does not reveal
    whether the account exists.
    """
    return NotSignedIn("Invalid identifier or password", name="AuthenticationRequired")


async def verify_app_password(
    db: Database, passwords: Passwords, account: Account | None, password: str
) -> ProvenAccount | None:
    """Verify an app password; return None if the account has no such password. Text without the form of an app password
    is not hashed.
    """
    if not app_passwords.has_form(password):
        return None
    did = _NOBODY if account is None else account.did
    password_hash = await passwords.hash_app_password(did, password)
    async with db.reader() as reader:
        app_password = await app_passwords.find_by_hash(reader, did, password_hash)
    return None if account is None or app_password is None else ProvenAccount(account, app_password)


async def _prove(db: Database, passwords: Passwords, account: Account | None, password: str) -> ProvenAccount:
    # Which hashes are computed depends only on the typed password, so the duration reveals nothing about accounts.
    by_app = await verify_app_password(db, passwords, account, password)
    app_password = None if by_app is None else by_app.app_password
    fits = await passwords.check(None if account is None else account.password_hash, password)
    if account is None or not (fits or app_password):
        raise not_proven()
    return ProvenAccount(account, None if fits else app_password)


def open_session(
    w: Writer,
    tokens: SessionTokenSigner,
    did: Did,
    app_password: AppPassword | None = None,
    *,
    is_takendown: bool = False,
) -> TokenPair:
    """Create a session in the caller's transaction. Raises NotSignedIn if the app password was revoked in the meantime.

    The session of a taken-down account has few permissions and cannot be refreshed until the takedown is lifted.
    """
    name = None if app_password is None else app_password.name
    token_id, expires_at = _fresh_id(), Instant(w.now + REFRESH_LIFETIME)
    scope = SessionScope.TAKENDOWN if is_takendown else _scope(w, did, name)
    w.execute(_INSERT, id=token_id, did=did, app_password_name=name, expires_at=expires_at, created_at=w.now)
    return TokenPair(tokens.access(did, scope, _issued_at(w, did)), tokens.refresh(did, token_id, w.now, expires_at))


def open_proven(w: Writer, tokens: SessionTokenSigner, proof: ProvenAccount) -> TokenPair:
    """Create a session after the password was verified. Raises NotSignedIn if sessions were ended since then, because a
    password that has been reset in the meantime must not open another session.
    """
    account = proof.account
    row = w.fetch_one(_VALID_AFTER, did=account.did)
    if row is None or row["tokens_valid_after"] != account.tokens_valid_after:
        raise not_proven()
    is_takendown = account.status in OF_THE_HOST
    return open_session(w, tokens, account.did, proof.app_password, is_takendown=is_takendown)


def refresh(w: Writer, tokens: SessionTokenSigner, token: RefreshToken) -> TokenPair:
    """Use a refresh token. Raises NotSignedIn (``ExpiredToken``) if its session has ended or its grace period is over."""
    row = w.fetch_one(
        _FIX_SUCCESSOR,
        id=token.id,
        did=token.did,
        next_id=_fresh_id(),
        grace_ends_at=w.now + GRACE,
        now=w.now,
    )
    if row is None:
        raise _session_ended()
    scope = _scope(w, token.did, row["app_password_name"])
    expires_at = Instant(w.now + REFRESH_LIFETIME)
    w.execute(
        _INSERT,
        id=row["next_id"],
        did=token.did,
        app_password_name=row["app_password_name"],
        expires_at=expires_at,
        created_at=w.now,
    )
    successor = w.fetch_one(_FIND, id=row["next_id"])
    if successor is None:
        raise _session_ended()
    expires_at = Instant(successor["expires_at"])
    return TokenPair(
        tokens.access(token.did, scope, _issued_at(w, token.did)),
        tokens.refresh(token.did, row["next_id"], w.now, expires_at),
    )


def close_session(w: Writer, token: RefreshToken) -> None:
    """Sign out. Nothing happens if the session has already ended."""
    w.execute(_DELETE, id=token.id, did=token.did)


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session of an app, as listed for its owner. ``id`` is not secret, because tokens are signed.

    ``app_password_name`` is None if the session was opened with the account's own password. ``used_at`` is its last
    refresh.
    """

    id: str
    app_password_name: str | None
    used_at: Instant
    expires_at: Instant


async def list_open(reader: Reader, did: Did) -> list[OpenSession]:
    """Return the sessions that can be refreshed, most recently used first."""
    return [
        OpenSession(row["id"], row["app_password_name"], Instant(row["created_at"]), Instant(row["expires_at"]))
        for row in await reader.fetch(_OPEN, did=did, now=reader.now)
    ]


def end_one(w: Writer, did: Did, session_id: str) -> None:
    """End one session. Nothing happens if it has already ended. Its access token stays valid until it expires."""
    w.execute(_DELETE, id=session_id, did=did)


def end_all_apps(w: Writer, did: Did) -> None:
    """End the sessions of all apps. Browsers stay signed in."""
    w.execute(_DELETE_ALL, did=did)


def end_all(w: Writer, did: Did) -> None:
    """End the sessions of all apps and browsers."""
    w.execute(_DELETE_ALL, did=did)
    browser_sessions.end_all(w, did)


async def sweep(db: Database) -> int:
    """Delete expired sessions, in pages; returns how many."""
    return await change_in_pages(db, lambda tx: delete_some(tx, "sessions", "expires_at <= :now", now=tx.now))


def _issued_at(w: Writer, did: Did) -> Instant:
    # Tokens carry whole seconds. A new token that is issued in the second in which older ones were ended must not be
    # dated before that end.
    row = w.fetch_one(_VALID_AFTER, did=did)
    return w.now if row is None else Instant(max(w.now, row["tokens_valid_after"]))


def _scope(w: Writer, did: Did, app_password_name: str | None) -> SessionScope:
    if app_password_name is None:
        return SessionScope.FULL
    app_password = app_passwords.find(w, did, app_password_name)
    if app_password is None:
        raise _session_ended()
    return app_password.scope


def _session_ended() -> NotSignedIn:
    return NotSignedIn("This session has ended. Sign in again.", name="ExpiredToken")


def _fresh_id() -> str:
    return secrets.token_urlsafe(32)
