"""Values of a database as JSON and back: integers and texts as they are, bytes as ``{"$bytes": base64}``."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from groundwork.errors import InvalidInput

Value = int | str | bytes | None


def to_json(value: Value) -> Any:
    return {"$bytes": base64.b64encode(value).decode()} if isinstance(value, bytes | memoryview) else value


def from_json(value: Any, where: str) -> Value:
    """Raises InvalidInput for what no export holds."""
    match value:
        case bool() | float():
            raise InvalidInput("file", f"{where} holds a value that no export holds.")
        case None | int() | str():
            return value
        case {"$bytes": str() as text}:
            try:
                return base64.b64decode(text, validate=True)
            except binascii.Error:
                raise InvalidInput("file", f"{where} holds bytes that cannot be read.") from None
        case _:
            raise InvalidInput("file", f"{where} holds a value that no export holds.")


def camel(name: str) -> str:
    """A column's name as JSON carries it."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def object_of(columns: Sequence[str], row: Sequence[Value]) -> dict[str, Any]:
    return {camel(name): to_json(value) for name, value in zip(columns, row, strict=True)}


def row_of(columns: Sequence[str], found: Mapping[str, Any], where: str) -> list[Value]:
    """In the order of the columns. Raises InvalidInput where it has others."""
    names = [camel(name) for name in columns]
    if sorted(names) != sorted(found):
        odd = ", ".join(sorted(set(names) ^ set(found)))
        raise InvalidInput("file", f"{where} has other columns than this table: {odd}.")
    return [from_json(found[name], where) for name in names]
