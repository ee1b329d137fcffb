"""The audit log: one line per action, written in the action's transaction. Database triggers refuse to change or remove
lines.

User ids are stored without foreign keys, so that merging or deleting users leaves the log unchanged.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.uuid7 import new_id
from openmeet.domain.moderation.model import LogEntry, ModeratedKind, ModerationAction, ModerationActionId, Subject
from openmeet.domain.users.model import UserId

_COLUMNS = "id, at, actor_id, act, kind, subject, before_state, after_state, reason, undoes"


@dataclass(frozen=True, slots=True)
class NewLogEntry:
    """A log line to be written."""

    act: ModerationAction
    subject: Subject
    before: str = ""
    after: str = ""
    reason: str = ""
    undoes: ModerationActionId | None = None


async def add(tx: Transaction, actor_id: UserId | None, lines: Sequence[NewLogEntry]) -> list[ModerationActionId]:
    """Append lines. Raises UniqueViolated if one of them undoes an action that was already undone."""
    rows = [
        {
            "id": new_id(tx.now),
            "at": tx.now,
            "actor_id": actor_id,
            "act": line.act.value,
            "kind": line.subject.kind.value,
            "subject": line.subject.id,
            "before": line.before,
            "after": line.after,
            "reason": line.reason,
            "undoes": line.undoes,
        }
        for line in lines
    ]
    await tx.execute_many(
        f"insert into moderation_log ({_COLUMNS}) values"
        " (:id, :at, :actor_id, :act, :kind, :subject, :before, :after, :reason, :undoes)",
        rows,
    )
    return [ModerationActionId(str(row["id"])) for row in rows]


async def find(reader: Reader, action_id: ModerationActionId) -> LogEntry | None:
    row = await reader.fetch_one(f"select {_COLUMNS} from moderation_log where id = :id", id=action_id)
    return _entry(row) if row else None


async def newest(
    reader: Reader, *, subject: str | None = None, before: tuple[Instant, str] | None = None, limit: int
) -> list[LogEntry]:
    """Return lines, newest first, optionally only those about one subject."""
    clauses = ["1 = 1"]
    values: dict[str, object] = {"limit": limit}
    if subject is not None:
        clauses.append("subject = :subject")
        values["subject"] = subject
    if before is not None:
        clauses.append("(at, id) < (:before_at, :before_id)")
        values |= {"before_at": before[0], "before_id": before[1]}
    rows = await reader.fetch(
        f"select {_COLUMNS} from moderation_log where {' and '.join(clauses)} order by at desc, id desc limit :limit",
        **values,
    )
    return [_entry(row) for row in rows]


async def undone_among(reader: Reader, action_ids: Sequence[ModerationActionId]) -> set[ModerationActionId]:
    """Return the given moderation actions that were undone."""
    if not action_ids:
        return set()
    rows = await reader.fetch(
        "select undoes from moderation_log where undoes in :ids order by undoes", ids=list(action_ids)
    )
    return {ModerationActionId(row["undoes"]) for row in rows}


def _entry(row: Row) -> LogEntry:
    return LogEntry(
        id=ModerationActionId(row["id"]),
        at=Instant(row["at"]),
        actor_id=None if row["actor_id"] is None else UserId(row["actor_id"]),
        act=ModerationAction(row["act"]),
        subject=Subject(ModeratedKind(row["kind"]), row["subject"]),
        before=row["before_state"],
        after=row["after_state"],
        reason=row["reason"],
        undoes=None if row["undoes"] is None else ModerationActionId(row["undoes"]),
    )
