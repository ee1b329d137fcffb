"""``/api``: how programs use this site, with a table of all operations of the JSON API."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from openmeet.domain.api_tokens.tokens import PREFIX
from openmeet.domain.webhooks.model import WEBHOOK_EVENT_LABELS
from openmeet.web.api.authentication import ADDRESS_FACTOR
from openmeet.web.site.layout import page
from openmeet.web.site.services import services


@dataclass(frozen=True, slots=True)
class OperationRow:
    """One line of the table. ``path_parts`` are the segments of the path, so that it can be wrapped between them."""

    method: str
    path_parts: tuple[str, ...]
    summary: str


@dataclass(frozen=True, slots=True)
class ApiSubject:
    """The operations of one subject, in the order of the document."""

    title: str
    rows: tuple[OperationRow, ...]


def subjects_of(document: Mapping[str, Any]) -> list[ApiSubject]:
    """The operations of an OpenAPI document, by subject."""
    rows: dict[str, list[OperationRow]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            row = OperationRow(method.upper(), tuple(path.strip("/").split("/")), operation["summary"])
            rows[operation["tags"][0]].append(row)
    return [ApiSubject(tag["description"], tuple(rows[tag["name"]])) for tag in document["tags"]]


def serve(document: Callable[[], Mapping[str, Any]]) -> Callable[[Request], Awaitable[Response]]:
    """The page. The OpenAPI document is generated on the first request, and only the rows of the table are kept."""
    subjects = functools.cache(lambda: subjects_of(document()))

    async def show_api(request: Request) -> Response:
        settings = services(request).settings
        per_minute = 0 if settings.is_unlimited else settings.api_requests_per_minute
        context = {
            "token_prefix": PREFIX,
            "per_token": per_minute,
            "per_address": per_minute * ADDRESS_FACTOR,
            "webhook_events": WEBHOOK_EVENT_LABELS,
            "contact": settings.contact,
            "subjects": await asyncio.to_thread(subjects),
        }
        return page(request, "help/api.html", context)

    return show_api
