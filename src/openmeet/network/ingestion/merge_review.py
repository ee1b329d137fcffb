"""Review of merge decisions by the host, who can reverse them."""

from dataclasses import dataclass
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.errors import Forbidden, NotFound, Refused
from openmeet.domain.attendance import group_hosting
from openmeet.domain.attendance.event_changes import announce_change
from openmeet.domain.events import actions as event_actions
from openmeet.domain.events import event_access
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.events.queries import by_slug, lock_by_slug, lock_series_of
from openmeet.domain.groups import actions as group_actions
from openmeet.domain.groups import rules
from openmeet.domain.groups.model import Group, GroupSlug
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.merge_decisions.model import KeptDecision, MergeSide
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.event_kinds import DatesChanged
from openmeet.domain.notifications.model import NotificationKind
from openmeet.domain.paging import ALL_ROWS, Page
from openmeet.domain.series import actions, agenda, apply_edits, queries, visibility
from openmeet.domain.series.model import Series, SeriesSlug
from openmeet.domain.users.model import Caller, UserId
from openmeet.network.ingestion import local_groups, local_series
from openmeet.network.ingestion.event_merge_rule import EVENT_RULE
from openmeet.network.ingestion.reasons import IngestionReason


@dataclass(frozen=True, slots=True)
class UnreviewedMerge:
    """Merge decisions about one event, series or group that the host has not reviewed yet.

    ``noun`` is the first part of the path of its page. ``fields`` are the names of the merged fields. ``since`` is the
    time of the first decision.
    """

    noun: str
    slug: str
    title: str
    fields: tuple[str, ...]
    since: Instant


# Past events and the acceptance records of members are left out: hosts can review them, but are not prompted to.
_UNREVIEWED: Final = f"""
    select s.noun, s.slug, s.title, c.field, c.decided_at from (
        select 'events' as noun, e.slug, e.title, e.record_uri as uri from events e
         where e.record_uri is not null and e.deleted_at is null and e.removed_at is null and e.is_draft = 0
           and (e.over_at is null or e.over_at > :now)
           and e.id in (select x.id from events x where x.author_id = :host union all
                        select h.event_id from event_co_hosts h where h.user_id = :host and h.state = 'accepted')
        union all
        select 'series', o.slug, o.name, o.record_uri from event_series o
         where o.user_id = :host and o.record_uri is not null and o.deleted_at is null and o.status <> 'cancelled'
        union all
        select 'groups', g.slug, g.name, g.external_id from group_members m
          join groups g on g.id = m.group_id and g.deleted_at is null and g.is_read_only = 0 and g.external_id is not null
         where m.user_id = :host and m.role in :editing) s
      join merge_decisions c on c.uri = s.uri where {merge_decisions.OPEN}
     order by c.decided_at, s.slug, c.field limit 200
"""
_EDITING: Final = [
    role.value for role, allowed in rules.ALLOWED.items() if role and GroupPermission.EDIT_GROUP in allowed
]


async def unreviewed(reader: Reader, host: UserId) -> list[UnreviewedMerge]:
    """Return the merges that this host can reverse and has not reviewed, the oldest first."""
    rows = await reader.fetch(_UNREVIEWED, host=host, now=reader.now, editing=_EDITING)
    merges: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        merges.setdefault((row["noun"], row["slug"]), []).append(row)
    return [
        UnreviewedMerge(
            noun,
            slug,
            several[0]["title"],
            tuple(dict.fromkeys(one["field"] for one in several)),
            several[0]["decided_at"],
        )
        for (noun, slug), several in merges.items()
    ]


async def merged(
    reader: Reader, caller: Caller, slug: EventSlug, page: Page = ALL_ROWS
) -> tuple[Event, list[KeptDecision]]:
    """Return an event that the caller may edit, and its merge decisions, newest first. Raises NotFound, Forbidden."""
    event = await _editable(reader, caller, slug)
    return event, await merge_decisions.of_records(reader, _uris(event), page)


async def _editable(reader: Reader, caller: Caller, slug: EventSlug) -> Event:
    event = await event_access.require_visible(reader, await by_slug(reader, slug), caller.user_id)
    await event_access.require_editable(reader, event, caller.user_id)
    return event


def _uris(event: Event) -> list[str]:
    return [] if event.record_uri is None else [event.record_uri]


async def choose(
    tx: Transaction, caller: Caller, slug: EventSlug, *, field: str, theirs_rev: str, choice: MergeSide
) -> Event:
    """Choose one side of a decision. It replaces the choice of the merge rule. This is an edit by the host and is
    published like any other.

    Attendees are notified of changes that affect them. Raises NotFound (no such event, no such decision), Forbidden,
    and Refused if a value cannot be restored.
    """
    # The series first, as everywhere that locks both.
    await lock_series_of(tx, slug)
    await lock_by_slug(tx, slug)
    before = await _editable(tx, caller, slug)
    kept = await _decision(tx, _uris(before), field, theirs_rev)
    values = kept.decision.ours_values if choice is MergeSide.OURS else kept.decision.theirs_values
    if values is None or choice is MergeSide.BOTH:
        raise Refused(IngestionReason.NOT_REVERSIBLE, name="NotReversible")
    after = await event_actions.set_values(tx, caller, slug, EVENT_RULE.decode_edits(values))
    await merge_decisions.mark_reviewed(tx, kept, choice)
    if after.revision != before.revision:
        await announce_change(tx, after, _kind(before, after), by=caller.user_id, before=before)
    return after


def _kind(before: Event, after: Event) -> NotificationKind[DatesChanged]:
    if after.is_cancelled and not before.is_cancelled:
        return event_kinds.EVENT_CANCELLED
    if before.is_cancelled and not after.is_cancelled:
        return event_kinds.EVENT_REINSTATED
    return event_kinds.EVENT_CHANGED


# Includes the group's acceptances of members.
_OF_MEMBERS = """
    select distinct c.uri from merge_decisions c
      join publications p on p.uri = c.uri and p.kind = 'acceptance'
      join group_members m on m.id = p.subject_id
     where m.group_id = :group_id order by c.uri
"""


async def merged_into_group(
    reader: Reader, caller: Caller, slug: GroupSlug, page: Page = ALL_ROWS
) -> tuple[Group, list[KeptDecision]]:
    """Return the decisions about a group that the caller may edit, newest first. Raises NotFound, Forbidden."""
    group, uris = await _group_to_change(reader, caller, slug)
    return group, await merge_decisions.of_records(reader, uris, page)


async def _group_to_change(reader: Reader, caller: Caller, slug: GroupSlug) -> tuple[Group, list[str]]:
    group, membership = await group_actions.visible(reader, slug, caller.user_id)
    rules.require_permission(membership.role if membership else None, GroupPermission.EDIT_GROUP)
    uris = [row["uri"] for row in await reader.fetch(_OF_MEMBERS, group_id=group.id)]
    if group.network.record_uri is not None:
        uris.append(group.network.record_uri)
    return group, uris


async def choose_for_group(
    tx: Transaction, caller: Caller, slug: GroupSlug, *, field: str, theirs_rev: str, choice: MergeSide
) -> Group:
    """Choose one side of a decision. This is an edit by the caller and is published like any other. Raises the same
    errors as ``choose``.
    """
    # Locked before its details are read, or a concurrent edit would be overwritten with them.
    await group_actions.lock_for(tx, caller, slug, GroupPermission.EDIT_GROUP)
    group, uris = await _group_to_change(tx, caller, slug)
    kept = await _decision(tx, uris, field, theirs_rev)
    values = local_groups.GROUP_RULE.decode_edits(_values(kept, choice))
    after = await group_hosting.revise(tx, caller, group.slug, local_groups.details_with(group.details, values))
    await merge_decisions.mark_reviewed(tx, kept, choice)
    return after


async def merged_into_series(
    reader: Reader, caller: Caller, slug: SeriesSlug, page: Page = ALL_ROWS
) -> tuple[Series, list[KeptDecision]]:
    """Return a series that the caller may edit, and its merge decisions, newest first. Raises NotFound, Forbidden."""
    series, uris = await _series_to_change(reader, caller, slug)
    return series, await merge_decisions.of_records(reader, uris, page)


async def _series_to_change(reader: Reader, caller: Caller, slug: SeriesSlug) -> tuple[Series, list[str]]:
    series = await queries.by_slug(reader, slug)
    if series is None or series.deleted_at is not None or not await visibility.may_see(reader, series, caller.user_id):
        raise NotFound(IngestionReason.NO_SUCH_SERIES)
    if not await agenda.may_edit(reader, series, caller.user_id):
        raise Forbidden(IngestionReason.HOSTS_ONLY)
    return series, [] if series.record_uri is None else [series.record_uri]


async def choose_for_series(
    tx: Transaction, caller: Caller, slug: SeriesSlug, *, field: str, theirs_rev: str, choice: MergeSide
) -> Series:
    """Choose one side of a decision about a series: an edit of all its upcoming dates. Also raises RuleRefused."""
    _, uris = await _series_to_change(tx, caller, slug)
    kept = await _decision(tx, uris, field, theirs_rev)
    values = local_series.SERIES_RULE.decode_edits(_values(kept, choice))
    series = await actions.lock_to_change(tx, caller, slug)
    plan = await local_series.plan_of(tx, series, values)
    if plan is not None:
        series = await apply_edits.apply_plan(tx, series, plan)
    await merge_decisions.mark_reviewed(tx, kept, choice)
    return series


async def _decision(reader: Reader, uris: list[str], field: str, theirs_rev: str) -> KeptDecision:
    kept = await merge_decisions.find(reader, uris, field, theirs_rev)
    if kept is None:
        raise NotFound(IngestionReason.NO_SUCH_DECISION)
    return kept


def _values(kept: KeptDecision, choice: MergeSide) -> bytes:
    values = kept.decision.ours_values if choice is MergeSide.OURS else kept.decision.theirs_values
    if values is None or choice is MergeSide.BOTH:
        raise Refused(IngestionReason.NOT_REVERSIBLE, name="NotReversible")
    return values
