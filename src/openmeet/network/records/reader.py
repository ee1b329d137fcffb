"""What reading a record yields beside the value: where each field came from, what was kept unmapped, and why.

Readers note as they go; ingestion ignores the notes, ``records inspect`` and the operator's page show them.
"""

from dataclasses import dataclass, field

from openmeet.i18n.markdown import one_line


class Unmappable(Exception):
    """The record makes no row; ``why`` is a sentence, kept beside the raw record for the operator."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class FieldRead:
    """``name`` of ours was read from ``source`` (a path in the record, or a sentence) as ``value``."""

    name: str
    source: str
    value: str


@dataclass(frozen=True, slots=True)
class KeptRaw:
    """A part of the record that means nothing to us, or that we could not use; it is kept and written back as it is."""

    path: str
    why: str


@dataclass(slots=True)
class Notes:
    """Collects what a reader says about a record, in reading order."""

    fields: list[FieldRead] = field(default_factory=list)
    kept: list[KeptRaw] = field(default_factory=list)

    def read(self, name: str, source: str, value: object) -> None:
        """A field of ours got a value."""
        self.fields.append(FieldRead(name, source, str(value)))

    def keep(self, path: str, why: str) -> None:
        """A part stays raw."""
        self.kept.append(KeptRaw(path, why))


def text_of(value: object) -> str | None:
    """Text as a database can hold it: U+0000 is cut out, PostgreSQL refuses it. None for anything but text."""
    if not isinstance(value, str):
        return None
    return value.replace("\x00", "") if "\x00" in value else value


def line_of(value: object, limit: int) -> str:
    """Text for one line of a page, shortened to ``limit`` characters. Empty for anything but text."""
    line = one_line(text_of(value) or "")
    return shortened(line, limit)


def shortened(text: str, limit: int) -> str:
    """As much of a text as our own forms take; the record has the rest."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def token_of(text: str) -> str:
    """The word of a token of any namespace: ``…#InPerson`` and ``in-person`` are both ``inperson``."""
    word = text.rpartition("#")[2] or text
    return word.strip().lower().replace("-", "").replace("_", "").replace(" ", "")
