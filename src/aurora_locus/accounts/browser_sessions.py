"""Browser sessions: which accounts are signed in on which browser.

A browser has two random identifiers of 128 bits. One identifies the browser itself; forms and app requests are bound to
it. The other identifies its session and rotates with every sign-in and after five minutes of use. Only their hashes are
stored (invariant 8). After a rotation, the previous session stays valid for one minute, because browsers send parallel
requests. It stays valid longer if the new identifier has never been presented, because that response may have been
lost. If the previous one is presented after that, somebody copied it, and the browser is signed out.

Several accounts can be signed in on one browser. A sign-in lasts a week if the owner chose that, otherwise until
fifteen minutes pass without use. Every action that ends an account's sessions also ends its browser sessions.
"""

import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass

from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from aurora_locus.accounts.account_requests import UnannouncedReason
from aurora_locus.repository.model import HostingStatus
from groundwork.clock import DAY, MINUTE, Instant
from groundwork.database.pages import change_in_pages, delete_some
from groundwork.database.transaction import Database, Reader, Row, Transaction, Writer
from groundwork.errors import NotSignedIn
from groundwork.token_hash import hash_token

ID_BYTES = 16
ROTATION = 5 * MINUTE
GRACE = 1 * MINUTE
REMEMBERED = 7 * DAY
EPHEMERAL = 15 * MINUTE

_MAX_USER_AGENT = 300

_FIND = """
    select id_hash, session_hash, previous_hash, is_seen, rotated_at, chosen_did from browsers where id_hash = :id_hash
"""
_LIVES = """
    s.signed_in_at > :remembered_after and (s.is_remembered = 1 or b.rotated_at > :ephemeral_after)
"""
_SIGNED_IN = f"""
    select s.did, a.handle, a.email, a.email_confirmed_at, a.awaits, a.language, r.status, s.is_remembered,
        s.signed_in_at, s.proven_at
      from browser_sign_ins s
      join browsers b on b.id_hash = s.id_hash
      join accounts a on a.did = s.did
      join repositories r on r.did = s.did
     where s.id_hash = :id_hash and {_LIVES}
     order by s.signed_in_at desc, s.did
"""
_OF_ACCOUNT = f"""
    select s.id_hash, b.user_agent, b.address, b.rotated_at, s.is_remembered, s.signed_in_at
      from browser_sign_ins s join browsers b on b.id_hash = s.id_hash
     where s.did = :did and {_LIVES}
     order by b.rotated_at desc, s.id_hash
"""
_INSERT = """
    insert into browsers (id_hash, session_hash, previous_hash, is_seen, rotated_at, chosen_did, user_agent, address,
        created_at)
    values (:id_hash, :session_hash, null, 0, :now, :did, :user_agent, :address, :now)
    on conflict (id_hash) do nothing
"""
# Identifiers from before a sign-in become invalid with it: sign-in has no grace period.
_RENEW = """
    update browsers set session_hash = :session_hash, previous_hash = null, is_seen = 0, rotated_at = :now,
           chosen_did = :did, user_agent = :user_agent, address = :address
     where id_hash = :id_hash
"""
_SIGN_IN = """
    insert into browser_sign_ins (id_hash, did, is_remembered, signed_in_at, proven_at)
    values (:id_hash, :did, :is_remembered, :now, :now)
    on conflict (id_hash, did) do update
       set is_remembered = excluded.is_remembered, signed_in_at = excluded.signed_in_at, proven_at = excluded.proven_at
"""
# Only one of several parallel requests rotates the session; for the others this condition no longer holds.
_ROTATE = """
    update browsers set session_hash = :fresh, previous_hash = :shown, is_seen = 0, rotated_at = :now
     where id_hash = :id_hash and rotated_at <= :before
       and (session_hash = :shown or (previous_hash = :shown and is_seen = 0))
"""
_NOTE_SEEN = "update browsers set is_seen = 1 where id_hash = :id_hash and session_hash = :shown"
_NOTE_PROOF = "update browser_sign_ins set proven_at = :now where id_hash = :id_hash and did = :did"
_CHOOSE = "update browsers set chosen_did = :did where id_hash = :id_hash"
_VALID_AFTER = "select tokens_valid_after from accounts where did = :did"
_END = "delete from browser_sign_ins where id_hash = :id_hash and did = :did"
_END_BROWSER = "delete from browsers where id_hash = :id_hash"
_END_ACCOUNT = "delete from browser_sign_ins where did = :did"
_IS_OVER = "signed_in_at <= :remembered_after"
_IS_UNUSED = """rotated_at <= :ephemeral_after
       and not exists (select 1 from browser_sign_ins s where s.id_hash = browsers.id_hash and s.is_remembered = 1)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """A browser on which somebody has signed in."""

    id_hash: bytes
    session_hash: bytes
    previous_hash: bytes | None
    is_seen: bool
    rotated_at: Instant
    chosen_did: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedInAccount:
    """An account that is signed in on the current browser. ``proven_at`` is when its password was last entered."""

    did: Did
    handle: Handle
    email: str | None
    email_is_confirmed: bool
    is_waiting: bool
    """Whether the account is hidden until its owner confirms the e-mail address (``email_confirmation``)."""
    language: str
    """The tag of the language that its owner used last, empty if unknown."""
    status: HostingStatus
    is_remembered: bool
    signed_in_at: Instant
    proven_at: Instant


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """One browser in the owner's session list. ``id_hash`` identifies it but grants no access."""

    id_hash: bytes
    user_agent: str
    address: str
    seen_at: Instant
    is_remembered: bool
    signed_in_at: Instant


@dataclass(frozen=True, slots=True)
class BrowserOrigin:
    """The stored description of a browser, shown in the owner's list."""

    user_agent: str
    address: str


def fresh_id() -> str:
    """Return 128 random bits as 22 characters."""
    return urlsafe_b64encode(secrets.token_bytes(ID_BYTES)).decode().rstrip("=")


async def find(reader: Reader, browser_id: str) -> Browser | None:
    """Find the browser with this identifier, whatever its session."""
    row = await reader.fetch_one(_FIND, id_hash=hash_token(browser_id))
    return None if row is None else _to_browser(row)


async def signed_in(reader: Reader, id_hash: bytes) -> list[SignedInAccount]:
    """Return the accounts that are signed in on a browser, newest sign-in first."""
    return [
        SignedInAccount(
            did=Did(row["did"]),
            handle=Handle(row["handle"]),
            email=row["email"],
            email_is_confirmed=row["email_confirmed_at"] is not None,
            is_waiting=row["awaits"] == UnannouncedReason.CONFIRMATION,
            language=row["language"],
            status=HostingStatus(row["status"]),
            is_remembered=bool(row["is_remembered"]),
            signed_in_at=Instant(row["signed_in_at"]),
            proven_at=Instant(row["proven_at"]),
        )
        for row in await reader.fetch(_SIGNED_IN, id_hash=id_hash, **_limits(reader.now))
    ]


async def of_account(reader: Reader, did: Did) -> list[BrowserSession]:
    """Return the browsers on which an account is signed in, most recently used first."""
    return [
        BrowserSession(
            bytes(row["id_hash"]),
            row["user_agent"],
            row["address"],
            Instant(row["rotated_at"]),
            bool(row["is_remembered"]),
            Instant(row["signed_in_at"]),
        )
        for row in await reader.fetch(_OF_ACCOUNT, did=did, **_limits(reader.now))
    ]


def sign_in(
    w: Writer, browser_id: str, did: Did, valid_after: Instant, origin: BrowserOrigin, *, is_known: bool, remember: bool
) -> tuple[str, str]:
    """Sign an account in. If ``is_known``, the browser presented a valid session, so its other accounts stay signed in.

    Return the browser's new identifiers: the session is always new, the browser identifier is new if the one presented
    belongs to another session. ``valid_after`` is the account's value at the time its password was checked. Raises
    NotSignedIn if sessions were ended after that, because a password that has been reset must not open a session.
    """
    row = w.fetch_one(_VALID_AFTER, did=did)
    if row is None or row["tokens_valid_after"] != valid_after:
        raise NotSignedIn("Invalid identifier or password", name="AuthenticationRequired")
    session_id = fresh_id()
    about = {
        "session_hash": hash_token(session_id),
        "did": did,
        "now": w.now,
        "user_agent": "".join(char for char in origin.user_agent if char.isprintable())[:_MAX_USER_AGENT],
        "address": origin.address,
    }
    statement = _RENEW if is_known else _INSERT
    if not browser_id or w.execute(statement, id_hash=hash_token(browser_id), **about) != 1:
        browser_id = fresh_id()
        w.execute(_INSERT, id_hash=hash_token(browser_id), **about)
    w.execute(_SIGN_IN, id_hash=hash_token(browser_id), did=did, is_remembered=int(remember), now=w.now)
    return browser_id, session_id


def rotate(w: Writer, id_hash: bytes, shown: bytes, before: Instant) -> str | None:
    """Rotate the session of a browser that presented ``shown``, if it is older than ``before``. Return None if a
    concurrent request rotated it first.
    """
    new_id = fresh_id()
    rotated = w.execute(_ROTATE, id_hash=id_hash, shown=shown, fresh=hash_token(new_id), now=w.now, before=before)
    return new_id if rotated == 1 else None


def note_seen(w: Writer, id_hash: bytes, shown: bytes) -> None:
    """Record that the browser has presented its newest session."""
    w.execute(_NOTE_SEEN, id_hash=id_hash, shown=shown)


def note_proof(w: Writer, id_hash: bytes, did: Did) -> None:
    """Record that the owner has just entered the password, and the second factor if there is one."""
    w.execute(_NOTE_PROOF, id_hash=id_hash, did=did, now=w.now)


def choose(w: Writer, id_hash: bytes, did: Did) -> None:
    """Choose which of the signed-in accounts the pages show."""
    w.execute(_CHOOSE, id_hash=id_hash, did=did)


def end(w: Writer, id_hash: bytes, did: Did) -> bool:
    """Sign an account out on one browser. Return False if it was not signed in there."""
    return w.execute(_END, id_hash=id_hash, did=did) == 1


def end_browser(w: Writer, id_hash: bytes) -> None:
    """Sign every account out on one browser."""
    w.execute(_END_BROWSER, id_hash=id_hash)


def end_all(w: Writer, did: Did) -> None:
    """Sign an account out everywhere."""
    w.execute(_END_ACCOUNT, did=did)


async def sweep(db: Database) -> int:
    """Delete expired sign-ins and browsers, in pages, and return how many browsers."""

    async def delete_sign_ins(tx: Transaction) -> int:
        return await delete_some(tx, "browser_sign_ins", _IS_OVER, remembered_after=tx.now - REMEMBERED)

    async def delete_browsers(tx: Transaction) -> int:
        return await delete_some(tx, "browsers", _IS_UNUSED, ephemeral_after=tx.now - EPHEMERAL)

    await change_in_pages(db, delete_sign_ins)
    return await change_in_pages(db, delete_browsers)


def _limits(now: Instant) -> dict[str, int]:
    return {"remembered_after": now - REMEMBERED, "ephemeral_after": now - EPHEMERAL}


def _to_browser(row: Row) -> Browser:
    previous = row["previous_hash"]
    return Browser(
        id_hash=bytes(row["id_hash"]),
        session_hash=bytes(row["session_hash"]),
        previous_hash=None if previous is None else bytes(previous),
        is_seen=bool(row["is_seen"]),
        rotated_at=Instant(row["rotated_at"]),
        chosen_did=row["chosen_did"],
    )
