"""Message templates for reasons: text with ``%(name)s`` for each parameter, in one form or with plural forms."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plural:
    """A message whose plural form depends on the parameter ``by``."""

    one: str
    many: str
    by: str = "number"


Message = str | Plural


def mark(message: str) -> str:
    """Mark a message so that ``make messages`` adds it to the catalogue."""
    return message


def plural(one: str, many: str, by: str = "number") -> Plural:
    """Like ``mark``, for a message that depends on a number."""
    return Plural(one, many, by)
