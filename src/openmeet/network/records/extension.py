"""Event details for which the community Lexicon has no field (one object under our own key), and the older series link.

Written by key: what another installation, or a later version of ours, added to the object stays. It never contains
restricted content. The reader skips invalid addresses, unknown tokens and what exceeds our limits.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from at_protocol.data import cbor
from at_protocol.data.model import Value
from groundwork.database.transaction import Reader
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
from openmeet.network.records.collections import DETAILS_KEY, DETAILS_KEYS, OLDER_META_KEY
from openmeet.network.records.reader import Notes, line_of, text_of

# Others may write longer lists; the rest is ignored.
_MOST: Final = 100
_LONGEST_CODE: Final = 100


class RecordDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """The event fields in that object."""

    is_all_day: bool = False
    tickets: Tickets = NO_TICKETS
    accessibility: Accessibility = NOT_SAID
    categories: tuple[Category, ...] = ()
    tags: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


NOTHING_MORE: Final = RecordDetails()


def details_in_record(event: Event) -> RecordDetails:
    """The public part of these fields."""
    return RecordDetails(
        event.is_all_day, event.tickets, event.accessibility, event.categories, event.tags, event.languages
    )


def put_details(record: dict[str, Value], ours: RecordDetails) -> None:
    """Write them into the record; an empty object is not added to a record without one."""
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
    """Whether the record has the object at all. An app that rewrites a record and does not know us leaves it out without intent."""
    return any(isinstance(record.get(key), Mapping) for key in DETAILS_KEYS)


def read_details(record: Mapping[str, Any]) -> RecordDetails:
    """The fields of a record, as far as they are understood."""
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
    # Folding can make a tag longer, so far too long tags are skipped before.
    known = [normalised(text) for text in texts if len(text) <= 2 * MAX_TAG]
    return tuple(dict.fromkeys(tag for tag in known if 0 < len(tag) <= MAX_TAG))[:MAX_TAGS]


def _languages(texts: Sequence[str]) -> tuple[str, ...]:
    # Names are for typing; records have codes.
    codes = [text.strip().lower() for text in texts if len(text) <= _LONGEST_CODE]
    return tuple(dict.fromkeys(filter(is_code, codes)))[:MAX_LANGUAGES]


MAX_NAME: Final = 200
# A record may have a megabyte: this many are in memory at a time.
_AT_ONCE: Final = 25

_BODIES: Final = "select uri, body from records where uri in :uris and standing = 'mapped' order by uri"


async def named_series(reader: Reader, uris: Sequence[str]) -> dict[str, str]:
    """The series that the records at these addresses name, by address; those that name none are missing."""
    mark = OLDER_META_KEY.encode()
    found: dict[str, str] = {}
    for start in range(0, len(uris), _AT_ONCE):
        for row in await reader.fetch(_BODIES, uris=list(uris[start : start + _AT_ONCE])):
            body = bytes(row["body"] or b"")
            if mark not in body:  # a search in the bytes avoids decoding thousands of records that have none
                continue
            record = cbor.decode(body)
            name = series_name(record.get(OLDER_META_KEY)) if isinstance(record, dict) else ""
            if name:
                found[row["uri"]] = name
    return found


def series_name(meta: object) -> str:
    """The series that it names; empty if it names none, or says that the event is not recurring."""
    if not isinstance(meta, Mapping) or meta.get("isRecurring") is False:
        return ""
    return line_of(meta.get("seriesSlug"), MAX_NAME)


def note_older_meta(meta: object, notes: Notes) -> None:
    """Note what was read of it, and why the rest is ignored."""
    if not isinstance(meta, Mapping):
        notes.keep(OLDER_META_KEY, "is not a map")
        return
    name = series_name(meta)
    if name:
        notes.read("series", f"{OLDER_META_KEY}/seriesSlug", name)
    for key in meta:
        path = f"{OLDER_META_KEY}/{key}"
        match key:
            case "seriesSlug":
                if not name:
                    notes.keep(path, "names no series that the event is a date of")
            case "isRecurring":
                notes.keep(path, "says whether the event comes again; which series it is a date of says more")
            case "imageSourceKey":
                notes.keep(
                    path, "names a picture in the store of the installation that wrote it; pictures are read from media"
                )
            case _:
                notes.keep(path, "is no field that an older OpenMeet is known to have written")
