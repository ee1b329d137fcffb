"""Kinds of columns: how a field of an event's content is stored in the table ``events``."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import Enum
from operator import attrgetter
from typing import Any, Final, Literal, TypeVar

import msgspec

E = TypeVar("E", bound=Enum)


@dataclass(frozen=True, slots=True)
class FieldColumns:
    """The columns of one field. ``write`` converts a value to the cell, or to the cells of several columns; ``read``
    does the reverse. ``is_free_text`` is True if hosts can write anything there, which might be about people.
    """

    names: tuple[str, ...]
    write: Callable[[Any], Any]
    read: Callable[..., Any]
    sql_type: Literal["text", "bigint"] = "text"
    is_free_text: bool = True


def _same(value: Any) -> Any:
    return value


def text(name: str) -> FieldColumns:
    """A column with the text unchanged."""
    return FieldColumns((name,), _same, _same)


def number(name: str) -> FieldColumns:
    """A column with an integer, or null."""
    return FieldColumns((name,), _same, _same, "bigint", is_free_text=False)


def one_of(name: str, kind: type[E]) -> FieldColumns:
    """A column with the value of an enum member."""
    return FieldColumns((name,), attrgetter("value"), kind, is_free_text=False)


def parts(kind: type[Any], **renamed: str) -> FieldColumns:
    """A text column for each field of a dataclass, with the field's name or the given one."""
    names = [one.name for one in fields(kind)]
    return FieldColumns(tuple(renamed.get(name, name) for name in names), attrgetter(*names), kind)


def as_json(name: str, kind: Any) -> FieldColumns:
    """A column with a value of any type as JSON text."""
    decoder: Final = msgspec.json.Decoder(kind)
    return FieldColumns((name,), lambda value: msgspec.json.encode(value).decode(), decoder.decode)
