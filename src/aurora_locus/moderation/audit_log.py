"""Audit log: for each action the operator, the subject, the reason, and the values before and after. An entry is
written in the action's transaction.

The log is append-only: the database itself refuses to change or delete a row (``migrations``). Entries name accounts by
DID and say *that* an address or a password was changed, but not the value, because secret or private data could never
be removed from this log. Times are stored as in the other tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from aurora_locus.i18n.sentences import localizable
from aurora_locus.moderation.roles import AuditContext, OperatorAction, OperatorRole
from groundwork.clock import Instant
from groundwork.database.expressions import escape_like
from groundwork.database.transaction import Reader, Row, Transaction, Writer
from groundwork.errors import InvalidInput
from groundwork.uuid7 import new_id

# The same limit as for the reason of a report.
MAX_REASON = 20_000

_INSERT = """
    insert into audit_log (id, at, actor, role, action, subject, reason, report_id, before, after)
    values (:id, :at, :actor, :role, :action, :subject, :reason, :report_id, :before, :after)
"""
_PAGE = """
    select id, at, actor, role, action, subject, reason, report_id, before, after from audit_log
     where id < :before_id {clauses}
     order by id desc
     limit :limit
"""
# One condition per filter.
_CLAUSES = {
    "subject": "and (subject = :subject or subject like :below escape '!')",
    "actor": "and actor = :actor",
    "action": "and action = :action",
    "report": "and report_id = :report",
}
# Sorts after every UUID.
NEWEST = "g"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One entry of the audit log. ``before`` and ``after`` are the changed values, by name."""

    id: str
    at: Instant
    actor: str
    role: OperatorRole
    action: OperatorAction
    subject: str
    reason: str
    report: int | None
    before: Mapping[str, Any]
    after: Mapping[str, Any]


def append(
    w: Writer,
    audit: AuditContext,
    act: OperatorAction,
    subject: str,
    *,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    """Log an action in its transaction. Raises Forbidden if the role is not sufficient, InvalidInput if the reason is
    too long. An action that cannot be logged is therefore not done.
    """
    w.execute(_INSERT, **_row(w.now, audit, act, subject, before, after))


async def append_to(
    tx: Transaction,
    audit: AuditContext,
    act: OperatorAction,
    subject: str,
    *,
    after: Mapping[str, object] | None = None,
) -> None:
    """Log an action as ``append`` does, in an interactive transaction."""
    await tx.execute(_INSERT, **_row(tx.now, audit, act, subject, None, after))


def _row(
    now: Instant,
    audit: AuditContext,
    act: OperatorAction,
    subject: str,
    before: Mapping[str, object] | None,
    after: Mapping[str, object] | None,
) -> dict[str, object]:
    audit.by.require(act)
    if len(audit.reason) > MAX_REASON:
        raise InvalidInput(
            "reason", localizable("A reason can have up to %(max_reason)s characters.", max_reason=MAX_REASON)
        )
    return {
        "id": new_id(now),
        "at": now,
        "actor": audit.by.name,
        "role": audit.by.role.value,
        "action": act.value,
        "subject": subject,
        "reason": audit.reason,
        "report_id": audit.report,
        "before": _json(before),
        "after": _json(after),
    }


async def page(
    reader: Reader,
    *,
    subject: str | None = None,
    actor: str | None = None,
    action: str | None = None,
    report: int | None = None,
    before: str = NEWEST,
    limit: int = 50,
) -> list[AuditEntry]:
    """Return the newest entries before the entry with the id ``before``. Entries about an account include those about
    its records.
    """
    filters = {"subject": subject, "actor": actor, "action": action, "report": report}
    used_filters = {name: value for name, value in filters.items() if value is not None}
    if any(isinstance(value, str) and not value.isprintable() for value in used_filters.values()):
        return []
    sql = _PAGE.format(clauses=" ".join(_CLAUSES[name] for name in used_filters))
    if subject is not None:
        used_filters["below"] = f"at://{escape_like(subject)}/%"
    rows = await reader.fetch(sql, before_id=before, limit=limit, **used_filters)
    return [_entry(row) for row in rows]


def _json(value: Mapping[str, object] | None) -> str:
    return msgspec.json.encode(value or {}).decode()


def _entry(row: Row) -> AuditEntry:
    return AuditEntry(
        id=row["id"],
        at=Instant(row["at"]),
        actor=row["actor"],
        role=OperatorRole(row["role"]),
        action=OperatorAction(row["action"]),
        subject=row["subject"],
        reason=row["reason"],
        report=row["report_id"],
        before=msgspec.json.decode(row["before"]),
        after=msgspec.json.decode(row["after"]),
    )
