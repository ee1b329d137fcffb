"""Statistics of an event, for its hosts: changes since yesterday, RSVPs per day as a chart and as a table, and
regulars.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from openmeet.domain.attendance import activity, attendee_summary, host_decisions, invitation_queries, queries
from openmeet.domain.attendance.activity import RecentChanges
from openmeet.domain.attendance.rsvp_list_texts import status_words
from openmeet.domain.events.model import Event
from openmeet.domain.identities.queries import shown_names
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext, ngettext
from openmeet.recurrence.wall_time import local_of, midnight
from openmeet.web.attendance import view
from openmeet.web.media.subject import subject_of_event
from openmeet.web.site.caller import caller_of
from openmeet.web.site.faces import Avatar, avatar_of, portraits_of
from openmeet.web.site.layout import page
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of

# Four weeks: on a phone, the bars of more days could not be told apart. The chart begins with the first answer, but a few
# bars would not look like days.
MAX_DAYS: Final = 28
MIN_DAYS: Final = 7
# Dimensions of the chart, in units of its view box: its width, the height of the highest bar and of the number above it,
# and the width of a bar, at most and as a part of its day.
CHART_WIDTH: Final = 560
MAX_BAR_HEIGHT: Final = 96
LABEL_HEIGHT: Final = 30
MAX_BAR_WIDTH: Final = 40
BAR_SHARE_OF_DAY: Final = 0.7


@dataclass(frozen=True, slots=True)
class DayBar:
    """A day in the chart. Its bar is in units of the view box, and high enough to be visible if the day has any RSVP.
    ``is_highest``: the first day with the most RSVPs, whose number is shown.
    """

    day: str
    number: int
    x: int
    y: int
    width: int
    height: int
    is_highest: bool


@dataclass(frozen=True, slots=True)
class AnswersByDay:
    """The chart. ``summary`` describes it for screen readers."""

    bars: list[DayBar]
    width: int
    height: int
    first: str
    last: str
    summary: str


@dataclass(frozen=True, slots=True)
class RegularRow:
    """Somebody who comes to most of the host's events, and their answer to this one."""

    name: str
    face: Avatar
    words: str
    answer: str


def routes() -> list[Route]:
    return [Route("/events/{slug}/numbers", show, methods=["GET"])]


async def show(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        event = await host_decisions.find_hosted_event(reader, caller, event_slug_of(request))
        counts = (await attendee_summary.counts_shown(reader, [event.id]))[event.id]
        changes = await view.changes_since_yesterday(reader, [event.id], event.time_zone)
        days = _days_of(event, reader.now)
        answers = await activity.count_first_rsvps(reader, event.id, midnight(days[0], event.time_zone))
        regulars = await activity.past_attendance(reader, caller.user_id)
        names = await shown_names(reader, list(regulars))
        portraits = await portraits_of(reader, caller.user_id, list(regulars))
        now = reader.now
        rsvps = await queries.by_keys(reader, [(event.id, one) for one in regulars])
        # With these, the status would tell the hosts whose address they invited.
        unanswered = await invitation_queries.unanswered_among(reader, [one.id for one in rsvps.values()])
    rows = []
    for user_id, past in regulars.items():
        words = view.past_attendance_words(past)
        rsvp = rsvps.get((event.id, user_id))
        if words:
            if rsvp is None or rsvp.id in unanswered:
                answer_label = gettext("hasn’t answered yet")
            else:
                answer_label = status_words(rsvp.status, rsvp.pending_for)
            rows.append(RegularRow(names[user_id], avatar_of(user_id, names[user_id], portraits), words, answer_label))
    context = {
        "event": event,
        "counts": counts,
        "lately": _changes_in_words(changes),
        "subject": subject_of_event(event, now),
        "by_day": chart_of(days, _count_by_day(answers, event.time_zone)),
        "regulars": rows,
    }
    return page(request, "attendance/numbers.html", context, headers={"cache-control": "no-store"})


def _changes_in_words(changes: RecentChanges) -> list[tuple[int, str]]:
    """The figures since yesterday, without those that are zero."""
    figures = [
        (changes.answered, ngettext("new answer", "new answers", changes.answered)),
        (changes.cannot_come, ngettext("can’t come", "can’t come", changes.cannot_come)),
    ]
    return [(number, words) for number, words in figures if number]


def _days_of(event: Event, now: Instant) -> list[date]:
    """The days in the chart. The last one is today, or the day on which the event ended."""
    last = local_of(min(now, event.ends_at or event.starts_at or now), event.time_zone).date()
    return [last - timedelta(days=number) for number in reversed(range(MAX_DAYS))]


def _count_by_day(answers: Mapping[Instant, int], zone: str) -> dict[date, int]:
    numbers_by_day: dict[date, int] = {}
    for at, number in answers.items():
        day = local_of(at, zone).date()
        numbers_by_day[day] = numbers_by_day.get(day, 0) + number
    return numbers_by_day


def chart_of(days: Sequence[date], numbers: Mapping[date, int]) -> AnswersByDay | None:
    """The chart, or None if nobody answered on these days. It leaves out days before the first answer, but
    shows at least ``MIN_DAYS``.
    """
    first = next((place for place, day in enumerate(days) if numbers.get(day, 0)), None)
    if first is None:
        return None
    shown = days[min(first, max(0, len(days) - MIN_DAYS)) :]
    highest = max(shown, key=lambda day: numbers.get(day, 0))
    step = CHART_WIDTH / len(shown)
    width = min(MAX_BAR_WIDTH, round(step * BAR_SHARE_OF_DAY))
    bars = []
    for position, day in enumerate(shown):
        number = numbers.get(day, 0)
        height = max(3, round(number * MAX_BAR_HEIGHT / numbers[highest])) if number else 0
        x = round(position * step + (step - width) / 2)
        bars.append(
            DayBar(
                formatting.short_day(day),
                number,
                x,
                LABEL_HEIGHT + MAX_BAR_HEIGHT - height,
                width,
                height,
                day == highest,
            )
        )
    summary = ngettext(
        "%(number)s answer from %(first)s to %(last)s.",
        "%(number)s answers from %(first)s to %(last)s, the most on %(best)s.",
        sum(one.number for one in bars),
        first=bars[0].day,
        last=bars[-1].day,
        best=formatting.short_day(highest),
    )
    return AnswersByDay(bars, CHART_WIDTH, LABEL_HEIGHT + MAX_BAR_HEIGHT + 1, bars[0].day, bars[-1].day, summary)
