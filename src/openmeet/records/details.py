"""What an event of ours says and the community's Lexicon has no field for: one object under a name of our own.

Written by key: what another installation, or a later version of ours, added to the object stays. Nothing that is for some people
only is ever in it.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from at_protocol.data.model import Value
from openmeet.events.about import NO_TICKETS, NOT_SAID, Accessibility, Tickets
from openmeet.events.model import Event
from openmeet.events.vocabulary import AccessFeature, Category
from openmeet.records.collections import DETAILS_KEY, DETAILS_KEYS

# Of each list as many are read as an event of ours could have; strangers may write more.
_MOST: Final = 20
_LONGEST: Final = 2_000


class RecordDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """The parts of an event that stand there."""

    is_all_day: bool = False
    tickets: Tickets = NO_TICKETS
    accessibility: Accessibility = NOT_SAID
    categories: tuple[Category, ...] = ()
    tags: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


NOTHING_MORE: Final = RecordDetails()


def details_in_record(event: Event) -> RecordDetails:
    """What everybody may know of them."""
    return RecordDetails(
        event.is_all_day, event.tickets, event.accessibility, event.categories, event.tags, event.languages
    )


def put_details(record: dict[str, Value], ours: RecordDetails) -> None:
    """Have the record say them; a record that has no such object gets none for saying nothing."""
    key = next((key for key in DETAILS_KEYS if isinstance(record.get(key), dict)), DETAILS_KEY)
    before = record.get(key)
    known: dict[str, Value] = dict(before) if isinstance(before, dict) else {}
    if read_details(record) == ours:
        return
    for name, value in _values(ours).items():
        if value:
            known[name] = value
        else:
            known.pop(name, None)
    known.setdefault("$type", DETAILS_KEY)
    record[key] = known


def read_details(record: Mapping[str, Any]) -> RecordDetails:
    """What a record says of them, as far as it is understood."""
    found = next((record[key] for key in DETAILS_KEYS if isinstance(record.get(key), Mapping)), None)
    if found is None:
        return NOTHING_MORE
    return RecordDetails(
        is_all_day=found.get("isAllDay") is True,
        tickets=Tickets(_text(found, "ticketUrl"), _text(found, "price")),
        accessibility=Accessibility(
            tuple(one for one in AccessFeature if one.value in _texts(found, "accessibility")),
            _text(found, "accessibilityNote"),
        ),
        categories=tuple(one for one in Category if one.value in _texts(found, "categories")),
        tags=_texts(found, "tags"),
        languages=_texts(found, "languages"),
    )


def _values(ours: RecordDetails) -> dict[str, Value]:
    return {
        "isAllDay": ours.is_all_day,
        "ticketUrl": ours.tickets.url,
        "price": ours.tickets.price,
        "accessibility": [one.value for one in ours.accessibility.features],
        "accessibilityNote": ours.accessibility.note,
        "categories": [one.value for one in ours.categories],
        "tags": list(ours.tags),
        "languages": list(ours.languages),
    }


def _text(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    return value[:_LONGEST] if isinstance(value, str) else ""


def _texts(found: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = found.get(name)
    texts = [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
    return tuple(text[:_LONGEST] for text in texts[:_MOST])
