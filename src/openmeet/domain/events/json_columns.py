"""JSON codec of the ``about`` column: event fields that are stored but not queried; and search topics derived from
them.
"""

from typing import Any

import msgspec

from openmeet.domain.events.model import NO_TICKETS, NOT_SAID, Accessibility, Event, Tickets
from openmeet.domain.events.vocabulary import Category
from openmeet.domain.media.pictures import Picture


class _JsonColumns(msgspec.Struct, omit_defaults=True):
    """The JSON value; defaults are left out."""

    picture: Picture | None = None
    tickets: Tickets = NO_TICKETS
    accessibility: Accessibility = NOT_SAID
    categories: tuple[Category, ...] = ()
    tags: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


def kept_about(event: Event) -> str:
    """Encode the column ``about``."""
    kept = _JsonColumns(
        event.picture, event.tickets, event.accessibility, event.categories, event.tags, event.languages
    )
    return msgspec.json.encode(kept).decode()


def about_of(text: str) -> dict[str, Any]:
    """Decode the column ``about`` into fields of ``Event``."""
    return msgspec.structs.asdict(msgspec.json.decode(text, type=_JsonColumns))


def topics_of(event: Event) -> tuple[str, ...]:
    """Filter terms, like ``category:music`` and ``tag:board games``."""
    return (
        *(f"category:{one.value}" for one in event.categories),
        *(f"tag:{tag}" for tag in event.tags),
        *(f"language:{code}" for code in event.languages),
        *(f"access:{one.value}" for one in event.accessibility.features),
    )
