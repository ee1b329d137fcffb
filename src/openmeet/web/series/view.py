"""View model of the series page for one viewer. All decisions are made in this module; the template only places the
values.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from markupsafe import Markup

from groundwork.clock import Instant
from openmeet.domain.attendance import answer_badges, answer_texts
from openmeet.domain.attendance.answer_bar import AnswerAction, AnswerBar, AnswerBarInput, AnswerState, answer_bar_of
from openmeet.domain.attendance.model import Attendance, RsvpReply
from openmeet.domain.events.edits import ENDS, STARTS, ZONE
from openmeet.domain.events.model import EventId
from openmeet.domain.events.time_and_place import clock_label, place_lines
from openmeet.domain.events.values import NOWHERE, Mode, public_place
from openmeet.domain.page_paths import series_path
from openmeet.domain.series.agenda import AgendaOccurrence
from openmeet.domain.series.model import OPENED_AHEAD_YEARS, Series, SeriesStatus, StandingRsvp
from openmeet.domain.series.undo import Undo, UndoableAction
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import LazyText, gettext, lazy, ngettext
from openmeet.recurrence.describe import describe
from openmeet.recurrence.wall_time import local_of
from openmeet.web.events.answer_view import AnswerBarView, BarButton
from openmeet.web.events.listing import STATUS_LABELS
from openmeet.web.events.series_context import date_path
from openmeet.web.site.reader_zone import shown_zone, zone_of_dates

# Dates so near that a month and a day are clear without the year.
_CLEAR_WITHOUT_YEAR: Final = timedelta(days=300)

_DIFFERS: Final = {
    STARTS: lazy("Different time"),
    ENDS: lazy("Different end"),
    ZONE: lazy("Different time zone"),
    "venue": lazy("Different place"),
    "mode": lazy("Different format"),
    "capacity": lazy("Different number of places"),
}


# The number of places says these, or hosts read them above.
_SAID_BY_PLACES: Final = frozenset({AnswerState.FULL, AnswerState.HOSTING, AnswerState.NEEDS_DECISIONS})
# A badge takes the place of the button of a date that accepts no answer.
_WITHOUT_ANSWER: Final = frozenset({AnswerState.CLOSED, AnswerState.MEMBERS_ONLY})


@dataclass(frozen=True, slots=True)
class OccurrenceListItem:
    """One date in the list. ``path`` is empty if the date is too far ahead to have a page. ``chips`` are pairs of text
    and tone; the last one is the viewer's answer. ``short_when`` is shown next to the tile, which already has the day.
    ``reply`` is the reply that its button sends, if it has a button.
    """

    path: str
    original_date: str
    month: str
    day_number: str
    day: Markup | str
    short_when: str
    clock: str
    title: str
    chips: list[tuple[str, str]]
    seats: str
    is_cancelled: bool
    reason: str
    reply: str = ""
    reply_words: str = ""


def rows_of(
    series: Series,
    lines: Sequence[AgendaOccurrence],
    now: Instant,
    standing_rsvp: StandingRsvp | None = None,
    bar_inputs: Mapping[EventId, AnswerBarInput] = MappingProxyType({}),
) -> list[OccurrenceListItem]:
    """The list of dates, in order. ``standing_rsvp`` is the viewer's RSVP for dates that are stored later. ``bar_inputs``
    has the dates that can be answered in the list.
    """
    return [_row(series, line, now, standing_rsvp, bar_inputs) for line in lines]


def series_context(
    series: Series,
    upcoming: Sequence[AgendaOccurrence],
    *,
    zone: str,
    now: Instant,
    is_host: bool,
    limited_ids: Collection[EventId],
    limits_new: bool,
) -> dict[str, object]:
    """The header of the page. ``zone`` is the time zone of the reader. ``limited_ids`` are stored dates with limited
    capacity. ``limits_new``: new dates have limited capacity too.
    """
    content = series.content
    exact = NOWHERE if content.mode is Mode.ONLINE else content.venue
    venue = exact if is_host else public_place(exact, content.place_audience)
    limited = [
        line
        for line in upcoming
        if not line.is_cancelled and (line.event.id in limited_ids if line.event is not None else limits_new)
    ]
    return {
        "series": series,
        "address": series_path(series.slug),
        "sentence": describe(series.timing.pattern),
        "dates_zone": zone_of_dates(series.zone_name, now),
        "place": venue,
        "place_lines": place_lines(content.mode, venue, hides_place=venue != exact, zone=zone),
        "hides_place": venue != exact,
        "is_host": is_host,
        "is_cancelled": series.status is SeriesStatus.CANCELLED,
        "is_paused": series.status is SeriesStatus.PAUSED,
        "opened_ahead": OPENED_AHEAD_YEARS,
        "limited": len(limited),
        "limits_new": limits_new,
        "limited_words": _few(limited),
    }


def _few(lines: Sequence[AgendaOccurrence]) -> str:
    """The first of these dates as text: ``Tue 3 March, Tue 10 March and 4 more``."""
    date_labels = [formatting.short_day(local_of(line.details.starts_at, line.details.time_zone)) for line in lines[:3]]
    more = len(lines) - len(date_labels)
    dates = ", ".join(date_labels)
    return gettext("%(dates)s and %(number)s more", dates=dates, number=more) if more else dates


@dataclass(frozen=True, slots=True)
class UndoOffer:
    """The host's last action, and the time until which it can be undone, with its zone for hosts who are elsewhere."""

    act: LazyText
    until: Markup


# The actions as phrases for "You can undo … until 18:00".
_UNDOABLE: Final = {
    UndoableAction.EDIT: lazy("the edit"),
    UndoableAction.SPLIT: lazy("the edit of this and following dates"),
    UndoableAction.CANCEL_DATES: lazy("the cancellation"),
    UndoableAction.CANCEL: lazy("the cancellation of the series"),
    UndoableAction.REINSTATE_DATES: lazy("bringing dates back"),
    UndoableAction.RESUME: lazy("resuming the series"),
    UndoableAction.PAUSE: lazy("the pause"),
    UndoableAction.REMOVE_DATES: lazy("removing dates"),
    UndoableAction.ADD_DATE: lazy("the extra date"),
    UndoableAction.ADD_EVENT: lazy("adding the event"),
}


def undo_of(undo: Undo, series: Series) -> UndoOffer:
    """The action that the undo button of a series would revert, and the time until which it can be undone."""
    # A whole minute that has not passed yet, so that the page never promises too much.
    until = local_of(undo.expires_at, series.zone_name).replace(second=0, microsecond=0)
    zone = shown_zone(series.zone_name, formatting.zone_label(until, series.zone_name), [undo.expires_at])
    time_tag = formatting.time_tag(undo.expires_at, formatting.time_of_day(until))
    return UndoOffer(_UNDOABLE[undo.act], time_tag + Markup("<span {}> {}</span>").format(zone.attributes, zone.label))


def next_of(upcoming: Sequence[AgendaOccurrence]) -> AgendaOccurrence | None:
    """The next date that takes place."""
    return next((line for line in upcoming if not line.is_cancelled), None)


def sentence_beside_date(bar: AnswerBarView, rsvp: Attendance | None) -> str:
    """The sentence of the answer bar, next to the date. Empty where the buttons or the number of places say the same."""
    goes_alone = bar.state is AnswerState.GOING and rsvp is not None and rsvp.party == 1
    return "" if goes_alone or bar.state in _SAID_BY_PLACES else bar.sentence


def beside_all_dates(bar: AnswerBarView) -> AnswerBarView:
    """The answer bar with a button for all dates instead of its second one, so that it still fits into one line of a
    phone. A reply moves to the others; links are also on the page of the date.
    """
    all_dates = gettext("All dates")
    replies = tuple(one for one in bar.buttons[1:] if one.reply)
    return replace(
        bar,
        buttons=(*bar.buttons[:1], BarButton(all_dates, all_dates, path="#all")),
        others=(*replies, *bar.others),
        has_change=False,
    )


def _row(
    series: Series,
    line: AgendaOccurrence,
    now: Instant,
    standing_rsvp: StandingRsvp | None,
    bar_inputs: Mapping[EventId, AnswerBarInput],
) -> OccurrenceListItem:
    details = line.details
    starts = local_of(details.starts_at, details.time_zone)
    short_when = formatting.weekday_in_short(starts)
    if details.is_all_day:
        clock = clock_label(details)
    elif details.ends_at is not None:
        clock = formatting.hours(starts, local_of(details.ends_at, details.time_zone))
    else:
        clock = formatting.time_of_day(starts)
    today = local_of(now, details.time_zone)
    day = formatting.short_day(starts) if starts.year == today.year else formatting.short_date(starts)
    # The tile beside it says the day and the month, which is enough unless the same day of this year could be meant.
    if abs(starts.date() - today.date()) >= _CLEAR_WITHOUT_YEAR:
        short_when = day if details.is_all_day else formatting.day_and_time(day, starts)
    elif not details.is_all_day:
        short_when = gettext("%(day)s %(time)s", day=short_when, time=formatting.clock(starts))
    bar_input = bar_inputs.get(line.event.id) if line.event is not None else None
    bar = answer_bar_of(bar_input) if bar_input is not None else None
    is_asked = bar is not None and not bar.shows_answer and bar.primary is AnswerAction.GOING
    return OccurrenceListItem(
        month=formatting.month(starts),
        day_number=str(starts.day),
        path="" if line.opens_at(now) else date_path(series, line),
        original_date=line.original_date,
        day=formatting.time_tag(details.starts_at, day),
        short_when=short_when,
        clock=clock,
        title="" if details.content.title == series.content.title else details.content.title,
        chips=_date_chips(line, now, standing_rsvp, bar),
        seats=_seats(line),
        is_cancelled=line.is_cancelled,
        reason=line.event.status_reason if line.event is not None and line.is_cancelled else "",
        reply=RsvpReply.GOING.value if is_asked else "",
        reply_words=answer_texts.reply_label(bar, RsvpReply.GOING) if bar is not None and is_asked else "",
    )


def _seats(line: AgendaOccurrence) -> str:
    """``5 of 24 going``, or ``24 places left`` while nobody is going. Without a limit, the number of people going."""
    event = line.event
    if event is None or event.is_cancelled:
        return ""
    if event.content.capacity is None:
        going = line.counts.going
        return ngettext("%(number)s going", "%(number)s going", going) if going else ""
    going, places_left = line.counts.going, event.content.capacity - line.counts.seats
    if places_left <= 0:
        waiting = line.counts.waiting
        return (
            ngettext("Full, %(number)s on the waitlist", "Full, %(number)s on the waitlist", waiting)
            if waiting
            else gettext("Full")
        )
    # Places held for somebody count as taken, although nobody is going with them yet.
    if not going:
        return ngettext("%(number)s place left", "%(number)s places left", places_left)
    return gettext("%(number)s of %(places)s going", number=going, places=event.content.capacity)


def difference_chips(line: AgendaOccurrence) -> list[tuple[str, str]]:
    """The fields in which a date differs from its series, as pairs of text and tone."""
    # A date that was moved stores its end as well, which may be the usual one.
    differs_in = [name for name in line.differs_in if name != ENDS or STARTS not in line.differs_in]
    return [(str(_DIFFERS[name]), "plain") for name in differs_in if name in _DIFFERS]


def _date_chips(
    line: AgendaOccurrence, now: Instant, standing_rsvp: StandingRsvp | None, bar: AnswerBar | None
) -> list[tuple[str, str]]:
    event = line.event
    chips: list[tuple[str, str]] = []
    if event is None:
        if standing_rsvp is not None:
            chips.append((gettext("We’ll add you later"), "plain"))
        return chips
    if status := str(STATUS_LABELS[event.status]):
        chips.append((status, "warn"))
    chips += difference_chips(line)
    bar_input = AnswerBarInput(event, line.rsvp, now, has_missed_offer=line.has_missed_offer)
    badge = answer_badges.own_badge_of(bar_input)
    if badge is None and bar is not None and bar.state in _WITHOUT_ANSWER:
        badge = answer_badges.badge_of(bar)
    if badge is not None:
        chips.append((str(badge.words), badge.tone))
    return chips
