"""The caller's notifications, as JSON, newest first."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.http.json_bodies import json_response
from openmeet.domain.notifications import notify
from openmeet.domain.notifications.queries import count_unread
from openmeet.domain.paging import MAX_LIMIT
from openmeet.emails.notifications import content
from openmeet.emails.notifications.content import NEWS_SHOWN
from openmeet.i18n import formatting
from openmeet.web.api.operations import ApiOperation
from openmeet.web.api.pagination import CURSOR, LIMIT, limit_of
from openmeet.web.site.caller import caller_of
from openmeet.web.site.tenant_routing import database_of


class NotificationOutput(msgspec.Struct, rename="camel"):
    """One notification. ``sentence`` is its text on the page, ``path`` the page of its subject.

    ``path`` and ``slug`` are empty if the caller may no longer see the subject.
    """

    id: str
    kind: str
    slug: str
    title: str
    sentence: str
    created_at: str
    is_unread: bool
    path: str


class NewsPage(msgspec.Struct, rename="camel"):
    """The newest notifications or those before ``cursor``, and the number of unread ones. ``cursor`` is null on the
    last page.
    """

    items: list[NotificationOutput]
    unread: int
    cursor: str | None


async def show(request: Request) -> Response:
    caller, limit = caller_of(request), limit_of(request, NEWS_SHOWN, MAX_LIMIT)
    async with database_of(request).reader() as reader:
        news, cursor = await content.newest_notifications(
            reader, caller.user_id, request.query_params.get("cursor", ""), limit
        )
        items = await content.notification_lines(reader, news, caller.user_id)
        unread = await count_unread(reader, caller.user_id)
    shown = [
        NotificationOutput(
            one.id,
            one.kind.name,
            item.slug,
            item.title,
            f"{item.before}{item.title}{item.after}",
            formatting.iso(one.created_at),
            item.is_unread,
            item.path,
        )
        for one, item in items
    ]
    return json_response(NewsPage(shown, unread, cursor))


async def mark_read(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await notify.mark_all_read(tx, caller_of(request).user_id)
    return Response(status_code=204)


OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/notifications",
        "listNotifications",
        "The caller’s notifications, newest first",
        show,
        {200: NewsPage},
        parameters=(CURSOR, LIMIT),
    ),
    ApiOperation(
        "POST", "/api/notifications/read", "readNotifications", "Mark notifications as read", mark_read, {204: None}
    ),
)
