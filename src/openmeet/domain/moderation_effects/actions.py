"""Moderators' actions with their consequences: notify owners, free capacity, enqueue records for review."""

from collections.abc import Mapping, Sequence
from typing import Final

from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import NotFound, Reason
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job, enqueue_again
from groundwork.outbox.second_run import enqueue_second_run
from openmeet.domain.attendance import group_hosting, reevaluation
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import EventId
from openmeet.domain.events.publication import notify_webhooks
from openmeet.domain.groups import membership_queries
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups.model import GroupId
from openmeet.domain.groups.rules import GroupPermission, roles_with
from openmeet.domain.moderation import actions, model
from openmeet.domain.moderation.actions import StatusChange
from openmeet.domain.moderation.model import ModeratedKind, ModerationActionId, Subject, SubjectVisibility
from openmeet.domain.notifications import event_kinds, group_kinds
from openmeet.domain.notifications.model import ModerationPayload
from openmeet.domain.notifications.notify import Notice, notify
from openmeet.domain.safety import subjects
from openmeet.domain.series import date_queries
from openmeet.domain.series.model import SeriesId
from openmeet.domain.users.model import Caller, UserId
from openmeet.outbox import bulk_changes, publication_rechecks, publications
from openmeet.outbox.bulk_changes import BulkChange, making_due
from openmeet.outbox.kinds import JobKind


class ModerationEffectsReason(Reason):
    """Why a moderator’s decision cannot be carried out. The messages are in ``i18n/reasons/site.py``."""

    NO_SUCH_SUBJECT = "moderation_effects.no_such_subject"


# The status that each decision sets, by the decision's name in forms and in the API.
DECISIONS: Final[Mapping[str, SubjectVisibility]] = {
    "hide": SubjectVisibility.HIDDEN,
    "show": SubjectVisibility.SHOWN,
    "trust": SubjectVisibility.TRUSTED,
}

# Maximum number of newcomers to decide about per transaction.
AT_ONCE = 200

DATES_OF_SERIES: Final = BulkChange(
    "dates_of_series",
    "select id, id as key from events where series_id {owner}",
    making_due(publications.PublicationKind.EVENT),
)

_WAITING = (SubjectVisibility.FIRST_EVENT, SubjectVisibility.ARRIVAL, SubjectVisibility.BURST)


async def decide(
    tx: Transaction, moderator: Caller, subject: Subject, after: SubjectVisibility, reason: str
) -> StatusChange:
    """Set the subject's status. ``reason`` is shown to its owner. Raises NotFound, Refused, Conflict, InvalidForm."""
    await _require_existing(tx, subject)
    is_told = after is SubjectVisibility.HIDDEN and subject.kind in {
        ModeratedKind.EVENT,
        ModeratedKind.SERIES,
        ModeratedKind.GROUP,
        ModeratedKind.PHOTO,
    }
    status_change = await actions.decide(
        tx, moderator.user_id, subject, after, model.check_reason(reason, is_told=is_told)
    )
    await _apply_effects(tx, [status_change])
    return status_change


async def decide_waiting(
    tx: Transaction, moderator: Caller, after: SubjectVisibility, *, host: str, reason: str
) -> int:
    """Show or block newcomers who wait for a moderator, from one host or from all (empty). Returns the number, at most
    ``AT_ONCE``.
    """
    rows = await tx.fetch(
        """
        select w.subject from moderation_states w left join remote_authors n on n.did = w.subject
         where w.state = 'burst' and w.kind = 'did' and (:host = '' or n.host = :host)
         order by w.since, w.subject limit :limit
        """,
        host=host,
        limit=AT_ONCE,
    )
    waiting = [Subject(ModeratedKind.DID, row["subject"]) for row in rows]
    status_changes = await actions.decide_all(tx, moderator.user_id, waiting, SubjectVisibility.BURST, after, reason)
    await _apply_effects(tx, status_changes)
    return len(status_changes)


async def undo(tx: Transaction, moderator: Caller, action_id: ModerationActionId) -> None:
    """Undo an action and its consequences. Raises NotFound, Refused, Conflict."""
    status_change = await actions.undo(tx, moderator.user_id, action_id, "")
    if status_change is not None:
        await _apply_effects(tx, [status_change])


def blocked_person_handler(db: Database) -> JobHandler:
    """Return the handler of ``JobKind.BLOCKED_PERSON``: the person's RSVPs to upcoming events end. Idempotent.

    Replies hold no lock that moderators could take, so the second run ends those that were saved at the same moment.
    """

    async def handle(job: Job) -> None:
        person = UserId(job.subject)
        async with db.reader() as reader:
            event_ids = await reevaluation.upcoming_events(reader, person)
        # One transaction each, because there can be thousands, and others may be waiting for the locks of these events.
        for event_id in event_ids:
            async with db.transaction() as tx:
                await reevaluation.end_rsvp_of_unwelcome(tx, event_id, person)
        async with db.transaction() as tx:
            await enqueue_second_run(tx, job)

    return handle


async def _require_existing(reader: Reader, subject: Subject) -> None:
    """Raise NotFound if the subject does not exist.

    DIDs and hosts are exempt: moderators can decide about them before any of their content has arrived.
    """
    if subject.kind in {ModeratedKind.DID, ModeratedKind.HOST}:
        return
    if not (await subjects.described(reader, [subject]))[subject.id].is_there:
        raise NotFound(ModerationEffectsReason.NO_SUCH_SUBJECT)


async def _apply_effects(tx: Transaction, status_changes: Sequence[StatusChange]) -> None:
    """Do what follows from these decisions, by what each is about."""
    for status_change in status_changes:
        match status_change.subject.kind:
            case ModeratedKind.EVENT:
                await _notify_host(tx, EventId(status_change.subject.id), status_change)
            case ModeratedKind.SERIES:
                await _notify_host_of_series(tx, status_change)
            case ModeratedKind.PERSON:
                await _apply_to_person(tx, UserId(status_change.subject.id), status_change)
            case ModeratedKind.DID:
                owner = (await subjects.described(tx, [status_change.subject]))[status_change.subject.id].owner
                if owner is not None:
                    await _apply_to_person(tx, owner, status_change)
            case ModeratedKind.GROUP:
                await _notify_group(tx, GroupId(status_change.subject.id), status_change)
            case ModeratedKind.HOST | ModeratedKind.PHOTO:
                # The page of a hidden photo tells the person who added it why.
                continue


async def _apply_to_person(tx: Transaction, person: UserId, status_change: StatusChange) -> None:
    if status_change.after is SubjectVisibility.HIDDEN:
        await enqueue_again(tx, JobKind.BLOCKED_PERSON, [person])
    elif status_change.before is SubjectVisibility.HIDDEN:
        # Their records were not updated while they were hidden.
        await publication_rechecks.make_all_due_of(tx, person)
    if status_change.before is SubjectVisibility.FIRST_EVENT and status_change.after is not SubjectVisibility.HIDDEN:
        await publication_rechecks.make_unpublished_due_of(tx, person)
        row = await tx.fetch_one(
            "select id from events where author_id = :person and visibility = 'public' and is_draft = 0"
            " and deleted_at is null order by created_at desc, id desc limit 1",
            person=person,
        )
        if row is not None:
            await _notify_host(tx, EventId(row["id"]), status_change)


async def _notify_host(tx: Transaction, event_id: EventId, status_change: StatusChange) -> None:
    """Notify the author of the decision and its reason, and subscribers to event changes. If the event is shown, publish
    what became due while it was hidden.
    """
    event = await event_queries.lock_for_update(tx, event_id)
    if event is None or event.is_gone:
        return
    await notify_webhooks(tx, [event])
    if status_change.after is not SubjectVisibility.HIDDEN:
        await publication_rechecks.make_unpublished_due_of(tx, event.author_id)
        # Its record was not updated while it was hidden.
        await publications.make_due(tx, kind=publications.PublicationKind.EVENT, subject_ids=[event.id])
    if status_change.before in _WAITING and status_change.before is not SubjectVisibility.FIRST_EVENT:
        # A held event from the network: nobody on this site was notified that it is held.
        return
    about = ModerationPayload(is_hidden=status_change.after is SubjectVisibility.HIDDEN, reason=status_change.reason)
    to, revision = [event.author_id], int(tx.now)
    await notify(tx, event_kinds.MODERATED, Notice(to, event.id, revision, about, starts_at=event.starts_at))


async def _notify_group(tx: Transaction, group_id: GroupId, status_change: StatusChange) -> None:
    """Notify the group's admins. If the group is shown, publish the records of it, its members and its events that
    became due while it was hidden.
    """
    group = await group_queries.lock(tx, group_id)
    if group is None or group.deleted_at is not None:
        return
    if status_change.after is not SubjectVisibility.HIDDEN:
        await publications.make_due(tx, kind=publications.PublicationKind.GROUP, subject_ids=[group.id])
        await group_hosting.make_records_due(tx, group.id)
    about = ModerationPayload(
        group_id=group.id, is_hidden=status_change.after is SubjectVisibility.HIDDEN, reason=status_change.reason
    )
    running = await membership_queries.ids_in_roles(
        tx, group.id, roles_with(GroupPermission.EDIT_GROUP), only_notified=False
    )
    await notify(tx, group_kinds.GROUP_MODERATED, Notice(running, group.id, int(tx.now), about))


async def _notify_host_of_series(tx: Transaction, status_change: StatusChange) -> None:
    """Notify the author of a series, and update its records if it is shown again. The notification is about its next
    date, because dates have pages.
    """
    if status_change.before is SubjectVisibility.HIDDEN:
        # Its records and those of its dates were not updated while it was hidden.
        series_id = status_change.subject.id
        await publications.make_due(tx, kind=publications.PublicationKind.SERIES, subject_ids=[series_id])
        await bulk_changes.apply(tx, DATES_OF_SERIES, [series_id])
    dates = [one.event for one in await date_queries.stored(tx, SeriesId(status_change.subject.id))]
    coming = [event for event in dates if not event.is_gone and not event.is_over(tx.now)] or dates[-1:]
    if coming:
        await _notify_host(tx, coming[0].id, status_change)
