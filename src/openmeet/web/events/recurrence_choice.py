"""Where the form for events lets them come again: filled in by the room of series, which stands above this one."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from groundwork.clock import Instant
from groundwork.database.transaction import Transaction
from openmeet.domain.events.model import Details, Event, EventId
from openmeet.domain.users.model import Caller


@dataclass(frozen=True, slots=True)
class Begun:
    """What a draft has become that comes again: where its page is, what that says once, its ``first`` date."""

    path: str
    said: str
    first: EventId


@dataclass(frozen=True, slots=True)
class Repeating:
    """``asked``: what the form shows for what was typed so far. ``check``: how the event comes again, None where it happens once;
    raises InvalidForm. ``make`` makes it, and answers; ``of_draft`` makes it of a locked draft that its author publishes, in the group of the draft. ``clashes``: what the caller has on at each of the dates that are shown. ``fields``: what a draft keeps beside the event's own.
    """

    fields: tuple[str, ...]
    labels: Mapping[str, str]
    asked: Callable[[Mapping[str, str], Instant], Any]
    check: Callable[[Mapping[str, str], Details], Any | None]
    make: Callable[[Request, Mapping[str, str], Details, Any], Awaitable[Response]]
    of_draft: Callable[[Request, Transaction, Caller, Event, Details, Any], Awaitable[Begun]]
    clashes: Callable[[Request, Mapping[str, str]], Awaitable[list[str]]]


def repeating_of(request: Request) -> Repeating | None:
    """How events come again on this site; None where they do not."""
    found: Repeating | None = request.app.state.repeating
    return found
