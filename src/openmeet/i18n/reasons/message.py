"""Messages of reasons: text with ``%(name)s`` for parameters, in one form or by number."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plural:
    """A message whose form depends on the parameter ``by``."""

    one: str
    many: str
    by: str = "number"


Message = str | Plural


def mark(message: str) -> str:
    """The message, which ``make messages`` puts into the catalogue."""
    return message


def plural(one: str, many: str, by: str = "number") -> Plural:
    """``mark`` for a message that depends on a number."""
    return Plural(one, many, by)
