"""Retention: delete texts, places, links and pictures of deleted content, and private texts of answers, after their
retention time.

Rows stay if others refer to them, for example an answer to its event or a log entry to its group. The slug of an
emptied row is set to its id, which marks it as emptied. Each transaction handles only a few rows, so that nobody has to
wait for it: what many people wrote about deleted content is deleted first, in pages.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from groundwork.clock import DAY, Instant
from groundwork.database.deleted_pages import discard_deleted
from groundwork.database.pages import change_in_pages, delete_some, update_some
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.telemetry.logs import log
from openmeet.domain.attendance.invitation_queries import REMOVED_ADDRESS
from openmeet.domain.events.queries import BLANK, SET_BLANK
from openmeet.domain.groups.model import GroupLogAction
from openmeet.domain.identities import actions as identity_actions
from openmeet.domain.photos import queries as photos
from openmeet.domain.series.split_queries import chain_sql, earlier_sql
from openmeet.domain.users.model import UserId

BATCH: Final = 200
WORD_INDEXES: Final = ("search_index", "search_chat_index")


@dataclass(frozen=True, slots=True)
class Dependents:
    """Rows about deleted content, of which there can be any number. ``condition`` has the parameter ``ids`` and finds
    those that are left. Without ``changes`` (``column = value, …``) they are deleted.
    """

    table: str
    condition: str
    changes: str = ""


@dataclass(frozen=True, slots=True)
class EmptyingPlan:
    """How rows are emptied: first their ``dependents`` in pages, then the rows with these ids and what is left."""

    empty: Callable[[Transaction, list[str]], Awaitable[None]]
    dependents: tuple[Dependents, ...] = ()


@dataclass(frozen=True, slots=True)
class RetentionTimes:
    """``deleted_days``: how long after its deletion content is emptied. ``answers_days``: how long after an event the
    private texts of its answers are emptied. 0 means never.
    """

    deleted_days: int
    answers_days: int


# An event from the network counts as deleted when its record is deleted, and an event created on this site when its
# host deletes it.
EVENTS_TO_PURGE: Final = """
    select id from events
     where slug <> id and (deleted_at < :before or (origin = 'network' and removed_at < :before))
     order by id limit :limit
"""
EMPTY_EVENTS: Final = f"""
    update events
       set slug = id, {SET_BLANK}, starts_text = '', ends_text = '', status_reason = '', picture_key = null,
           draft_fields = '', search_text = '', search_words = '', place_x = null, place_y = null, place_z = null,
           derived_from = '',
           external_data = null, external_source = null, matrix_room_id = null, submission_key = null, submission_digest
               = null
     where id in :ids
"""
EMPTY_RECORDS: Final = """
    update publications set chosen_body = null, base_body = null, edits = null, merged = null
     where kind = :kind and subject_id in :ids and state in ('retracted', 'withheld')
"""
_BLANK_ANSWER: Final = "guest_names = '[]', replies = '{}', reply_words = '{}'"

SERIES_TO_PURGE: Final = """
    select id from event_series where slug <> id and deleted_at < :before order by id limit :limit
"""
EMPTY_SERIES: Final = """
    update event_series
       set slug = id, name = '', description = '', template = '{}', status_reason = '', external_data = null,
           external_source = null, matrix_room_id = null, submission_key = null, submission_digest = null
     where id in :ids
"""

GROUPS_TO_PURGE: Final = """
    select id from groups where slug <> id and deleted_at < :before order by id limit :limit
"""
EMPTY_GROUPS: Final = """
    update groups
       set slug = id, name = '', description = '', locality = '', country = '', latitude = '', longitude = '',
           join_question = '', picture_key = null, picture_alt = null, picture_width = null, picture_height = null,
               picture_tone = null,
           record_avatar = null, search_text = '', submission_key = null, submission_digest = null,
           backup_admin_did = null
     where id in :ids
"""

# The notes of these log entries contain a web address of the group, or a DID.
NAMING_ACTIONS: Final = (GroupLogAction.ADDRESS_CHANGED, GroupLogAction.DID_FOLLOWED, GroupLogAction.DID_UNFOLLOWED)
EMPTY_GROUP_LOG: Final = "update group_roles_log set note = '' where group_id in :ids and act in :acts and note <> ''"

# For events without a date, the time of the answer counts. Texts of people who declined or were rejected are treated
# like deleted content.
_WRITTEN: Final = "(a.guest_names <> '[]' or a.replies <> '{}' or a.reply_words <> '{}')"
OLD_ANSWERS: Final = f"""
    select a.id from attendances a join events e on e.id = a.event_id
     where {_WRITTEN} and coalesce(e.over_at, a.answered_at) < :before order by a.id limit :limit
"""
DECLINED_ANSWERS: Final = f"""
    select a.id from attendances a
     where {_WRITTEN} and a.status in ('declined', 'rejected') and a.answered_at < :before order by a.id limit :limit
"""
# E-mail addresses of people whom hosts invited.
_INVITED: Final = f"(invited_as is not null and invited_as not in ('', '{REMOVED_ADDRESS}'))"
OLD_INVITED: Final = f"""
    select a.id from attendances a join events e on e.id = a.event_id
     where {_INVITED} and coalesce(e.over_at, a.answered_at) < :before order by a.id limit :limit
"""
EMPTY_INVITED: Final = f"update attendances set invited_as = '{REMOVED_ADDRESS}' where id in :ids"
EMPTY_ANSWERS: Final = f"update attendances set {_BLANK_ANSWER} where id in :ids"

# Names of people without an account, long after all events that they answered are over. Their addresses and languages
# have a different retention time (``users.guests``).
OLD_GUESTS: Final = """
    select u.id from guests g join users u on u.id = g.user_id
     where u.kind = 'shadow' and u.display_name <> '' and g.created_at < :before and not exists (
           select 1 from attendances a join events e on e.id = a.event_id
            where a.user_id = u.id and coalesce(e.over_at, a.answered_at) >= :before)
     order by u.id limit :limit
"""
EMPTY_GUESTS: Final = "update users set display_name = '', bio = '' where id in :ids"

# Contact lists that hosts imported: lists of guests until long after the event, lists of members until equally long
# after their last use.
OLD_CONTACTS: Final = """
    select c.id from imported_contacts c left join events e on c.what = 'guests' and e.id = c.target
     where coalesce(e.over_at, c.invited_at, c.created_at) < :before and coalesce(c.invited_at, c.created_at) < :before
     order by c.id limit :limit
"""
OLD_NAMES: Final = """
    created_at < :before and not exists (
           select 1 from events e where imported_names.what = 'guests' and e.id = imported_names.target
              and coalesce(e.over_at, imported_names.created_at) >= :before)
"""


# No one is invited to an event that is over.
OLD_DECLINED: Final = """
    exists (
           select 1 from events e where e.id = declined_addresses.subject_id and e.over_at < :before)
"""


async def purge_expired(db: Database, times: RetentionTimes) -> dict[str, int]:
    """Empty everything whose retention time has passed. Return how many rows of each kind."""
    counts: dict[str, int] = {}
    purges: list[tuple[str, int, str, EmptyingPlan]] = [
        ("events", times.deleted_days, EVENTS_TO_PURGE, EMPTYING_EVENTS),
        ("series", times.deleted_days, SERIES_TO_PURGE, EMPTYING_SERIES),
        ("groups", times.deleted_days, GROUPS_TO_PURGE, EMPTYING_GROUPS),
        ("withdrawn_answers", times.deleted_days, DECLINED_ANSWERS, _by(EMPTY_ANSWERS)),
        ("answers", times.answers_days, OLD_ANSWERS, _by(EMPTY_ANSWERS)),
        ("invited", times.answers_days, OLD_INVITED, _by(EMPTY_INVITED)),
        ("guests", times.answers_days, OLD_GUESTS, _by(EMPTY_GUESTS)),
        ("contacts", times.answers_days, OLD_CONTACTS, _by("delete from imported_contacts where id in :ids")),
    ]
    for name, days, expired, empty in purges:
        if days:
            counts[name] = await _in_batches(db, days, expired, empty)
    if times.answers_days:
        await change_in_pages(db, partial(_delete_names_and_addresses, days=times.answers_days))
    if any(counts.values()):
        await discard_deleted(db, WORD_INDEXES)
        log.info("retention.purged", **counts)
    return counts


async def _in_batches(db: Database, days: int, expired: str, emptying: EmptyingPlan) -> int:
    """Empty all rows that the query ``expired`` selects. Returns how many."""

    async def expired_now(reader: Reader) -> list[str]:
        rows = await reader.fetch(expired, before=Instant(reader.now - days * DAY), limit=BATCH)
        return [row["id"] for row in rows]

    total = 0
    while True:
        async with db.reader() as reader:
            found = await expired_now(reader)
        await empty_dependents(db, emptying, found)
        async with db.transaction() as tx:
            ids = [one for one in await expired_now(tx) if one in found]
            if ids:
                await emptying.empty(tx, ids)
        total += len(ids)
        if len(found) < BATCH:
            return total


async def empty_dependents(db: Database, emptying: EmptyingPlan, ids: Sequence[str]) -> None:
    """Empty or delete the dependents of these rows, which are deleted."""
    if ids:
        for one in emptying.dependents:
            await change_in_pages(db, partial(_empty_some, dependents=one, ids=list(ids)))


async def _empty_some(tx: Transaction, *, dependents: Dependents, ids: list[str]) -> int:
    if dependents.changes:
        return await update_some(tx, dependents.table, dependents.changes, dependents.condition, ids=ids)
    return await delete_some(tx, dependents.table, dependents.condition, ids=ids)


async def _empty_rest(tx: Transaction, all_dependents: Sequence[Dependents], ids: list[str]) -> None:
    """Empty the dependents that were added since ``empty_dependents``."""
    for one in all_dependents:
        change = f"update {one.table} set {one.changes}" if one.changes else f"delete from {one.table}"
        await tx.execute(f"{change} where {one.condition}", ids=ids)


def _in_rooms(condition: str) -> tuple[Dependents, ...]:
    """What was written and read in the chats that satisfy this condition. Deleting a room also deletes it."""
    in_room = f"room_id in (select chat_rooms.id from chat_rooms where {condition})"
    return tuple(Dependents(table, in_room) for table in ("chat_messages", "chat_log", "chat_readers"))


async def _delete_names_and_addresses(tx: Transaction, *, days: int) -> int:
    before = Instant(tx.now - days * DAY)
    deleted = await delete_some(tx, "imported_names", OLD_NAMES, before=before)
    return deleted + await delete_some(tx, "declined_addresses", OLD_DECLINED, before=before)


def _by(statement: str) -> EmptyingPlan:
    async def empty(tx: Transaction, ids: list[str]) -> None:
        await tx.execute(statement, ids=ids)

    return EmptyingPlan(empty)


# Notifications can contain text of the event: a host's message, or the earlier place.
_NOTIFICATIONS: Final = Dependents("notifications", "subject_id in :ids")
_EVENT_DEPENDENTS: Final = (
    *_in_rooms("event_id in :ids"),
    Dependents(
        "attendances",
        "event_id in :ids and (guest_names <> '[]' or replies <> '{}' or reply_words <> '{}')",
        _BLANK_ANSWER,
    ),
    Dependents("attendances", f"event_id in :ids and {_INVITED}", f"invited_as = '{REMOVED_ADDRESS}'"),
    Dependents("imported_contacts", "what = 'guests' and target in :ids"),
    Dependents("imported_names", "what = 'guests' and target in :ids"),
    Dependents("declined_addresses", "subject_id in :ids"),
    Dependents("guest_rsvps", "event_id in :ids"),
    _NOTIFICATIONS,
)


async def empty_events(tx: Transaction, ids: list[str]) -> None:
    """Remove everything that hosts and people who answered wrote about these deleted events."""
    await tx.execute(EMPTY_EVENTS, ids=ids, **BLANK)
    await tx.execute(EMPTY_RECORDS, kind="event", ids=ids)
    await _empty_rest(tx, _EVENT_DEPENDENTS, ids)
    await tx.execute("delete from registration_settings where subject_id in :ids", ids=ids)
    await tx.execute("delete from host_messages where event_id in :ids", ids=ids)
    await tx.execute("delete from event_co_hosts where event_id in :ids and user_id is null", ids=ids)
    await tx.execute("update event_co_hosts set email = null where event_id in :ids and email is not null", ids=ids)
    await photos.release_of_events(tx, ids)
    await tx.execute("delete from chat_rooms where event_id in :ids", ids=ids)


EMPTYING_EVENTS: Final = EmptyingPlan(empty_events, _EVENT_DEPENDENTS)

# A conversation belongs to the first part of a split series, and is deleted with the last part.
_IN_NO_HALF: Final = f"""
    series_id in (
           with recursive {earlier_sql(":ids")} select id from earlier)
       and not exists (select 1 from event_series s where s.deleted_at is null and s.id in (
           with recursive {chain_sql("chat_rooms.series_id")} select id from chain))
"""


_SERIES_DEPENDENTS: Final = (*_in_rooms(_IN_NO_HALF), _NOTIFICATIONS)


async def empty_series(tx: Transaction, ids: list[str]) -> None:
    """Remove everything written about these deleted series. Their dates are separate events."""
    await tx.execute(EMPTY_SERIES, ids=ids)
    await tx.execute(EMPTY_RECORDS, kind="series", ids=ids)
    await _empty_rest(tx, _SERIES_DEPENDENTS, ids)
    await tx.execute("delete from registration_settings where subject_id in :ids", ids=ids)
    await tx.execute("delete from event_series_undos where series_id in :ids", ids=ids)
    await tx.execute(f"delete from chat_rooms where {_IN_NO_HALF}", ids=ids)


EMPTYING_SERIES: Final = EmptyingPlan(empty_series, _SERIES_DEPENDENTS)

_GROUP_DEPENDENTS: Final = (
    *_in_rooms("group_id in :ids"),
    Dependents("group_members", "group_id in :ids and answer <> ''", "answer = ''"),
    Dependents("group_invitations", "group_id in :ids"),
    Dependents("imported_contacts", "what = 'members' and target in :ids"),
    Dependents("imported_names", "what = 'members' and target in :ids"),
    Dependents("declined_addresses", "subject_id in :ids"),
    _NOTIFICATIONS,
)


async def empty_groups(tx: Transaction, ids: list[str]) -> None:
    """Remove everything written about and in these deleted groups. The log of roles stays, without addresses. The
    groups' custodial accounts are deleted.
    """
    rows = await tx.fetch("select account_id from groups where id in :ids and account_id is not null", ids=ids)
    if holders := [UserId(row["account_id"]) for row in rows]:
        await identity_actions.delete_custodial_of(tx, holders)
        # The rows stay because the groups refer to them. Only the accounts of emptied rows are deleted at the PDS.
        await tx.execute("update users set display_name = '', created_at = 0 where id in :ids", ids=list(holders))
    await tx.execute(EMPTY_GROUPS, ids=ids)
    await tx.execute(EMPTY_RECORDS, kind="group", ids=ids)
    await _empty_rest(tx, _GROUP_DEPENDENTS, ids)
    await tx.execute("delete from group_slugs where group_id in :ids", ids=ids)
    await tx.execute(EMPTY_GROUP_LOG, ids=ids, acts=[act.value for act in NAMING_ACTIONS])
    await tx.execute("delete from group_announcements where group_id in :ids", ids=ids)
    await tx.execute("delete from chat_rooms where group_id in :ids", ids=ids)


EMPTYING_GROUPS: Final = EmptyingPlan(empty_groups, _GROUP_DEPENDENTS)
