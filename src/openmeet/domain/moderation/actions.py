"""Moderators' actions on one subject, each with its line in the audit log, and undoing them.

``moderation_effects.actions`` applies the consequences in other packages: notifications, freed capacity, records to
publish.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Transaction, UniqueViolated
from groundwork.errors import Conflict, NotFound, Refused
from openmeet.domain.moderation import audit_log, model, policy, reports, visibility
from openmeet.domain.moderation.audit_log import NewLogEntry
from openmeet.domain.moderation.model import (
    LogEntry,
    ModeratedKind,
    ModerationAction,
    ModerationActionId,
    ModerationReason,
    ReportOutcome,
    Subject,
    SubjectVisibility,
)
from openmeet.domain.users.model import UserId
from openmeet.outbox.emails import enqueue_emails

# Actions that ``undo`` does not accept: appointing and dismissing moderators has its own form and command.
_NOT_HERE: Final = {ModerationAction.NAME, ModerationAction.UNNAME}


# Visitors get the decision after this time, because a moderator may undo it.
_UNDO_TIME: Final = 10 * MINUTE


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A change of a subject's status. ``reason`` is shown to the subject's owner."""

    action_id: ModerationActionId
    subject: Subject
    before: SubjectVisibility
    after: SubjectVisibility
    reason: str


async def decide(
    tx: Transaction,
    actor_id: UserId | None,
    subject: Subject,
    after: SubjectVisibility,
    reason: str,
    *,
    undoes: ModerationActionId | None = None,
) -> StatusChange:
    """Set the subject's status and close its reports. Raises Refused (``NothingToDo``), Conflict."""
    status = await visibility.status_of(tx, subject.id)
    before = status.state if status else SubjectVisibility.SHOWN
    model.require_possible(subject, before, after)
    if not await visibility.change(tx, subject, before, after, reason=reason, by=actor_id):
        raise Conflict(ModerationReason.DECIDED_MEANWHILE)
    act = model.action_of(subject, before, after)
    (action_id,) = await audit_log.add(
        tx, actor_id, [NewLogEntry(act, subject, before.value, after.value, reason, undoes)]
    )
    if after is SubjectVisibility.HIDDEN:
        await _close_reports(tx, subject, ReportOutcome.ACTED, action_id)
    return StatusChange(action_id, subject, before, after, reason)


async def decide_all(
    tx: Transaction,
    actor_id: UserId,
    subjects: Sequence[Subject],
    before: SubjectVisibility,
    after: SubjectVisibility,
    reason: str,
) -> list[StatusChange]:
    """Like ``decide``, for many subjects with this status. Subjects with another status are skipped."""
    steps: list[StatusChange] = []
    for subject in subjects:
        if await visibility.change(tx, subject, before, after, reason=reason, by=actor_id):
            act = model.action_of(subject, before, after)
            (action_id,) = await audit_log.add(
                tx, actor_id, [NewLogEntry(act, subject, before.value, after.value, reason)]
            )
            steps.append(StatusChange(action_id, subject, before, after, reason))
    return steps


async def dismiss(tx: Transaction, actor_id: UserId, subject: Subject, reason: str) -> ModerationActionId:
    """Close the reports about a subject without taking action. Raises Refused (``NothingToDo``)."""
    (action_id,) = await audit_log.add(
        tx, actor_id, [NewLogEntry(ModerationAction.DISMISS, subject, "reported", "", reason)]
    )
    if not await _close_reports(tx, subject, ReportOutcome.DISMISSED, action_id):
        raise Refused(ModerationReason.NOTHING_REPORTED, name="NothingToDo")
    return action_id


async def _close_reports(
    tx: Transaction, subject: Subject, outcome: ReportOutcome, action_id: ModerationActionId
) -> int:
    """Close the reports about a subject and e-mail the decision to visitors. Returns the number closed."""
    number = await reports.close(tx, subject.id, outcome, action_id)
    closed = await reports.closed_with_address(tx, action_id)
    due_at = Instant(tx.now + _UNDO_TIME)
    await enqueue_emails(
        tx, reports.REPORT_DECIDED_MAIL, [(report_id, report_id, due_at) for report_id in closed], renews=True
    )
    return number


async def undo(tx: Transaction, actor_id: UserId, action_id: ModerationActionId, reason: str) -> StatusChange | None:
    """Undo an action: restore the status before it and reopen the reports that it closed. None if the status does not
    change.

    Raises NotFound, Refused (``UndoneAlready``, ``NothingToDo``) and Conflict (another decision was made since).
    """
    entry = await audit_log.find(tx, action_id)
    if entry is None or entry.act in _NOT_HERE:
        raise NotFound(ModerationReason.NO_SUCH_ACTION)
    if action_id in await audit_log.undone_among(tx, [action_id]):
        raise Refused(ModerationReason.ALREADY_UNDONE, name="UndoneAlready")
    try:
        return await _undo(tx, actor_id, entry, reason)
    except UniqueViolated as twice:
        raise Refused(ModerationReason.ALREADY_UNDONE, name="UndoneAlready") from twice


async def _undo(tx: Transaction, actor_id: UserId, entry: LogEntry, reason: str) -> StatusChange | None:
    if entry.act is ModerationAction.CHANGE_POLICY:
        if entry.after != policy.encode(await policy.current(tx)):
            raise Conflict(ModerationReason.CHANGED_SINCE)
        await policy.change(tx, policy.decode(entry.before), by=actor_id, undoes=entry.id)
        return None
    if entry.act in {ModerationAction.DISMISS, ModerationAction.REOPEN}:
        back = ModerationAction.REOPEN if entry.act is ModerationAction.DISMISS else ModerationAction.DISMISS
        (back_id,) = await audit_log.add(
            tx, actor_id, [NewLogEntry(back, entry.subject, entry.after, entry.before, reason, entry.id)]
        )
        if back is ModerationAction.REOPEN:
            await reports.reopen(tx, entry.id)
        else:
            await _close_reports(tx, entry.subject, ReportOutcome.DISMISSED, back_id)
        return None
    status = await visibility.status_of(tx, entry.subject.id)
    if (status.state if status else SubjectVisibility.SHOWN) is not SubjectVisibility(entry.after):
        raise Conflict(ModerationReason.DECIDED_SINCE)
    step = await decide(tx, actor_id, entry.subject, SubjectVisibility(entry.before), reason, undoes=entry.id)
    await reports.reopen(tx, entry.id)
    return step


async def hold_first_event(tx: Transaction, person: UserId) -> None:
    """Hold a new account's public events for a moderator. Does nothing if the account already has a status."""
    subject = Subject(ModeratedKind.PERSON, person)
    if await visibility.status_of(tx, person) is None:
        await visibility.hold(tx, [subject], SubjectVisibility.FIRST_EVENT)
        await audit_log.add(
            tx,
            None,
            [
                NewLogEntry(
                    ModerationAction.HOLD, subject, SubjectVisibility.SHOWN.value, SubjectVisibility.FIRST_EVENT.value
                )
            ],
        )
