"""Event queries: get one event, search, list the events of a repository, list the RSVPs to an event.

Everyone is counted in RSVPs, but only attendees whose own repository has the RSVP are named. Other apps copy the
response, and people who answered only on this site have not agreed to that. The host's choice of who can see the list
applies as well.
"""

from collections.abc import Mapping

from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.datetime import parse_datetime
from at_protocol.syntax.did import Did, parse_did
from groundwork.clock import Instant
from groundwork.database.words import MAX_WORDS
from groundwork.errors import InvalidInput
from groundwork.geo_points import SearchArea
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance import registration
from openmeet.domain.attendance.attendee_list import PublicRsvp, public_rsvps
from openmeet.domain.attendance.attendee_summary import counts_shown, sees_attendee_names
from openmeet.domain.attendance.model import SEATED_STATUSES, AttendanceStatus
from openmeet.domain.events import event_access
from openmeet.domain.events.model import Event
from openmeet.domain.events.place_text import coordinate_of
from openmeet.domain.events.vocabulary import Category, normalised
from openmeet.domain.identities.model import Identity
from openmeet.domain.identities.queries import of_users
from openmeet.domain.search import corrected_search, my_event_lists, search
from openmeet.domain.search.my_event_lists import EventCursor, position_of
from openmeet.domain.search.query import MAX_QUERY
from openmeet.domain.search.repository_events import of_repository
from openmeet.domain.search.search import EventOrigin, SearchQuery
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.formatting import iso
from openmeet.network.records.collections import RSVP
from openmeet.web.xrpc.call import LexiconCall, Query
from openmeet.web.xrpc.reasons import XrpcReason
from openmeet.web.xrpc.resolve import event_at
from openmeet.web.xrpc.schemas import AnswerList, AnswerView, ListedEvents, OneEvent
from openmeet.web.xrpc.views import counts_of, event_view, views_of


async def get_event(call: LexiconCall) -> OneEvent:
    """Answer ``getEvent``: one event. Raises NotFound (``EventNotFound``)."""
    return OneEvent(event=await event_view(call, await event_at(call, "uri")))


async def list_events(call: LexiconCall) -> ListedEvents:
    """Answer ``listEvents``. Raises InvalidInput (``InvalidCursor``, and for constraints that the Lexicon cannot
    express).
    """
    search_query = _search_query(call)
    after, limit = my_event_lists.unpack(call.text("cursor")), call.number("limit")
    search_result = await corrected_search.coming(call.db, call.reader, search_query, after, limit + 1)
    events = search_result.events
    cursor = (
        my_event_lists.pack(search.position_in(search_result.query, events[limit - 1])) if len(events) > limit else None
    )
    return ListedEvents(events=await views_of(call, events[:limit]), cursor=cursor)


async def list_actor_events(call: LexiconCall) -> ListedEvents:
    """Answer ``listActorEvents``: events of one repository. Raises InvalidInput (``InvalidCursor``)."""
    after, limit = my_event_lists.unpack(call.text("cursor")), call.number("limit")
    events = await of_repository(
        call.reader,
        call.text("actor"),
        viewer=call.viewer,
        since=instant_in(call, "since"),
        until=instant_in(call, "until"),
        after=after,
        limit=limit + 1,
        is_reverse=call.is_set("reverse"),
    )
    cursor = my_event_lists.pack(position_of(events[limit - 1])) if len(events) > limit else None
    return ListedEvents(events=await views_of(call, events[:limit]), cursor=cursor)


async def list_answers(call: LexiconCall) -> AnswerList:
    """Answer ``listAnswers``. Raises NotFound (``EventNotFound``), InvalidInput (``InvalidCursor``)."""
    reader = call.reader
    event = await event_at(call, "event")
    counted = (await counts_shown(reader, [event.id]))[event.id]
    if not await _sees_list(call, event):
        return AnswerList(counts=counts_of(counted), answers=[])
    at, limit = my_event_lists.unpack(call.text("cursor")), call.number("limit")
    after = None if at is None else (at.starts_at, at.event_id)
    rsvps = await public_rsvps(reader, event.id, after, limit + 1)
    page = rsvps[:limit]
    identities = await of_users(reader, [one.user_id for one in page])
    by_did = {identity.did: identity for several in identities.values() for identity in several}
    cursor = my_event_lists.pack(EventCursor(page[-1].answered_at, page[-1].id)) if len(rsvps) > limit else None
    return AnswerList(counts=counts_of(counted), answers=[_answer_view(one, by_did) for one in page], cursor=cursor)


def instant_in(call: LexiconCall, name: str) -> Instant | None:
    """An instant parameter. None if absent."""
    text = call.text(name)
    return Instant(parse_datetime(text)) if text else None


def _search_query(call: LexiconCall) -> SearchQuery:
    query, category, source, tag = (call.text(name) for name in ("q", "category", "source", "tag"))
    if len(query) > MAX_QUERY:
        raise InvalidInput("q", GeneralReason.TEXT_TOO_LONG, most=MAX_QUERY)
    if category and category not in set(Category):
        raise InvalidInput("category", GeneralReason.CHOOSE_ONE, choices=", ".join(Category))
    if source and source not in set(EventOrigin):
        raise InvalidInput("source", GeneralReason.CHOOSE_ONE, choices=", ".join(EventOrigin))
    if tag and not normalised(tag):
        raise InvalidInput("tag", XrpcReason.MALFORMED_TAG)
    topics = {"category": category, "tag": normalised(tag)}
    return SearchQuery(
        words=tuple(query.split()[:MAX_WORDS]),
        topics=tuple(f"{kind}:{value}" for kind, value in topics.items() if value),
        source=EventOrigin(source) if source else EventOrigin.ALL,
        near=_near_of_call(call),
        since=instant_in(call, "since"),
        until=instant_in(call, "until"),
        viewer=call.viewer,
    )


def _near_of_call(call: LexiconCall) -> SearchArea | None:
    latitude, longitude = call.text("latitude"), call.text("longitude")
    if not latitude and not longitude:
        return None
    north, east = coordinate_of(latitude, 90), coordinate_of(longitude, 180)
    if north is None or east is None:
        raise InvalidInput("latitude", XrpcReason.POINT_INCOMPLETE)
    return SearchArea(float(north), float(east), call.number("within"))


async def _sees_list(call: LexiconCall, event: Event) -> bool:
    registration_settings = await registration.settings_of(call.reader, event)
    own_rsvp = None if call.viewer is None else await attendance_queries.find(call.reader, event.id, call.viewer)
    if sees_attendee_names(registration_settings, is_going=own_rsvp is not None and own_rsvp.status in SEATED_STATUSES):
        return True
    return bool(await event_access.managed_among(call.reader, [event], call.viewer))


def _answer_view(rsvp: PublicRsvp, by_did: Mapping[Did, Identity]) -> AnswerView:
    did = parse_did(parse_at_uri(rsvp.record_uri).authority)
    identity = by_did.get(did)
    return AnswerView(
        uri=rsvp.record_uri,
        did=did,
        # The display name from the network. Users may not want their name on this site to be linked to their DID.
        handle=(identity.handle or None) if identity else None,
        display_name=identity.display_name if identity else "",
        status=f"{RSVP}#interested" if rsvp.status is AttendanceStatus.INTERESTED else f"{RSVP}#going",
        standing=_standing(rsvp.status),
        answered_at=iso(rsvp.answered_at),
    )


def _standing(status: AttendanceStatus) -> str:
    return "unconfirmed" if status is AttendanceStatus.PENDING else "confirmed"


QUERIES = (
    Query("getEvent", get_event),
    Query("listEvents", list_events),
    Query("listActorEvents", list_actor_events),
    Query("listAnswers", list_answers),
)
