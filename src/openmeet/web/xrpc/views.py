"""Event views for query responses, built for several events at once, for one viewer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.http.json_bodies import json_name
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.attendee_summary import counts_shown
from openmeet.domain.attendance.model import SEATED_STATUSES, Attendance, RsvpCounts
from openmeet.domain.events import event_access
from openmeet.domain.events.content import input_name
from openmeet.domain.events.disclosure import private_details
from openmeet.domain.events.inputs import is_web_address
from openmeet.domain.events.model import Event, EventId, EventStatus, RecordOrigin
from openmeet.domain.events.values import Mode, Venue, Visibility
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups import rules as group_rules
from openmeet.domain.groups.model import INSIDE, Group, GroupId, GroupRole
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.page_paths import event_path, group_path, series_path
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.model import Series, SeriesId
from openmeet.domain.users.model import UserId
from openmeet.i18n.formatting import iso, iso_or_none
from openmeet.network.records.collections import EVENT
from openmeet.web.xrpc.call import LexiconCall
from openmeet.web.xrpc.schemas import Counts, EventView, GroupLink, PlaceView, SeriesLink, ViewerState

MODES = {
    Mode.IN_PERSON: f"{EVENT}#inperson",
    Mode.ONLINE: f"{EVENT}#virtual",
    Mode.HYBRID: f"{EVENT}#hybrid",
}


def status_of(status: EventStatus) -> str:
    """The calendar Lexicon's token for a status."""
    return f"{EVENT}#{status.value}"


@dataclass(frozen=True, slots=True)
class _ViewFacts:
    """Data about several events that comes from other packages."""

    viewer: UserId | None
    public_url: str
    now: Instant
    names: Mapping[UserId, str]
    counts: Mapping[EventId, RsvpCounts]
    own_rsvps: Mapping[EventId, Attendance]
    run: set[EventId]
    roles: Mapping[GroupId, GroupRole]
    groups: Mapping[GroupId, Group]
    series: Mapping[SeriesId, Series]


async def views_of(call: LexiconCall, events: Sequence[Event]) -> list[EventView]:
    """Views of these events, in order. The caller must be allowed to see them."""
    facts = await _view_facts(call, events)
    return [_event_view(event, facts) for event in events]


async def event_view(call: LexiconCall, event: Event) -> EventView:
    """An event as XRPC queries return it. The caller must be allowed to see the event."""
    (view,) = await views_of(call, [event])
    return view


def counts_of(counted: RsvpCounts) -> Counts:
    return Counts(
        going=counted.going,
        interested=counted.interested,
        waitlisted=counted.waitlisted,
        unconfirmed=counted.pending_people,
    )


def place_of(venue: Venue) -> PlaceView | None:
    """The parts of a place that the caller may know. None if there are none."""
    if venue.is_empty:
        return None
    return PlaceView(
        name=venue.name,
        street=venue.street,
        postal_code=venue.postal_code,
        locality=venue.locality,
        region=venue.region,
        country=venue.country,
        latitude=venue.latitude,
        longitude=venue.longitude,
    )


def group_link(group: Group, public_url: str) -> GroupLink:
    return GroupLink(
        uri=group.network.record_uri,
        slug=group.slug,
        url=f"{public_url}{group_path(group.slug)}",
        name=group.details.name,
    )


async def _view_facts(call: LexiconCall, events: Sequence[Event]) -> _ViewFacts:
    reader, viewer = call.reader, call.viewer
    ids = [event.id for event in events]
    group_ids = [event.group.id for event in events if event.group is not None]
    series_ids = [
        SeriesId(event.position_in_series.series_id) for event in events if event.position_in_series is not None
    ]
    return _ViewFacts(
        viewer=viewer,
        public_url=call.public_url,
        now=reader.now,
        names=await shown_names(reader, [event.author_id for event in events]),
        counts=await counts_shown(reader, ids),
        own_rsvps={} if viewer is None else await attendance_queries.of_user(reader, viewer, ids),
        run=await event_access.managed_among(reader, events, viewer),
        roles={} if viewer is None else await group_queries.roles_in(reader, group_ids, viewer),
        groups=await group_queries.by_ids(reader, group_ids),
        series=await series_queries.by_ids(reader, series_ids),
    )


def _event_view(event: Event, facts: _ViewFacts) -> EventView:
    own_rsvp = facts.own_rsvps.get(event.id)
    runs = event.id in facts.run
    private = private_details(
        event,
        facts.viewer,
        is_going=own_rsvp is not None and own_rsvp.status in SEATED_STATUSES,
        now=facts.now,
        runs=runs,
    )
    return EventView(
        uri=event.record_uri,
        cid=event.record_cid,
        did=event.record_did,
        url=f"{facts.public_url}{event_path(event.slug)}",
        title=event.title,
        description=event.content.description,
        starts_at=iso_or_none(event.starts_at),
        ends_at=iso_or_none(event.ends_at),
        starts_local=event.starts_local,
        time_zone=event.time_zone,
        is_all_day=event.is_all_day,
        status=status_of(event.status),
        status_reason=event.status_reason,
        mode=MODES[event.content.mode],
        place=place_of(private.place),
        join_url=private.join_url if is_web_address(private.join_url) else None,
        capacity=event.content.capacity,
        visibility=event.visibility.value,
        host_name=facts.names[event.author_id],
        categories=[one.value for one in event.content.categories],
        tags=list(event.content.tags),
        languages=list(event.content.languages),
        counts=counts_of(facts.counts[event.id]),
        series=_series_link(event, facts),
        group=_group_link(event, facts),
        source="atproto" if event.origin is RecordOrigin.NETWORK else "openmeet",
        viewer=None
        if facts.viewer is None
        else ViewerState(is_host=runs, answer=None if own_rsvp is None else own_rsvp.status.value),
        created_at=iso(event.created_at),
        updated_at=iso(event.updated_at),
    )


def _group_link(event: Event, facts: _ViewFacts) -> GroupLink | None:
    # An invited attendee may be allowed to see the event but not its group.
    group = facts.groups.get(event.group.id) if event.group is not None else None
    if group is None or not group_rules.may_see(group, facts.roles.get(group.id)):
        return None
    return group_link(group, facts.public_url)


def _series_link(event: Event, facts: _ViewFacts) -> SeriesLink | None:
    """The link to the series. None if the series is hidden and the viewer is not its host, or if it is private and the
    viewer is neither its host nor in its group.

    Attendees of a single date learn nothing about such a series.
    """
    position = event.position_in_series
    series = facts.series.get(SeriesId(position.series_id)) if position is not None else None
    if position is None or series is None or series.deleted_at is not None:
        return None
    is_hosts = facts.viewer is not None and series.owner_id == facts.viewer
    is_inside = series.group is not None and facts.roles.get(series.group.id) in INSIDE
    if series.is_hidden and not is_hosts:
        return None
    if series.visibility is Visibility.PRIVATE and not (is_hosts or is_inside):
        return None
    return SeriesLink(
        uri=series.record_uri,
        slug=series.slug,
        url=f"{facts.public_url}{series_path(series.slug)}",
        title=series.content.title,
        recurrence_id=position.original_date,
        original_date=position.original_date,
        differs_in=[json_name(input_name(name)) for name in position.overridden],
    )
