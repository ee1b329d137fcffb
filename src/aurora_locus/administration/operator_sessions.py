"""Sessions of operators: for a working day, ended by signing out, by two idle hours, or with the operator.

They are apart from people's sessions: who is signed in to an account is not thereby an operator, and the other way round. But
what ends the sessions of an operator's account, as a new password does, ends these: somebody else may have begun them with it.
"""

from base64 import urlsafe_b64encode
from hashlib import sha256
from secrets import token_bytes

from groundwork.clock import HOUR
from groundwork.database.transaction import Reader, Writer

# A working day, and a long lunch.
LASTS = 12 * HOUR
IDLE = 2 * HOUR
# How often the time of the last page is written down.
_NOTED = HOUR // 12

_INSERT = """
    insert into operator_sessions (id_hash, operator, signed_in_at, seen_at) values (:id_hash, :operator, :signed_in_at, :now)
"""
_FIND = """
    select s.operator, s.seen_at from operator_sessions s
     where s.id_hash = :id_hash and s.signed_in_at > :signed_in_after and s.seen_at > :seen_after
       and not exists (select 1 from operators o join accounts a on a.did = o.did
                        where o.name = s.operator and a.tokens_valid_after > s.signed_in_at)
"""
_VALID_AFTER = """
    select a.tokens_valid_after from operators o join accounts a on a.did = o.did where o.name = :operator
"""
_SEEN = "update operator_sessions set seen_at = :now where id_hash = :id_hash"
_END = "delete from operator_sessions where id_hash = :id_hash"
_END_OF = "delete from operator_sessions where operator = :operator"
_SWEEP = "delete from operator_sessions where signed_in_at <= :signed_in_after or seen_at <= :seen_after"


def begin(w: Writer, operator: str) -> str:
    """A new session; its identifier, of which only a hash is kept."""
    identifier = urlsafe_b64encode(token_bytes(16)).decode().rstrip("=")
    row = w.fetch_one(_VALID_AFTER, operator=operator)
    # What ended an account's sessions is dated to the end of its second: this came after it.
    signed_in_at = w.now if row is None else max(w.now, row["tokens_valid_after"])
    w.execute(_INSERT, id_hash=_hash(identifier), operator=operator, signed_in_at=signed_in_at, now=w.now)
    return identifier


async def find(reader: Reader, identifier: str) -> tuple[str, bool] | None:
    """The operator's name, and whether the session's last page is to be noted; None for a session that is over."""
    now = reader.now
    row = await reader.fetch_one(_FIND, id_hash=_hash(identifier), signed_in_after=now - LASTS, seen_after=now - IDLE)
    return None if row is None else (row["operator"], row["seen_at"] <= now - _NOTED)


def note_seen(w: Writer, identifier: str) -> None:
    """A page was opened."""
    w.execute(_SEEN, id_hash=_hash(identifier), now=w.now)


def end(w: Writer, identifier: str) -> None:
    """Sign out."""
    w.execute(_END, id_hash=_hash(identifier))


def end_all_of(w: Writer, operator: str) -> None:
    """Every session of an operator: whose password was changed, or who is not one any more."""
    w.execute(_END_OF, operator=operator)


def sweep(w: Writer) -> int:
    """Forget what is over; how many."""
    return w.execute(_SWEEP, signed_in_after=w.now - LASTS, seen_after=w.now - IDLE)


def _hash(identifier: str) -> bytes:
    return sha256(identifier.encode()).digest()
