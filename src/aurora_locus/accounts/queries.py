"""Statements on ``accounts``."""

from dataclasses import dataclass

from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from aurora_locus.accounts.model import Account
from aurora_locus.i18n.catalogue import SOURCE
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.identity.handles import handle_taken
from aurora_locus.repository.model import HostingStatus
from groundwork.clock import SECOND, Instant
from groundwork.database.transaction import Database, Reader, Row, Writer
from groundwork.errors import Forbidden

_COLUMNS = """
    select a.did, a.handle, a.email, a.email_confirmed_at, a.password_hash, r.status, a.tokens_valid_after, a.created_at,
           a.awaits, a.recovery_key, a.moved_to, a.language,
           (select count(*) from mail_factors m where m.did = a.did) as mail_factors
      from accounts a join repositories r on r.did = a.did
"""
_BY_DID = _COLUMNS + " where a.did = :key"
_BY_HANDLE = _COLUMNS + " where a.handle = :key"
_BY_EMAIL = _COLUMNS + " where a.email = :key"

_HANDLE_IS_TAKEN = """
    select 1 from accounts where handle = :handle
    union all
    select 1 from released_handles where handle = :handle and did <> :did and released_at > :released_after
"""
# The name in a did:web that this server serves always belongs to that identity, whatever its current handle is.
_IS_SOMEBODYS_IDENTITY = "select 1 from repositories where did = :of_name and did <> :did"
_WAS_HERE = "select 1 from repositories where did = :did"
_HANDLE_IS_KEPT = (
    "select 1 from released_handles where handle = :handle and did <> :did and released_at > :released_after"
)

_EMAIL_IS_TAKEN = "select 1 from accounts where email = :email"

_INSERT = """
    insert into accounts (did, handle, email, password_hash, recovery_key, created_at)
    values (:did, :handle, :email, :password_hash, :recovery_key, :created_at)
"""
_LANGUAGE = "select language from accounts where did = :did"
_SET_LANGUAGE = "update accounts set language = :language where did = :did and language <> :language"

_SET_HANDLE = "update accounts set handle = :new where did = :did and handle = :old"
_RELEASE_HANDLE = """
    insert into released_handles (handle, did, released_at) values (:handle, :did, :released_at)
    on conflict (handle) do update set did = excluded.did, released_at = excluded.released_at
"""
# How many released handles are reserved for an account. Otherwise one account could occupy 1,500 names a month.
MAX_RESERVED = 5
_FREE_OLDEST = """
    delete from released_handles where did = :did and handle not in
       (select handle from released_handles where did = :did order by released_at desc, handle limit :kept)
"""
_SET_DEACTIVATED = "update accounts set deactivated_at = :at, delete_after = :delete_after where did = :did"
_SET_AWAITING = """
    update accounts set awaits = :awaits, deactivated_at = :at, delete_after = :delete_after where did = :did
"""
_SET_SHOWN = "update accounts set awaits = null, deactivated_at = null, delete_after = null where did = :did"
_FREE_HANDLE = "delete from released_handles where handle = :handle returning did"
_WAITING = "select handle, awaits from accounts where did = :did and awaits is not null"
_SET_MOVED = """
    update accounts set moved_to = :moved_to where did = :did and (moved_to is null or moved_to <> :moved_to)
"""
_UNSET_MOVED = "update accounts set moved_to = null where did = :did"
_SET_CHECKED = "update accounts set identity_checked_at = :at where did = :did"
_IS_SHOWN = "select 1 from accounts where did = :did and deactivated_at is null"
_TO_RECHECK = """
    select did from accounts
     where identity_checked_at <= :before and awaits is null and deactivated_at is null and takedown_ref is null
     order by identity_checked_at, did
     limit :limit
"""
_TAKEN_DOWN = "select takedown_ref, suspended_at from accounts where did = :did"

_EMAIL = "select email, email_confirmed_at from accounts where did = :did"
_CONFIRM_EMAIL = "update accounts set email_confirmed_at = :at where did = :did"
_SET_EMAIL = "update accounts set email = :email, email_confirmed_at = null where did = :did"
_SET_PASSWORD_HASH = "update accounts set password_hash = :hash where did = :did"  # noqa: S105 - a statement

_RENEW_HASH = "update accounts set password_hash = :new where did = :did and password_hash = :old"
_END_ACCESS = "update accounts set tokens_valid_after = :valid_after where did = :did"

_IS_DECIDED = "(takedown_ref is not null or suspended_at is not null)"
# The host may need what it has taken down or suspended, so its owner cannot have it deleted. An account that was never
# announced has nothing that anybody has seen.
_IS_DUE = f"""
    delete_after <= :now and deactivated_at is not null and (awaits is not null or not {_IS_DECIDED})
"""
_TO_DELETE = f"select did from accounts where {_IS_DUE} order by delete_after, did"
_IS_TO_DELETE = f"select 1 from accounts where did = :did and {_IS_DUE}"
_POSTPONE = f"""
    update accounts set delete_after = :earliest
     where did = :did and delete_after < :earliest and awaits is null and {_IS_DECIDED}
"""
_REMOVE = "delete from accounts where did = :did returning handle"


def _to_account(row: Row) -> Account:
    return Account(
        did=Did(row["did"]),
        handle=Handle(row["handle"]),
        email=row["email"],
        email_confirmed_at=row["email_confirmed_at"],
        password_hash=row["password_hash"],
        status=HostingStatus(row["status"]),
        tokens_valid_after=Instant(row["tokens_valid_after"]),
        created_at=Instant(row["created_at"]),
        awaits=row["awaits"],
        recovery_key=row["recovery_key"],
        moved_to=row["moved_to"],
        asks_mail_code=bool(row["mail_factors"]),
        language=row["language"],
    )


async def find(reader: Reader, did: Did) -> Account | None:
    """Find the account with this DID."""
    row = await reader.fetch_one(_BY_DID, key=did)
    return None if row is None else _to_account(row)


async def require_account(db: Database, did: Did) -> Account:
    """Return the account with this DID. Raises Forbidden (``AccountNotFound``) if there is none, or none any more."""
    async with db.reader() as reader:
        account = await find(reader, did)
    if account is None:
        raise Forbidden(gettext_noop("There’s no such account on this server."), name="AccountNotFound")
    return account


async def find_by_handle(reader: Reader, handle: str) -> Account | None:
    """Find the account with this handle (in lower case)."""
    if not handle.isprintable():
        return None  # no account contains a NUL, and PostgreSQL rejects it
    row = await reader.fetch_one(_BY_HANDLE, key=handle)
    return None if row is None else _to_account(row)


def is_email(identifier: str) -> bool:
    """Whether people who type this mean an e-mail address: an @ at the start belongs to a handle."""
    return "@" in identifier.strip().removeprefix("@")


async def find_by_identifier(reader: Reader, identifier: str) -> Account | None:
    """Find the account with this handle, DID or e-mail address as people type them: case and a leading @ are ignored."""
    text = identifier.strip().lower()
    if not text.isprintable():
        return None  # no account contains a NUL, and PostgreSQL rejects it
    if text.startswith("did:"):
        return await find(reader, Did(text))
    sql = _BY_EMAIL if is_email(text) else _BY_HANDLE
    row = await reader.fetch_one(sql, key=text.removeprefix("@"))
    return None if row is None else _to_account(row)


async def find_by_email(reader: Reader, email: str) -> Account | None:
    """Find the account with this address (in lower case)."""
    if not email.isprintable():
        return None
    row = await reader.fetch_one(_BY_EMAIL, key=email)
    return None if row is None else _to_account(row)


async def handle_is_taken(reader: Reader, handle: Handle, did: Did | None, quarantine: int) -> bool:
    """Whether an account has the handle, or an account other than ``did`` had it within the last ``quarantine``
    microseconds.
    """
    released_after = reader.now - quarantine
    row = await reader.fetch_one(_HANDLE_IS_TAKEN, handle=handle, did=did or "", released_after=released_after)
    if row is not None:
        return True
    row = await reader.fetch_one(_IS_SOMEBODYS_IDENTITY, of_name=f"did:web:{handle}", did=did or "")
    return row is not None


async def repository_was_here(reader: Reader, did: Did) -> bool:
    """Whether this server has or ever had an account with this DID, including deleted ones."""
    return await reader.fetch_one(_WAS_HERE, did=did) is not None


def require_not_kept(w: Writer, handle: Handle, did: Did, quarantine: int) -> None:
    """Raise Refused if the handle was released in the meantime and is reserved for its last owner. Called in the
    transaction that assigns the handle.
    """
    if w.fetch_one(_HANDLE_IS_KEPT, handle=handle, did=did, released_after=w.now - quarantine) is not None:
        raise handle_taken()


async def email_is_taken(reader: Reader, email: str) -> bool:
    """Whether an account has this address (in lower case)."""
    return await reader.fetch_one(_EMAIL_IS_TAKEN, email=email) is not None


def insert(
    w: Writer,
    did: Did,
    handle: Handle,
    *,
    email: str | None,
    password_hash: str | None,
    recovery_key: str | None = None,
) -> None:
    """Insert an account; unique constraints settle races for handle and address (UniqueViolated)."""
    w.execute(
        _INSERT,
        did=did,
        handle=handle,
        email=email,
        password_hash=password_hash,
        recovery_key=recovery_key,
        created_at=w.now,
    )


def set_language(w: Writer, did: Did, language: str) -> None:
    """Record the language that the owner uses now. An empty one says nothing and changes nothing."""
    if language:
        w.execute(_SET_LANGUAGE, did=did, language=language)


async def mail_language(reader: Reader, did: Did, stated: str = "") -> str:
    """Return the tag of the language for an e-mail to this account: ``stated`` by the request of its owner, or else the
    one that its owner used last, or else English.
    """
    if stated:
        return stated
    row = await reader.fetch_one(_LANGUAGE, did=did)
    return (row["language"] if row is not None else "") or SOURCE


def set_handle(w: Writer, did: Did, new: Handle, old: Handle) -> bool:
    """Change the handle and reserve the old one for a while, unless the account was never announced. Return False if the
    handle is no longer ``old``.
    """
    if w.execute(_SET_HANDLE, did=did, new=new, old=old) != 1:
        return False
    if waiting(w, did) is None:
        _reserve(w, did, old)
    return True


def _reserve(w: Writer, did: Did, handle: str) -> None:
    w.execute(_RELEASE_HANDLE, handle=handle, did=did, released_at=w.now)
    w.execute(_FREE_OLDEST, did=did, kept=MAX_RESERVED)


def set_deactivated(w: Writer, did: Did, delete_after: Instant | None = None) -> None:
    """Record that the owner has deactivated the account. It may be deleted after ``delete_after``; None means never."""
    w.execute(_SET_DEACTIVATED, did=did, at=w.now, delete_after=delete_after)


@dataclass(frozen=True, slots=True)
class UnannouncedAccount:
    """An account that was never announced, and what it is waiting for (``account_requests.UnannouncedReason``)."""

    handle: str
    awaits: str


def set_awaiting(w: Writer, did: Did, awaits: str, delete_after: Instant) -> None:
    """Mark a new account as not yet announced. It is removed after ``delete_after`` if it is not completed by then."""
    w.execute(_SET_AWAITING, did=did, awaits=awaits, at=w.now, delete_after=delete_after)


def waiting(w: Writer, did: Did) -> UnannouncedAccount | None:
    """Return what an account that was never announced is waiting for; None for any other account."""
    row = w.fetch_one(_WAITING, did=did)
    return None if row is None else UnannouncedAccount(row["handle"], row["awaits"])


def set_shown(w: Writer, did: Did) -> None:
    """Record that the account is active and no longer waiting for anything."""
    w.execute(_SET_SHOWN, did=did)


def set_moved(w: Writer, did: Did, moved_to: str | None) -> bool:
    """Record that the identity names another server; None means that it names this one. Return False if nothing
    changed.
    """
    if moved_to is None:
        return w.execute(_UNSET_MOVED, did=did) == 1
    return w.execute(_SET_MOVED, did=did, moved_to=moved_to) == 1


def is_shown(w: Writer, did: Did) -> bool:
    """Whether the account is active: neither deactivated nor waiting to be announced."""
    return w.fetch_one(_IS_SHOWN, did=did) is not None


def set_checked(w: Writer, did: Did) -> None:
    """Record that the identity has just been checked."""
    w.execute(_SET_CHECKED, did=did, at=w.now)


async def due_for_recheck(reader: Reader, before: Instant, limit: int) -> list[Did]:
    """Return active accounts whose identity was last checked before this instant, those with the oldest check first."""
    return [Did(row["did"]) for row in await reader.fetch(_TO_RECHECK, before=before, limit=limit)]


def email_of(w: Writer, did: Did) -> str | None:
    """Return the account's address, in lower case."""
    row = w.fetch_one(_EMAIL, did=did)
    return None if row is None else row["email"]


def email_is_confirmed(w: Writer, did: Did) -> bool:
    """Whether the owner has confirmed the address."""
    row = w.fetch_one(_EMAIL, did=did)
    return row is not None and row["email_confirmed_at"] is not None


def confirm_email(w: Writer, did: Did, at: Instant) -> None:
    """Mark the address as confirmed."""
    w.execute(_CONFIRM_EMAIL, did=did, at=at)


def set_email(w: Writer, did: Did, email: str) -> None:
    """Set a new, unconfirmed address. Raises UniqueViolated."""
    w.execute(_SET_EMAIL, did=did, email=email)


def free_handle(w: Writer, handle: Handle) -> Did | None:
    """Make a reserved handle available to everybody. Return its last owner, or None if it was not reserved."""
    row = w.fetch_one(_FREE_HANDLE, handle=handle)
    return None if row is None else Did(row["did"])


def set_password(w: Writer, did: Did, password_hash: str) -> None:
    """Set a new password. Access tokens issued before become invalid."""
    w.execute(_SET_PASSWORD_HASH, did=did, hash=password_hash)
    end_access(w, did)


def renew_hash(w: Writer, did: Did, *, old: str, new: str) -> None:
    """Replace the hash of the same password, unless the password was changed in the meantime."""
    w.execute(_RENEW_HASH, did=did, old=old, new=new)


def end_access(w: Writer, did: Did) -> None:
    """Invalidate access tokens that were issued before now."""
    # Tokens carry whole seconds. Tokens issued in the rest of this second are dated to its end (`sessions`).
    w.execute(_END_ACCESS, did=did, valid_after=(w.now // SECOND + 1) * SECOND)


async def to_delete(reader: Reader, now: Instant) -> list[Did]:
    """Return accounts that were deactivated with a deadline that has passed, except those that the host has taken down
    or suspended.
    """
    return [Did(row["did"]) for row in await reader.fetch(_TO_DELETE, now=now)]


def is_to_delete(w: Writer, did: Did, now: Instant) -> bool:
    """Whether this account is still due for deletion."""
    return w.fetch_one(_IS_TO_DELETE, did=did, now=now) is not None


def postpone_deletion(w: Writer, did: Did, earliest: Instant) -> None:
    """Let an account that the host has taken down or suspended be deleted at this instant at the earliest. Call it before
    the decision is lifted. A deadline that is later stays.
    """
    w.execute(_POSTPONE, did=did, earliest=earliest)


def remove(w: Writer, did: Did) -> None:
    """Delete the account with its sessions, app passwords and tokens. The handle is reserved for a while, unless the
    account was never announced.
    """
    was_shown = waiting(w, did) is None
    row = w.fetch_one(_REMOVE, did=did)
    if row is not None and was_shown:
        _reserve(w, did, row["handle"])


def host_decision(w: Writer, did: Did) -> HostingStatus | None:
    """Return the host's decision about the account, which the owner cannot lift."""
    row = w.fetch_one(_TAKEN_DOWN, did=did)
    if row is None or (row[0] is None and row[1] is None):
        return None
    return HostingStatus.TAKENDOWN if row[0] is not None else HostingStatus.SUSPENDED
