"""The edit form of an event record: what it shows, and which fields were changed; and why a change of an own record is
refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from at_protocol.data.model import Value
from at_protocol.syntax.datetime import format_datetime
from groundwork.clock import Instant
from groundwork.errors import InvalidInput, Reason, Refused
from openmeet.domain.events.model import EventStatus
from openmeet.domain.events.reasons import EventReason
from openmeet.i18n.catalogue import LazyText, lazy
from openmeet.i18n.formatting import clock
from openmeet.network.records.collections import EVENT
from openmeet.network.records.event_reader import read_event
from openmeet.network.records.preserve import ends_in, sentence_in, with_sentence, without_sentence
from openmeet.network.records.reading_notes import Unmappable, text_of
from openmeet.recurrence import wall_time

MAX_NAME: Final = 200
MAX_DESCRIPTION: Final = 10_000

# Labels of the Lexicon's tokens.
MODES: Final = {"inperson": lazy("In person"), "virtual": lazy("Online"), "hybrid": lazy("In person and online")}
STATUSES: Final[Mapping[str, LazyText]] = {
    EventStatus.PLANNED: lazy("Planned"),
    EventStatus.SCHEDULED: lazy("Takes place"),
    EventStatus.RESCHEDULED: lazy("Moved"),
    EventStatus.POSTPONED: lazy("Postponed"),
    EventStatus.CANCELLED: lazy("Cancelled"),
}


class OwnRecordReason(Reason):
    """Why a change of somebody’s own record is refused. The messages are in ``i18n/reasons/records.py``."""

    CANNOT_BE_CHANGED = "own_record.cannot_be_changed"
    TITLE_NEEDED = "own_record.title_needed"
    TOO_LONG = "own_record.too_long"
    ENDS_BEFORE_START = "own_record.ends_before_start"
    CHOOSE_OFFERED = "own_record.choose_offered"
    NO_SUCH_RECORD = "own_record.no_such_record"
    NO_EVENT_RECORD = "own_record.no_event_record"
    NOT_AN_EVENT_ADDRESS = "own_record.not_an_event_address"
    EVENT_ADDRESS_NEEDED = "own_record.event_address_needed"
    ANSWERS_NOT_PUBLIC = "own_record.answers_not_public"
    NO_SUCH_EVENT = "own_record.no_such_event"
    ANSWERED_ALREADY = "own_record.answered_already"
    CHOOSE_AN_ANSWER = "own_record.choose_an_answer"
    CHANGED_SINCE_OPENED = "own_record.changed_since_opened"
    UNREADABLE_FOR_APPS = "own_record.unreadable_for_apps"


@dataclass(frozen=True, slots=True)
class EventRecordForm:
    """An event as shown in the form: times in the person's time zone, rounded to the minute; empty if there is none.

    ``mode`` and ``status`` are tokens of the calendar Lexicon, empty if the record has no known one. None means that
    the form does not contain the field.
    """

    name: str
    description: str
    starts: str
    ends: str
    mode: str | None = None
    status: str | None = None


def form_of(record: dict[str, Value], rkey: str, zone: str) -> EventRecordForm:
    """Return the values of the edit form for an event record. Raises Refused if the record is not a readable event."""
    try:
        event = read_event(str(EVENT), record, rkey=rkey, indexed_at=Instant(0)).event
    except Unmappable as unmappable:
        raise Refused(OwnRecordReason.CANNOT_BE_CHANGED, problem=unmappable.why) from None
    return EventRecordForm(
        event.name,
        _text_of(record),
        _local(event.starts_at, zone),
        _local(event.ends_at, zone),
        _known(record.get("mode"), MODES),
        _known(record.get("status"), STATUSES),
    )


def written(
    record: dict[str, Value], opened: EventRecordForm | None, form: EventRecordForm, zone: str
) -> dict[str, Value]:
    """Return the record with the fields that differ from the form as it was opened (None: a new record). Raises
    InvalidInput.
    """
    changed = dict(record)
    shown = opened or EventRecordForm("", "", "", "")
    if opened is None or _typed(form.name) != _typed(shown.name):
        changed["name"] = _limited("name", form.name, MAX_NAME, OwnRecordReason.TITLE_NEEDED, least=1)
    if _typed(form.description) != _typed(shown.description):
        text = _limited("description", form.description, MAX_DESCRIPTION, OwnRecordReason.TOO_LONG)
        sentence = sentence_in(record) if ends_in(str(record.get("description", "")), sentence_in(record)) else ""
        _put(changed, "description", with_sentence(text, sentence))
        changed.pop("text", None)
        changed.pop("facets", None)  # they refer to byte ranges of the old text
    if opened is None or form.starts != shown.starts:
        changed["startsAt"] = format_datetime(_moment("starts", form.starts, zone))
    if form.ends != shown.ends:
        _put(changed, "endsAt", format_datetime(_moment("ends", form.ends, zone)) if form.ends else "")
    _choose(changed, "mode", shown.mode, form.mode, MODES)
    _choose(changed, "status", shown.status, form.status, STATUSES)
    is_moved = (form.starts, form.ends) != (shown.starts, shown.ends)
    # The form may show the record's values with less precision.
    is_whole = bool(form.starts and form.ends)
    if is_moved and is_whole and _moment("ends", form.ends, zone) <= _moment("starts", form.starts, zone):
        raise InvalidInput("ends", OwnRecordReason.ENDS_BEFORE_START)
    return changed


def _text_of(record: dict[str, Value]) -> str:
    """Return the author's own text in full; pages may show only its beginning."""
    for key in ("description", "text"):
        text = text_of(record.get(key))
        if text is not None:
            return without_sentence(text, sentence_in(record))
    return ""


def _known(token: object, words: Mapping[str, LazyText]) -> str:
    """Return the short name of a token of the calendar Lexicon; empty if it is unknown."""
    namespace, _, word = token.rpartition("#") if isinstance(token, str) else ("", "", "")
    return word if namespace == EVENT and word in words else ""


def _choose(
    record: dict[str, Value], key: str, shown: str | None, chosen_value: str | None, words: Mapping[str, LazyText]
) -> None:
    if chosen_value is None or chosen_value == (shown or ""):
        return
    if chosen_value and chosen_value not in words:
        raise InvalidInput(key, OwnRecordReason.CHOOSE_OFFERED)
    _put(record, key, f"{EVENT}#{chosen_value}" if chosen_value else "")


def _typed(text: str) -> str:
    """Normalize text as an unchanged form would submit it: browsers change line endings."""
    return "\n".join(text.strip().splitlines())


def _limited(field: str, text: str, most: int, why: OwnRecordReason, *, least: int = 0) -> str:
    text = _typed(text)
    if not least <= len(text) <= most:
        raise InvalidInput(field, why, most=most)
    return text


def _put(record: dict[str, Value], key: str, text: str) -> None:
    if text:
        record[key] = text
    else:
        record.pop(key, None)


def _moment(field: str, text: str, zone: str) -> Instant:
    local = wall_time.parse_local(text, field)
    instead = wall_time.instead_of(local, zone)
    if instead is not None:
        raise InvalidInput(field, EventReason.SKIPPED_TIME, time=clock(local), instead=clock(instead))
    return wall_time.instant_of(local, zone)


def _local(instant: Instant | None, zone: str) -> str:
    return "" if instant is None else wall_time.local_of(instant, zone).strftime("%Y-%m-%dT%H:%M")
