"""SQL of reports. A user has at most one open report about a subject, which a constraint enforces.

Visitors without an account can make any number. They can leave an address, to which the decision is sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.clock import DAY, Instant
from groundwork.database.pages import change_in_pages, delete_some
from groundwork.database.transaction import Database, Reader, Row, Transaction
from groundwork.uuid7 import new_id
from openmeet.domain.moderation.model import (
    AbuseReport,
    ModeratedKind,
    ModerationActionId,
    ReportId,
    ReportOutcome,
    ReportReason,
    Subject,
)
from openmeet.domain.paging import Page
from openmeet.domain.users.model import UserId

_COLUMNS = "id, reporter_id, kind, subject, reason, comment, created_at, closed_at, outcome"


# Reports about one subject that moderators see at once. They do not need more for a decision.
MAX_SHOWN: Final = 20

# After a decision: long enough for a moderator to undo it and make another one. A report that nobody decides about for a
# year will hardly be decided at all.
ADDRESS_KEPT: Final = 30 * DAY
UNDECIDED_ADDRESS_KEPT: Final = 365 * DAY
# After a decision: long enough to notice that the same thing is reported again and again. Nobody else can have the report
# of a visitor deleted, because nobody knows whose it is.
VISITORS_REPORT_KEPT: Final = 365 * DAY

# Kinds of the e-mails to a visitor. The recipient and the subject of these jobs are the report.
REPORT_RECEIVED_MAIL: Final = "report_received"
REPORT_DECIDED_MAIL: Final = "report_decided"


@dataclass(frozen=True, slots=True)
class ReportAddress:
    """Where a visitor gets the decision about their report. ``language``: that of the page on which they reported."""

    report: AbuseReport
    email: str
    language: str


@dataclass(frozen=True, slots=True)
class OpenReports:
    """A subject with open reports: how many there are, and when the first was filed."""

    subject: Subject
    number: int
    since: Instant


async def file(
    tx: Transaction, reporter_id: UserId | None, subject: Subject, reason: ReportReason, comment: str
) -> AbuseReport:
    """File a report. If the user already has an open one about the subject, update it."""
    row = await tx.fetch_one(
        f"""
        insert into reports ({_COLUMNS}, closed_by_act)
        values (:id, :reporter_id, :kind, :subject, :reason, :comment, :now, null, null, null)
            on conflict (reporter_id, kind, subject) where closed_at is null
            do update set reason = excluded.reason, comment = excluded.comment
        returning {_COLUMNS}
        """,
        id=new_id(tx.now),
        reporter_id=reporter_id,
        kind=subject.kind.value,
        subject=subject.id,
        reason=reason.value,
        comment=comment,
        now=tx.now,
    )
    assert row is not None  # noqa: S101  # an upsert always returns a row
    return _report(row)


async def reported_subjects(reader: Reader, *, after: tuple[Instant, str] | None, limit: int) -> list[OpenReports]:
    """Subjects with open reports, the longest-waiting first. ``after``: ``since`` and the subject's id of the last one on
    the previous page.
    """
    clause = "" if after is None else "having (min(created_at), subject) > (:after_since, :after_subject)"
    values: dict[str, object] = {} if after is None else {"after_since": after[0], "after_subject": after[1]}
    rows = await reader.fetch(
        f"""
        select kind, subject, count(*) as number, min(created_at) as since from reports
         where closed_at is null group by kind, subject {clause} order by 4, 2 limit :limit
        """,
        limit=limit,
        **values,
    )
    return [
        OpenReports(Subject(ModeratedKind(row["kind"]), row["subject"]), int(row["number"]), row["since"])
        for row in rows
    ]


async def open_about(reader: Reader, subjects: Sequence[str], limit: int = MAX_SHOWN) -> list[AbuseReport]:
    """Open reports about these subjects, oldest first: up to ``limit`` about each.

    Those of visitors are left out first, because a single one can make any number.
    """
    if not subjects:
        return []
    rows = await reader.fetch(
        f"""
        select {_COLUMNS} from (
               select {_COLUMNS}, row_number() over (
                      partition by subject order by case when reporter_id is null then 1 else 0 end, created_at, id
                      ) as place
                 from reports where closed_at is null and subject in :subjects) as placed
         where place <= :limit order by created_at, id
        """,
        subjects=list(subjects),
        limit=limit,
    )
    return [_report(row) for row in rows]


async def of_person(reader: Reader, reporter_id: UserId, page: Page) -> list[AbuseReport]:
    """A user's reports, newest first."""
    rows = await reader.fetch(
        f"select {_COLUMNS} from reports where reporter_id = :reporter_id{page.clause('created_at', 'id')}",
        reporter_id=reporter_id,
        **page.values,
    )
    return [_report(row) for row in rows]


async def open_by(reader: Reader, reporter_id: UserId, subject: str) -> AbuseReport | None:
    """The user's open report about a subject."""
    row = await reader.fetch_one(
        f"select {_COLUMNS} from reports where reporter_id = :reporter_id and subject = :subject and closed_at is null",
        reporter_id=reporter_id,
        subject=subject,
    )
    return _report(row) if row else None


async def close(tx: Transaction, subject: str, outcome: ReportOutcome, action_id: ModerationActionId) -> int:
    """Close the open reports about a subject with a reference to this action. Returns the number closed."""
    return await tx.execute(
        "update reports set closed_at = :now, outcome = :outcome, closed_by_act = :action_id"
        " where subject = :subject and closed_at is null",
        now=tx.now,
        outcome=outcome.value,
        action_id=action_id,
        subject=subject,
    )


async def reopen(tx: Transaction, action_id: ModerationActionId) -> int:
    """Reopen the reports that this action closed, unless the reporter has filed again. Returns the number reopened."""
    return await tx.execute(
        """
        update reports set closed_at = null, outcome = null, closed_by_act = null
         where closed_by_act = :action_id and not exists (
               select 1 from reports o where o.reporter_id = reports.reporter_id and o.kind = reports.kind
                  and o.subject = reports.subject and o.closed_at is null)
        """,
        action_id=action_id,
    )


async def put_address(tx: Transaction, report_id: ReportId, email: str, language: str) -> None:
    """Store where to send the decision about a visitor's report. ``language``: see ``ReportAddress``."""
    await tx.execute(
        "insert into report_addresses (report_id, email, language, created_at) values (:id, :email, :language, :now)",
        id=report_id,
        email=email,
        language=language,
        now=tx.now,
    )


async def address_of(reader: Reader, report_id: ReportId) -> ReportAddress | None:
    """The address for a report; None if the visitor left none, or it was deleted."""
    row = await reader.fetch_one(
        f"select {_COLUMNS}, (select email from report_addresses where report_id = id) as email,"
        " (select language from report_addresses where report_id = id) as language from reports where id = :id",
        id=report_id,
    )
    return None if row is None or row["email"] is None else ReportAddress(_report(row), row["email"], row["language"])


async def closed_with_address(reader: Reader, action_id: ModerationActionId) -> list[ReportId]:
    """The reports that this action closed and whose reporters left an address."""
    rows = await reader.fetch(
        "select r.id from reports r join report_addresses a on a.report_id = r.id where r.closed_by_act = :action_id",
        action_id=action_id,
    )
    return [ReportId(row["id"]) for row in rows]


async def count_with_address(reader: Reader, email: str, since: Instant) -> int:
    """How many reports were made with this address since this instant."""
    row = await reader.fetch_one(
        "select count(*) as number from report_addresses where email = :email and created_at > :since",
        email=email,
        since=since,
    )
    return int(row["number"]) if row else 0


async def forget_visitors(db: Database) -> int:
    """Delete the addresses of reports that were decided 30 days ago or made a year ago, and visitors' reports that were
    decided a year ago. Returns the number of rows deleted.
    """

    async def delete(tx: Transaction) -> int:
        addresses = await delete_some(
            tx,
            "report_addresses",
            "created_at <= :made_before or report_id in (select id from reports where closed_at <= :decided_before)",
            made_before=Instant(tx.now - UNDECIDED_ADDRESS_KEPT),
            decided_before=Instant(tx.now - ADDRESS_KEPT),
        )
        return addresses + await delete_some(
            tx,
            "reports",
            "reporter_id is null and closed_at <= :decided_before",
            decided_before=Instant(tx.now - VISITORS_REPORT_KEPT),
        )

    return await change_in_pages(db, delete)


async def count_open(reader: Reader) -> int:
    """Number of subjects with open reports."""
    row = await reader.fetch_one("select count(distinct subject) as number from reports where closed_at is null")
    return int(row["number"]) if row else 0


def _report(row: Row) -> AbuseReport:
    return AbuseReport(
        id=ReportId(row["id"]),
        reporter_id=None if row["reporter_id"] is None else UserId(row["reporter_id"]),
        subject=Subject(ModeratedKind(row["kind"]), row["subject"]),
        reason=ReportReason(row["reason"]),
        comment=row["comment"],
        created_at=Instant(row["created_at"]),
        closed_at=row["closed_at"],
        outcome=None if row["outcome"] is None else ReportOutcome(row["outcome"]),
    )
