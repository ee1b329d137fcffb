"""Parse enum values sent by forms and clients."""

from enum import StrEnum
from typing import TypeVar

C = TypeVar("C", bound=StrEnum)


def choice(kind: type[C], text: str, field: str, problems: dict[str, str]) -> C | None:
    """The member that the text names; None, with a message in ``problems`` at the field, for anything else."""
    try:
        return kind(text)
    except ValueError:
        problems[field] = "Choose one of: " + ", ".join(member.value for member in kind) + "."
        return None
