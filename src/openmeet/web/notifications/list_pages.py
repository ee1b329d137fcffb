"""``/notifications``: what the viewer was told, newest first, and marking it as read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import InvalidInput
from groundwork.ui.tones import tone_of
from openmeet.domain.covers.model import cover_of
from openmeet.domain.events.model import EventId
from openmeet.domain.events.queries import several
from openmeet.domain.notifications import notify
from openmeet.domain.notifications.kinds import SubjectType
from openmeet.domain.notifications.queries import Notification, count_unread
from openmeet.domain.notifications.reasons import NotificationReason
from openmeet.emails.notifications import content
from openmeet.emails.notifications.content import NotificationLine
from openmeet.i18n.catalogue import lazy
from openmeet.web.events.waiting import waiting_rows
from openmeet.web.media.covers import thumbnail
from openmeet.web.site.caller import caller_of
from openmeet.web.site.forms import read_form
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

PATH: Final = "/notifications"

_NEW: Final = lazy("New")
_EARLIER: Final = lazy("Earlier")


@dataclass(frozen=True, slots=True)
class NewsBundle:
    """A row: the newest line, and older ones of the same kind about the same thing. ``picture``: empty for what has none."""

    line: NotificationLine
    more: list[NotificationLine]
    picture: str
    tone: int


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
        waiting = [] if cursor else await waiting_rows(reader, services(request).settings.public_url, caller.user_id)
        pictures = await _pictures(reader, [one for one, line in items if line.path])
        bundles = _bundles(items, pictures)
        context = {
            "waiting": waiting,
            "parts_shown": [
                (words, some)
                for words, is_unread in ((_NEW, True), (_EARLIER, False))
                if (some := [one for one in bundles if one.line.is_unread is is_unread])
            ],
            "is_split": any(one.line.is_unread for one in bundles),
            "older": older,
            "is_older": bool(cursor),
            "has_unread": await count_unread(reader, caller.user_id) > 0,
            # Another process's clock may be ahead of this one's.
            "until": max([reader.now, *(one.created_at for one, _ in items)]),
        }
    return page(request, "notifications/list.html", context)


def _bundles(
    items: Sequence[tuple[Notification, NotificationLine]], pictures: Mapping[str, tuple[str, int]]
) -> list[NewsBundle]:
    """One row for all of one kind about one thing, read or not read, where its newest one is."""
    found: dict[tuple[str, str, bool], list[NotificationLine]] = {}
    looks: dict[tuple[str, str, bool], tuple[str, int]] = {}
    for one, line in items:
        key = (one.kind.name if line.path else one.id, one.subject_id, line.is_unread)
        found.setdefault(key, []).append(line)
        looks[key] = pictures.get(one.subject_id, ("", tone_of(one.subject_id)))
    return [NewsBundle(lines[0], lines[1:], *looks[key]) for key, lines in found.items()]


async def _pictures(reader: Reader, news: Sequence[Notification]) -> dict[str, tuple[str, int]]:
    """The picture and tone of each event that the reader can open."""
    ids = {EventId(one.subject_id) for one in news if one.kind.subject is SubjectType.EVENT}
    events = await several(reader, sorted(ids))
    return {
        event.id: (thumbnail(event.content), cover_of(event.title, event.content.categories).tone) for event in events
    }


async def mark_read(request: Request) -> Response:
    """Mark what came until the page was made; what came since stays new."""
    caller = caller_of(request)
    until = (await read_form(request)).get("until", "")
    if not (until.isascii() and until.isdigit() and len(until) <= 18):
        raise InvalidInput("until", NotificationReason.LIST_OUTDATED)
    async with database_of(request).transaction() as tx:
        await notify.mark_all_read(tx, caller.user_id, until=Instant(int(until)))
    return go(PATH)
