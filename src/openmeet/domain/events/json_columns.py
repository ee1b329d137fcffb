"""How the parts of an event that are only kept are kept: as JSON beside the columns; and what of them searches look for."""

from typing import Any

import msgspec

from openmeet.domain.events.model import NO_TICKETS, NOT_SAID, Accessibility, Event, Tickets
from openmeet.domain.events.vocabulary import Category
from openmeet.domain.media.pictures import Picture


class _JsonColumns(msgspec.Struct, omit_defaults=True):
    """The JSON value; what is not said is not in it."""

    picture: Picture | None = None
    tickets: Tickets = NO_TICKETS
    accessibility: Accessibility = NOT_SAID
    categories: tuple[Category, ...] = ()
    tags: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


def kept_about(event: Event) -> str:
    """The column ``about``."""
    kept = _JsonColumns(
        event.picture, event.tickets, event.accessibility, event.categories, event.tags, event.languages
    )
    return msgspec.json.encode(kept).decode()


def about_of(text: str) -> dict[str, Any]:
    """Fields of ``Event`` from the column ``about``."""
    return msgspec.structs.asdict(msgspec.json.decode(text, type=_JsonColumns))


def topics_of(event: Event) -> tuple[str, ...]:
    """What filters look for, like ``category:music`` and ``tag:board games``."""
    return (
        *(f"category:{one.value}" for one in event.categories),
        *(f"tag:{tag}" for tag in event.tags),
        *(f"language:{code}" for code in event.languages),
        *(f"access:{one.value}" for one in event.accessibility.features),
    )
