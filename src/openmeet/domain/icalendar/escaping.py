r"""TEXT values of calendar files: what is escaped in them, and how it is read back.

Source: RFC 5545, section 3.3.11. ``icalendar`` takes a backslash before a capital N for a line break when it *writes*, so that
``C:\New`` came back without both; each value that we write therefore passes through here. Parameters have other escapes (RFC 6868).
"""

import re
from collections.abc import Iterable

from icalendar.prop import vCategory, vText

# Section 3.1: a control character other than a tab is part of no line. Line breaks have an escape of their own.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SPECIAL = re.compile(r"\r\n|[\r\n\\;,]")
_ESCAPE = re.compile(r"\\([\\;,nN])")


class Text(vText):
    """A text that is written as it is, whatever stands in it; ``icalendar`` asks its values for their own form."""

    __slots__ = ()

    def to_ical(self) -> bytes:
        return escaped(self).encode()


def texts(values: Iterable[str]) -> vCategory:
    """Several texts in one property, with commas between them (section 3.8.1.2)."""
    made = vCategory([])
    made.cats = [Text(value) for value in values]
    return made


def escaped(text: str) -> str:
    """The text as the value of a property, on one line; without control characters, which no file may have."""
    return _SPECIAL.sub(_escape, _CONTROL.sub("", text))


def unescaped(value: str) -> str:
    """The text that a value stands for. A backslash before anything else is no escape, and stays."""
    return _ESCAPE.sub(lambda match: "\n" if match[1] in "nN" else match[1], value)


def _escape(match: re.Match[str]) -> str:
    return "\\" + match[0] if match[0] in "\\;," else "\\n"
