"""Notes that a reader returns with the value: the source of each field, what was kept raw, and why.

Ingestion ignores the notes; ``records inspect`` and the operator's page show them.
"""

from dataclasses import dataclass, field
from typing import Final

from openmeet.i18n.markdown import one_line
from openmeet.network.records.reasons import RecordReason


class Unmappable(Exception):
    """The record cannot be turned into a row. ``why`` is stored with the raw record for the operator."""

    def __init__(self, why: RecordReason, **params: object) -> None:
        self.why = why(**params)
        super().__init__(str(self.why))


@dataclass(frozen=True, slots=True)
class ParsedField:
    """Our field ``name`` was read from ``source`` (a path in the record, or a sentence) with the given ``value``."""

    name: str
    source: str
    value: str


@dataclass(frozen=True, slots=True)
class UnmappedPart:
    """A part of the record that has no meaning for us or is unusable. It is written back unchanged."""

    path: str
    why: str


@dataclass(slots=True)
class Notes:
    """Collects a reader's notes about a record, in reading order."""

    fields: list[ParsedField] = field(default_factory=list)
    kept: list[UnmappedPart] = field(default_factory=list)

    def read(self, name: str, source: str, value: object) -> None:
        """Note that one of our fields was read from this place."""
        self.fields.append(ParsedField(name, source, str(value)))

    def keep(self, path: str, why: str) -> None:
        """Note that a part of the record stays raw, and why."""
        self.kept.append(UnmappedPart(path, why))


# Maximum number of characters shown of the type that a record declares.
_MAX_DECLARED: Final = 200


def of_another_type(declared: object, collection: str) -> Unmappable:
    """Return the error for a record whose ``$type`` is not that of its collection."""
    return Unmappable(RecordReason.WRONG_TYPE, declared=shortened(repr(declared), _MAX_DECLARED), collection=collection)


def text_of(value: object) -> str | None:
    """Return text as a database can store it, without U+0000, which PostgreSQL rejects. None for anything but text."""
    if not isinstance(value, str):
        return None
    return value.replace("\x00", "") if "\x00" in value else value


def line_of(value: object, limit: int) -> str:
    """Return text for one line of a page, shortened to ``limit`` characters. Empty for anything but text."""
    line = one_line(text_of(value) or "")
    return shortened(line, limit)


def shortened(text: str, limit: int) -> str:
    """Return as much of a text as our own forms accept. The record keeps all of it."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def token_of(text: str) -> str:
    """Return the name of a token in any namespace: ``…#InPerson`` and ``in-person`` both become ``inperson``."""
    word = text.rpartition("#")[2] or text
    return word.strip().lower().replace("-", "").replace("_", "").replace(" ", "")
