"""Operation store: every accepted operation of every identity, in one global order.

An operation is verified and stored in one transaction. If two operations race for the same head, one fails, because the
head moves only from the value that was verified.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from at_protocol.data.cid import Cid
from at_protocol.identity import plc_log, plc_operation
from at_protocol.identity.plc_log import Acceptance, PlcLogEntry
from at_protocol.identity.plc_operation import AnyOperation
from at_protocol.syntax.did import Did
from groundwork.clock import DAY, HOUR, Instant
from groundwork.database.transaction import Database, Reader, Row, Writer
from groundwork.errors import Conflict, Refused

_LOG = "select cid, operation, created_at, nullified from operations where did = :did order by seq"
_ADD_IDENTITY = "insert into identities (did, head) values (:did, :head) on conflict (did) do nothing"
_MOVE_HEAD = "update identities set head = :head where did = :did and head = :expected"
_NEXT = "update sequence set last = last + 1 where id = 1 returning last"
_INSERT = """
    insert into operations (seq, did, cid, operation, created_at) values (:seq, :did, :cid, :operation, :created_at)
"""
_NULLIFY = "update operations set nullified = 1 where did = :did and cid = :cid"
_LAST = "select last from sequence where id = 1"
_BY_SEQ = """
    select seq, did, cid, operation, created_at, nullified from operations where seq > :after order by seq limit :count
"""
_BY_TIME = """
    select seq, did, cid, operation, created_at, nullified
      from operations where created_at > :after order by created_at, seq limit :count
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationLimits:
    """How many operations of one DID are accepted per hour, day and week. 0 means no limit."""

    hourly: int = 10
    daily: int = 30
    weekly: int = 100


@dataclass(frozen=True, slots=True)
class ExportedOperation:
    """One accepted operation, as a line of the export."""

    seq: int
    did: Did
    cid: str
    operation: dict[str, object]
    created_at: Instant
    nullified: bool


def _to_entry(row: Row) -> PlcLogEntry:
    operation = plc_operation.parse_operation(msgspec.json.decode(row["operation"]))
    return PlcLogEntry(operation, Cid.parse(row["cid"]), row["created_at"], bool(row["nullified"]))


async def log_of(reader: Reader, did: Did) -> list[PlcLogEntry]:
    """Return every operation accepted for the DID, including nullified ones. Empty if the DID is not registered."""
    return [_to_entry(row) for row in await reader.fetch(_LOG, did=did)]


async def submit(db: Database, did: Did, operation: AnyOperation, limits: OperationLimits) -> None:
    """Accept an operation. Raises OperationRefused (a rule of did:plc), Refused (too many) or Conflict (lost a race).

    If the newest operation is sent again, it is accepted silently, because the response to its first submission might
    have been lost.
    """
    plc_operation.check_limits(operation)
    await db.write(lambda w: _accept(w, did, operation, limits))


def _accept(w: Writer, did: Did, operation: AnyOperation, limits: OperationLimits) -> None:
    log = [_to_entry(row) for row in w.fetch(_LOG, did=did)]
    head = next((entry.cid for entry in reversed(log) if not entry.nullified), None)
    if head is not None and head == plc_operation.cid_of(operation):
        return
    acceptance = plc_log.accept(log, did, operation, w.now)
    if not acceptance.is_recovery:
        _require_patience(log, w.now, limits)
    _store(w, did, acceptance, head)


def _store(w: Writer, did: Did, acceptance: Acceptance, head: Cid | None) -> None:
    new = str(acceptance.entry.cid)
    if head is None:
        moved = w.execute(_ADD_IDENTITY, did=did, head=new)
    else:
        moved = w.execute(_MOVE_HEAD, did=did, head=new, expected=str(head))
    if moved != 1:
        raise Conflict("Another operation of this DID was accepted first. Read the log and try again.")
    for cid in acceptance.nullified:
        w.execute(_NULLIFY, did=did, cid=str(cid))
    numbered = w.fetch_one(_NEXT)
    assert numbered is not None, "the migrations have run"  # noqa: S101 - a row that the migration inserts
    text = msgspec.json.encode(plc_operation.to_json(acceptance.entry.operation)).decode()
    w.execute(_INSERT, seq=numbered[0], did=did, cid=new, operation=text, created_at=w.now)


def _require_patience(log: Sequence[PlcLogEntry], now: Instant, limits: OperationLimits) -> None:
    for limit, span, word in (
        (limits.hourly, HOUR, "hour"),
        (limits.daily, DAY, "day"),
        (limits.weekly, 7 * DAY, "week"),
    ):
        if limit and sum(entry.created_at > now - span for entry in log) >= limit:
            raise Refused(f"Too many operations of this DID in the last {word} (at most {limit}).")


async def last_number(reader: Reader) -> int:
    """Return the number of the newest operation, or 0 if there is none."""
    row = await reader.fetch_one(_LAST)
    assert row is not None, "the migrations have run"  # noqa: S101 - a row that the migration inserts
    return int(row["last"])


async def export_after_seq(reader: Reader, after: int, count: int) -> list[ExportedOperation]:
    """Return operations with a number above ``after``."""
    return [_to_exported(row) for row in await reader.fetch(_BY_SEQ, after=after, count=count)]


async def export_after_time(reader: Reader, after: Instant, count: int) -> list[ExportedOperation]:
    """Return operations accepted after an instant, for the older export format."""
    return [_to_exported(row) for row in await reader.fetch(_BY_TIME, after=after, count=count)]


def _to_exported(row: Row) -> ExportedOperation:
    return ExportedOperation(
        row["seq"],
        Did(row["did"]),
        row["cid"],
        msgspec.json.decode(row["operation"]),
        Instant(row["created_at"]),
        bool(row["nullified"]),
    )
