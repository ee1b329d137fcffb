"""Kinds of inputs: how one part of an event's content is typed in a form, sent as JSON, and returned.

Forms and the JSON API have the same inputs and rules: a JSON value is converted to text (``text_of``) and parsed by the
kind of the input, as if it had been typed.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar
from urllib.parse import urlsplit

from groundwork.errors import InvalidInput, Why
from openmeet.domain.events import vocabulary
from openmeet.domain.events.place_text import point_in, point_text
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.events.values import MAX_URL
from openmeet.domain.validation import C, GeneralReason, choice
from openmeet.i18n import languages
from openmeet.i18n.catalogue import LazyText
from openmeet.i18n.markdown import is_visible, one_line

P = TypeVar("P")
REQUIRED: Final = object()
Problems = dict[str, Why]


def _identity(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Kind(Generic[P]):
    """``parse`` (text, name of the input, problems) adds a reason under that name if the text is invalid; its result
    must then not be used. ``fill`` returns the text of a value. ``blank`` is the text of an untouched input. ``json``
    and ``default`` are type and default in requests (``REQUIRED`` means no default). If ``json`` is None, requests do
    not have the input itself. ``shown`` and ``show`` are type and value in responses. If ``shown`` is None, responses
    do not have it, or separate rules apply (``disclosure``). ``boxes`` are the names of checkboxes that show the input
    (``access.step_free``). ``longest``: how many characters a form accepts, if the kind limits them.
    """

    parse: Callable[[str, str, Problems], P]
    fill: Callable[[P], str]
    blank: str = ""
    json: Any = None
    default: Any = ""
    shown: Any = None
    show: Callable[[P], Any] = _identity
    boxes: tuple[str, ...] = ()
    most_boxes: int | None = None
    longest: int | None = None


@dataclass(frozen=True, slots=True)
class Input:
    """One input. ``label`` is the text shown to people. ``example`` is a text for the documentation of the API, which
    a text input needs unless ``web.api.examples`` already has one for a field of this name.
    """

    name: str
    label: LazyText
    kind: Kind[Any]
    example: str = ""


def text_of(value: Any) -> str:
    """Convert a JSON value to the text of its input."""
    match value:
        case None | False:
            return ""
        case True:
            return "yes"
        case list():
            return ",".join(value)
        case _:
            return str(value)


def one_of(kind: type[C], usual: C, *, is_shown: bool = True) -> Kind[C]:
    """An input that accepts the members of an enumeration. ``usual`` is the default. With ``is_shown``, responses
    contain the value.
    """
    values = tuple(member.value for member in kind)
    named: Any = Literal[values]

    def parse(text: str, name: str, problems: Problems) -> C:
        return choice(kind, text, name, problems) or usual

    def value_of(member: C) -> str:
        return member.value

    shown = named if is_shown else None
    return Kind(parse, value_of, usual.value, json=named, default=usual.value, shown=shown, show=value_of)


def line(longest: int) -> Kind[str]:
    """An input for one line of text."""

    def parse(text: str, name: str, problems: Problems) -> str:
        text_line = one_line(text)
        if len(text_line) > longest:
            problems[name] = GeneralReason.TEXT_TOO_LONG(most=longest)
        return text_line

    return Kind(parse, str, json=str, shown=str, longest=longest)


def place_part(longest: int) -> Kind[str]:
    """A line of an address, such as its street. Line breaks become spaces, after the length of the typed text was
    checked.
    """

    def parse(text: str, name: str, problems: Problems) -> str:
        if len(text) > longest:
            problems[name] = GeneralReason.TEXT_TOO_LONG(most=longest)
        return one_line(text)

    return Kind(parse, str, longest=longest)


def long_text(longest: int, *, shown: Any = str) -> Kind[str]:
    """An input for several lines of text. ``shown`` is ``str | None`` if responses have null for an empty text."""

    def parse(text: str, name: str, problems: Problems) -> str:
        plain = text.replace("\r\n", "\n").strip()
        if len(plain) > longest:
            problems[name] = GeneralReason.TEXT_OF_LENGTH_TOO_LONG(most=longest, length=len(plain))
        return plain

    show = _identity if shown is str else lambda text: text or None
    return Kind(parse, str, json=str, shown=shown, show=show, longest=longest)


def title(longest: int) -> Kind[str]:
    """An input for the title, which is required."""

    def parse(text: str, name: str, problems: Problems) -> str:
        text_line = one_line(text)
        if not is_visible(text_line):
            problems[name] = EventReason.TITLE_NEEDED
        elif len(text_line) > longest:
            problems[name] = EventReason.TITLE_TOO_LONG(most=longest, length=len(text_line))
        return text_line

    return Kind(parse, str, json=str, default=REQUIRED, shown=str, longest=longest)


def description(longest: int) -> Kind[str]:
    """An input for Markdown."""

    def parse(text: str, name: str, problems: Problems) -> str:
        plain = text.replace("\r\n", "\n").strip()
        if len(plain) > longest:
            problems[name] = GeneralReason.DESCRIPTION_TOO_LONG(most=longest)
        return plain

    return Kind(parse, str, json=str, shown=str, longest=longest)


def _parse_address(text: str, name: str, problems: Problems) -> str:
    address = text.strip()
    if address and not is_web_address(address):
        problems[name] = EventReason.MALFORMED_LINK
    return address


def web_address(*, is_shown: bool = True) -> Kind[str]:
    """An input for a link that browsers can follow, or nothing, for which responses have null. With ``is_shown``,
    everyone who can see the field sees it.
    """
    shown = str | None if is_shown else None
    return Kind(_parse_address, str, json=str, shown=shown, show=lambda text: text or None, longest=MAX_URL)


def number(least: int, most: int, problem: Why) -> Kind[int | None]:
    """An input for an integer; None if nothing is typed."""

    def parse(text: str, name: str, problems: Problems) -> int | None:
        digits = text.strip()
        if not digits:
            return None
        if not re.fullmatch(rf"[0-9]{{1,{len(str(most))}}}", digits) or not least <= int(digits) <= most:
            problems[name] = problem
            return None
        return int(digits)

    def fill(value: int | None) -> str:
        return "" if value is None else str(value)

    return Kind(parse, fill, json=int | None, default=None, shown=int | None)


def several(kind: type[C], *, at_most: int | None = None) -> Kind[tuple[C, ...]]:
    """An input for members of a closed list, in its order."""
    boxes = tuple(member.value for member in kind)
    named: Any = list[Literal[boxes]]  # type: ignore[valid-type]  # read at run time only

    def parse(text: str, name: str, problems: Problems) -> tuple[C, ...]:
        names = {word.strip() for word in text.split(",") if word.strip()}
        if names - {member.value for member in kind}:
            problems[name] = GeneralReason.CHOOSE_FROM(choices=", ".join(member.value for member in kind))
        members = tuple(member for member in kind if member.value in names)
        if at_most is not None and len(members) > at_most:
            problems[name] = EventReason.TOO_MANY_CHOICES(most=at_most)
        return members

    def values(members: Sequence[C]) -> list[str]:
        return [member.value for member in members]

    return Kind(parse, ",".join, json=named, default=[], shown=named, show=values, boxes=boxes, most_boxes=at_most)


def _parse_tags(text: str, name: str, problems: Problems) -> tuple[str, ...]:
    try:
        return vocabulary.tags_in(text)
    except InvalidInput as wrong:
        problems[name] = wrong.why
        return ()


TAGS: Final = Kind(_parse_tags, vocabulary.joined, json=list[str], default=[], shown=list[str], show=list)


def language_codes(at_most: int) -> Kind[tuple[str, ...]]:
    """An input for languages, typed by name or code."""

    def parse(text: str, name: str, problems: Problems) -> tuple[str, ...]:
        typed = [word.strip() for word in re.split(r"[,;\n]", text) if word.strip()]
        codes = [languages.known_code(word[:100]) for word in typed]
        if None in codes:
            unknown = typed[codes.index(None)][:40]
            problems[name] = EventReason.UNKNOWN_LANGUAGE(text=unknown)
        checked_codes = tuple(dict.fromkeys(code for code in codes if code is not None))
        if len(checked_codes) > at_most:
            problems[name] = EventReason.TOO_MANY_LANGUAGES(most=at_most)
        return checked_codes

    return Kind(parse, languages.joined, json=list[str], default=[], shown=list[str], show=list)


def _parse_point(text: str, name: str, problems: Problems) -> tuple[str, str]:
    position = point_in(text) if text.strip() else ("", "")
    if position is None:
        problems[name] = EventReason.MALFORMED_POINT
    return position or ("", "")


POINT: Final = Kind(_parse_point, lambda point: point_text(*point))

# Spaces, control characters, and marks that reverse the direction of the text after them.
_NOT_IN_ADDRESSES: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")


def is_web_address(text: str) -> bool:
    """Whether it is safe to send a browser to this address: http or https with a host, no credentials, no control
    characters.
    """
    if len(text) > MAX_URL or _NOT_IN_ADDRESSES.search(text):
        return False
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
