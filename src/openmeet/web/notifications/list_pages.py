"""``/notifications``: what the viewer was told, newest first, and marking it as read."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.errors import InvalidInput
from openmeet.domain.notifications import notify
from openmeet.domain.notifications.queries import count_unread
from openmeet.domain.notifications.reasons import NotificationReason
from openmeet.emails.notifications import content
from openmeet.web.site.caller import caller_of
from openmeet.web.site.forms import read_form
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of

PATH: Final = "/notifications"


def routes() -> list[Route]:
    return [
        Route(PATH, show, methods=["GET"]),
        Route(PATH, mark_read, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    """The list. The page marks it as read on its own; without scripts a button does."""
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        cursor = request.query_params.get("before", "")
        news, older = await content.some(reader, caller.user_id, cursor)
        items = await content.items(reader, news, caller.user_id)
        context = {
            "items": [item for _, item in items],
            "older": older,
            "is_older": bool(cursor),
            "has_unread": await count_unread(reader, caller.user_id) > 0,
            # Another process's clock may be ahead of this one's.
            "until": max([reader.now, *(one.created_at for one, _ in items)]),
        }
    return page(request, "notifications/list.html", context)


async def mark_read(request: Request) -> Response:
    """Mark what came until the page was made; what came since stays new."""
    caller = caller_of(request)
    until = (await read_form(request)).get("until", "")
    if not (until.isascii() and until.isdigit() and len(until) <= 18):
        raise InvalidInput("until", NotificationReason.LIST_OUTDATED)
    async with database_of(request).transaction() as tx:
        await notify.mark_all_read(tx, caller.user_id, until=Instant(int(until)))
    return go(PATH)
