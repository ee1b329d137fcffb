"""An iCalendar file taken apart into its components, before any of them is understood.

Done by hand and on bytes, because libraries decode before they unfold (RFC 5545, section 3.1: a character may be folded in
its middle) and give up a whole file for one bad component. Every limit is checked before anything is kept.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from groundwork.errors import InvalidInput, TooLarge

MAX_BYTES = 10_000_000
MAX_COMPONENTS = 20_000
MAX_LINE = 200_000
MAX_DEPTH = 5

_FOLD = re.compile(rb"(?:\r\n|\r|\n)[ \t]")
_LINE = re.compile(rb"\r\n|\r|\n")
_UTF8_BOM = b"\xef\xbb\xbf"


@dataclass(slots=True)
class Component:
    """``VEVENT`` and the like: its own lines, unfolded, and the components inside it."""

    name: str
    number: int
    lines: list[str] = field(default_factory=list)
    inside: list["Component"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The component alone, as iCalendar text."""
        return "\r\n".join([f"BEGIN:{self.name}", *self.lines, f"END:{self.name}", ""])

    def value(self, name: str) -> str | None:
        """The raw value of the first line with this property name and no quoted parameters."""
        wanted = name.upper()
        for line in self.lines:
            head, colon, value = line.partition(":")
            if colon and head.partition(";")[0].upper() == wanted:
                return value
        return None


def read_components(data: bytes) -> tuple[list[Component], list[str]]:
    """The calendars of a file with what is inside them, and warnings about what was mended.

    Raises TooLarge, and InvalidInput for something that is no calendar at all.
    """
    if len(data) > MAX_BYTES:
        raise TooLarge(f"A calendar file may have {MAX_BYTES // 1_000_000} MB; this one has {len(data) // 1_000_000}.")
    warnings: list[str] = []
    calendars: list[Component] = []
    open_: list[Component] = []
    count = 0
    for line in _lines(data, warnings):
        keyword, _, name = line.partition(":")
        match keyword.upper():
            case "BEGIN":
                count += 1
                if count > MAX_COMPONENTS:
                    raise TooLarge(f"A calendar file may have {MAX_COMPONENTS:,} components.")
                if len(open_) >= MAX_DEPTH:
                    raise InvalidInput("file", "The components of this file are nested too deeply.")
                component = Component(name.strip().upper(), count)
                if open_:
                    open_[-1].inside.append(component)
                elif component.name == "VCALENDAR":
                    calendars.append(component)
                open_.append(component)
            case "END":
                _close(open_, name.strip().upper(), warnings)
            case _ if open_ and line.strip():
                open_[-1].lines.append(line)
            case _:
                pass
    if open_:
        warnings.append(f"The file ends in the middle of {open_[0].name}.")
    if not calendars:
        raise InvalidInput("file", "This is no calendar file: BEGIN:VCALENDAR is missing.")
    return calendars, warnings


def _close(open_: list[Component], name: str, warnings: list[str]) -> None:
    names = [component.name for component in open_]
    if name not in names:
        warnings.append(f"END:{name[:40]} without its beginning was left out.")
        return
    while open_.pop().name != name:
        warnings.append(f"{names[-1]} was not ended before {name}.")


def _lines(data: bytes, warnings: list[str]) -> Iterator[str]:
    unfolded = _FOLD.sub(b"", data.removeprefix(_UTF8_BOM))
    has_bad_bytes = False
    for number, line in enumerate(_LINE.split(unfolded), 1):
        if len(line) > MAX_LINE:
            warnings.append(f"Line {number} has {len(line):,} bytes and was left out.")
            continue
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError:
            if not has_bad_bytes:
                warnings.append("Some characters are not UTF-8; they were read as Windows-1252.")
                has_bad_bytes = True
            yield line.decode("cp1252", errors="replace")
