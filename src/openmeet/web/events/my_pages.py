"""My events: going, hosting, waiting, drafts and past. The list of hosted events also shows what needs the host's
attention.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.http.forms import FormState, read_form
from openmeet.domain.attendance.activity import RecentChanges
from openmeet.domain.attendance.answer_bar import is_visited_today
from openmeet.domain.attendance.attendee_summary import counts_shown
from openmeet.domain.attendance.model import RsvpCounts
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.host_tasks.undelivered import dismiss
from openmeet.domain.identities import backfill_progress
from openmeet.domain.page_paths import event_path
from openmeet.domain.search import my_event_lists
from openmeet.domain.search.my_event_lists import MyEvents
from openmeet.domain.users.model import UserId
from openmeet.domain.users.queries import by_id as user_by_id
from openmeet.i18n.catalogue import lazy, ngettext
from openmeet.i18n.formatting import OFFERED_ZONES
from openmeet.web.attendance import view
from openmeet.web.attendance.view import JoinRequestRow, oldest_join_requests
from openmeet.web.events import co_hosts_pages
from openmeet.web.events.asking_people import return_path_of
from openmeet.web.events.listing import (
    CardList,
    EventCard,
    FurtherDates,
    card_of,
    day_cards,
    day_in_row,
    facts_of,
    further_dates,
    with_days,
)
from openmeet.web.events.pending_decisions import DISMISS_PATH, HostTask, host_tasks
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

PAGE_SIZE = 30
# Maximum number of hosted events with open requests. Nobody hosts more at the same time, and a link leads to all
# requests.
_MAX_ASKED = 50

_TABS = {
    MyEvents.GOING: lazy("Going or maybe"),
    MyEvents.HOSTING: lazy("Hosting"),
    MyEvents.WAITING: lazy("Waiting"),
    MyEvents.DRAFTS: lazy("Drafts"),
    MyEvents.PAST: lazy("Past"),
}

# Texts for an empty list: why it is empty, and the next step.
_EMPTY = {
    MyEvents.GOING: {
        "heading": lazy("Nothing planned yet"),
        "text": lazy("Events you said yes or maybe to show up here."),
        "path": "/",
        "action": lazy("See what’s coming up"),
    },
    MyEvents.HOSTING: {
        "heading": lazy("You’re not hosting anything"),
        "text": lazy("Events you host show up here, along with who’s coming."),
        "path": "/events/new",
        "action": lazy("Create an event"),
    },
    MyEvents.DRAFTS: {
        "heading": lazy("You have no drafts"),
        "text": lazy("Events you haven’t published yet show up here."),
        "path": "/events/new",
        "action": lazy("Start a draft"),
    },
    MyEvents.WAITING: {
        "heading": lazy("You’re not on a waitlist"),
        "text": lazy("Events you’re on the waitlist for show up here."),
        "path": "/",
        "action": lazy("See what’s coming up"),
    },
    MyEvents.PAST: {
        "heading": lazy("No past events yet"),
        "text": lazy("Events you hosted or went to stay here."),
        "path": "/",
        "action": lazy("See what’s coming up"),
    },
}


@dataclass(frozen=True, slots=True)
class NextHosted:
    """The next event that the viewer hosts. ``capacity`` 0 means no limit. ``is_today``: attendees come to it
    today. ``other_answers`` counts the other kinds of answers.
    """

    card: EventCard
    path: str
    day: str
    going: int
    capacity: int
    is_today: bool
    other_answers: list[str]


@dataclass(frozen=True, slots=True)
class HostDashboard:
    """The part above the list of hosted events: open requests, other tasks and the next event. ``most_asked`` is the
    event with the most requests. ``changes`` covers all hosted events since yesterday.
    """

    asking: list[JoinRequestRow]
    number_asking: int
    most_asked: str
    tasks: list[HostTask]
    next: NextHosted | None
    changes: RecentChanges


def routes() -> list[Route]:
    return [
        Route("/my/events", show_mine, methods=["GET"]),
        Route(DISMISS_PATH, dismiss_emails, methods=["POST"]),
    ]


async def show_mine(request: Request) -> Response:
    caller = caller_of(request)
    selected_list = request.query_params.get("which", "")
    after = my_event_lists.unpack(request.query_params.get("after", ""))
    async with database_of(request).reader() as reader:
        counts = await my_event_lists.my_event_counts(reader, caller.user_id)
        first = next((tab for tab in _TABS if counts[tab]), MyEvents.GOING)
        selected = MyEvents(selected_list) if selected_list in set(_TABS) else first
        events = await my_event_lists.my_events(reader, caller.user_id, selected, after, PAGE_SIZE + 1)
        is_hosting = selected is MyEvents.HOSTING
        listed = _next_dates(events[:PAGE_SIZE]) if is_hosting else events[:PAGE_SIZE]
        further = await further_dates(reader, listed) if is_hosting else {}
        groups = await day_cards(
            reader,
            listed,
            CardList(
                services(request).settings.public_url,
                caller.user_id,
                shows_sync=True,
                is_hosting=is_hosting,
                further=further,
            ),
        )
        dashboard = (
            await _dashboard(request, reader, caller.user_id, events[:PAGE_SIZE], further)
            if is_hosting and after is None
            else None
        )
        # The dashboard includes these events in its tasks.
        asked_to_host = (
            []
            if dashboard is not None
            else (await co_hosts_pages.asked_of(reader, caller.user_id, services(request).code_key))[0]
        )
        me = await user_by_id(reader, caller.user_id)
        reading = [one for one in await backfill_progress.of_person(reader, caller.user_id) if not one.is_done]
    more = ""
    if len(events) > PAGE_SIZE:
        cursor = my_event_lists.pack(my_event_lists.position_of(events[PAGE_SIZE - 1]))
        more = "/my/events?" + urlencode({"which": selected.value, "after": cursor})
    context = {
        "hosting": dashboard,
        "back": return_path_of(request),
        "groups": groups,
        "dated": with_days(groups),
        "more": more,
        "which": selected.value,
        "tabs": [{"value": tab.value, "words": words, "count": counts[tab]} for tab, words in _TABS.items()],
        "number_of": {tab.value: counts[tab] for tab in _TABS},
        "empty": _EMPTY[selected],
        "asked_to_host": asked_to_host,
        "asks_zone": me is not None and me.time_zone is None,
        "zones": OFFERED_ZONES,
        "zone_typed": FormState({"time_zone": "UTC"}),
        "is_reading": bool(reading),
    }
    return page(request, "events/my_events.html", context)


def _next_dates(events: Sequence[Event]) -> list[Event]:
    """The events without the later dates of a series, which would push everything else off a host's page."""
    first_by_series: dict[str, Event] = {}
    for event in events:
        first_by_series.setdefault(event.position_in_series.series_id if event.position_in_series else event.id, event)
    return list(first_by_series.values())


async def dismiss_emails(request: Request) -> Response:
    """Hide the task about undelivered e-mails, because the host has read it."""
    form = await read_form(request)
    async with database_of(request).transaction() as tx:
        await dismiss(tx, caller_of(request).user_id, form.get("about", ""), form.get("source", ""))
    return go("/my/events?which=hosting", flash="emails_dismissed")


async def _dashboard(
    request: Request, reader: Reader, viewer: UserId, hosted: Sequence[Event], further: Mapping[EventId, FurtherDates]
) -> HostDashboard:
    """The dashboard. ``hosted`` are the first hosted events, whose changes since yesterday it shows. ``further`` leads to
    the later dates of series.
    """
    join_requests = await my_event_lists.with_requests(reader, viewer, _MAX_ASKED)
    numbers = await counts_shown(reader, [one.id for one in join_requests])
    most_pending = max(join_requests, key=lambda one: numbers[one.id].pending_people, default=None)
    me = await user_by_id(reader, viewer)
    zone = (me and me.time_zone) or services(request).settings.time_zone
    return HostDashboard(
        await oldest_join_requests(reader, join_requests, viewer),
        sum(one.pending_people for one in numbers.values()),
        "" if most_pending is None else event_path(most_pending.slug),
        await host_tasks(reader, viewer, services(request).code_key),
        await _next_hosted(request, reader, viewer, hosted[0], further) if hosted else None,
        await view.changes_since_yesterday(reader, [one.id for one in hosted], zone),
    )


async def _next_hosted(
    request: Request, reader: Reader, viewer: UserId, event: Event, further: Mapping[EventId, FurtherDates]
) -> NextHosted:
    facts = await facts_of(reader, [event], CardList(services(request).settings.public_url, viewer, further=further))
    counts = (await counts_shown(reader, [event.id]))[event.id]
    return NextHosted(
        card_of(event, facts),
        event_path(event.slug),
        day_in_row(event, reader.now),
        counts.going,
        event.content.capacity or 0,
        is_visited_today(event, reader.now),
        _other_answers(counts),
    )


def _other_answers(counts: RsvpCounts) -> list[str]:
    """``2 to decide``, ``3 interested``."""
    labels = []
    if counts.pending_people:
        labels.append(ngettext("%(number)s to decide", "%(number)s to decide", counts.pending_people))
    if counts.waiting:
        labels.append(ngettext("%(number)s on the waitlist", "%(number)s on the waitlist", counts.waiting))
    if counts.interested:
        labels.append(ngettext("%(number)s maybe", "%(number)s maybe", counts.interested))
    return labels
