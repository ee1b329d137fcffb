"""Event lists, and one event with its attendees, as JSON. What an event says about its series, group and origin is
limited to what the viewer may know.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import NotFound
from groundwork.http.json_bodies import json_name, json_response
from openmeet.domain.attendance import attendee_list, host_decisions, registration, rsvp_list
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.answer_bar import answer_bar_of
from openmeet.domain.attendance.answer_bar_inputs import bar_inputs_of
from openmeet.domain.attendance.answer_texts import button_labels
from openmeet.domain.attendance.attendee_summary import counts_shown, sees_attendee_names
from openmeet.domain.attendance.model import ATTENDEE_STATUSES, SEATED_STATUSES, AttendanceStatus
from openmeet.domain.attendance.registration import MAX_QUESTIONS
from openmeet.domain.attendance.rules import rsvp_gives_access
from openmeet.domain.events import co_host_queries, event_access
from openmeet.domain.events.co_host_invitations import MAX_CO_HOSTS
from openmeet.domain.events.content import input_name
from openmeet.domain.events.disclosure import private_details
from openmeet.domain.events.event_access import raise_if_gone
from openmeet.domain.events.event_records import find as find_by_record
from openmeet.domain.events.model import Event, EventId, RecordOrigin
from openmeet.domain.events.queries import by_slug
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups import rules as group_rules
from openmeet.domain.groups.model import Group, GroupId
from openmeet.domain.identities.queries import consent, shown_names
from openmeet.domain.page_paths import group_path, series_path
from openmeet.domain.profiles import portraits
from openmeet.domain.search import corrected_search, my_event_lists, query, search
from openmeet.domain.search.filters import FIELDS, FILTERS
from openmeet.domain.search.my_event_lists import EventCursor, MyEvents
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series import visibility
from openmeet.domain.series.model import Series, SeriesId
from openmeet.domain.slugs import LinkKind
from openmeet.domain.users.model import Caller, UserId, UserKind
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.formatting import iso
from openmeet.i18n.reasons.messages import explain
from openmeet.outbox import publication_status, publications
from openmeet.outbox.publication_status import PublicationStatus
from openmeet.web.api.etags import etag_of
from openmeet.web.api.external_identity import RecordSource, sources_of
from openmeet.web.api.operations import ApiOperation, Parameter
from openmeet.web.api.pagination import CURSOR, limit_of
from openmeet.web.attendance.registration_api import questions_output
from openmeet.web.events import new_links
from openmeet.web.events.publication_view import event_status
from openmeet.web.events.schemas import (
    CountsOutput,
    EventCoHost,
    EventDetail,
    GroupNamed,
    PublicationOutput,
    SeriesNamed,
    event_fields,
)
from openmeet.web.media.pages import portrait_url
from openmeet.web.search import places
from openmeet.web.site.caller import caller_of, caller_or_none, viewer_of
from openmeet.web.site.services import services
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of

DEFAULT_LIMIT = 30
MAX_LIMIT = 100
MAX_ATTENDEES = 1000


class EventList(msgspec.Struct, rename="camel"):
    """One page of a list of events. ``cursor`` is null on the last page."""

    events: list[EventDetail]
    cursor: str | None


class FoundEvents(EventList, rename="camel"):
    """Events found by a search. If no event matches ``q``, ``searchedFor`` has the corrected words that were searched
    for instead. Otherwise it is null.
    """

    searched_for: str | None = None


class AttendeeOutput(msgspec.Struct, rename="camel"):
    """One attendee. ``isShadow`` means that they are known only from records in their repository. ``pictureUrl`` is
    their own picture, if the caller may see it.
    """

    person_id: str
    display_name: str
    is_shadow: bool
    status: AttendanceStatus
    answered_at: str
    picture_url: str | None


class AttendeeList(msgspec.Struct, rename="camel"):
    """Attendees in RSVP order. Hosts and people on the waitlist also see the waitlist, in its own order. Everyone else
    sees only the number of people on it.

    ``cursor`` is null on the last page.
    """

    counts: CountsOutput
    attendees: list[AttendeeOutput]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class SeriesAndGroups:
    """The series and groups of several events, as far as one viewer may see them."""

    series: Mapping[SeriesId, Series]
    groups: Mapping[GroupId, Group]
    sources: Mapping[EventId, RecordSource]
    public_url: str

    def fields(self, event: Event) -> dict[str, Any]:
        """The fields of ``EventOutput`` that do not come from the event itself."""
        position = event.position_in_series
        series = self.series.get(SeriesId(position.series_id)) if position else None
        group = self.groups.get(event.group.id) if event.group else None
        series_url = f"{self.public_url}{series_path(series.slug)}" if series else ""
        group_url = f"{self.public_url}{group_path(group.slug)}" if group else ""
        return {
            "series": None if series is None else SeriesNamed(series.slug, series.content.title, series_url),
            "original_date": position.original_date if position and series else None,
            "is_modified_occurrence": bool(position and series and position.overridden),
            "differs_in": [json_name(input_name(name)) for name in position.overridden] if position and series else [],
            "group_id": None if group is None else group.id,
            "group": None if group is None else GroupNamed(group.slug, group.details.name, group_url),
            "source": self.sources[event.id],
        }


MineName = Literal["upcoming", "going", "hosting", "drafts", "waiting", "past"]

_LIMIT = Parameter("limit", f"Events per page, 1 to {MAX_LIMIT}", shape=int)


async def list_events(request: Request) -> Response:
    uri = request.query_params.get("uri", "")
    if uri:
        return await _list_by_uri(request, uri)
    search_fields = await places.add_point(request, {name: request.query_params.get(name, "") for name in FIELDS})
    search_query = query.parse_query(search_fields, viewer_of(request))
    after, limit = paging(request)
    async with database_of(request).reader() as reader:
        result = await corrected_search.coming(database_of(request), reader, search_query, after, limit + 1)
        events = result.events
        cursor = (
            my_event_lists.pack(search.position_in(result.query, events[limit - 1])) if len(events) > limit else None
        )
        searched = " ".join(result.query.words) if result.is_corrected else None
        return json_response(FoundEvents(await details_of(reader, request, events[:limit]), cursor, searched))


async def _list_by_uri(request: Request, uri: str) -> Response:
    """The event with this record URI, if the caller may see it. Past events and events without a date are included."""
    async with database_of(request).reader() as reader:
        event = await find_by_record(reader, uri)
        viewer = viewer_of(request)
        is_seen = (
            event and not event.is_gone and await event_access.may_see(reader, event, viewer, has_rsvp_access=False)
        )
        events = [event] if event and is_seen else []
        return json_response(await events_page(reader, request, events, 1))


async def list_mine(request: Request) -> Response:
    caller = caller_of(request)
    selected_list = request.query_params.get("which") or MyEvents.UPCOMING.value
    after, limit = paging(request)
    async with database_of(request).reader() as reader:
        events = await my_event_lists.my_events(reader, caller.user_id, MyEvents(selected_list), after, limit + 1)
        return json_response(await events_page(reader, request, events, limit))


async def show_event(request: Request) -> Response:
    caller = caller_or_none(request)
    async with database_of(request).reader() as reader:
        event = await _visible_event(reader, request, caller)
        (detail,) = await details_of(reader, request, [event])
    return json_response(detail, headers=etag_of(event.revision))


async def list_attendees(request: Request) -> Response:
    caller = caller_or_none(request)
    after, limit = (
        rsvp_list.parse_cursor(request.query_params.get("cursor", "")),
        limit_of(request, MAX_ATTENDEES, MAX_ATTENDEES),
    )
    async with database_of(request).reader() as reader:
        event = await _visible_event(reader, request, caller)
        counts = (await counts_shown(reader, [event.id]))[event.id]
        registration_settings = await registration.settings_of(reader, event)
        own_rsvp = None if caller is None else await attendance_queries.find(reader, event.id, caller.user_id)
        is_hosting = await host_decisions.may_host(reader, event, caller)
        sees_list = is_hosting or sees_attendee_names(
            registration_settings, is_going=own_rsvp is not None and own_rsvp.is_seated
        )
        people = (
            await attendee_list.attendees(
                reader,
                event.id,
                ATTENDEE_STATUSES,
                limit=limit + 1,
                viewer=caller.user_id if caller else None,
                for_hosts=is_hosting,
                after=after,
            )
            if sees_list
            else []
        )
        people, has_more = people[:limit], len(people) > limit
        names = await shown_names(reader, [one.user_id for one in people])
        shown = await portraits.shown(reader, caller.user_id if caller else None, list(names))
    return json_response(
        AttendeeList(
            CountsOutput(counts.going, counts.interested, counts.waitlisted, counts.pending_people),
            [
                AttendeeOutput(
                    one.user_id,
                    names[one.user_id],
                    one.kind is UserKind.SHADOW and not one.is_guest,
                    one.status,
                    iso(one.answered_at),
                    portrait_url(request, shown.get(one.user_id)),
                )
                for one in people
            ],
            rsvp_list.format_cursor(people[-1]) if has_more else None,
        )
    )


async def _visible_event(reader: Reader, request: Request, caller: Caller | None) -> Event:
    slug = event_slug_of(request)
    event = await by_slug(reader, slug)
    if event is None:
        await new_links.raise_if_replaced(reader, LinkKind.EVENT, slug)
    own_rsvp = await attendance_queries.find(reader, event.id, caller.user_id) if event and caller else None
    viewer = caller.user_id if caller else None
    if event is None or not await event_access.may_see(
        reader, event, viewer, has_rsvp_access=rsvp_gives_access(own_rsvp)
    ):
        raise NotFound(GeneralReason.NO_SUCH_EVENT)
    raise_if_gone(event, is_involved=viewer is not None and (own_rsvp is not None or event.author_id == viewer))
    return event


async def events_page(reader: Reader, request: Request, events: list[Event], limit: int) -> EventList:
    """One page of a list of events. ``events`` has one more than ``limit`` if there is a next page."""
    cursor = my_event_lists.pack(my_event_lists.position_of(events[limit - 1])) if len(events) > limit else None
    return EventList(await details_of(reader, request, events[:limit]), cursor)


async def details_of(reader: Reader, request: Request, events: Sequence[Event]) -> list[EventDetail]:
    """Events as the caller sees them. The number of queries does not depend on the number of events."""
    viewer = viewer_of(request)
    ids = [event.id for event in events]
    counts = await counts_shown(reader, ids)
    own_rsvps = await attendance_queries.of_user(reader, viewer, ids) if viewer else {}
    surroundings = await load_surroundings(reader, events, viewer, services(request).settings.public_url)
    co_hosts = await co_host_queries.shown_co_hosts(reader, ids)
    others = [user_id for several in co_hosts.values() for user_id in several]
    names = await shown_names(reader, [*(event.author_id for event in events), *others])
    run = await event_access.managed_among(reader, events, viewer)
    own_event_ids = [event.id for event in events if event.author_id == viewer]
    statuses = await publication_status.statuses(reader, publications.PublicationKind.EVENT, own_event_ids)
    has_agreed = viewer is not None and (await consent(reader, viewer)).is_given
    bar_inputs = await bar_inputs_of(reader, events, viewer, own_rsvps=own_rsvps, counts=counts, hosted=run)
    details = []
    for event in events:
        answer = own_rsvps.get(event.id)
        count = counts[event.id]
        status = statuses.get(event.id)
        is_going = answer is not None and answer.status in SEATED_STATUSES
        private = private_details(event, viewer, is_going=is_going, now=reader.now, runs=event.id in run)
        bar_input = replace(
            bar_inputs[event.id],
            may_join=bool(private.web_link),
            may_message=bar_inputs[event.id].is_welcome,
            sees_group=event.group is not None and event.group.id in surroundings.groups,
        )
        bar = answer_bar_of(bar_input)
        details.append(
            EventDetail(
                **event_fields(event, private, services(request).settings.public_url),
                **surroundings.fields(event),
                host_name=names[event.author_id],
                co_hosts=[EventCoHost(user_id, names[user_id]) for user_id in co_hosts.get(event.id, ())],
                counts=CountsOutput(count.going, count.interested, count.waitlisted, count.pending_people),
                my_status=answer.status if answer else None,
                answer_state=bar.state,
                answer_labels=button_labels(bar, bar_input.pending_rsvps),
                needs_approval=bar_input.registration_settings.needs_approval,
                questions=questions_output(bar_input.registration_settings),
                publication=_publication(event, status, reader.now, has_agreed=has_agreed),
            )
        )
    return details


async def to_host(request: Request, reader: Reader, event: Event, status: int = 200) -> Response:
    """The response to a change of an event: the event as its host reads it, and its ETag. For a new event, also with
    its location.
    """
    (shown,) = await details_of(reader, request, [event])
    address = {"location": f"/api/events/{quote(event.slug)}"} if status == HTTPStatus.CREATED else {}
    return json_response(shown, status, {**etag_of(event.revision), **address})


async def load_surroundings(
    reader: Reader, events: Sequence[Event], viewer: UserId | None, public_url: str
) -> SeriesAndGroups:
    """Load the series and groups of several events. The number of queries does not depend on the number of events."""
    series_ids = {
        SeriesId(event.position_in_series.series_id) for event in events if event.position_in_series is not None
    }
    series_by_id = await series_queries.by_ids(reader, sorted(series_ids)) if series_ids else {}
    existing_series = [one for one in series_by_id.values() if one.deleted_at is None]
    seen = {one.id: one for one in await visibility.seen(reader, existing_series, viewer)}
    group_ids = sorted({event.group.id for event in events if event.group is not None})
    all_groups = await group_queries.by_ids(reader, group_ids) if group_ids else {}
    roles = {} if viewer is None or not group_ids else await group_queries.roles_in(reader, group_ids, viewer)
    # An invited attendee may be allowed to see the event but not its group.
    visible = {id_: one for id_, one in all_groups.items() if group_rules.may_see(one, roles.get(id_))}
    records = [(event.origin is not RecordOrigin.NETWORK, event.record_uri) for event in events]
    sources = dict(zip([event.id for event in events], await sources_of(reader, records), strict=True))
    return SeriesAndGroups(seen, visible, sources, public_url)


def _publication(
    event: Event, status: PublicationStatus | None, now: Instant, *, has_agreed: bool
) -> PublicationOutput | None:
    if status is None:
        return None
    their_record = event.record_uri if event.has_foreign_record else None
    return PublicationOutput(
        status.state_for_api(is_foreign=their_record is not None),
        explain(event_status(event, status, now, has_agreed=has_agreed)),
        status.uri or their_record,
        iso(status.changed_at) if status.changed_at else None,
    )


def paging(request: Request) -> tuple[EventCursor | None, int]:
    """The cursor and the page size. Raises InvalidInput, which names the parameter."""
    limit = limit_of(request, DEFAULT_LIMIT, MAX_LIMIT)
    return my_event_lists.unpack(request.query_params.get("cursor", "")), limit


OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/events",
        "listEvents",
        "Coming public events, soonest first. In a search for words, events with the words in the title come first",
        list_events,
        {200: FoundEvents},
        parameters=(
            *(Parameter(one.name, one.description, shape=one.schema) for one in FILTERS),
            Parameter("uri", "The at-uri of a record: only the event of this record, even if it is over"),
            CURSOR,
            _LIMIT,
        ),
        needs_session=False,
    ),
    ApiOperation(
        "GET",
        "/api/events/{slug}",
        "showEvent",
        f"One event. It has at most {MAX_CO_HOSTS} co-hosts, and asks at most {MAX_QUESTIONS} questions",
        show_event,
        {200: EventDetail},
        needs_session=False,
        failures=(404,),
    ),
    ApiOperation(
        "GET",
        "/api/events/{slug}/attendees",
        "listAttendees",
        "The attendees",
        list_attendees,
        {200: AttendeeList},
        parameters=(
            CURSOR,
            Parameter("limit", f"People per page, 1 to {MAX_ATTENDEES}. Without it, {MAX_ATTENDEES}", shape=int),
        ),
        needs_session=False,
        failures=(404,),
    ),
    ApiOperation(
        "GET",
        "/api/my/events",
        "listMyEvents",
        "Your events, soonest first. By default upcoming events that you host, attend or are interested in",
        list_mine,
        {200: EventList},
        parameters=(
            Parameter("which", "Which list. Upcoming combines hosting and going", shape=MineName),
            CURSOR,
            _LIMIT,
        ),
    ),
)
