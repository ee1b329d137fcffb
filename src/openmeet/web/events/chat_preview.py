"""The chat on the page of an event, for viewers who may read it: its newest pinned message and its latest messages."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.chat.pictures import words_of
from openmeet.domain.chat.preview import preview_of
from openmeet.domain.chat.queries import ShownMessage
from openmeet.domain.chat.texts import with_names
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import UserId
from openmeet.i18n import formatting
from openmeet.i18n.markdown import summary_of
from openmeet.web.site.faces import Avatar, avatar_with

_MAX_CHARACTERS: Final = 140


@dataclass(frozen=True, slots=True)
class ChatLine:
    """A chat message on the page of an event. ``when`` is like ``3 hours ago``. ``path`` leads to it in the chat."""

    name: str
    face: Avatar
    is_by_host: bool
    when: Markup
    words: str
    path: str


@dataclass(frozen=True, slots=True)
class ChatPreviewView:
    """``latest`` are the last messages, oldest first. It is empty if nobody has written anything."""

    pin: ChatLine | None
    latest: Sequence[ChatLine]


async def chat_preview(
    reader: Reader, event: Event, viewer: UserId | None, hosts: Collection[UserId]
) -> ChatPreviewView | None:
    """The preview; None for viewers who may not read the chat."""
    preview = None if event.is_draft or event.is_held else await preview_of(reader, event.id, viewer)
    if preview is None:
        return None
    return ChatPreviewView(
        None if preview.pin is None else _line(preview.pin, hosts, reader.now),
        [_line(one, hosts, reader.now) for one in preview.latest],
    )


def _line(shown: ShownMessage, hosts: Collection[UserId], now: Instant) -> ChatLine:
    message = shown.message
    author = message.user_id or message.matrix_sender or ""
    return ChatLine(
        shown.name,
        avatar_with(author, shown.name, shown.portrait),
        message.user_id in hosts,
        formatting.time_tag(message.said_at, formatting.ago(message.said_at, now)),
        summary_of(words_of(with_names(message.body, shown.renamed), message.pictures), _MAX_CHARACTERS),
        f"/chat/messages/{shown.id}",
    )
