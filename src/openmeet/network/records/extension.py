"""Event details that have no field in the community Lexicon (one object under our own key), and the older series link.

Only our own keys are written: keys that another installation, or a later version of OpenMeet, added to the object stay.
It never contains restricted content. The reader skips invalid addresses, unknown tokens and anything over our limits.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from at_protocol.data import cbor
from at_protocol.data.model import Value
from groundwork.database.transaction import Reader
from openmeet.domain.events.content import EXTENDED_TYPES, FIELDS, extension_of
from openmeet.domain.events.inputs import Input, Kind, Problems, is_web_address
from openmeet.domain.events.model import Event
from openmeet.domain.events.values import (
    MAX_ACCESS_NOTE,
    MAX_LANGUAGES,
    MAX_PRICE,
)
from openmeet.domain.events.vocabulary import MAX_TAG, MAX_TAGS, normalised
from openmeet.i18n.languages import is_code
from openmeet.network.records.collections import DETAILS_KEY, DETAILS_KEYS, OLDER_META_KEY
from openmeet.network.records.reading_notes import Notes, line_of, text_of

_FIELDS: Final = tuple(field for field in FIELDS if field.in_record)
# Others may write longer lists; the rest is ignored.
_MAX_ITEMS: Final = 100
_LONGEST_CODE: Final = 100


if TYPE_CHECKING:  # at run time the class is generated from the field table

    class _Details(msgspec.Struct, frozen=True):
        def __init__(self, *details: Any, **named: Any) -> None: ...
        def __getattr__(self, name: str) -> Any: ...

else:
    _Details = msgspec.defstruct(
        "_Details", [("is_all_day", bool, False), *EXTENDED_TYPES], frozen=True, omit_defaults=True, module=__name__
    )


class RecordDetails(_Details, frozen=True):
    """The event fields in that object: ``is_all_day``, then those of ``content.EXTENDED``."""


NOTHING_MORE: Final = RecordDetails()


def details_in_record(event: Event) -> RecordDetails:
    """Return the public values of these fields."""
    return RecordDetails(event.is_all_day, **extension_of(event.content))


def put_details(record: dict[str, Value], ours: RecordDetails) -> None:
    """Write the details into the record. An empty object is not added to a record that has none."""
    key = next((key for key in DETAILS_KEYS if isinstance(record.get(key), dict)), DETAILS_KEY)
    before = record.get(key)
    details: dict[str, Value] = dict(before) if isinstance(before, dict) else {}
    if read_details(record) == ours:
        return
    for name, value in _values(ours).items():
        if value or is_zero(value):
            details[name] = value
        else:
            details.pop(name, None)
    details.setdefault("$type", DETAILS_KEY)
    record[key] = details


def has_details(record: Mapping[str, Any]) -> bool:
    """Whether the record has our details. If not, an app that does not know them may have dropped them when it rewrote
    the record.
    """
    return any(isinstance(record.get(key), Mapping) for key in DETAILS_KEYS)


def read_details(record: Mapping[str, Any]) -> RecordDetails:
    """Read the details of a record, as far as they are understood."""
    details = next((record[key] for key in DETAILS_KEYS if isinstance(record.get(key), Mapping)), None)
    if details is None:
        return NOTHING_MORE
    fields = {name: join(*[part(details.get(key)) for key, part in parts]) for name, join, parts in _READERS}
    return RecordDetails(details.get("isAllDay") is True, **fields)


def stated_parts(details: RecordDetails) -> Iterator[tuple[str, str]]:
    """Yield the fields that have a value, with their text for people who inspect a record."""
    for field in _FIELDS:
        value = getattr(details, field.name)
        if value == getattr(NOTHING_MORE, field.name):
            continue
        yield field.name, ", ".join(filter(None, map(_shown, field.inputs, field.split(value))))


def _shown(field_input: Input, part: Any) -> str:
    return ", ".join(part) if isinstance(part, tuple) else field_input.kind.fill(part)


def _values(ours: RecordDetails) -> dict[str, Value]:
    values: dict[str, Value] = {"isAllDay": ours.is_all_day}
    for field in _FIELDS:
        parts = zip(field.inputs, field.in_record, field.split(getattr(ours, field.name)), strict=True)
        values |= {key: one.kind.show(part) for one, key, part in parts}
    return values


def is_zero(value: object) -> bool:
    """Whether this is the number zero, which is a value, unlike an empty text or False."""
    return value == 0 and not isinstance(value, bool)


def reader_of(field_input: Input) -> Callable[[object], Any]:
    """Return a reader for one input's value in anybody's record. Invalid values count as missing."""

    def read(value: object) -> Any:
        problems: Problems = {}
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else text_of(value)
        value_read = field_input.kind.parse(text or field_input.kind.blank, field_input.name, problems)
        return field_input.kind.parse(field_input.kind.blank, field_input.name, {}) if problems else value_read

    if field_input.kind.boxes:
        return _reader_of_choices(field_input.kind)
    return _TOLERANT.get(field_input.name, read)


def _reader_of_choices(kind: Kind[Any]) -> Callable[[object], Any]:
    """Return a reader that ignores unknown choices and those that are too many."""
    # In the order of the vocabulary.
    choices = {name: kind.parse(name, name, {})[0] for name in kind.boxes}

    def read(value: object) -> Any:
        names = {*_texts(value)}
        return tuple(one for name, one in choices.items() if name in names)[: kind.most_boxes] if names else ()

    return read


def _address(value: object) -> str:
    text = (text_of(value) or "").strip()
    return text if is_web_address(text) else ""


def _text(value: object) -> str:
    return (text_of(value) or "").replace("\r\n", "\n").strip()[:MAX_ACCESS_NOTE].rstrip()


def _texts(value: object) -> tuple[str, ...]:
    return tuple(one for one in value[:_MAX_ITEMS] if isinstance(one, str)) if isinstance(value, list) else ()


def _tags(value: object) -> tuple[str, ...]:
    # Case folding can make a tag longer, so tags that are far too long are skipped first.
    tags = [normalised(text) for text in _texts(value) if len(text) <= 2 * MAX_TAG]
    return tuple(dict.fromkeys(tag for tag in tags if 0 < len(tag) <= MAX_TAG))[:MAX_TAGS]


def _languages(value: object) -> tuple[str, ...]:
    # Forms also accept names of languages; records contain only codes.
    codes = [text.strip().lower() for text in _texts(value) if len(text) <= _LONGEST_CODE]
    return tuple(dict.fromkeys(filter(is_code, codes)))[:MAX_LANGUAGES]


# Inputs that accept the valid part of what others wrote, although a form would refuse all of it.
_TOLERANT: Final[Mapping[str, Callable[[object], Any]]] = {
    "price": lambda value: line_of(value, MAX_PRICE),
    "ticket_url": _address,
    "access_note": _text,
    "tags": _tags,
    "languages": _languages,
}


_READERS: Final = tuple(
    (
        field.name,
        field.join,
        tuple((key, reader_of(one)) for one, key in zip(field.inputs, field.in_record, strict=True)),
    )
    for field in _FIELDS
)


MAX_NAME: Final = 200
# Records read into memory at a time, because a record can be a megabyte.
_AT_ONCE: Final = 25

_BODIES: Final = "select uri, body from records where uri in :uris and state = 'mapped' order by uri"


async def named_series(reader: Reader, uris: Sequence[str]) -> dict[str, str]:
    """Return the series named in the older metadata of stored records, by record URI. Records that name none are left
    out.
    """
    key = OLDER_META_KEY.encode()
    names: dict[str, str] = {}
    for start in range(0, len(uris), _AT_ONCE):
        for row in await reader.fetch(_BODIES, uris=list(uris[start : start + _AT_ONCE])):
            body = bytes(row["body"] or b"")
            if key not in body:  # searching the bytes avoids decoding thousands of records that have none
                continue
            record = cbor.decode(body)
            name = series_name(record.get(OLDER_META_KEY)) if isinstance(record, dict) else ""
            if name:
                names[row["uri"]] = name
    return names


def series_name(meta: object) -> str:
    """Return the name of the series; empty if the metadata names none or says that the event is not recurring."""
    if not isinstance(meta, Mapping) or meta.get("isRecurring") is False:
        return ""
    return line_of(meta.get("seriesSlug"), MAX_NAME)


def note_older_meta(meta: object, notes: Notes) -> None:
    """Note what was read from the older metadata, and why the rest is ignored."""
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
                    notes.keep(path, "does not name a series of the event")
            case "isRecurring":
                notes.keep(path, "says whether the event recurs; the link to its series says more")
            case "imageSourceKey":
                notes.keep(
                    path,
                    "names a picture in the storage of the installation that wrote it; pictures are read from media",
                )
            case _:
                notes.keep(path, "is not a field that an older OpenMeet is known to have written")
