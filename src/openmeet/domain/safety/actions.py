"""Report, block and mute, with their consequences for RSVPs, messages and lists."""

from typing import Final

from groundwork.clock import DAY, Instant
from groundwork.database.row_lock import take_turn, wait_for_lockers
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import NotFound, Refused
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job, enqueue_again
from groundwork.outbox.second_run import enqueue_second_run
from groundwork.rate_limit.contract import Limit
from openmeet.domain.attendance import reevaluation
from openmeet.domain.events.model import EventId
from openmeet.domain.groups import membership_queries
from openmeet.domain.moderation import blocks, model, reports
from openmeet.domain.moderation.model import AbuseReport, ModeratedKind, ReportReason, Subject
from openmeet.domain.profiles import queries as profile_queries
from openmeet.domain.safety import subjects
from openmeet.domain.safety.subjects import ReportedSubject, SafetyReason
from openmeet.domain.series import follower_queries
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.model import Caller, UserId
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.catalogue import current
from openmeet.outbox.emails import enqueue_email
from openmeet.outbox.kinds import JobKind

# High enough for several people behind one connection, and too low for a script that fills the moderators' queue.
VISITOR_REPORTS: Final = Limit("visitor_reports", 5, 3600)
# Reports per address and day, whoever makes them.
REPORTS_PER_ADDRESS: Final = 3
# Entries of a list of blocks that are read at once.
BLOCKS_READ_AT_ONCE: Final = 500
# Tables of what people follow and answer.
_LOCKED_BY_PARTICIPANTS: Final = ("groups", "event_series", "events")


async def report(
    tx: Transaction, caller: Caller, kind: ModeratedKind, address: str, reason: ReportReason, comment: str
) -> AbuseReport:
    """File a report to the moderators. A repetition updates the open report. Raises NotFound, Refused (``OwnThing``)."""
    reported = await subjects.by_address(tx, kind, address, caller.user_id)
    if reported.owner == caller.user_id:
        raise Refused(SafetyReason.OWN_CONTENT, name="OwnThing")
    return await reports.file(tx, caller.user_id, reported.subject, reason, comment)


async def report_as_visitor(
    tx: Transaction, kind: ModeratedKind, address: str, reason: ReportReason, comment: str, email: str
) -> AbuseReport:
    """File the report of somebody without an account. If ``email`` is not empty, e-mail a receipt there now, and later
    the decision. ``email`` must have passed ``sign_in.model.check_email``.

    Anybody can enter the address of somebody else. So these e-mails contain nothing that the reporter or the host wrote,
    and their number is limited per address. Further reports are filed without the address. They are not refused, because
    that would tell anybody who tries an address whether somebody reports things with it. Raises NotFound.
    """
    reported = await subjects.by_address(tx, kind, address, None)
    made = await reports.file(tx, None, reported.subject, reason, comment)
    if email and await _takes_email(tx, email):
        await reports.put_address(tx, made.id, email, current().tag)
        await enqueue_email(tx, kind=reports.REPORT_RECEIVED_MAIL, person=made.id, subject_id=made.id)
    return made


async def _takes_email(tx: Transaction, email: str) -> bool:
    """Whether the limit per address allows another e-mail about a report. False also while another report takes one."""
    if not await take_turn(tx, f"report e-mail {email}"):
        return False
    return await reports.count_with_address(tx, email, Instant(tx.now - DAY)) < REPORTS_PER_ADDRESS


async def block(tx: Transaction, caller: Caller, other: UserId) -> bool:
    """Block a user: their RSVPs to the caller's upcoming events end, the two no longer follow each other, and the user can
    no longer see the caller's non-public content.

    A job ends the rest of the RSVPs if there are many, and what the user was saving at this moment. They stay in the
    caller's groups until they are removed from them. False if already blocked. Raises NotFound, Refused (``Oneself``).
    """
    if other == caller.user_id:
        raise Refused(SafetyReason.CANNOT_BLOCK_ONESELF, name="Oneself")
    if await user_queries.by_id(tx, other) is None:
        raise NotFound(GeneralReason.NO_SUCH_PERSON)
    is_known = await subjects.may_know(tx, caller.user_id, other)
    if not await blocks.block(tx, caller.user_id, other, is_known=is_known):
        return False
    await _end_participation(tx, caller.user_id, other)
    await enqueue_again(tx, JobKind.APPLY_BLOCKS, [caller.user_id])
    # From now on, neither of them may follow the other.
    await profile_queries.drop_follower(tx, other, caller.user_id)
    await profile_queries.drop_follower(tx, caller.user_id, other)
    return True


def apply_blocks_handler(db: Database) -> JobHandler:
    """Return the handler of ``JobKind.APPLY_BLOCKS``: people whom the host has blocked lose their place at the host's
    upcoming events. The subject of the job is the host. Idempotent.

    Somebody who answers or follows something holds its lock while they check for a block. Those who did not see the
    block yet are waited for, so that what they saved ends, too. A host can have very many events, so their locks are not
    taken for that. The second run applies blocks that were being stored while the host took over the events.
    """

    async def handle(job: Job) -> None:
        host, after = UserId(job.subject), ""
        for table in _LOCKED_BY_PARTICIPANTS:
            await wait_for_lockers(db, table)
        while page := await _blocked_after(db, host, after):
            for other in (one for one, takes_part in page if takes_part):
                await _end_all_participation(db, host, other)
            after = page[-1][0]
        async with db.transaction() as tx:
            await enqueue_second_run(tx, job)

    return handle


# Most people whom a host has blocked take part in nothing of theirs, and need no transaction.
_BLOCKED = f"""
    select b.blocked_id,
           case when {reevaluation.has_rsvp_to_sql("b.user_id", "b.blocked_id")}
                  or {follower_queries.takes_part_in_series_of("b.user_id", "b.blocked_id")}
                  or {membership_queries.follows_group_of("b.user_id", "b.blocked_id")}
                then 1 else 0 end as takes_part
      from user_blocks b where b.user_id = :host and b.blocked_id > :after order by b.blocked_id limit :limit
"""


async def _blocked_after(db: Database, host: UserId, after: str) -> list[tuple[UserId, bool]]:
    """The next people whom this host has blocked, in order of their ids, and whether they take part in anything of the
    host's that a block ends.
    """
    async with db.reader() as reader:
        rows = await reader.fetch(_BLOCKED, host=host, after=after, limit=BLOCKS_READ_AT_ONCE, now=reader.now)
    return [(UserId(row["blocked_id"]), bool(row["takes_part"])) for row in rows]


async def _end_all_participation(db: Database, host: UserId, other: UserId) -> None:
    """``_end_participation``, in short transactions, because others may be waiting for the locks of these events."""
    last: EventId | None = None
    while True:
        async with db.transaction() as tx:
            if not await blocks.has_blocked(tx, host, other):
                return
            last = await _end_participation(tx, host, other, after=last)
        if last is None:
            return


async def _end_participation(
    tx: Transaction, host: UserId, other: UserId, *, after: EventId | None = None
) -> EventId | None:
    """End what a blocked person takes part in: the host's series, groups that they only follow, and the next upcoming
    events after ``after``. Return the last one if there may be more.
    """
    await follower_queries.leave_series_of_host(tx, host, other)
    await membership_queries.end_following_of_host(tx, host, other)
    return await reevaluation.end_rsvps_to_host(tx, other, host, after=after)


async def unblock(tx: Transaction, caller: Caller, other: UserId) -> None:
    """Unblock a user, who may then RSVP again. Ended RSVPs are not restored. Raises NotFound."""
    if not await blocks.unblock(tx, caller.user_id, other):
        raise NotFound(SafetyReason.NOT_BLOCKED)


async def mute(tx: Transaction, caller: Caller, subject: Subject) -> ReportedSubject:
    """Mute a user or a group. Raises NotFound, Refused (``NotMutable``, ``Oneself``)."""
    model.require_kind_to_mute(subject)
    if subject.id == caller.user_id:
        raise Refused(SafetyReason.CANNOT_MUTE_ONESELF, name="Oneself")
    reported = (await subjects.described(tx, [subject]))[subject.id]
    is_known = subject.kind is not ModeratedKind.PERSON or await subjects.may_know(
        tx, caller.user_id, UserId(subject.id)
    )
    if not reported.is_there:
        raise NotFound(SafetyReason.NO_SUCH_PERSON_OR_GROUP)
    if subject.kind is ModeratedKind.GROUP:
        # A hidden group gives the same error as one that does not exist.
        await subjects.by_address(tx, ModeratedKind.GROUP, reported.path.rpartition("/")[2], caller.user_id)
    await blocks.mute(tx, caller.user_id, subject, is_known=is_known)
    return reported


async def unmute(tx: Transaction, caller: Caller, subject: Subject) -> None:
    """Unmute a user or a group. Raises NotFound."""
    if not await blocks.unmute(tx, caller.user_id, subject.id):
        raise NotFound(SafetyReason.NOT_MUTED)
