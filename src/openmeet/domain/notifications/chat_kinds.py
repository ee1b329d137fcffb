"""Kinds of notifications about chat messages, the most important first."""

from functools import partial
from typing import Final

from groundwork.clock import HOUR, MINUTE
from openmeet.domain.notifications.conditions import if_unread
from openmeet.domain.notifications.model import NotificationKind, NotificationTopic, Payload, SubjectType, Urgency, each


class ChatPayload(Payload, frozen=True):
    """Payload of notifications about chat messages.

    ``message_id``: the message, or the first of several in a room. ``is_answer``: hosts replied to the person in a
    direct room.
    """

    message_id: str = ""
    is_answer: bool = False


class ChatSanctioned(Payload, frozen=True):
    """Payload of a sanction in a chat. ``kind``: ``mute`` or ``ban``. ``of_site``: decided by a moderator of the
    community.
    """

    kind: str = ""
    of_site: bool = False


_ROOM, _Topic, _Urgency = SubjectType.ROOM, NotificationTopic, Urgency

_Chat = partial(
    NotificationKind,
    subject=_ROOM,
    payload=ChatPayload,
    urgency=Urgency.TALK,
    still_true=if_unread,
    has_author=True,
)
CHAT_MENTION: Final = _Chat("chat_mention", _Topic.CHAT, merged=each, mail_gap=30 * MINUTE)
CHAT_REPLY: Final = _Chat("chat_reply", _Topic.CHAT, merged=each, mail_gap=30 * MINUTE)
CHAT_DIRECT: Final = _Chat("chat_direct", _Topic.DIRECT, merged=each, mail_gap=30 * MINUTE)
CHAT_REMOVED: Final = NotificationKind(
    "chat_removed", _Topic.CHAT, _ROOM, ChatPayload, _Urgency.TALK, merged=each, still_true=if_unread
)
CHAT_RESTORED: Final = NotificationKind(
    "chat_restored", _Topic.CHAT, _ROOM, ChatPayload, _Urgency.TALK, merged=each, still_true=if_unread
)
CHAT_UPHELD: Final = NotificationKind(
    "chat_upheld", _Topic.CHAT, _ROOM, ChatPayload, _Urgency.TALK, merged=each, still_true=if_unread
)
CHAT_SANCTIONED: Final = NotificationKind(
    "chat_sanctioned", _Topic.CHAT, _ROOM, ChatSanctioned, _Urgency.TALK, merged=each, still_true=if_unread
)
CHAT_LIFTED: Final = NotificationKind(
    "chat_lifted", _Topic.CHAT, _ROOM, ChatSanctioned, _Urgency.TALK, still_true=if_unread
)
CHAT_MESSAGES: Final = _Chat("chat_messages", _Topic.CHAT, mail_gap=4 * HOUR)
CHAT_UNREAD: Final = _Chat("chat_unread", _Topic.ROOMS, mail_gap=4 * HOUR)
