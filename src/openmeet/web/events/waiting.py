"""Events that wait for a person, as rows with answer buttons. Shown on the home page and above the notifications."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from groundwork.database.transaction import Reader
from openmeet.domain.attendance import answer_texts
from openmeet.domain.attendance.answer_bar import AnswerAction, AnswerState
from openmeet.domain.attendance.answer_texts import AnswerFigures
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.moved_dates import MovedDates, moved_dates
from openmeet.domain.events import time_and_place
from openmeet.domain.events.model import Event
from openmeet.domain.search import event_lists
from openmeet.domain.users.model import UserId
from openmeet.i18n.catalogue import gettext, ngettext
from openmeet.web.events.cards import facts_of
from openmeet.web.events.listing import EventCard, ListedFacts, card_of

# Only a few are shown; the linked lists are complete.
MOST_WAITING: Final = 4
# More are read than shown, because invitations that can no longer be answered are left out.
READ_WAITING: Final = 2 * MOST_WAITING
# Read if too few of those can be answered.
_READ_AT_MOST: Final = 6 * MOST_WAITING
_WAITING: Final = frozenset(
    {AnswerState.INVITED, AnswerState.PLACE_HELD, AnswerState.MOVED, AnswerState.NEEDS_DECISIONS}
)


@dataclass(frozen=True, slots=True)
class HomeButton:
    """A button with a reply or, if ``path`` is set, a link. ``spoken`` is its label for screen readers and includes the
    event's name.
    """

    words: str
    spoken: str
    reply: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """An event that waits for this person, with buttons to answer it. ``action`` is the path of their form.
    ``asks_host``: as its host, they decide on requests of other people.
    """

    card: EventCard
    sentence: str
    when: str
    buttons: tuple[HomeButton, ...]
    action: str
    asks_host: bool = False


async def waiting_rows(reader: Reader, public_url: str, viewer: UserId) -> list[WaitingRow]:
    """The events that wait for this person, most urgent first."""
    events = await event_lists.waiting_for(reader, viewer, READ_WAITING)
    if not events:
        return []
    return await rows_of(reader, public_url, viewer, events, await facts_of(reader, public_url, viewer, events))


async def rows_of(
    reader: Reader, public_url: str, viewer: UserId, first: Sequence[Event], facts: ListedFacts
) -> list[WaitingRow]:
    """Rows for the waiting events that the person can answer now. ``first``: the first ``READ_WAITING`` of them."""
    waiting = _answerable(first, facts)
    if len(waiting) < MOST_WAITING and len(first) == READ_WAITING:
        events = await event_lists.waiting_for(reader, viewer, _READ_AT_MOST)
        facts = await facts_of(reader, public_url, viewer, events)
        waiting = _answerable(events, facts)
    moved = {
        event.id: event.place_in_series.series_id
        for event in waiting
        if event.place_in_series is not None and facts.bars[event.id].state is AnswerState.MOVED
    }
    moved_by_series = await moved_dates(reader, viewer, set(moved.values()))
    return [_waiting_row(event, facts, moved_by_series.get(moved.get(event.id, ""))) for event in waiting]


def _answerable(events: Sequence[Event], facts: ListedFacts) -> list[Event]:
    return [event for event in events if facts.bars[event.id].state in _WAITING][:MOST_WAITING]


def _waiting_row(event: Event, facts: ListedFacts, moved: MovedDates | None) -> WaitingRow:
    if moved is not None and moved.count > 1:
        return _moved_series_row(event, facts, moved)
    bar_input, bar = facts.bar_inputs[event.id], facts.bars[event.id]
    card = card_of(event, facts)
    sentence = answer_texts.sentence_of(bar, bar_input, AnswerFigures(host=card.host))
    if bar.state is AnswerState.INVITED:
        sentence = gettext("%(host)s invites you.", host=card.host)
    elif bar.state is AnswerState.MOVED:
        # The time is shown later in the row.
        sentence = gettext("Moved since you answered: now")
    path, starts = f"/events/{quote(event.slug)}", time_and_place.short_start_label(event)
    buttons = []
    for action in (bar.primary, bar.second):
        if action is None or (action is AnswerAction.EDIT):
            continue
        words = answer_texts.label_of(bar, action, bar_input.requests)
        # The start tells dates of a series apart.
        accessible_name = f"{words}: {card.title}, {starts}"
        if action in {AnswerAction.GOING, AnswerAction.DECLINED} and not bar.shows_answer:
            buttons.append(HomeButton(words, accessible_name, reply=RsvpReply(action.value).value))
        elif action is AnswerAction.DECIDE:
            buttons.append(HomeButton(words, accessible_name, path=f"{path}/attendees?tab=asking"))
    asks_host = bar.state is AnswerState.NEEDS_DECISIONS
    return WaitingRow(card, sentence, starts, tuple(buttons), f"{path}/answer", asks_host)


def _moved_series_row(event: Event, facts: ListedFacts, moved: MovedDates) -> WaitingRow:
    """One row for the moved dates of a series. ``event`` is the first of them."""
    card, path = card_of(event, facts), f"/series/{quote(moved.series_slug)}"
    sentence = ngettext(
        "%(number)s date moved since you answered. The next one is now",
        "%(number)s dates moved since you answered. The next one is now",
        moved.count,
    )
    confirm, look = answer_texts.confirm_all_label(moved.count), gettext("See each date")
    buttons = (
        HomeButton(confirm, f"{confirm}: {card.title}", reply=RsvpReply.GOING.value),
        HomeButton(look, f"{look}: {card.title}", path=path),
    )
    return WaitingRow(card, sentence, time_and_place.short_start_label(event), buttons, f"{path}/new-times")
