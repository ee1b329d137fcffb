"""``GET /live``: live stream of an open page of a signed-in user, as ``text/event-stream``.

Events: ``top`` (the badges in the bars, as numbers and HTML; sent at the start and when they change, has no id) and
``event`` (an RSVP to the page's event changed, so the page should reload its content). The id of ``event`` is a
fingerprint, which the page contains too. With ``after`` or ``Last-Event-ID``, no change between rendering and
connecting is missed.
"""

import json
from functools import cache, partial
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.token_hash import hash_token
from openmeet.domain.attendance.visibility import visible_event
from openmeet.domain.chat.readers import UnreadCounts
from openmeet.domain.events.model import EventSlug
from openmeet.i18n.catalogue import current, speaking
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import environment
from openmeet.web.site.page_streams import PageSource, PageStream
from openmeet.web.site.server_sent_events import EventStreamResponse
from openmeet.web.site.services import services
from openmeet.web.site.session import cookie_token
from openmeet.web.site.tenant_routing import database_of

_MAX_FINGERPRINT: Final = 32


def routes() -> list[Route]:
    return [Route("/live", follow, methods=["GET"])]


async def follow(request: Request) -> Response:
    """The stream of one of the caller's pages. ``event`` is the slug of the event that the page is about.

    Raises NotSignedIn, NotFound if the caller cannot see the event, and Unavailable if too many streams are open.
    """
    site = services(request)
    caller = caller_of(request)
    slug = request.query_params.get("event", "")
    after = request.headers.get("last-event-id") or request.query_params.get("after", "")
    await site.page_streams.slots.make_room(caller.user_id)
    slot = site.page_streams.slots.take(caller.user_id, site.settings.live_streams)
    try:
        stream = PageStream(caller.user_id, hash_token(cookie_token(request)), current().tag, slot)
        if slug:
            async with database_of(request).reader() as reader:
                event, _ = await visible_event(reader, EventSlug(slug), caller.user_id)
                stream.event = event.id
            stream.fingerprint = after[:_MAX_FINGERPRINT]
    except BaseException:
        slot.give_back()
        raise
    source = PageSource(database_of(request), site.code_key, _frames(site.settings.site_name, site.settings.public_url))
    return EventStreamResponse(slot, partial(site.page_streams.run, stream, source))


class _TopFrames:
    """Encodes the event ``top`` with the templates of one site."""

    __slots__ = ("_marks",)

    def __init__(self, site_name: str, public_url: str) -> None:
        self._marks = environment(site_name, public_url).get_template("site/marks.html").module

    def __call__(self, language: str, unread: int, chats: UnreadCounts) -> bytes:
        with speaking(language):
            data = {
                "unread": unread,
                "label": self._html("bell_label", unread),
                "bell": self._html("bell", unread),
                "chats": self._html("chats", chats.messages, chats.mentions > 0),
            }
        return f"event: top\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()

    def _html(self, macro: str, *arguments: object) -> str:
        return str(getattr(self._marks, macro)(*arguments)).strip()


_frames = cache(_TopFrames)
