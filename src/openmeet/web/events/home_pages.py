"""Home page of a signed-in user: the next event that they go to, open tasks, the events of their groups, and the events
for which they wait for a place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader
from openmeet.domain.attendance import answer_badges
from openmeet.domain.attendance.answer_bar import AnswerState
from openmeet.domain.covers.model import tone_for
from openmeet.domain.events import time_and_place
from openmeet.domain.events.model import Event
from openmeet.domain.events.unsolicited_lists import FrontPagePolicy
from openmeet.domain.events.vocabulary import CATEGORY_LABELS, Category
from openmeet.domain.groups.model import GroupId
from openmeet.domain.groups.queries import names_of as group_names_of
from openmeet.domain.page_paths import event_path
from openmeet.domain.search import my_event_lists, search, suggestions
from openmeet.domain.search.my_event_lists import ComingUp
from openmeet.domain.search.suggestions import Suggestion, SuggestionReason
from openmeet.domain.users.model import UserId, first_name
from openmeet.domain.users.queries import by_id as user_by_id
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext, ngettext
from openmeet.recurrence import wall_time
from openmeet.web.events.asking_people import return_path_of
from openmeet.web.events.listing import (
    CardList,
    EventCard,
    ListedFacts,
    card_of,
    day_in_row,
    facts_of,
    further_dates,
    going_label,
    grouped_by_day,
    title_of,
    with_days,
    zone_in_list,
)
from openmeet.web.events.pending_decisions import READ_WAITING, rows_of, tasks_of
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import page
from openmeet.web.site.reader_zone import ShownZone
from openmeet.web.site.services import front_page_policy, services
from openmeet.web.site.tenant_routing import database_of
from openmeet.web.site.viewer import viewer_moderates

# Only a few of each are shown. The linked lists are complete.
MAX_OF_GROUPS: Final = 4
MAX_IN_WEEK: Final = 6
MAX_HOSTED: Final = 3
MAX_ASKED: Final = 3
MAX_SUGGESTED: Final = 6

# More are read than shown, because events that the person has already answered are left out.
_READ_OF_GROUPS: Final = 4 * MAX_OF_GROUPS
# Some of them may be cancelled.
_READ_ASKED: Final = 2 * MAX_ASKED
_WITH_TICKET: Final = frozenset({AnswerState.GOING, AnswerState.MOVED, AnswerState.TODAY, AnswerState.JOIN_NOW})
_WEEK: Final = 7 * DAY


@dataclass(frozen=True, slots=True)
class WeekRow:
    """An event in the coming days. ``weekday`` and ``day`` are shown in its date block. ``label`` is the viewer's answer,
    or what a host has to know.
    """

    path: str
    title: str
    tone: int
    weekday: str
    day: str
    clock: str
    zone: ShownZone | None
    label: str


@dataclass(frozen=True, slots=True)
class SuggestedEvent:
    """An event in “For you”. ``why`` gives the reason in a few words."""

    card: EventCard
    day: str
    why: str


@dataclass(frozen=True, slots=True)
class NextEvent:
    """The person's next event, with its cover. ``ahead`` says how soon it is: ``In 2 days``. ``time`` leaves out a day
    that this names.
    """

    card: EventCard
    ahead: str
    when: str
    time: str


def routes() -> list[Route]:
    return [Route("/home", show_home, methods=["GET"])]


async def show_home(request: Request) -> Response:
    caller = caller_of(request)
    viewer = caller.user_id
    async with database_of(request).reader(keeps_plans=True) as reader:
        now = reader.now
        mine = await my_event_lists.coming_up(
            reader,
            viewer,
            upcoming=1 + MAX_IN_WEEK,
            hosted=MAX_HOSTED,
            waiting=READ_WAITING,
            asked=READ_WAITING + _READ_ASKED,
        )
        of_groups = await _of_groups(reader, viewer)
        tasks = await tasks_of(reader, viewer, services(request).code_key, moderates=viewer_moderates(request))
        me = await user_by_id(reader, viewer)
        for_you = await _for_you(reader, viewer, of_groups) if me is not None and me.wants_suggestions else []
        ahead = [event for event in mine.upcoming if not event.is_cancelled and event.starts_at is not None]
        asked = _asked_for(mine)
        suggested = (
            []
            if mine.upcoming or asked or mine.waiting or of_groups or for_you
            else await _for_a_start(reader, viewer, front_page_policy(request))
        )
        listed = [*of_groups, *(one.event for one in for_you)] or suggested
        every = {event.id: event for event in (*mine.upcoming, *asked, *mine.hosted, *mine.waiting, *listed)}
        group_names = await _group_names(reader, for_you)
        public_url = services(request).settings.public_url
        further = await further_dates(reader, listed)
        facts = await facts_of(reader, list(every.values()), CardList(public_url, viewer, further=further))
        waiting_rows = await rows_of(reader, public_url, viewer, mine.waiting, facts)
    own_zone = (me.time_zone if me else None) or "UTC"
    context = {
        "greeting": _greeting(now, own_zone, first_name(caller.display_name)),
        "next": _next_event(ahead[0], facts, now) if ahead else None,
        "asked": [_week_row(event, facts) for event in asked],
        "waiting": waiting_rows,
        "back": return_path_of(request),
        "tasks": tasks,
        "groups": with_days(grouped_by_day(of_groups, facts, now)),
        "suggested": [SuggestedEvent(card_of(one, facts), day_in_row(one, now), "") for one in suggested],
        "for_you": [_suggested_event(one, facts, group_names, now) for one in for_you],
        "week": [_week_row(event, facts) for event in ahead if event.starts_at and event.starts_at < now + _WEEK],
        "keep": _kept_offline(ahead, facts),
        "hosted": [
            _week_row(event, facts, counts_attendees=True) for event in mine.hosted if event.starts_at is not None
        ],
    }
    return page(request, "events/my_home.html", context)


def _kept_offline(ahead: Sequence[Event], facts: ListedFacts) -> list[str]:
    """Paths of pages that the browser stores for offline use: the week, its events, the tickets, the check-in lists."""
    paths = ["/my/calendar?view=week"]
    for event in ahead:
        path = event_path(event.slug)
        paths.append(path)
        own_rsvp, state = facts.bar_inputs[event.id].rsvp, facts.bars[event.id].state
        if state in _WITH_TICKET and own_rsvp is not None and own_rsvp.is_seated:
            paths.append(f"{path}/ticket")
        elif state in {AnswerState.HOSTING, AnswerState.NEEDS_DECISIONS}:
            paths.append(f"{path}/check-in")
    return paths


def _asked_for(mine: ComingUp) -> list[Event]:
    """The first events that the person asked to join or is on the waitlist of. Without those that wait for the person's
    answer.
    """
    listed = {event.id for event in mine.waiting}
    return [one for one in mine.asked if one.id not in listed and not one.is_cancelled and one.starts_at is not None][
        :MAX_ASKED
    ]


async def _of_groups(reader: Reader, viewer: UserId) -> list[Event]:
    """Coming events of the person's groups that they do not host and have not answered. Only the next date of each
    series.
    """
    search_query = search.SearchQuery(of_groups_of=viewer, viewer=viewer, once_per_series=True)
    events = await search.coming(reader, search_query, None, _READ_OF_GROUPS)
    answered = await my_event_lists.answered_among(reader, viewer, [event.id for event in events])
    return [one for one in events if one.id not in answered and one.author_id != viewer][:MAX_OF_GROUPS]


async def _for_a_start(reader: Reader, viewer: UserId, policy: FrontPagePolicy) -> list[Event]:
    """The next events of the site, for people who have nothing else on this page yet. None of them is cancelled."""
    return await search.coming_on_front_page(
        reader, viewer, policy, None, MAX_SUGGESTED, takes_place=True, once_per_series=True
    )


async def _for_you(reader: Reader, viewer: UserId, already_shown: Sequence[Event]) -> list[Suggestion]:
    """Suggestions that no other list of the page contains."""
    shown = {event.id for event in already_shown}
    suggested = await suggestions.for_person(reader, viewer, MAX_SUGGESTED + len(shown))
    return [one for one in suggested if one.event.id not in shown][:MAX_SUGGESTED]


async def _group_names(reader: Reader, several: Sequence[Suggestion]) -> Mapping[GroupId, str]:
    """The names of the groups that the reasons mention."""
    of_groups = {GroupId(one.about) for one in several if one.reason is SuggestionReason.FOLLOWED_GROUP}
    return await group_names_of(reader, sorted(of_groups))


def _suggested_event(
    suggestion: Suggestion, facts: ListedFacts, group_names: Mapping[GroupId, str], now: Instant
) -> SuggestedEvent:
    return SuggestedEvent(
        card_of(suggestion.event, facts),
        day_in_row(suggestion.event, now),
        _suggestion_reason(suggestion, facts, group_names),
    )


def _suggestion_reason(suggestion: Suggestion, facts: ListedFacts, group_names: Mapping[GroupId, str]) -> str:
    """The reason for a suggestion, in words."""
    match suggestion.reason:
        case SuggestionReason.FOLLOWED_HOST:
            return gettext("Because you follow %(name)s", name=facts.names[UserId(suggestion.about)])
        case SuggestionReason.FOLLOWED_GROUP:
            return gettext("Because you follow %(name)s", name=group_names.get(GroupId(suggestion.about), ""))
        case SuggestionReason.KNOWN_HOST:
            return gettext("Because you answered an event by %(name)s", name=facts.names[UserId(suggestion.about)])
        case SuggestionReason.TOPIC:
            return gettext("Because you often choose “%(topic)s”", topic=CATEGORY_LABELS[Category(suggestion.about)])


def _greeting(now: Instant, zone: str, name: str) -> str:
    hour = wall_time.local_of(now, zone).hour
    if not name:
        return gettext("Welcome")
    if 4 <= hour < 11:
        return gettext("Good morning, %(name)s", name=name)
    return gettext("Good evening, %(name)s", name=name) if hour >= 18 else gettext("Hello, %(name)s", name=name)


def _next_event(event: Event, facts: ListedFacts, now: Instant) -> NextEvent:
    starts = time_and_place.local_time(event, event.starts_at or now)
    clock = time_and_place.clock_label(event)
    when = f"{formatting.short_day(starts)} · {clock}"
    names_day = formatting.relative_day(starts.date(), time_and_place.local_time(event, now).date())
    return NextEvent(card_of(event, facts), _countdown_label(event, now), when, clock if names_day else when)


def _countdown_label(event: Event, now: Instant) -> str:
    """``Tomorrow``, ``In 5 days``, counted in days of the event's time zone."""
    starts_at = event.starts_at or now
    if starts_at <= now:
        return gettext("On now")
    starts, today = (time_and_place.local_time(event, at).date() for at in (starts_at, now))
    number = (starts - today).days
    return formatting.relative_day(starts, today) or ngettext("In %(number)s day", "In %(number)s days", number)


def _week_row(event: Event, facts: ListedFacts, *, counts_attendees: bool = False) -> WeekRow:
    """``counts_attendees``: for an event that the viewer hosts, the row says how many people are going."""
    starts = time_and_place.local_time(event, event.starts_at or Instant(0))
    bar = facts.bars[event.id]
    badge = answer_badges.badge_of(bar, facts.bar_inputs[event.id].pending_rsvps)
    label = "" if badge is None else str(badge.words)
    if bar.state is AnswerState.HOSTING:
        label = (going_label(event, facts) or gettext("Nobody yet")) if counts_attendees else gettext("You host")
    return WeekRow(
        event_path(event.slug),
        title_of(event),
        tone_for(event.content),
        formatting.weekday_in_short(starts),
        str(starts.day),
        time_and_place.clock_label(event),
        zone_in_list(event),
        label,
    )
