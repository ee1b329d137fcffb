"""One's news as JSON: what happened to which event, newest first."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.http.json_bodies import json_response
from openmeet.attendance.seeing import seen_by
from openmeet.browsing import news_view, queries
from openmeet.browsing.names import shown_names
from openmeet.browsing.pages import NEWS_SHOWN
from openmeet.events.model import EventId
from openmeet.notifications import actions
from openmeet.notifications.queries import count_unread, newest
from openmeet.site import times
from openmeet.site.operations import Operation
from openmeet.tenants.edge import database_of
from openmeet.users.edge import caller_of


class NewsShown(msgspec.Struct, rename="camel"):
    """One thing that one was told; ``sentence`` says it as the page does."""

    id: str
    kind: str
    slug: str
    title: str
    sentence: str
    created_at: str
    is_unread: bool


class NewsPage(msgspec.Struct, rename="camel"):
    """The newest, and how many are unread."""

    items: list[NewsShown]
    unread: int


async def show(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        news = await newest(reader, caller.user_id, NEWS_SHOWN)
        events = await queries.events_by_ids(reader, [EventId(one.subject_id) for one in news])
        seen = await seen_by(reader, list(events.values()), caller.user_id)
        names = await shown_names(reader, [one.particulars.person_id for one in news if one.particulars.person_id])
        unread, now = await count_unread(reader, caller.user_id), reader.now
    shown = []
    for one in news:
        event = events.get(EventId(one.subject_id))
        if event is None or event.is_hidden or not event.title or event.id not in seen:
            continue
        item = news_view.item_of(one, event, names, now)
        sentence = f"{item.before}{item.title}{item.after}"
        shown.append(
            NewsShown(one.id, one.kind, item.slug, item.title, sentence, times.iso(one.created_at), item.is_unread)
        )
    return json_response(NewsPage(shown, unread))


async def mark_read(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await actions.mark_all_read(tx, caller_of(request).user_id)
    return Response(status_code=204)


OPERATIONS = (
    Operation(
        "GET", "/api/notifications", "listNotifications", "What one was told, newest first", show, {200: NewsPage}
    ),
    Operation(
        "POST", "/api/notifications/read", "readNotifications", "Note that one has read them", mark_read, {204: None}
    ),
)
