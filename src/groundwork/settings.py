"""Typed, frozen settings, read once in ``programs/`` from the environment and one TOML file. Errors are sentences.

The settings of a program are a frozen dataclass whose fields are created by ``setting``. In the environment, the name
is the prefix and the field's name in capitals (``PDS_HOSTNAME``), or one of its ``older_names``. In the file, it is the
field's name in the program's table. The environment takes precedence over the file, and the file over the default.
Durations (``5m``) and sizes (``5MiB``) have units. All errors are collected, so that one start reports all of them.
"""

import dataclasses
import difflib
import enum
import math
import re
import tomllib
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlsplit

from groundwork.errors import Refused

S = TypeVar("S")


class _Unit(enum.Enum):
    SECONDS = enum.auto()
    BYTES = enum.auto()


# Written with a unit: "250ms", "30s", "5m", "2h", "7d".
Seconds = Annotated[float, _Unit.SECONDS]
# Written with a unit or as a plain number of bytes: "5MiB", "100MB", "5242880".
Bytes = Annotated[int, _Unit.BYTES]


class Secret:
    """A value that cannot be printed, compared or pickled by accident. Call ``reveal`` only where the value is needed."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._text)

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a secret cannot be pickled")


class SettingsRefused(Refused):
    """The settings cannot be used. ``sentences`` lists all problems, each with the name of its setting."""

    def __init__(self, sentences: Sequence[str]) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = tuple(sentences)


_MISSING: Final = dataclasses.MISSING
# How similar a misspelt name is to the one that was meant (difflib's ratio): one or two letters differ.
_SIMILAR: Final = 0.85
_KEY: Final = "groundwork.setting"


@dataclasses.dataclass(frozen=True, slots=True)
class _Metadata:
    doc: str
    older_names: tuple[str, ...]
    minimum: float | None


def setting(
    default: Any = _MISSING, *, doc: str, older_names: tuple[str, ...] = (), minimum: float | None = None
) -> Any:
    """Declare a field of a settings dataclass. ``doc`` is its description in ``docs/settings.md``. ``older_names`` are
    complete environment names that still work.
    """
    return dataclasses.field(default=default, metadata={_KEY: _Metadata(doc, older_names, minimum)})


def too_small(settings: Any, prefix: str) -> list[str]:
    """Return a sentence for each setting below its minimum."""
    return [
        f"{prefix}{field.name.upper()} must be at least {minimum:g}."
        for field in dataclasses.fields(settings)
        if (minimum := field.metadata[_KEY].minimum) is not None and getattr(settings, field.name) < minimum
    ]


@dataclasses.dataclass(frozen=True, slots=True)
class DescribedSetting:
    """One line of the ledger ``docs/settings.md``."""

    name: str
    default: str
    description: str


def describe(kind: type, prefix: str) -> list[DescribedSetting]:
    """Return every setting of a program with its environment name, default and meaning."""
    hints = typing.get_type_hints(kind, include_extras=True)
    described = []
    for field in dataclasses.fields(kind):
        metadata: _Metadata = field.metadata[_KEY]
        default = "" if field.default is _MISSING else as_written(field.default, hints[field.name])
        described.append(DescribedSetting(prefix + field.name.upper(), default, metadata.doc))
    return described


def names_of(kind: type, prefix: str) -> frozenset[str]:
    """Return every environment name that a program's settings can have, including older ones."""
    fields = dataclasses.fields(kind)
    return frozenset(
        name for field in fields for name in (prefix + field.name.upper(), *field.metadata[_KEY].older_names)
    )


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the question whether a similar known name was meant, with a space before it; empty if none is similar."""
    close = _closest(name, known)
    return f" Did you mean {close!r}?" if close else ""


def _closest(name: str, known: Iterable[str]) -> str:
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=_SIMILAR)), "")


def misspelt(environment: Iterable[str], kind: type, prefix: str) -> list[str]:
    """Return a sentence for each variable whose name is similar to that of a setting, but not the same.

    Other unknown variables are not reported: tools and container platforms set variables with the same prefix.
    """
    known = names_of(kind, prefix)
    # The prefix is left out of the comparison, because it would make all names similar.
    known_endings = [name.removeprefix(prefix) for name in known if name.startswith(prefix)]
    misspelt_names = []
    for name in sorted(set(environment) - known):
        close = _closest(name.removeprefix(prefix), known_endings) if name.startswith(prefix) else ""
        if close:
            misspelt_names.append(f"{name} is not a setting. Did you mean {prefix}{close}?")
    return misspelt_names


def read_file(path: Path | None) -> Mapping[str, Any]:
    """Return the tables of the TOML file, empty if there is no file. Raises ``SettingsRefused``."""
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsRefused([f"The settings file {path} cannot be read: {error.strerror}."]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsRefused([f"The settings file {path} is not TOML: {error}."]) from None


def read_settings(
    kind: type[S], *, prefix: str, environment: Mapping[str, str], table: Mapping[str, Any] | None = None
) -> S:
    """Build ``kind`` from the environment and its table of the file. Raises ``SettingsRefused`` with every problem.

    An empty environment variable counts as absent. Two names of the same setting with different values are an error. So
    are unknown keys of the table, because a misspelt limit must not silently mean "unlimited".
    """
    table = table or {}
    hints = typing.get_type_hints(kind, include_extras=True)
    values: dict[str, Any] = {}
    problems = []
    known_names = set()
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]  # `kind` is a dataclass by contract
        known_names.add(field.name)
        try:
            source = _find(prefix, field, environment, table)
            if source is not None:
                values[field.name] = _convert(*source, hints[field.name])
            elif field.default is _MISSING:
                problems.append(f"{prefix}{field.name.upper()} is not set and has no default.")
        except SettingsRefused as refused:
            problems += refused.sentences
    problems += [
        f"The settings file has {name!r}, which is not a setting here.{suggestion(name, known_names)}"
        for name in table
        if name not in known_names
    ]
    if problems:
        raise SettingsRefused(problems)
    return kind(**values)


def override(settings: S, table: Mapping[str, Any], *, allowed: Collection[str], table_name: str) -> S:
    """Replace settings with those from a table of the file. Raises ``SettingsRefused`` with every problem.

    ``allowed`` are the fields that the table may set. ``table_name`` is the name of the table in error sentences.
    """
    hints = typing.get_type_hints(type(settings), include_extras=True)
    values: dict[str, Any] = {}
    problems = []
    for name, value in table.items():
        if name not in hints:
            problems.append(f"{table_name} has {name!r}, which is not a setting here.{suggestion(name, allowed)}")
        elif name not in allowed:
            problems.append(f"{table_name} has {name!r}, which applies to the whole installation. Set it there.")
        else:
            try:
                values[name] = _convert(f"{name} ({table_name})", value, hints[name])
            except SettingsRefused as refused:
                problems += refused.sentences
    if problems:
        raise SettingsRefused(problems)
    return dataclasses.replace(settings, **values)  # type: ignore[type-var]  # `settings` is a dataclass by contract


def _find(
    prefix: str, field: "dataclasses.Field[Any]", environment: Mapping[str, str], table: Mapping[str, Any]
) -> tuple[str, Any] | None:
    """Return the name under which a value was given, and the value as given; None if there was none."""
    metadata: _Metadata = field.metadata[_KEY]
    names = (prefix + field.name.upper(), *metadata.older_names)
    values_by_name = [(name, environment[name]) for name in names if environment.get(name, "").strip()]
    for name, value in values_by_name[1:]:
        if value.strip() != values_by_name[0][1].strip():
            raise SettingsRefused(
                [f"{values_by_name[0][0]} and {name} are the same setting with different values. Set only one."]
            )
    if values_by_name:
        return values_by_name[0]
    if field.name in table:
        return f"{field.name} (settings file)", table[field.name]
    return None


def _convert(name: str, value: Any, target_type: Any) -> Any:
    """Convert the value to the field's type. Raises ``SettingsRefused`` with a sentence that names the setting."""
    origin = typing.get_origin(target_type)
    if origin in (typing.Union, types.UnionType):
        (inner,) = [option for option in typing.get_args(target_type) if option is not type(None)]
        return _convert(name, value, inner)
    if origin is tuple:
        return _converted_list(name, value, typing.get_args(target_type)[0])
    if origin is Annotated:
        unit = typing.get_args(target_type)[1]
        return _parsed(name, value, parse_seconds if unit is _Unit.SECONDS else parse_bytes)
    if origin is typing.Literal:
        return _one_of(name, value, typing.get_args(target_type))
    if target_type is bool:
        return value if isinstance(value, bool) else _parsed(name, value, _parse_bool)
    if target_type is Secret:
        return Secret(str(value))
    if isinstance(target_type, type) and issubclass(target_type, enum.Enum):
        return target_type(_one_of(name, value, [option.value for option in target_type]))
    if target_type is int:
        return _parsed(name, value, _parse_int)
    if target_type is float:
        return _parsed(name, value, float)
    if target_type is Path:
        return Path(str(value)).expanduser()
    if target_type is str:
        text = str(value).strip()
        if not is_readable_url(text):
            raise SettingsRefused([f"{name} is a URL that cannot be read: {UNREADABLE_URL}"])
        return text
    raise TypeError(f"{name}: settings of type {target_type} are not supported")


def _converted_list(name: str, value: Any, item_type: Any) -> tuple[Any, ...]:
    """Convert a list, or a text with commas between the items. Empty items are left out."""
    items = value if isinstance(value, list) else str(value).split(",")
    if item_type is str:
        texts = tuple(text for item in items if (text := str(item).strip()))
        # An item can be a pair of URLs: ws://inner=https://public.
        if not all(is_readable_url(url) for text in texts for url in _BETWEEN_URLS.split(text)):
            raise SettingsRefused([f"{name} has a URL that cannot be read: {UNREADABLE_URL}"])
        return texts
    return tuple(_convert(name, item, item_type) for item in items if str(item).strip())


def _one_of(name: str, value: Any, options: Collection[Any]) -> Any:
    if value not in options:
        raise SettingsRefused([f"{name} is {value!r}, but must be one of {', '.join(map(str, options))}."])
    return value


_BETWEEN_URLS: Final = re.compile("=(?=[a-z]+://)")
# The URL is not quoted, because it can contain a password.
UNREADABLE_URL: Final = (
    "check its host and port, and write special characters of the password as %-escapes, such as %2F for a slash."
)


def is_readable_url(text: str) -> bool:
    """Whether the host and the port can be told apart from the rest. True for a text that is not a URL."""
    try:
        return "://" not in text or (urlsplit(text).port or 0) >= 0
    except ValueError:
        return False


def _parsed(name: str, value: Any, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(str(value).strip())
    except ValueError as error:
        raise SettingsRefused([f"{name} is {value!r}: {error}."]) from None


def _parse_bool(text: str) -> bool:
    match text.lower():
        case "true" | "1" | "yes" | "on":
            return True
        case "false" | "0" | "no" | "off":
            return False
        case _:
            raise ValueError("write true or false")


def _parse_int(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise ValueError("write a whole number")
    return int(text)


_SECONDS_BY_UNIT = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES_BY_UNIT = {"": 1, "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9} | {
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}
_AMOUNT = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([A-Za-z]*)")


def parse_seconds(text: str) -> float:
    """Parse a duration: ``"5m"`` is 300.0. A number without a unit is rejected."""
    match = _AMOUNT.fullmatch(text)
    if match is None or match[2] not in _SECONDS_BY_UNIT:
        if text == "0":
            return 0.0
        raise ValueError("write a duration with its unit, like 30s, 5m, 2h or 7d")
    return float(match[1]) * _SECONDS_BY_UNIT[match[2]]


def parse_bytes(text: str) -> int:
    """Parse a size: ``"5MiB"`` is 5242880."""
    match = _AMOUNT.fullmatch(text)
    if match is None or match[2] not in _BYTES_BY_UNIT:
        raise ValueError("write a size, like 5MiB, 100MB or a number of bytes")
    return round(float(match[1]) * _BYTES_BY_UNIT[match[2]])


def as_written(value: Any, field_type: Any) -> str:
    """Return the value of a setting as the environment would have it, except that a secret is not shown."""
    if typing.get_origin(field_type) is Annotated:
        unit = typing.get_args(field_type)[1]
        return _with_unit(value, _SECONDS_BY_UNIT if unit is _Unit.SECONDS else _BYTES_BY_UNIT)
    match value:
        case Secret():
            return "(secret)" if value else ""
        case bool():
            return "true" if value else "false"
        case enum.Enum():
            return str(value.value)
        case tuple():
            return ",".join(str(piece) for piece in value)
        case None:
            return ""
        case _:
            return str(value)


def _with_unit(amount: float, sizes: Mapping[str, float]) -> str:
    """Return the amount in the largest unit that needs no fraction: ``14d``, ``5MiB``."""
    for unit, size in sorted(sizes.items(), key=lambda pair: pair[1], reverse=True):
        number = round(amount / size)
        if number and math.isclose(number * size, amount):
            return f"{number}{unit}"
    return f"{amount:g}"
