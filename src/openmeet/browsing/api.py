"""Lists and one event with its attendees, as JSON."""

from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import InvalidInput, NotFound
from groundwork.http.json_bodies import json_response
from openmeet.attendance import attendee_queries, joining_queries, managing
from openmeet.attendance import queries as attendance
from openmeet.attendance.api import StatusName
from openmeet.attendance.model import SEATED, SHOWN
from openmeet.attendance.rules import is_invited
from openmeet.browsing import cursors, event_view, finding, queries, searches
from openmeet.browsing.gone import must_be_here
from openmeet.browsing.publishing_view import event_words
from openmeet.browsing.queries import Mine, Position
from openmeet.debts import publications
from openmeet.debts.publications import Standing
from openmeet.events import host_queries, seeing
from openmeet.events.by_record import find as find_by_record
from openmeet.events.model import Event, EventSlug
from openmeet.events.private_details import private_details
from openmeet.events.queries import by_slug
from openmeet.events.shapes import EventShown, event_shown
from openmeet.events.vocabulary import AccessFeature, Category
from openmeet.identities.names import shown_names
from openmeet.identities.queries import consent
from openmeet.site.etags import etag_of
from openmeet.site.operations import Operation, Parameter
from openmeet.site.times import iso
from openmeet.tenants.edge import database_of
from openmeet.users.edge import caller_of, caller_or_none
from openmeet.users.model import Caller, UserKind

DEFAULT_LIMIT = 30
MAX_LIMIT = 100
MAX_ATTENDEES = 1000


class CountsShown(msgspec.Struct, rename="camel"):
    """How many people said what; ``unconfirmed`` answers take no place yet."""

    going: int
    interested: int
    waitlisted: int
    unconfirmed: int


class PublicationShown(msgspec.Struct, rename="camel"):
    """How the event's record stands, for its host. ``state`` is one of docs/queues-and-debts.md, ``words`` is for people."""

    state: str
    words: str
    uri: str | None
    changed_at: str | None


class HostShown(msgspec.Struct, rename="camel"):
    """Somebody who hosts the event beside its author."""

    person_id: str
    display_name: str


class EventDetail(EventShown, kw_only=True, rename="camel"):
    """An event with what belongs to other rooms."""

    host_name: str
    co_hosts: list[HostShown]
    counts: CountsShown
    my_status: StatusName | None
    publication: PublicationShown | None


class EventList(msgspec.Struct, rename="camel"):
    """A page of a list; ``cursor`` is null on the last."""

    events: list[EventDetail]
    cursor: str | None


class AttendeeShown(msgspec.Struct, rename="camel"):
    """One person's answer. ``isShadow``: known only by what their repository says."""

    person_id: str
    display_name: str
    is_shadow: bool
    status: StatusName
    answered_at: str


class AttendeeList(msgspec.Struct, rename="camel"):
    """Who answered, in the order of answers. Those who wait stand here, in the order of the line, for hosts and themselves; others count them.

    ``cursor`` is null on the last page.
    """

    counts: CountsShown
    attendees: list[AttendeeShown]
    cursor: str | None


ModeName = Literal["in_person", "online"]
SourceName = Literal["all", "openmeet", "bluesky", "atproto"]
GroupsName = Literal["mine"]
MineName = Literal["going", "hosting", "drafts", "waiting", "past"]

_CURSOR = Parameter("cursor", "Where the page before ended")
_LIMIT = Parameter("limit", f"Events per page, 1 to {MAX_LIMIT}", shape=int)


async def list_events(request: Request) -> Response:
    uri = request.query_params.get("uri", "")
    if uri:
        return await _list_by_uri(request, uri)
    caller = caller_or_none(request)
    typed = {name: request.query_params.get(name, "") for name in searches.FIELDS}
    wanted = searches.wanted_of(typed, caller.user_id if caller else None)
    after, limit = paging(request)
    async with database_of(request).reader() as reader:
        found = await finding.coming(reader, wanted, after, limit + 1)
        cursor = cursors.pack(finding.position_in(wanted, found[limit - 1])) if len(found) > limit else None
        return json_response(EventList(await _details(reader, request, found[:limit]), cursor))


async def _list_by_uri(request: Request, uri: str) -> Response:
    """The one event that a record stands for, also when it is over or has no date yet; nobody else's business stays so."""
    async with database_of(request).reader() as reader:
        event = await find_by_record(reader, uri)
        caller = caller_or_none(request)
        viewer = caller.user_id if caller else None
        is_seen = event and not event.is_gone and await seeing.may_see(reader, event, viewer, is_invited=False)
        found = [event] if event and is_seen else []
        return json_response(await events_page(reader, request, found, 1))


async def list_mine(request: Request) -> Response:
    caller = caller_of(request)
    asked = request.query_params.get("which", Mine.GOING.value)
    if asked not in set(Mine):
        raise InvalidInput("which", "Choose one of: " + ", ".join(Mine) + ".")
    after, limit = paging(request)
    async with database_of(request).reader() as reader:
        found = await queries.mine(reader, caller.user_id, Mine(asked), after, limit + 1)
        return json_response(await events_page(reader, request, found, limit))


async def show_event(request: Request) -> Response:
    caller = caller_or_none(request)
    async with database_of(request).reader() as reader:
        event = await _visible(reader, request, caller)
        (detail,) = await _details(reader, request, [event])
    return json_response(detail, headers=etag_of(event.revision))


async def list_attendees(request: Request) -> Response:
    caller = caller_or_none(request)
    after = cursors.unpack_place(request.query_params.get("cursor", ""))
    async with database_of(request).reader() as reader:
        event = await _visible(reader, request, caller)
        counts = (await attendance.counts(reader, [event.id]))[event.id]
        joining = await joining_queries.of_event(reader, event)
        mine = None if caller is None else await attendance.find(reader, event.id, caller.user_id)
        is_hosting = await managing.may_host(reader, event, caller)
        sees_list = is_hosting or event_view.sees_who_comes(joining, is_going=mine is not None and mine.is_seated)
        people = (
            await attendee_queries.attendees(
                reader,
                event.id,
                SHOWN,
                limit=MAX_ATTENDEES + 1,
                viewer=caller.user_id if caller else None,
                with_private=is_hosting,
                after=after,
            )
            if sees_list
            else []
        )
        people, has_more = people[:MAX_ATTENDEES], len(people) > MAX_ATTENDEES
        names = await shown_names(reader, [one.user_id for one in people])
    return json_response(
        AttendeeList(
            CountsShown(counts.going, counts.interested, counts.waitlisted, counts.unconfirmed),
            [
                AttendeeShown(
                    one.user_id,
                    names[one.user_id],
                    one.kind is UserKind.SHADOW and not one.is_guest,
                    one.status.value,
                    iso(one.answered_at),
                )
                for one in people
            ],
            cursors.pack_place(people[-1].place, people[-1].answered_at, people[-1].attendance_id)
            if has_more
            else None,
        )
    )


async def _visible(reader: Reader, request: Request, caller: Caller | None) -> Event:
    event = await by_slug(reader, EventSlug(request.path_params["slug"]))
    mine = await attendance.find(reader, event.id, caller.user_id) if event and caller else None
    viewer = caller.user_id if caller else None
    if event is None or not await seeing.may_see(reader, event, viewer, is_invited=is_invited(mine)):
        raise NotFound("There is no such event.")
    must_be_here(event, concerns=viewer is not None and (mine is not None or event.author_id == viewer))
    return event


async def events_page(reader: Reader, request: Request, found: list[Event], limit: int) -> EventList:
    """One page of a list, of which one event more was looked for."""
    cursor = cursors.pack(queries.position_of(found[limit - 1])) if len(found) > limit else None
    return EventList(await _details(reader, request, found[:limit]), cursor)


async def _details(reader: Reader, request: Request, events: list[Event]) -> list[EventDetail]:
    caller = caller_or_none(request)
    viewer = caller.user_id if caller else None
    ids = [event.id for event in events]
    counts = await attendance.counts(reader, ids)
    mine = await attendance.of_user(reader, viewer, ids) if viewer else {}
    beside = await host_queries.beside_authors(reader, ids)
    others = [user_id for several in beside.values() for user_id in several]
    names = await shown_names(reader, [*(event.author_id for event in events), *others])
    run = await seeing.run_among(reader, events, viewer)
    own = [event.id for event in events if event.author_id == viewer]
    standings = await publications.states(reader, publications.Kind.EVENT, own)
    has_agreed = viewer is not None and (await consent(reader, viewer)).is_given
    found = []
    for event in events:
        answer = mine.get(event.id)
        count = counts[event.id]
        standing = standings.get(event.id)
        is_going = answer is not None and answer.status in SEATED
        private = private_details(event, viewer, is_going=is_going, now=reader.now, runs=event.id in run)
        shown = event_shown(event, private, public_url=request.app.state.settings.public_url)
        found.append(
            EventDetail(
                **msgspec.structs.asdict(shown),
                host_name=names[event.author_id],
                co_hosts=[HostShown(user_id, names[user_id]) for user_id in beside.get(event.id, ())],
                counts=CountsShown(count.going, count.interested, count.waitlisted, count.unconfirmed),
                my_status=answer.status.value if answer else None,
                publication=_publication(event, standing, reader.now, has_agreed=has_agreed),
            )
        )
    return found


def _publication(event: Event, standing: Standing | None, now: Instant, *, has_agreed: bool) -> PublicationShown | None:
    if standing is None:
        return None
    return PublicationShown(
        standing.state.value,
        event_words(event, standing, now, has_agreed=has_agreed),
        standing.uri,
        iso(standing.changed_at) if standing.changed_at else None,
    )


def paging(request: Request) -> tuple[Position | None, int]:
    """Where the page begins and how long it is; InvalidInput names the parameter."""
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= MAX_LIMIT):
        raise InvalidInput("limit", f"The limit is a whole number from 1 to {MAX_LIMIT}.")
    return cursors.unpack(request.query_params.get("cursor", "")), int(text)


OPERATIONS = (
    Operation(
        "GET",
        "/api/events",
        "listEvents",
        "Coming public events, soonest first; with words, those with them in the title before the others",
        list_events,
        {200: EventList},
        parameters=(
            Parameter("q", "Words, or beginnings of words, that all occur in title, description, tags or place"),
            Parameter("from", "First day, YYYY-MM-DD, in each event’s own time zone"),
            Parameter("to", "Last day, YYYY-MM-DD, included"),
            Parameter("uri", "The at-uri of a record: only the event that it stands for, whenever that is"),
            Parameter("category", "What it is about", shape=Category),
            Parameter("tag", "One tag"),
            Parameter("language", "A language that is spoken: its name or its code"),
            Parameter("access", "What there is for people who need it", shape=AccessFeature),
            Parameter("mode", "How people take part; what is held both ways is in either", shape=ModeName),
            Parameter("source", "Where it was first written; bluesky is another name for atproto", shape=SourceName),
            Parameter("near", "A point: latitude, longitude in degrees, like 52.52,13.40"),
            Parameter("within", f"Kilometres around that point, 1 to {searches.MAX_WITHIN}", shape=int),
            Parameter("groups", "mine: events of the caller’s groups, those for members too", shape=GroupsName),
            _CURSOR,
            _LIMIT,
        ),
        needs_session=False,
    ),
    Operation(
        "GET",
        "/api/events/{slug}",
        "showEvent",
        "One event",
        show_event,
        {200: EventDetail},
        needs_session=False,
        failures=(404,),
    ),
    Operation(
        "GET",
        "/api/events/{slug}/attendees",
        "listAttendees",
        "Who answered",
        list_attendees,
        {200: AttendeeList},
        parameters=(_CURSOR,),
        needs_session=False,
        failures=(404,),
    ),
    Operation(
        "GET",
        "/api/my/events",
        "listMyEvents",
        "Events that the caller hosts, goes to or waits for",
        list_mine,
        {200: EventList},
        parameters=(Parameter("which", "One list", shape=MineName), _CURSOR, _LIMIT),
    ),
)
