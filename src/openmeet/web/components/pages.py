"""``/dev/components``: every element of the design on one page. Only available on this machine.

The samples are one week in Berlin and the answer bar in every state, rendered by the same code as real pages. Sample
texts are not translated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import DAY, HOUR, MINUTE, Instant
from groundwork.http.forms import FormState
from openmeet.domain.attendance.answer_bar import AnswerAction, AnswerBarInput, AnswerState
from openmeet.domain.attendance.answer_texts import AnswerFigures
from openmeet.domain.attendance.model import Attendance, AttendanceStatus, ChangeChannel, PendingFor
from openmeet.domain.attendance.registration import DEFAULT_SETTINGS, RegistrationQuestion, RegistrationSettings
from openmeet.domain.attendance.rsvp_changes import RsvpChange, details_of, new_rsvp
from openmeet.domain.attendance.rules import RsvpDecision
from openmeet.domain.calendars.model import CalendarEntry, EntryKind
from openmeet.domain.covers.model import cover_of
from openmeet.domain.events.content import Content
from openmeet.domain.events.edits import blank_event
from openmeet.domain.events.model import Event, EventStatus, GroupOfEvent
from openmeet.domain.events.town_positions import EventPosition
from openmeet.domain.events.values import Mode
from openmeet.domain.groups.model import GroupId, GroupVisibility, PromotionLevel
from openmeet.domain.places.model import Place
from openmeet.domain.search.filters import FILTERS
from openmeet.domain.users.model import UserId
from openmeet.i18n import formatting
from openmeet.recurrence.wall_time import instant_of
from openmeet.web.attendance.numbers_pages import chart_of
from openmeet.web.calendar_layout.month_view import cells, month_layout
from openmeet.web.calendar_layout.view import View, covered_days, look_of, period_of
from openmeet.web.calendar_layout.week_view import week_layout, week_view
from openmeet.web.events.answer_view import AnswerBarView, answer_bar_view
from openmeet.web.events.asking_people import AskingList, AskingPerson, DecisionButton, ReturnPath
from openmeet.web.events.discover import FilterChip
from openmeet.web.media.drawings import qr_code
from openmeet.web.search import map_drawing
from openmeet.web.search.map_drawing import MapEvent, MapSize, MapView
from openmeet.web.search.map_pages import MapControl, MapOfSearch, MapPicture, PinView, PlaceMap
from openmeet.web.series import recurrence_form
from openmeet.web.site.dev_pages import require_development
from openmeet.web.site.faces import Avatar
from openmeet.web.site.layout import page

_ZONE: Final = "Europe/Berlin"
_TODAY: Final = date(2026, 11, 26)
_NOW: Final = instant_of(datetime(2026, 11, 26, 17, 40), _ZONE)  # noqa: DTZ001  # wall time is naive
_COVERS: Final = ("Film night", "Board games at the library", "Morning run", "Repair café")
# Day of the month, hour, length in hours, title, and the kind of calendar entry.
_CALENDAR: Final = (
    (24, 18, 2, "Lightning talks", EntryKind.GOING),
    (26, 19, 3, "Thursday games night", EntryKind.HOSTING),
    (26, 19, 2, "Choir", EntryKind.SUBSCRIBED),
    (26, 20, 2, "Film night", EntryKind.INTERESTED),
    (26, 20, 1, "Book club", EntryKind.INVITED),
    (27, 9, 1, "Morning run", EntryKind.WAITING),
    (28, 10, 30, "Repair café, all weekend", EntryKind.GOING),
)
_PLACES: Final = [
    Place(1, "Berlin", "DE", "", "", "", 52.52, 13.405, 3_400_000, _ZONE),
    Place(2, "Neukölln", "DE", "", "", "Berlin", 52.477, 13.435, 165_000, _ZONE),
    Place(3, "Pankow", "DE", "", "", "Berlin", 52.569, 13.402, 55_000, _ZONE),
]
_ANSWERS_BY_DAY: Final = {_TODAY - timedelta(days=back): number for back, number in enumerate((2, 5, 0, 9, 1, 3))}
_FILTERS: Final = {
    "filters": FILTERS,
    "chips": [
        FilterChip("Near me", "/?near=here", asks_where=True),
        FilterChip("This weekend", "/?weekend", is_on=True),
        FilterChip("Online", "/?mode=online"),
        FilterChip("Food", "/?category=food"),
        FilterChip("Music", "/?category=music"),
    ],
    "narrowed": 2,
    "is_answered": True,
}
_FIGURES: Final = AnswerFigures(host="Eva", people_ahead=2, waiting=4, going=6, taken=6)
_PATHS: Final[Mapping[AnswerAction, str]] = dict.fromkeys(AnswerAction, "#answers")
_ASKS: Final = RegistrationSettings(needs_approval=True, questions=(RegistrationQuestion("q", "What do you eat?"),))
_CLOSED: Final = RegistrationSettings(closes_hours_before=5 * 24)
_MEMBERS: Final = RegistrationSettings(is_members_only=True)
_GROUP: Final = GroupOfEvent(GroupId("g"), GroupVisibility.PUBLIC, PromotionLevel.PUBLIC)
_Status = AttendanceStatus


def routes() -> list[Route]:
    return [Route("/dev/components", show_components, methods=["GET"])]


async def show_components(request: Request) -> Response:
    """Real macros and partials with sample values. Sample texts are not translated."""
    require_development(request)
    return page(request, "components/components.jinja", context())


def context() -> dict[str, object]:
    """The template context."""
    return {
        "tones": range(9),
        "sample": FormState(
            {"ends": "2026-11-26T18:00", "about": "Seven courses, twelve chairs.", "who": "all", "zone": "a"},
            {"title": "Give your event a title.", "ends": "The end is before the start. Choose a later time."},
        ),
        "covers": [cover_of(title, (), 0).path for title in _COVERS],
        "ticket_code": qr_code("https://openmeet.example/check-in/KM7Q2PXA"),
        "answer_bars": answer_bars(_NOW),
        "repeats": _sample_recurrence_form(),
        "map": _sample_map_of_search(),
        "place_maps": _sample_place_maps(),
        "requests": _sample_requests(),
        "back": ReturnPath("/dev/components", ""),
        "by_day": chart_of([_TODAY - timedelta(days=back) for back in range(27, -1, -1)], _ANSWERS_BY_DAY),
        **_FILTERS,
        **_sample_calendar(),
    }


def _sample_requests() -> AskingList:
    return AskingList(
        key="sample",
        action="#news",
        path="#news",
        people=tuple(
            AskingPerson(
                user_id=UserId(name),
                name=name,
                face=Avatar(name[0], tone),
                party=tone,
                said="Came to 2 of yours" if tone == 1 else "",
                buttons=(
                    DecisionButton("Approve", f"Approve: {name}", "approve", name),
                    DecisionButton("Decline", f"Decline: {name}", "decline", name),
                ),
            )
            for tone, name in enumerate(("Tom", "Priya", "Donaudampfschifffahrtsgesellschaftskapitän", "Ada"), 1)
        ),
        everybody=DecisionButton("Approve all 4", "Approve all 4: Thursday games night", "approve", "all"),
    )


def _sample_recurrence_form() -> recurrence_form.RecurrenceFormState:
    form = {"starts": "2026-11-26T19:00", "time_zone": _ZONE, "repeats": "FREQ=WEEKLY;BYDAY=TH"}
    state = recurrence_form.form_state(form, _NOW)
    return replace(state, clashes=["", "Choir", *[""] * (len(state.dates) - 2)])


def _sample_calendar() -> dict[str, object]:
    entries = [_sample_entry(number, *one) for number, one in enumerate(_CALENDAR)]
    by_key = {entry.key: entry for entry in entries}
    looks = {entry.key: look_of(entry, _ZONE, {str(number): number for number in range(9)}) for entry in entries}
    spans = [covered_days(entry, _ZONE) for entry in entries]
    month, week = (period_of(view, _TODAY, _TODAY, _ZONE, 0) for view in (View.MONTH, View.WEEK))
    return {
        "month": month,
        "weeks": cells(month, month_layout(month, spans), looks, lambda day: f"#{day}", chosen=month.on),
        "week_days": [
            (formatting.weekday(number), formatting.weekday_in_short(day)) for number, day in enumerate(month.days[:7])
        ],
        "week": week_view(week, week_layout(week, entries), by_key, looks, _NOW),
    }


def _sample_entry(number: int, day: int, hour: int, hours: int, title: str, kind: EntryKind) -> CalendarEntry:
    starts = instant_of(datetime(2026, 11, day, hour), _ZONE)  # noqa: DTZ001  # wall time is naive
    is_elsewhere = kind is EntryKind.SUBSCRIBED
    return CalendarEntry(
        kind=kind,
        key=str(number),
        title=title,
        place="" if is_elsewhere else "Prachtsaal",
        starts_at=starts,
        ends_at=Instant(starts + hours * HOUR),
        has_end=True,
        time_zone=_ZONE,
        is_all_day=False,
        is_cancelled=kind is EntryKind.WAITING,
        slug="" if is_elsewhere else f"sample-{number}",
        calendar="Choir" if is_elsewhere else "",
        tone=4,
    )


def _sample_map_of_search() -> MapOfSearch:
    events = [
        MapEvent(EventPosition(52.4870, 13.4280), "Thu 19:00", "Thursday games night, Thu 26 Nov", "/events/sample-1"),
        MapEvent(EventPosition(52.5300, 13.3800), "Fri 9:00", "Morning run, Fri 27 Nov", "/events/sample-5"),
        MapEvent(EventPosition(52.5450, 13.4600, is_town=True), "Sat 10:00", "Repair café, Sat 28 Nov", "/events/a"),
    ]
    sizes = (("phone", map_drawing.PHONE), ("desk", map_drawing.DESK))
    pictures = tuple(_sample_map(name, size, events, _PLACES) for name, size in sizes)
    return MapOfSearch(pictures, "3 events on the map", "/?view=map", "1 not on the map", "A sample.")


def _sample_place_maps() -> list[PlaceMap]:
    """The exact place of an event, and one of which only the town is known."""
    size = MapSize(720, 192, 0, has_controls=False)
    positions = {12: EventPosition(52.4870, 13.4280), 10: EventPosition(52.52, 13.405, is_town=True)}
    return [
        PlaceMap(
            map_drawing.draw_map(
                MapView(position.latitude, position.longitude, zoom), size, [MapEvent(position, "", "", "")], _PLACES
            ),
            f"/?view=map#place-{zoom}",
            f"Events nearby on the map, {zoom}",
            "A sample.",
        )
        for zoom, position in positions.items()
    ]


def _sample_map(name: str, size: MapSize, events: list[MapEvent], places: Sequence[Place]) -> MapPicture:
    view = map_drawing.view_of_positions([one.position for one in events], size) or MapView(52.52, 13.405, 11)
    drawing = map_drawing.draw_map(view, size, events, places, within=(52.52, 13.405, 5))
    ways = (("in", "Zoom in"), ("out", "Zoom out"), ("north", "Move north"), ("south", "Move south"))
    return MapPicture(
        name,
        drawing,
        tuple(PinView(pin, pin.events[0].label, pin.events[0].spoken, pin.events[0].path) for pin in drawing.pins),
        tuple(MapControl(way, words, f"/?view=map#{way}") for way, words in ways),
        f"{drawing.scale.kilometres} km",
    )


def answer_bars(now: Instant) -> list[AnswerBarView]:
    """One bar per ``AnswerState``."""
    return [answer_bar_view(bar_input, _FIGURES, _PATHS) for bar_input in _bar_inputs(now).values()]


def _bar_inputs(now: Instant) -> Mapping[AnswerState, AnswerBarInput]:
    soon, tonight, lately = (_sample_event(now, after) for after in (3 * DAY, HOUR, -DAY))
    online = replace(tonight, content=Content("Lightning talks", mode=Mode.ONLINE), starts_at=Instant(now - 4 * MINUTE))
    cancelled = replace(soon, status=EventStatus.CANCELLED)
    going, waiting, requested = (
        _sample_rsvp(soon, status, now) for status in (_Status.ATTENDING, _Status.WAITLISTED, _Status.PENDING)
    )
    invited, maybe, declined = (
        _sample_rsvp(soon, status, now) for status in (_Status.INVITED, _Status.INTERESTED, _Status.DECLINED)
    )

    def bar_input(
        event: Event, own_rsvp: Attendance | None = None, settings: RegistrationSettings = DEFAULT_SETTINGS
    ) -> AnswerBarInput:
        return AnswerBarInput(event, own_rsvp, now, settings, may_message=True, sees_group=True, may_edit=True)

    return {
        AnswerState.NOT_PUBLISHED: bar_input(replace(soon, is_draft=True, is_held=True)),
        AnswerState.CANCELLED: replace(bar_input(cancelled, going), has_next_date=True),
        AnswerState.OVER: replace(bar_input(lately), has_next_date=True, sees_photos=True),
        AnswerState.NEEDS_DECISIONS: replace(bar_input(soon), is_hosting=True, pending_people=8, pending_rsvps=8),
        AnswerState.HOSTING: replace(bar_input(soon), is_hosting=True),
        AnswerState.REJECTED: bar_input(soon, _sample_rsvp(soon, _Status.REJECTED, now)),
        AnswerState.NOT_WELCOME: replace(bar_input(soon, maybe), is_welcome=False),
        AnswerState.CHECKED_IN: bar_input(tonight, _sample_rsvp(tonight, _Status.ATTENDED, now)),
        AnswerState.JOIN_NOW: replace(bar_input(online, going), may_join=True),
        AnswerState.TODAY: replace(
            bar_input(tonight, _sample_rsvp(tonight, _Status.ATTENDING, now)), has_directions=True
        ),
        AnswerState.MOVED: bar_input(soon, replace(going, known_starts_at=Instant(now + 2 * DAY))),
        AnswerState.GOING: bar_input(soon, replace(going, party=2)),
        AnswerState.PLACE_HELD: bar_input(soon, replace(waiting, offered_until=Instant(now + HOUR))),
        AnswerState.WAITLISTED: replace(bar_input(soon, waiting), is_full=True),
        AnswerState.REQUESTED: bar_input(soon, replace(requested, pending_for=PendingFor.APPROVAL), _ASKS),
        AnswerState.UNCONFIRMED: bar_input(soon, replace(requested, pending_for=PendingFor.UNCONFIRMED)),
        AnswerState.MEMBERS_ONLY: bar_input(replace(soon, group=_GROUP), None, _MEMBERS),
        AnswerState.CLOSED: bar_input(soon, None, _CLOSED),
        AnswerState.MAYBE: bar_input(soon, maybe),
        AnswerState.DECLINED: bar_input(soon, declined),
        AnswerState.OFFER_EXPIRED: replace(bar_input(soon, invited), is_full=True, has_missed_offer=True),
        AnswerState.INVITED: bar_input(soon, invited),
        AnswerState.APPROVAL: bar_input(soon, None, _ASKS),
        AnswerState.FULL: replace(bar_input(soon), is_full=True),
        AnswerState.OPEN: bar_input(soon),
    }


def _sample_event(now: Instant, after: int) -> Event:
    """A two-hour event that starts this long after now."""
    blank = blank_event(now, "Supper club", UserId("eva"))
    starts_at = Instant(now + after)
    return replace(
        blank,
        content=Content("Supper club", capacity=12),
        starts_at=starts_at,
        ends_at=Instant(starts_at + 2 * HOUR),
        time_zone="Europe/Berlin",
    )


def _sample_rsvp(event: Event, status: AttendanceStatus, now: Instant) -> Attendance:
    answered_at = Instant(now - DAY)
    change = RsvpChange(
        event,
        UserId("ben"),
        None,
        RsvpDecision(status),
        details_of(None),
        through=ChangeChannel.PAGE,
        actor_id=None,
        answered_at=answered_at,
    )
    return new_rsvp(change, now)
