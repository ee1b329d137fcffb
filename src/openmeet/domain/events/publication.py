"""Which records of an event are published, how much they contain, and which jobs a change enqueues: for the event's
record, for records of groups, and for webhooks. It also settles merge decisions.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum, StrEnum
from functools import partial
from typing import Final

from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.events.co_host_queries import co_hosts_of
from openmeet.domain.events.edits import record_value
from openmeet.domain.events.model import (
    DEFAULT_RECORD_SETTINGS,
    Detail,
    Details,
    Event,
    EventId,
    GroupOfEvent,
    RecordSettings,
    narrowed,
)
from openmeet.domain.events.values import Visibility
from openmeet.domain.events.visibility import is_public
from openmeet.domain.groups.model import GroupId, PromotionLevel
from openmeet.domain.identities import publishing_preferences
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import IdentityKind
from openmeet.domain.merge_decisions.queries import EditOfRecord, settle_edited
from openmeet.domain.users.model import UserId
from openmeet.domain.webhooks.actions import ChangedSubject, enqueue_deliveries
from openmeet.domain.webhooks.model import WebhookEvent
from openmeet.domain.webhooks.queries import is_any_on
from openmeet.feature_flags import flags
from openmeet.feature_flags.flags import Flag
from openmeet.outbox import bulk_changes, publications
from openmeet.outbox.bulk_changes import BulkChange, making_due
from openmeet.outbox.publications import PublicationKind, SubjectRevision


class PublishLevel(IntEnum):
    """Publication levels, narrowest first. Minimal: name, time, status, and a note with the link to its page."""

    NOTHING = 0
    MINIMAL = 1
    FULL = 2


class RecordAudience(StrEnum):
    """Who may see an event, as far as it affects the event's record."""

    EVERYBODY = "everybody"
    LINK_HOLDERS = "who_has_the_address"
    MEMBERS = "members"
    INVITED = "invited"


BY_LEVEL: Final[Mapping[PromotionLevel, PublishLevel]] = {
    PromotionLevel.PRIVATE: PublishLevel.NOTHING,
    PromotionLevel.MEMBERS: PublishLevel.MINIMAL,
    PromotionLevel.PUBLIC: PublishLevel.FULL,
}

BY_DETAIL: Final[Mapping[Detail, PublishLevel]] = {Detail.MINIMAL: PublishLevel.MINIMAL, Detail.FULL: PublishLevel.FULL}

# The key is who may see the event, and whether the owner allows it to be announced on the network. Every record is
# public. So events that require a link are never published. Events that require a membership or an invitation are
# published only by the owner's choice, and then minimally.
BY_CIRCLE: Final[Mapping[tuple[RecordAudience, bool], PublishLevel]] = {
    (RecordAudience.EVERYBODY, False): PublishLevel.FULL,
    (RecordAudience.EVERYBODY, True): PublishLevel.FULL,
    (RecordAudience.LINK_HOLDERS, False): PublishLevel.NOTHING,
    (RecordAudience.LINK_HOLDERS, True): PublishLevel.NOTHING,
    (RecordAudience.MEMBERS, False): PublishLevel.NOTHING,
    (RecordAudience.MEMBERS, True): PublishLevel.MINIMAL,
    (RecordAudience.INVITED, False): PublishLevel.NOTHING,
    (RecordAudience.INVITED, True): PublishLevel.MINIMAL,
}


def circle_of(visibility: Visibility, group: GroupOfEvent | None) -> RecordAudience:
    """Who may see an event with this visibility, in this group or in none."""
    match narrowed(visibility, group):
        case Visibility.PUBLIC:
            return RecordAudience.EVERYBODY
        case Visibility.UNLISTED:
            return RecordAudience.LINK_HOLDERS
        case Visibility.PRIVATE:
            return RecordAudience.INVITED if group is None else RecordAudience.MEMBERS


def reach(
    visibility: Visibility,
    group: GroupOfEvent | None,
    record_settings: RecordSettings = DEFAULT_RECORD_SETTINGS,
    *,
    is_published_by_policy: bool = True,
    is_withdrawn: bool = False,
) -> PublishLevel:
    """The publication level: the minimum of all limits. ``visibility`` is the host's choice. ``is_published_by_policy``:
    the series' policy publishes the date. ``is_withdrawn``: the host withdrew it.
    """
    if is_withdrawn or not is_published_by_policy or not record_settings.is_wanted:
        return PublishLevel.NOTHING
    circle = circle_of(visibility, group)
    reveals_existence = record_settings.is_announced if group is None else group.announces_events
    by_group = PublishLevel.FULL if group is None else BY_LEVEL[group.promotion_level]
    return min(by_group, BY_DETAIL[record_settings.detail], BY_CIRCLE[circle, reveals_existence])


def reach_of(event: Event) -> PublishLevel:
    """The publication level of this event by its own fields. Whether its host withdrew it is stored with the
    publication and not considered.
    """
    return reach(
        event.content.visibility,
        event.group,
        event.record_settings,
        is_published_by_policy=event.is_published_by_policy,
    )


def allows_record(event: Event) -> bool:
    """Whether the event may have a record, whatever the policy of its series says."""
    return reach(event.content.visibility, event.group, event.record_settings) is not PublishLevel.NOTHING


def is_announced(event: Event) -> bool:
    """Whether a public record reveals the existence of an event that is not public."""
    is_hidden = event.is_gone or event.is_draft or event.is_held or event.record_uri is None
    circle = circle_of(event.content.visibility, event.group)
    return (
        not is_hidden
        and circle in {RecordAudience.MEMBERS, RecordAudience.INVITED}
        and reach_of(event) is PublishLevel.MINIMAL
    )


def allows_rsvp_records(event: Event) -> bool:
    """Whether RSVPs to the event may have records, whatever the policy of its series says. This requires that the event
    may be published in full.
    """
    return (
        event.record_settings.publishes_rsvps
        and reach(event.content.visibility, event.group, event.record_settings) is PublishLevel.FULL
    )


def may_be_published(table: str) -> str:
    """SQL condition: ``reach`` is not NOTHING, regardless of the series' policy."""
    group = f"select 1 from groups pg where pg.id = {table}.group_id and pg"
    is_private = f"({table}.visibility = 'private' or exists ({group}.visibility = 'private'))"
    reveals_existence = (
        f"({table}.group_id is null and {table}.record_announced = 1 or exists ({group}.announces_events = 1))"
    )
    return (
        f"({table}.record_wanted = 1 and not exists ({group}.promotion_level = 'private')"
        f" and ({is_public(table)} or {is_private} and {reveals_existence}))"
    )


def is_cut_down(table: str) -> str:
    """SQL condition: a public event is not published in full, that is, not at all, only in part, or without RSVPs."""
    return (
        f"({table}.record_wanted = 0 or {table}.record_answers = 0 or {table}.record_detail <> 'full' or exists"
        f" (select 1 from groups pg where pg.id = {table}.group_id and pg.promotion_level <> 'public'))"
    )


async def is_held_at_first(
    reader: Reader, author_id: UserId, details: Details, group: GroupOfEvent | None = None
) -> bool:
    """Whether a new event is held until its author's PDS accepts the record: it will be published, and the author has
    consented and has a repository of their own.
    """
    if reach(details.content.visibility, group) is PublishLevel.NOTHING:
        return False
    if not (await identity_queries.consent(reader, author_id)).is_given:
        return False
    if Flag.EVENTS_OUT not in await flags.switches(reader):
        return False
    writable = await identity_queries.writable_of_user(reader, author_id)
    return bool(writable) and writable[0].kind is IdentityKind.CONNECTED


async def enqueue_record(tx: Transaction, event: Event) -> None:
    """Enqueue the event's record at its current revision."""
    await publications.enqueue(
        tx, kind=PublicationKind.EVENT, subject_id=event.id, user_id=event.author_id, revision=event.revision
    )


_OF_GROUPS: Final = """
    select e.id, e.revision, coalesce(g.account_id, g.owner_id) as speaker
      from events e join groups g on g.id = e.group_id
     where g.is_read_only = 0 and g.sync_enabled = 1 and e.is_read_only = 0 and e.record_uri is not null
"""


async def enqueue_group_event(tx: Transaction, event_id: EventId) -> None:
    """Enqueue a check of whether the group lists the event, because its record was created or deleted."""
    row = await tx.fetch_one(f"{_OF_GROUPS} and e.id = :id", id=event_id)
    if row is not None:
        await publications.enqueue(
            tx, kind=PublicationKind.GROUP_EVENT, subject_id=row["id"], user_id=row["speaker"], revision=row["revision"]
        )
    await publications.make_due(tx, kind=PublicationKind.GROUP_EVENT, subject_ids=[event_id], resets_write_count=True)


async def _enqueue_group_events(tx: Transaction, event_ids: Sequence[str]) -> None:
    """``enqueue_group_event`` for many events. Their groups cannot get another owner or account meanwhile."""
    lock = "for share of g" if tx.engine == "postgresql" else ""
    rows = await tx.fetch(f"{_OF_GROUPS} and e.id in :ids order by e.id {lock}", ids=list(event_ids))
    await publications.enqueue_many(
        tx,
        kind=PublicationKind.GROUP_EVENT,
        subjects=[SubjectRevision(row["id"], row["speaker"], row["revision"]) for row in rows],
    )
    await publications.make_due(tx, kind=PublicationKind.GROUP_EVENT, subject_ids=event_ids, resets_write_count=True)


EVENTS_OF_GROUP: Final = BulkChange(
    "events_of_group",
    "select id, id as key from events where group_id {owner} and deleted_at is null",
    making_due(PublicationKind.EVENT, resets_write_count=True),
)
LISTED_BY_GROUP: Final = BulkChange(
    "listed_by_group", "select id, id as key from events where group_id {owner}", _enqueue_group_events
)


async def enqueue_events_of_group(tx: Transaction, group_id: GroupId) -> None:
    """Enqueue a check of the records of a group's events, and of whether the group lists them."""
    await bulk_changes.apply(tx, EVENTS_OF_GROUP, [group_id])
    await bulk_changes.apply(tx, LISTED_BY_GROUP, [group_id])


async def settle_merges(tx: Transaction, before: Sequence[Event], after: Sequence[Event]) -> None:
    """Settle the merge decisions about the fields that an edit of these events changes. Call it for every edit, whoever
    made it and in whatever app.
    """
    edits = [
        EditOfRecord(new.record_uri, partial(record_value, old), partial(record_value, new))
        for old, new in zip(before, after, strict=True)
        if new.record_uri is not None and new.revision != old.revision
    ]
    if edits:
        await settle_edited(tx, edits)


async def notify_webhooks(tx: Transaction, events: Sequence[Event]) -> None:
    """Enqueue “event changed” for the webhooks of these events’ hosts and groups. Drafts are left out. Called wherever an
    event is written.
    """
    if not await is_any_on(tx):
        return
    co_hosts = await co_hosts_of(tx, [event.id for event in events])
    await enqueue_deliveries(
        tx,
        WebhookEvent.EVENT,
        [
            ChangedSubject(
                event.id, (event.author_id, *co_hosts.get(event.id, ())), event.group.id if event.group else None
            )
            for event in events
            if not event.is_draft
        ],
    )


async def waits_for_author(tx: Transaction, after: Event, by: UserId) -> bool:
    """Whether this revision, made by ``by``, awaits its author's approval. If the author lets co-hosts publish, the use
    of that consent is recorded.
    """
    return after.id in await waiting_for_authors(tx, [after], by)


async def waiting_for_authors(tx: Transaction, after: Sequence[Event], by: UserId) -> frozenset[EventId]:
    """Return for which of these revisions ``waits_for_author`` is true."""
    of_others = [one for one in after if one.author_id != by]
    of_groups = await stored_by_groups(tx, [one.id for one in of_others if one.group is not None])
    of_others = [one for one in of_others if one.id not in of_groups]
    waiting = [one for one in of_others if reach_of(one) is PublishLevel.NOTHING]
    published = [one for one in of_others if reach_of(one) is not PublishLevel.NOTHING]
    for author_id in sorted({one.author_id for one in published}):
        theirs = [one for one in published if one.author_id == author_id]
        if not await publishing_preferences.permit_co_host_edits(
            tx, author_id, by, [(one.id, one.revision) for one in theirs]
        ):
            waiting += theirs
    return frozenset(one.id for one in waiting)


# Condition on an event row: its record is, or can be, in its group's own repository. Records that are not published yet
# belong to their author.
HELD_BY_GROUP = """exists (
    select 1 from groups hg join identities hi on hi.user_id = hg.account_id
     where hg.id = events.group_id and hg.deleted_at is null and hg.is_read_only = 0
       and hi.did = coalesce((select hp.did from publications hp where hp.kind = 'event' and hp.subject_id = events.id),
                             events.record_did))"""


async def stored_by_groups(reader: Reader, event_ids: Sequence[EventId]) -> frozenset[EventId]:
    """Return which of these events have their record in their group's own repository."""
    if not event_ids:
        return frozenset()
    rows = await reader.fetch(
        f"select id from events where id in :ids and {HELD_BY_GROUP} order by id", ids=list(event_ids)
    )
    return frozenset(EventId(row["id"]) for row in rows)
