"""“Waiting for your answer”: which of the events of ``my_event_lists.waiting_for`` a person can answer now, and what to
say about each. For the home page, the notifications page and the weekly e-mail.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from groundwork.database.transaction import Reader
from openmeet.domain.attendance import answer_texts
from openmeet.domain.attendance.answer_bar import AnswerBar, AnswerBarInput, AnswerState
from openmeet.domain.attendance.answer_texts import AnswerFigures
from openmeet.domain.attendance.moved_dates import MovedDates, moved_dates
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.users.model import UserId
from openmeet.i18n.catalogue import gettext, ngettext

_WAITING: Final = frozenset(
    {
        AnswerState.INVITED,
        AnswerState.OFFER_EXPIRED,
        AnswerState.PLACE_HELD,
        AnswerState.MOVED,
        AnswerState.NEEDS_DECISIONS,
    }
)


def answerable(events: Sequence[Event], bars: Mapping[EventId, AnswerBar]) -> list[Event]:
    """The events that the person can answer now. Answers to an event may be closed, for example."""
    return [event for event in events if bars[event.id].state in _WAITING]


async def series_moved(
    reader: Reader, viewer: UserId, events: Sequence[Event], bars: Mapping[EventId, AnswerBar]
) -> dict[EventId, MovedDates]:
    """The moved dates of a series, for each event that represents several of them."""
    series = {
        event.id: event.position_in_series.series_id
        for event in events
        if event.position_in_series is not None and bars[event.id].state is AnswerState.MOVED
    }
    moved_by_series = await moved_dates(reader, viewer, set(series.values()))
    return {
        event_id: moved
        for event_id, series_id in series.items()
        if (moved := moved_by_series.get(series_id)) is not None and moved.count > 1
    }


def sentence_of(bar: AnswerBar, bar_input: AnswerBarInput, host: str, moved: MovedDates | None) -> str:
    """What waits for the person, to be followed by the start of the event. ``moved``: see ``series_moved``."""
    if moved is not None:
        return ngettext(
            "%(number)s date moved since you answered. The next one is now",
            "%(number)s dates moved since you answered. The next one is now",
            moved.count,
        )
    if bar.state is AnswerState.INVITED:
        return gettext("%(host)s invites you.", host=host)
    if bar.state is AnswerState.MOVED:
        return gettext("Moved since you answered: now")
    return answer_texts.sentence_of(bar, bar_input, AnswerFigures(host=host))
