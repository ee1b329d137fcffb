"""What an event of ours says and the community's Lexicon has no field for: one object under a name of our own.

Written by key: what another installation, or a later version of ours, added to the object stays. Nothing that is for some people
only is ever in it. Read as an event here could have it: what is no address, no known word or too much is passed over.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from at_protocol.data.model import Value
from openmeet.domain.events.model import (
    MAX_ACCESS_NOTE,
    MAX_CATEGORIES,
    MAX_LANGUAGES,
    MAX_PRICE,
    NO_TICKETS,
    NOT_SAID,
    Accessibility,
    Event,
    Tickets,
)
from openmeet.domain.events.rules import is_web_address
from openmeet.domain.events.vocabulary import MAX_TAG, MAX_TAGS, AccessFeature, Category, normalised
from openmeet.i18n.languages import is_code
from openmeet.network.records.collections import DETAILS_KEY, DETAILS_KEYS
from openmeet.network.records.reader import line_of, text_of

# Strangers may write longer lists; behind this many nothing is looked at.
_MOST: Final = 100
_LONGEST_CODE: Final = 100


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


def says_details(record: Mapping[str, Any]) -> bool:
    """Whether it has the object at all. Who writes a record anew and knows nothing of us leaves it out, and means nothing by it."""
    return any(isinstance(record.get(key), Mapping) for key in DETAILS_KEYS)


def read_details(record: Mapping[str, Any]) -> RecordDetails:
    """What a record says of them, as far as it is understood."""
    found = next((record[key] for key in DETAILS_KEYS if isinstance(record.get(key), Mapping)), None)
    if found is None:
        return NOTHING_MORE
    features, categories = _texts(found, "accessibility"), _texts(found, "categories")
    return RecordDetails(
        is_all_day=found.get("isAllDay") is True,
        tickets=Tickets(_address(found, "ticketUrl"), line_of(found.get("price"), MAX_PRICE)),
        accessibility=Accessibility(
            tuple(one for one in AccessFeature if one.value in features), _text(found, "accessibilityNote")
        ),
        categories=tuple(one for one in Category if one.value in categories)[:MAX_CATEGORIES],
        tags=_tags(_texts(found, "tags")),
        languages=_languages(_texts(found, "languages")),
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


def _address(found: Mapping[str, Any], name: str) -> str:
    text = (text_of(found.get(name)) or "").strip()
    return text if is_web_address(text) else ""


def _text(found: Mapping[str, Any], name: str) -> str:
    text = text_of(found.get(name)) or ""
    return text.replace("\r\n", "\n").strip()[:MAX_ACCESS_NOTE].rstrip()


def _texts(found: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = found.get(name)
    return tuple(one for one in value[:_MOST] if isinstance(one, str)) if isinstance(value, list) else ()


def _tags(texts: Sequence[str]) -> tuple[str, ...]:
    # Folding can make a tag longer, so what is far too long is left out before.
    known = [normalised(text) for text in texts if len(text) <= 2 * MAX_TAG]
    return tuple(dict.fromkeys(tag for tag in known if 0 < len(tag) <= MAX_TAG))[:MAX_TAGS]


def _languages(texts: Sequence[str]) -> tuple[str, ...]:
    # Names are for people who type: records have codes.
    codes = [text.strip().lower() for text in texts if len(text) <= _LONGEST_CODE]
    return tuple(dict.fromkeys(filter(is_code, codes)))[:MAX_LANGUAGES]
