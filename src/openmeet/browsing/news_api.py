"""One's news as JSON: what happened to which event, newest first."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.http.json_bodies import json_response
from openmeet.browsing import news_view
from openmeet.notifications import actions
from openmeet.notifications.queries import count_unread
from openmeet.site import times
from openmeet.site.operations import Operation, Parameter
from openmeet.tenants.edge import database_of
from openmeet.users.edge import caller_of


class NewsShown(msgspec.Struct, rename="camel"):
    """One thing that one was told; ``sentence`` says it as the page does, ``path`` is what it is about.

    ``path`` and ``slug`` are empty where that is not theirs to see any more.
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
    """The newest, or those before ``cursor``, and how many are unread; ``cursor`` is null on the last page."""

    items: list[NewsShown]
    unread: int
    cursor: str | None


async def show(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        news, cursor = await news_view.some(reader, caller.user_id, request.query_params.get("cursor", ""))
        items = await news_view.items(reader, news, caller.user_id)
        unread = await count_unread(reader, caller.user_id)
    shown = [
        NewsShown(
            one.id,
            one.kind,
            item.slug,
            item.title,
            f"{item.before}{item.title}{item.after}",
            times.iso(one.created_at),
            item.is_unread,
            item.path,
        )
        for one, item in items
    ]
    return json_response(NewsPage(shown, unread, cursor))


async def mark_read(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await actions.mark_all_read(tx, caller_of(request).user_id)
    return Response(status_code=204)


OPERATIONS = (
    Operation(
        "GET",
        "/api/notifications",
        "listNotifications",
        "What one was told, newest first",
        show,
        {200: NewsPage},
        parameters=(Parameter("cursor", "Where the page before ended"),),
    ),
    Operation(
        "POST", "/api/notifications/read", "readNotifications", "Note that one has read them", mark_read, {204: None}
    ),
)
