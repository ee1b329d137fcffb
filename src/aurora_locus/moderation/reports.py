"""Reports about accounts and records, and their processing by operators.

A report is stored as received; notes and decisions are audit log entries that refer to it. An escalated report waits
for an admin: a moderator can escalate it but cannot undo the escalation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from at_protocol.data import json_form
from at_protocol.failures import Malformed
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.did import Did, parse_did
from aurora_locus.accounts.registry import Registry
from aurora_locus.i18n.sentences import gettext_noop, localizable
from aurora_locus.moderation import audit_log
from aurora_locus.moderation.roles import AuditContext, OperatorAction, OperatorRole
from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row, Writer
from groundwork.errors import Forbidden, InvalidInput, NotFound

MAX_TOOL_BYTES = 4_000

_COLUMNS = """
    select id, reported_by, reason_type, reason, subject_did, subject_uri, subject_cid, tool, state, created_at, changed_at
      from reports
"""
_INSERT = """
    insert into reports (reported_by, reason_type, reason, subject_did, subject_uri, subject_cid, tool, state, created_at,
                         changed_at)
    values (:reported_by, :reason_type, :reason, :subject_did, :subject_uri, :subject_cid, :tool, 'open', :now, :now)
    returning id
"""
_FIND = f"{_COLUMNS} where id = :id"
_PAGE = f"{_COLUMNS} where id < :before {{clauses}} order by id desc limit :limit"
_CLAUSES = {"states": "and state in :states", "subject": "and subject_did = :subject"}
_SET_STATE = "update reports set state = :state, changed_at = :now where id = :id"
_COUNTS = "select state, count(*) as n, min(created_at) as oldest from reports group by state"
# Greater than every number.
NEWEST = 2**62


class ReportState(StrEnum):
    """State of a report's processing."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    ESCALATED = "escalated"
    RESOLVED = "resolved"


UNRESOLVED = (ReportState.OPEN, ReportState.ACKNOWLEDGED, ReportState.ESCALATED)


@dataclass(frozen=True, slots=True, kw_only=True)
class PdsReport:
    """A report. ``uri`` and ``cid`` are None if it is about an account as a whole. ``tool`` is the reporting app's
    description of itself, in the JSON form of the data model.
    """

    id: int
    reported_by: Did
    reason_type: str
    reason: str
    did: Did
    uri: str | None
    cid: str | None
    tool: Mapping[str, Any]
    state: ReportState
    created_at: Instant
    changed_at: Instant

    @property
    def subject(self) -> str:
        """The subject in the form used in the audit log."""
        return self.uri or self.did


async def make(registry: Registry, by: Did, report: Mapping[str, Any]) -> PdsReport:
    """Store the input of ``createReport``, which was validated with its Lexicon. Raises InvalidInput.

    The subject may be hosted on any server, because users of this server also see content of other servers.
    """
    did, uri, cid = _subject(report["subject"])
    tool = json_form.encode(report.get("modTool") or {})
    if len(tool) > MAX_TOOL_BYTES:
        raise InvalidInput(
            "modTool",
            localizable("A tool’s description can have up to %(max_tool_bytes)s bytes.", max_tool_bytes=MAX_TOOL_BYTES),
        )
    values = {
        "reported_by": by,
        "reason_type": report["reasonType"],
        "reason": report.get("reason", ""),
        "subject_did": did,
        "subject_uri": uri,
        "subject_cid": cid,
        "tool": tool.decode(),
    }

    def work(w: Writer) -> PdsReport:
        row = w.fetch_one(_INSERT, now=w.now, **values)
        stored_report = None if row is None else w.fetch_one(_FIND, id=row["id"])
        if stored_report is None:
            raise _absent()
        return _report(stored_report)

    return await registry.db.write(work)


async def find(reader: Reader, number: int) -> PdsReport:
    """Find the report with this number. Raises NotFound."""
    row = await reader.fetch_one(_FIND, id=number) if 0 < number < NEWEST else None
    if row is None:
        raise _absent()
    return _report(row)


async def page(
    reader: Reader,
    *,
    states: tuple[ReportState, ...] | None = None,
    subject: Did | None = None,
    before: int = NEWEST,
    limit: int = 50,
) -> list[PdsReport]:
    """Return the newest reports with a number below ``before``, optionally only in these states or about this account
    and its records.
    """
    parameters: dict[str, object] = {}
    if states is not None:
        parameters["states"] = [state.value for state in states]
    if subject is not None:
        parameters["subject"] = subject
    sql = _PAGE.format(clauses=" ".join(_CLAUSES[name] for name in parameters))
    return [_report(row) for row in await reader.fetch(sql, before=before, limit=limit, **parameters)]


async def counts(reader: Reader) -> dict[ReportState, tuple[int, Instant]]:
    """Return the number of reports in each state, and when the oldest was made."""
    return {ReportState(row["state"]): (int(row["n"]), Instant(row["oldest"])) for row in await reader.fetch(_COUNTS)}


async def work_on(registry: Registry, audit: AuditContext, number: int, state: ReportState | None) -> None:
    """Add a note (the reason in ``audit``), and change the state if one is given.

    Raises NotFound, Forbidden, and InvalidInput if there is neither a note nor a change.
    """

    def work(w: Writer) -> None:
        row = w.fetch_one(_FIND, id=number)
        if row is None:
            raise _absent()
        before = ReportState(row["state"])
        after = state or before
        if before is after and not audit.reason.strip():
            raise InvalidInput("note", gettext_noop("Write a note, or choose another status."))
        if before is ReportState.ESCALATED and after is not before and audit.by.role is OperatorRole.MODERATOR:
            raise Forbidden(gettext_noop("An escalated report waits for an admin."))
        audit_with_report = AuditContext(audit.by, audit.reason, number)
        audit_log.append(
            w,
            audit_with_report,
            OperatorAction.WORK_ON_REPORT,
            f"report {number}",
            before={"state": before.value},
            after={"state": after.value},
        )
        w.execute(_SET_STATE, id=number, state=after.value, now=w.now)

    await registry.db.write(work)


def _subject(value: Mapping[str, Any]) -> tuple[Did, str | None, str | None]:
    try:
        match value.get("$type"):
            case "com.atproto.admin.defs#repoRef":
                return parse_did(value["did"]), None, None
            case "com.atproto.repo.strongRef":
                uri = parse_at_uri(value["uri"])
                if uri.collection is None or uri.rkey is None:
                    raise InvalidInput("subject", gettext_noop("Enter one record: at://did/collection/key."))
                return parse_did(uri.authority), value["uri"], value["cid"]
            case other:
                raise InvalidInput(
                    "subject", localizable("You can report accounts and records, not %(other)s.", other=other)
                )
    except Malformed:
        raise InvalidInput("subject", gettext_noop("Use the DID to identify the account or record.")) from None


def _report(row: Row) -> PdsReport:
    return PdsReport(
        id=row["id"],
        reported_by=Did(row["reported_by"]),
        reason_type=row["reason_type"],
        reason=row["reason"],
        did=Did(row["subject_did"]),
        uri=row["subject_uri"],
        cid=row["subject_cid"],
        tool=msgspec.json.decode(row["tool"]),
        state=ReportState(row["state"]),
        created_at=Instant(row["created_at"]),
        changed_at=Instant(row["changed_at"]),
    )


def _absent() -> NotFound:
    return NotFound(gettext_noop("There’s no such report."))
