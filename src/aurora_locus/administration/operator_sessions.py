"""Operator sessions: they last one working day, and end earlier by sign-out, after two idle hours, or when the operator
is disabled.

They are separate from account sessions: signing in to an account does not sign in an operator, nor vice versa. However,
an action that ends the sessions of an operator's account, such as a new password, also ends the operator sessions,
because somebody else may have opened them with the old password.
"""

from base64 import urlsafe_b64encode
from secrets import token_bytes

from groundwork.clock import HOUR
from groundwork.database.transaction import Reader, Writer
from groundwork.token_hash import hash_token

# A working day, and a long lunch break.
LASTS = 12 * HOUR
IDLE = 2 * HOUR
# The time of the last request is stored at most this often.
_NOTED = HOUR // 12

_INSERT = """
    insert into operator_sessions (id_hash, operator, signed_in_at, seen_at)
        values (:id_hash, :operator, :signed_in_at, :now)
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
    """Start a session and return its identifier. Only a hash of it is stored."""
    identifier = urlsafe_b64encode(token_bytes(16)).decode().rstrip("=")
    row = w.fetch_one(_VALID_AFTER, operator=operator)
    # The end of an account's sessions is dated to the end of its second, and this session must not be earlier than
    # that.
    signed_in_at = w.now if row is None else max(w.now, row["tokens_valid_after"])
    w.execute(_INSERT, id_hash=hash_token(identifier), operator=operator, signed_in_at=signed_in_at, now=w.now)
    return identifier


async def find(reader: Reader, identifier: str) -> tuple[str, bool] | None:
    """Return the operator's name, and whether the time of this request should be stored. None if the session has ended."""
    now = reader.now
    row = await reader.fetch_one(
        _FIND, id_hash=hash_token(identifier), signed_in_after=now - LASTS, seen_after=now - IDLE
    )
    return None if row is None else (row["operator"], row["seen_at"] <= now - _NOTED)


def note_seen(w: Writer, identifier: str) -> None:
    """Store the time of the last request."""
    w.execute(_SEEN, id_hash=hash_token(identifier), now=w.now)


def end(w: Writer, identifier: str) -> None:
    """End the session with this identifier."""
    w.execute(_END, id_hash=hash_token(identifier))


def end_all_of(w: Writer, operator: str) -> None:
    """End every session of an operator. Called after a new password, and when the operator is disabled."""
    w.execute(_END_OF, operator=operator)


def sweep(w: Writer) -> int:
    """Delete expired sessions and return how many."""
    return w.execute(_SWEEP, signed_in_after=w.now - LASTS, seen_after=w.now - IDLE)
