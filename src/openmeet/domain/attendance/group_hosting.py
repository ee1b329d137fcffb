"""Group administration with its effect on the group's events and their RSVPs."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Final

from groundwork.database.pages import last_key, run_in_pages
from groundwork.database.row_lock import lock_rows
from groundwork.database.transaction import Database, Transaction
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job, enqueue_again
from openmeet.domain.attendance import reevaluation
from openmeet.domain.attendance.event_changes import make_rsvp_records_due
from openmeet.domain.events import ownership, record_changes
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.group_of_event import as_group_of_event
from openmeet.domain.events.model import EventId
from openmeet.domain.events.publication import HELD_BY_GROUP, PublishLevel, enqueue_events_of_group, reach, reach_of
from openmeet.domain.events.values import Visibility
from openmeet.domain.events.visibility import is_not_over
from openmeet.domain.groups import actions as group_actions
from openmeet.domain.groups import publication_settings, record_queries
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups.model import Group, GroupDetails, GroupId, GroupSlug, GroupVisibility
from openmeet.domain.groups.publication import GroupPublishLevel, enqueue_members, publish_level_of
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.users.model import Caller, UserId
from openmeet.outbox import bulk_changes, publications
from openmeet.outbox.bulk_changes import BulkChange, making_due
from openmeet.outbox.kinds import JobKind

# Moves the records of the next subjects of a locked group, after this one. Returns the last subject if there may be more.
_Step = Callable[[Transaction, Group, str], Awaitable[str | None]]


async def revise(
    tx: Transaction, caller: Caller, slug: GroupSlug, details: GroupDetails, *, expected_revision: int | None = None
) -> Group:
    """Edit a group with ``groups.actions.edit``, and reevaluate those of its events whose visibility or publication
    changes.
    """
    before, after = await group_actions.edit(tx, caller, slug, details, expected_revision=expected_revision)
    await apply_edit(tx, before, after)
    return after


async def apply_edit(tx: Transaction, before: Group, after: Group) -> None:
    """Apply an edit of a group, made on this site or in the group's record, to the group's events and their RSVPs.

    Nothing happens unless the edit changes who sees the events or what is published of them.
    """
    if _publication_settings(before.details) == _publication_settings(after.details):
        return
    if reach(Visibility.PUBLIC, as_group_of_event(after)) is PublishLevel.NOTHING:
        await record_changes.release_in_group(tx, after.id)
    if after.details.visibility is GroupVisibility.PRIVATE:
        await reevaluation.enqueue_former_members_of_group(tx, after.id)
    await make_records_due(tx, after.id)


async def open_account(tx: Transaction, caller: Caller, slug: GroupSlug, handle: str) -> Group:
    """Open the group's own account with ``groups.publication_settings.open_account``. If the whole page of the group
    may be published, move the records of its published upcoming events to that account; a job moves the rest of them if
    there are many.
    """
    before, _ = await group_actions.lock_for(tx, caller, slug, GroupPermission.TRANSFER)
    after = await publication_settings.open_account(tx, caller, slug, handle)
    if before.network.account_id is None and await _move_events(tx, after, "") is not None:
        await enqueue_again(tx, JobKind.MOVE_GROUP_RECORDS, [after.id])
    return after


def moving_group_handler(db: Database) -> JobHandler:
    """Return the handler of ``JobKind.MOVE_GROUP_RECORDS``, which moves a group's statements, and the records of its
    upcoming events, to the repository that they belong in now. The job's subject is the group. Resumable: a repeated job
    moves what is left.
    """
    steps: list[_Step] = [partial(_move_statements, kind=kind) for kind in publication_settings.STATEMENT_KINDS]

    async def handle(job: Job) -> None:
        for move_next in (*steps, _move_events):
            await run_in_pages(db, partial(_move_records, group_id=GroupId(job.subject), move_next=move_next))

    return handle


async def _move_records(tx: Transaction, after: str, *, group_id: GroupId, move_next: _Step) -> str | None:
    # As when the account is opened, the group is locked before its events.
    group = await group_queries.lock(tx, group_id)
    return None if group is None else await move_next(tx, group, after)


async def after_account_deleted(tx: Transaction, account: UserId) -> None:
    """Update the group to which this deleted account belonged, if any. The group's record is now written to its owner's
    repository, and event records are written to the repositories of their authors.
    """
    group_id = await record_queries.group_of_custodial_account(tx, account)
    group = None if group_id is None else await group_queries.lock(tx, group_id)
    if group is None:
        return
    after = replace(group, network=replace(group.network, account_id=None), revision=group.revision + 1)
    await publication_settings.move_records(tx, group, after)
    await make_records_due(tx, after.id)


SERIES_OF_GROUP: Final = BulkChange(
    "series_of_group",
    "select id, id as key from event_series where group_id {owner}",
    making_due(publications.PublicationKind.SERIES),
)
# The rows are events of the group, each of which can have many RSVPs.
RSVPS_OF_GROUP: Final = BulkChange(
    "rsvps_of_group",
    "select id, id as key from events where group_id {owner}"
    " and exists (select 1 from attendances a where a.event_id = events.id)",
    make_rsvp_records_due,
)
# Upcoming events made here whose records are not in the group's account. Those that were moved and are not written there
# yet are among them; ``ownership.leave_record`` leaves them as they are.
_TO_MOVE: Final = f"""
    select id from events
     where group_id = :group_id and origin = 'here' and deleted_at is null and {is_not_over("events")}
       and (record_uri is not null or exists (
               select 1 from publications p where p.kind = 'event' and p.subject_id = events.id and p.uri is not null))
       and not {HELD_BY_GROUP} and id > :after
     order by id limit :limit
"""
# Records of events that are moved in one transaction. Each takes a dozen statements.
EVENTS_AT_ONCE: Final = 25


async def make_records_due(tx: Transaction, group_id: GroupId) -> None:
    """Reevaluate which records of a group's events, series, RSVPs and memberships are published."""
    for bulk_change in (SERIES_OF_GROUP, RSVPS_OF_GROUP):
        await bulk_changes.apply(tx, bulk_change, [group_id])
    await enqueue_members(tx, group_id)
    await enqueue_events_of_group(tx, group_id)


async def _move_statements(
    tx: Transaction, group: Group, after: str, *, kind: publications.PublicationKind
) -> str | None:
    return await publication_settings.move_statements(tx, group, kind, after)


async def _move_events(tx: Transaction, group: Group, after: str) -> str | None:
    """Move the records of the next upcoming events whose whole page may be published to the account of the group, unless
    it has none or its own page may not be published. Events are locked in id order.
    """
    if group.network.account_id is None or publish_level_of(group) is not GroupPublishLevel.FULL:
        return None
    rows = await tx.fetch(_TO_MOVE, group_id=group.id, now=tx.now, after=after, limit=EVENTS_AT_ONCE)
    ids = [EventId(row["id"]) for row in rows]
    await lock_rows(tx, "events", "id", ids)
    # Read again, because they may have been changed until they were locked.
    events = [
        one
        for one in await event_queries.several(tx, ids)
        if not (one.is_gone or one.is_draft)
        and one.group is not None
        and one.group.id == group.id
        and reach_of(one) is PublishLevel.FULL
    ]
    await ownership.move_records(tx, events)
    return last_key(ids, EVENTS_AT_ONCE)


def _publication_settings(details: GroupDetails) -> tuple[object, ...]:
    return details.visibility, details.promotion_level, details.announces_events, details.sync_enabled
