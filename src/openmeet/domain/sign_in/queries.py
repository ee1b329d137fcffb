"""SQL for challenges and sessions."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.pages import delete_some
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.http.devices import Device
from openmeet.domain.identities.session_queries import is_at_servers
from openmeet.domain.sign_in.model import MAILED_WITHIN, Challenge, ChallengeId, SessionStrength, SessionTransport
from openmeet.domain.users.model import Caller, UserId

# Nobody reads a longer list. A separate action ends all sessions at once.
MAX_LISTED = 100
_NAME_LENGTH = 16

CHALLENGE_COLUMNS = """
    id, email, display_name, attempts_left, next_path, created_at, expires_at, used_at, browser_hash, is_mailed,
    language
"""


def challenge_of(row: Row) -> Challenge:
    """Parse a row with ``CHALLENGE_COLUMNS``."""
    return Challenge(
        ChallengeId(row["id"]),
        row["email"],
        row["display_name"],
        row["attempts_left"],
        row["next_path"],
        row["created_at"],
        row["expires_at"],
        row["used_at"],
        None if row["browser_hash"] is None else bytes(row["browser_hash"]),
        bool(row["is_mailed"]),
        row["language"],
    )


async def insert_challenge(tx: Transaction, challenge: Challenge) -> None:
    await tx.execute(
        """
        insert into email_challenges
            (id, email, display_name, attempts_left, next_path, language, created_at, expires_at, used_at, browser_hash,
             is_mailed)
        values (:id, :email, :display_name, :attempts_left, :next_path, :language, :created_at, :expires_at, null,
            :browser,
                :is_mailed)
        """,
        id=challenge.id,
        email=challenge.email,
        display_name=challenge.display_name,
        attempts_left=challenge.attempts_left,
        next_path=challenge.next_path,
        language=challenge.language,
        created_at=challenge.created_at,
        expires_at=challenge.expires_at,
        browser=challenge.browser_hash,
        is_mailed=int(challenge.is_mailed),
    )


async def challenge(reader: Reader, challenge_id: ChallengeId) -> Challenge | None:
    row = await reader.fetch_one(f"select {CHALLENGE_COLUMNS} from email_challenges where id = :id", id=challenge_id)
    return challenge_of(row) if row else None


async def live_mailed(reader: Reader, email: str) -> list[Challenge]:
    """E-mails sent to this address whose code and link are still valid, newest first."""
    rows = await reader.fetch(
        f"""
        select {CHALLENGE_COLUMNS} from email_challenges
         where email = :email and is_mailed = 1 and used_at is null and expires_at > :now
         order by created_at desc, id
        """,
        email=email,
        now=reader.now,
    )
    return [challenge_of(row) for row in rows]


async def unused_mailed(reader: Reader, email: str, since: Instant) -> list[Challenge]:
    """E-mails sent to this address whose code was not used, newest first, including expired ones."""
    rows = await reader.fetch(
        f"""
        select {CHALLENGE_COLUMNS} from email_challenges
         where email = :email and is_mailed = 1 and used_at is null and created_at > :since
         order by created_at desc, id
        """,
        email=email,
        since=since,
    )
    return [challenge_of(row) for row in rows]


async def latest_request_of(reader: Reader, email: str, browser_hash: bytes) -> Challenge | None:
    """The latest request of a browser for this address. None if there is none or it has expired."""
    row = await reader.fetch_one(
        f"""
        select {CHALLENGE_COLUMNS} from email_challenges
         where email = :email and browser_hash = :browser and used_at is null and expires_at > :now
         order by created_at desc, id limit 1
        """,
        email=email,
        browser=browser_hash,
        now=reader.now,
    )
    return challenge_of(row) if row else None


async def take_guess(tx: Transaction, address_hash: str, ends_at: Instant, limit: int) -> bool:
    """Count one guess at the codes of an address. False if there were too many today. Atomic for concurrent guesses."""
    row = await tx.fetch_one(
        """
        insert into email_code_guesses (address_hash, used, resets_at) values (:address, 1, :ends_at)
        on conflict (address_hash) do update
           set used = case when email_code_guesses.resets_at <= :now then 1 else email_code_guesses.used + 1 end,
               resets_at = case when email_code_guesses.resets_at <= :now then excluded.resets_at
                                else email_code_guesses.resets_at end
         where email_code_guesses.resets_at <= :now or email_code_guesses.used < :limit
        returning used
        """,
        address=address_hash,
        ends_at=ends_at,
        now=tx.now,
        limit=limit,
    )
    return row is not None


async def give_guess_back(tx: Transaction, address_hash: str) -> None:
    """Subtract a correct guess from the count."""
    await tx.execute(
        "update email_code_guesses set used = used - 1 where address_hash = :address and used > 0", address=address_hash
    )


async def take_try(tx: Transaction, challenge_id: ChallengeId) -> Challenge | None:
    """Use up one try and lock the row, so that concurrent guesses are counted one by one.

    Returns the challenge after this, or None if it has no tries left or is not valid any more.
    """
    row = await tx.fetch_one(
        f"""
        update email_challenges set attempts_left = attempts_left - 1
         where id = :id and attempts_left > 0 and used_at is null and expires_at > :now
        returning {CHALLENGE_COLUMNS}
        """,
        id=challenge_id,
        now=tx.now,
    )
    return challenge_of(row) if row else None


async def use_challenge(tx: Transaction, challenge_id: ChallengeId) -> bool:
    """Mark a challenge as used. False if a concurrent request was faster."""
    statement = "update email_challenges set used_at = :now where id = :id and used_at is null"
    return await tx.execute(statement, now=tx.now, id=challenge_id) == 1


async def insert_session(
    tx: Transaction,
    token_hash: bytes,
    user_id: UserId,
    kind: SessionTransport,
    expires_at: Instant,
    strength: SessionStrength,
) -> None:
    await tx.execute(
        """
        insert into sessions (token_hash, user_id, kind, created_at, expires_at, is_by_app_password, is_silent)
        values (:token_hash, :user_id, :kind, :now, :expires_at, :is_by_app_password, :is_silent)
        """,
        token_hash=token_hash,
        user_id=user_id,
        kind=kind.value,
        now=tx.now,
        expires_at=expires_at,
        is_by_app_password=int(strength is SessionStrength.APP_PASSWORD),
        is_silent=int(strength is SessionStrength.SILENT),
    )


async def store_device(tx: Transaction, token_hash: bytes, device: Device) -> None:
    """Store on which device the session was opened, so that its owner recognises it in the list."""
    await tx.execute(
        "update sessions set browser = :browser, system = :system where token_hash = :token_hash",
        browser=device.browser,
        system=device.system,
        token_hash=token_hash,
    )


@dataclass(frozen=True, slots=True)
class SessionHolder:
    """The user of a session, its expiry, and the day on which the user was last seen.

    ``is_at_servers``: we hold an open session at the PDS of one of their accounts.
    """

    caller: Caller
    expires_at: Instant
    seen_at: Instant | None
    is_at_servers: bool
    portrait: str | None


async def holder(reader: Reader, token_hash: bytes, kind: SessionTransport) -> SessionHolder | None:
    """The holder of this token. None if it is unknown, expired, or belongs to the other transport."""
    row = await reader.fetch_one(
        f"""
        select u.id, u.display_name, u.language, u.time_zone, u.seen_at, u.portrait_key, s.expires_at,
               case when {is_at_servers("u.id")} then 1 else 0 end as at_servers
          from sessions s join users u on u.id = s.user_id
         where s.token_hash = :token_hash and s.kind = :kind and s.expires_at > :now
        """,
        token_hash=token_hash,
        kind=kind.value,
        now=reader.now,
    )
    if row is None:
        return None
    caller = Caller(UserId(row["id"]), row["display_name"], row["language"], row["time_zone"])
    seen_at = None if row["seen_at"] is None else Instant(row["seen_at"])
    return SessionHolder(
        caller, Instant(row["expires_at"]), seen_at, is_at_servers=bool(row["at_servers"]), portrait=row["portrait_key"]
    )


@dataclass(frozen=True, slots=True)
class ListedSession:
    """An open session of a person. ``name`` identifies it among their sessions and cannot be used to sign in."""

    token_hash: bytes
    transport: SessionTransport
    created_at: Instant
    device: Device

    @property
    def name(self) -> str:
        return hashlib.sha256(self.token_hash).hexdigest()[:_NAME_LENGTH]


async def open_of(reader: Reader, user_id: UserId) -> list[ListedSession]:
    """A person's open sessions, newest first. At most ``MAX_LISTED``."""
    rows = await reader.fetch(
        "select token_hash, kind, created_at, browser, system from sessions"
        " where user_id = :user_id and expires_at > :now"
        " order by created_at desc, token_hash limit :limit",
        user_id=user_id,
        now=reader.now,
        limit=MAX_LISTED,
    )
    return [
        ListedSession(
            bytes(row["token_hash"]),
            SessionTransport(row["kind"]),
            Instant(row["created_at"]),
            Device(row["browser"], row["system"]),
        )
        for row in rows
    ]


async def still_open(reader: Reader, token_hashes: Collection[bytes]) -> set[bytes]:
    """The given sessions that have neither ended nor expired."""
    if not token_hashes:
        return set()
    rows = await reader.fetch(
        "select token_hash from sessions where token_hash in :hashes and expires_at > :now order by token_hash",
        hashes=sorted(token_hashes),
        now=reader.now,
    )
    return {bytes(row["token_hash"]) for row in rows}


@dataclass(frozen=True, slots=True)
class SessionProof:
    """The time and strength of a person's last proof of identity."""

    proven_at: Instant
    strength: SessionStrength


async def proof_of(reader: Reader, token_hash: bytes) -> SessionProof | None:
    """The proof with which this session was opened. None if there is none."""
    row = await reader.fetch_one(
        "select created_at, is_by_app_password, is_silent from sessions where token_hash = :token_hash",
        token_hash=token_hash,
    )
    if row is None:
        return None
    strength = SessionStrength.SILENT if row["is_silent"] else SessionStrength.FULL
    strength = SessionStrength.APP_PASSWORD if row["is_by_app_password"] else strength
    return SessionProof(Instant(row["created_at"]), strength)


async def drop_session(tx: Transaction, token_hash: bytes) -> None:
    await tx.execute("delete from sessions where token_hash = :token_hash", token_hash=token_hash)


async def drop_sessions_of(tx: Transaction, user_id: UserId) -> int:
    return await tx.execute("delete from sessions where user_id = :user_id", user_id=user_id)


async def drop_expired(tx: Transaction, challenges_before: Instant) -> int:
    """Delete expired rows, of each table at most as many as ``delete_some``.

    Challenges are kept a little longer, so that a link can say that it has expired. Challenges with unused codes are
    kept as long as they are counted.
    """
    deleted_count = await delete_some(tx, "sessions", "expires_at <= :now", now=tx.now)
    deleted_count += await delete_some(tx, "email_code_guesses", "resets_at <= :now", now=tx.now)
    return deleted_count + await delete_some(
        tx,
        "email_challenges",
        "expires_at <= :before and (is_mailed = 0 or used_at is not null or created_at <= :counted)",
        before=challenges_before,
        counted=tx.now - MAILED_WITHIN,
    )
