"""Split an iCalendar file into its components, without interpreting them.

Written by hand and on bytes, because libraries decode before they unfold (RFC 5545, section 3.1: a line may be folded
in the middle of a character) and reject a whole file for one bad component. Every limit is checked before anything is
stored.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from icalendar.prop import vCategory, vText

from groundwork.errors import InvalidInput, Reason, TooLarge
from openmeet.i18n.catalogue import gettext
from openmeet.i18n.formatting import number


class IcalendarReason(Reason):
    """Why a calendar file is refused before it is interpreted. The messages are in ``i18n/reasons/calendars.py``."""

    FILE_TOO_LARGE = "icalendar.file_too_large"
    NOT_A_CALENDAR = "icalendar.not_a_calendar"
    TOO_MANY_LINES = "icalendar.too_many_lines"
    TOO_MANY_COMPONENTS = "icalendar.too_many_components"
    NESTED_TOO_DEEPLY = "icalendar.nested_too_deeply"


MAX_BYTES = 10_000_000
MAX_COMPONENTS = 20_000
# Lines per component: enough for an event with a line for each of a few thousand attendees.
MAX_COMPONENT_LINES = 5_000
# A file with more lines than this would have much shorter lines than those that other programs write.
MAX_LINES = 400_000
MAX_LINE = 200_000
MAX_DEPTH = 5
MAX_WARNINGS = 50

_FOLD = re.compile(rb"(?:\r\n|\r|\n)[ \t]")
# A line end that is not followed by a continuation line.
_END = re.compile(rb"\r\n(?![ \t])|\r(?![\n \t])|\n(?![ \t])|\Z")
# Section 3.1: a quoted parameter may contain a colon. Possessive quantifiers never backtrack.
_VALUE = re.compile(r'(?P<name>[^:;"]++)(?:;(?:[^:"]|"[^"]*+")*+)?+:(?P<value>.*+)', re.DOTALL)
_UTF8_BOM = b"\xef\xbb\xbf"


@dataclass(slots=True)
class Component:
    """A component, such as ``VEVENT``: its own unfolded lines and its nested components."""

    name: str
    number: int
    lines: list[str] = field(default_factory=list)
    inside: list["Component"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The component as iCalendar text, without nested components."""
        return "\r\n".join([f"BEGIN:{self.name}", *self.lines, f"END:{self.name}", ""])

    def value(self, name: str) -> str | None:
        """The raw value of the first line with this property name."""
        property_name = name.upper()
        for line in self.lines:
            match = _VALUE.fullmatch(line)
            if match and match["name"].upper() == property_name:
                return match["value"]
        return None

    def text_value(self, name: str) -> str | None:
        """The unescaped value of the first line with this text property."""
        raw = self.value(name)
        return None if raw is None else unescaped(raw)


def read_components(data: bytes) -> tuple[list[Component], list[str]]:
    """Return the calendars in a file with their components, and warnings about repairs.

    Raises TooLarge, and InvalidInput if the file is not a calendar at all.
    """
    if len(data) > MAX_BYTES:
        raise TooLarge(IcalendarReason.FILE_TOO_LARGE, most=MAX_BYTES // 1000000, length=len(data) // 1000000)
    warnings: list[str] = []
    calendars: list[Component] = []
    open_: list[Component] = []
    count, is_cut = 0, False
    for line in _lines(data, warnings):
        keyword, _, name = line.partition(":")
        match keyword.upper():
            case "BEGIN":
                count += 1
                if count > MAX_COMPONENTS:
                    raise TooLarge(IcalendarReason.TOO_MANY_COMPONENTS, most=MAX_COMPONENTS)
                if len(open_) >= MAX_DEPTH:
                    raise InvalidInput("file", IcalendarReason.NESTED_TOO_DEEPLY)
                component = Component(name.strip().upper(), count)
                if open_:
                    open_[-1].inside.append(component)
                elif component.name == "VCALENDAR":
                    calendars.append(component)
                open_.append(component)
            case "END":
                _close(open_, name.strip().upper(), warnings)
            case _ if open_ and line.strip():
                if len(open_[-1].lines) < MAX_COMPONENT_LINES:
                    open_[-1].lines.append(line)
                elif not is_cut:
                    is_cut = True
                    _warn(
                        warnings,
                        gettext(
                            "Only the first %(most)s lines of one component were read.",
                            most=number(MAX_COMPONENT_LINES),
                        ),
                    )
            case _:
                pass
    if open_:
        _warn(warnings, gettext("The file ends in the middle of %(component)s.", component=open_[0].name))
    if not calendars:
        raise InvalidInput("file", IcalendarReason.NOT_A_CALENDAR)
    return calendars, warnings


def _close(open_: list[Component], name: str, warnings: list[str]) -> None:
    names = [component.name for component in open_]
    if name not in names:
        _warn(warnings, gettext("END:%(component)s has no BEGIN and was left out.", component=name[:40]))
        return
    while open_.pop().name != name:
        _warn(
            warnings, gettext("%(inner)s has no END line before %(outer)s ends.", inner=names[-1][:40], outer=name[:40])
        )


def _warn(warnings: list[str], text: str) -> None:
    """Add a warning, up to a limit, because nobody reads hundreds of them."""
    if len(warnings) < MAX_WARNINGS:
        warnings.append(text)


def _lines(data: bytes, warnings: list[str]) -> Iterator[str]:
    """Yield unfolded and decoded lines one at a time, because all of them together would need memory of many times the
    file's size. Raises TooLarge.
    """
    has_bad_bytes = False
    start = len(_UTF8_BOM) if data.startswith(_UTF8_BOM) else 0
    for place, end in enumerate(_END.finditer(data, start), 1):
        if place > MAX_LINES:
            raise TooLarge(IcalendarReason.TOO_MANY_LINES, most=MAX_LINES)
        line = _FOLD.sub(b"", data[start : end.start()])
        start = end.end()
        if len(line) > MAX_LINE:
            long = gettext("Line %(line)s has %(length)s bytes and was left out.", line=place, length=number(len(line)))
            _warn(warnings, long)
            continue
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError:
            if not has_bad_bytes:
                _warn(warnings, gettext("Some characters aren’t UTF-8. They were read as Windows-1252."))
                has_bad_bytes = True
            yield line.decode("cp1252", errors="replace")


# Section 3.1: lines contain no control characters except tabs. Line breaks in values are escaped.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SPECIAL = re.compile(r"\r\n|[\r\n\\;,]")
_ESCAPE = re.compile(r"\\([\\;,nN])")


class Text(vText):
    """Text that the ``icalendar`` library writes with our own escaping."""

    __slots__ = ()

    def to_ical(self) -> bytes:
        return escaped(self).encode()


def texts(values: Iterable[str]) -> vCategory:
    """Combine several texts into one comma-separated property value (section 3.8.1.2)."""
    made = vCategory([])
    made.cats = [Text(value) for value in values]
    return made


def escaped(text: str) -> str:
    """Escape a text as a property value on one line, and drop control characters, which no file may contain."""
    return _SPECIAL.sub(_escape, _CONTROL.sub("", text))


def unescaped(value: str) -> str:
    """Undo ``escaped``. A backslash before any other character is not an escape and is kept."""
    return _ESCAPE.sub(lambda match: "\n" if match[1] in "nN" else match[1], value)


def _escape(match: re.Match[str]) -> str:
    return "\\" + match[0] if match[0] in "\\;," else "\\n"
