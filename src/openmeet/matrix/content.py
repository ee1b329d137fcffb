"""Conversion of messages to Matrix events and back. Pure. Incoming events are untrusted, and their sizes are limited
(CS API, Instant Messaging, Relationships).
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Any, Final

from groundwork.clock import Instant
from openmeet.domain.chat.model import MAX_LINES, MAX_MENTIONS, MAX_TEXT
from openmeet.domain.media.pictures import PictureFormat
from openmeet.matrix.names import is_event_id, is_media_uri, is_user_id

Content = dict[str, Any]

_ALLOWED: Final = frozenset("\n\t")
_MAX_REASON: Final = 200
_MAX_KEY: Final = 64
# The largest integer in canonical JSON (appendices, Canonical JSON). Converted to microseconds, it still fits into a
# column.
_MAX_MILLISECONDS: Final = 2**53 - 1
_FILE_NAME: Final = "picture.jpg"
# Message types whose body is a file name.
_FILES: Final = frozenset({"m.image", "m.file", "m.audio", "m.video"})
_TEXTS: Final = frozenset({"m.text", "m.notice", "m.emote"})
# The quote that older clients put before a reply: lines with ``> ``, then an empty line (CS API, Fallbacks for rich
# replies).
_QUOTE = re.compile(r"\A(?:> ?[^\n]*\n)+\n?")


@dataclass(frozen=True, slots=True)
class IncomingPicture:
    """The address of a picture (``mxc://``) and the caption that was sent with it."""

    uri: str
    caption: str


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """A message. ``replaces``: the event that it edits; ``text`` is then the new text. ``picture``: the picture that it
    contains; ``text`` then has the file name, for people who cannot load it. ``mentions``: the accounts that the
    sender's client lists as mentioned.
    """

    event_id: str
    sender: str
    text: str
    replaces: str | None
    reply_to: str | None
    picture: IncomingPicture | None = None
    mentions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IncomingReaction:
    event_id: str
    sender: str
    target: str
    emoji: str


@dataclass(frozen=True, slots=True)
class IncomingRedaction:
    event_id: str
    sender: str
    target: str
    reason: str


@dataclass(frozen=True, slots=True)
class IncomingMembership:
    """A change of membership. ``sender`` set the membership of ``user_id`` to ``membership``."""

    event_id: str
    sender: str
    user_id: str
    membership: str
    reason: str


@dataclass(frozen=True, slots=True)
class IncomingOther:
    """A changed state event, or a message that cannot be read (``kind`` is the event type)."""

    event_id: str
    sender: str
    kind: str


Incoming = IncomingMessage | IncomingReaction | IncomingRedaction | IncomingMembership | IncomingOther


def message(message_id: str, revision: int, text: str, *, reply_to: str | None = None, heading: str = "") -> Content:
    """Build ``m.room.message``. ``heading`` becomes the first line."""
    content: Content = {
        "msgtype": "m.text",
        "body": f"{heading}\n{text}" if heading else text,
        "m.mentions": {},
        "openmeet.message": {"id": message_id, "revision": revision},
    }
    if reply_to:
        content["m.relates_to"] = {"m.in_reply_to": {"event_id": reply_to}}
    return content


def edit(message_id: str, revision: int, text: str, original: str) -> Content:
    """Build an ``m.replace`` of the event ``original``. The fallback repeats the text: twice 4,000 characters still fit
    into 65,536 bytes.
    """
    return {
        "msgtype": "m.text",
        "body": f"* {text}",
        "m.mentions": {},
        "m.new_content": {"msgtype": "m.text", "body": text, "m.mentions": {}},
        "m.relates_to": {"rel_type": "m.replace", "event_id": original},
        "openmeet.message": {"id": message_id, "revision": revision},
    }


@dataclass(frozen=True, slots=True)
class OutgoingPicture:
    """A file on the homeserver and what it shows. ``caption``: text that is shown with it."""

    uri: str
    caption: str
    width: int
    height: int
    size: int


def picture(
    message_id: str, revision: int, outgoing_picture: OutgoingPicture, *, reply_to: str | None = None
) -> Content:
    """Build ``m.image``. If there is a file name, the body is the caption (CS API, Media captions)."""
    made = _picture(outgoing_picture) | {"m.mentions": {}, "openmeet.message": {"id": message_id, "revision": revision}}
    if reply_to:
        made["m.relates_to"] = {"m.in_reply_to": {"event_id": reply_to}}
    return made


def edit_picture(message_id: str, revision: int, outgoing_picture: OutgoingPicture, original: str) -> Content:
    """Build an ``m.replace`` that keeps the picture and changes its caption."""
    return {
        **_picture(outgoing_picture),
        "m.mentions": {},
        "m.new_content": {**_picture(outgoing_picture), "m.mentions": {}},
        "m.relates_to": {"rel_type": "m.replace", "event_id": original},
        "openmeet.message": {"id": message_id, "revision": revision},
    }


def _picture(outgoing_picture: OutgoingPicture) -> Content:
    return {
        "msgtype": "m.image",
        "body": outgoing_picture.caption or _FILE_NAME,
        "filename": _FILE_NAME,
        "url": outgoing_picture.uri,
        "info": {
            "mimetype": PictureFormat.JPEG.content_type,
            "w": outgoing_picture.width,
            "h": outgoing_picture.height,
            "size": outgoing_picture.size,
        },
    }


def reaction(event: str, emoji: str) -> Content:
    """Build ``m.reaction``."""
    return {"m.relates_to": {"rel_type": "m.annotation", "event_id": event, "key": emoji}}


def incoming(event: object) -> Incoming | None:
    """Parse an event; None if it is malformed, empty (redacted) or of a kind that the bridge ignores."""
    if not isinstance(event, dict):
        return None
    event_id, sender, kind = str(event.get("event_id")), str(event.get("sender")), event.get("type")
    if not is_event_id(event_id) or not is_user_id(sender) or not isinstance(kind, str) or len(kind) > 255:
        return None
    inner = event.get("content")
    content: Content = inner if isinstance(inner, dict) else {}
    match kind:
        case "m.room.message":
            return _message(event_id, sender, content)
        case "m.reaction":
            return _reaction(event_id, sender, content)
        case "m.room.redaction":
            # Room versions from 11 on have this in the content; earlier ones have it at the top level of the event.
            target = content.get("redacts", event.get("redacts"))
            if not is_event_id(target):
                return None
            return IncomingRedaction(event_id, sender, str(target), as_line(content.get("reason")))
        case "m.room.member":
            user, membership = event.get("state_key"), content.get("membership")
            if not is_user_id(user) or membership not in {"invite", "join", "leave", "ban", "knock"}:
                return None
            return IncomingMembership(event_id, sender, str(user), str(membership), as_line(content.get("reason")))
        case _:
            return IncomingOther(event_id, sender, kind) if kind == "m.room.encrypted" or "state_key" in event else None


def sent_at(event: Content) -> Instant | None:
    """Return the time at which the homeserver says an event was sent (``origin_server_ts``, milliseconds); None if it
    gives no valid time.
    """
    milliseconds = event.get("origin_server_ts")
    if type(milliseconds) is not int or not 0 <= milliseconds <= _MAX_MILLISECONDS:
        return None
    return Instant(milliseconds * 1_000)


def _message(event_id: str, sender: str, content: Content) -> IncomingMessage | None:
    relation = content.get("m.relates_to")
    relation = relation if isinstance(relation, dict) else {}
    replaces = reply_to = None
    if relation.get("rel_type") == "m.replace":
        replaces = relation.get("event_id")
        if not is_event_id(replaces):
            return None
        content = content["m.new_content"] if isinstance(content.get("m.new_content"), dict) else {}
    else:
        in_reply_to = relation.get("m.in_reply_to")
        # In a thread, the reply is only a fallback for clients without thread support.
        if isinstance(in_reply_to, dict) and relation.get("is_falling_back") is not True:
            reply_to = in_reply_to.get("event_id") if is_event_id(in_reply_to.get("event_id")) else None
    body, kind = content.get("body"), content.get("msgtype")
    if not isinstance(body, str):
        return None
    text = readable(_QUOTE.sub("", body, count=1) if reply_to else body)
    if kind in _FILES:
        return _file(event_id, sender, content, text, replaces, reply_to)
    if kind not in _TEXTS:
        return None
    return IncomingMessage(event_id, sender, text, replaces, reply_to, mentions=_mentions(content)) if text else None


def _mentions(content: Content) -> tuple[str, ...]:
    """Return the users who are mentioned (CS API, User and room mentions)."""
    mentions = content.get("m.mentions")
    listed = mentions.get("user_ids") if isinstance(mentions, dict) else None
    return tuple(one for one in (listed if isinstance(listed, list) else [])[:MAX_MENTIONS] if is_user_id(one))


def _file(
    event_id: str, sender: str, content: Content, body: str, replaces: str | None, reply_to: str | None
) -> IncomingMessage | None:
    """Read a file as its caption and a line with its name; a picture is also returned as ``picture``."""
    name = content.get("filename")
    caption = body if isinstance(name, str) and name != content.get("body") else ""
    if replaces is not None:
        # An edit cannot replace the file, only the text.
        return IncomingMessage(event_id, sender, caption, replaces, None) if caption else None
    line = "\N{PAPERCLIP} " + readable(name if caption and isinstance(name, str) else body).partition("\n")[0][:200]
    uri = content.get("url")
    picture = None
    if content.get("msgtype") == "m.image" and is_media_uri(uri):
        picture = IncomingPicture(str(uri), caption)
    text = readable(f"{caption}\n{line}" if caption else line)
    return IncomingMessage(event_id, sender, text, replaces, reply_to, picture)


def _reaction(event_id: str, sender: str, content: Content) -> IncomingReaction | None:
    relation = content.get("m.relates_to")
    if not isinstance(relation, dict) or relation.get("rel_type") != "m.annotation":
        return None
    target, key = relation.get("event_id"), relation.get("key")
    if not is_event_id(target) or not isinstance(key, str) or not 0 < len(key) <= _MAX_KEY:
        return None
    return IncomingReaction(event_id, sender, str(target), key)


def readable(text: str) -> str:
    """Return the text without control characters and lone surrogates, cut to the limits of a message."""
    text = text[: 4 * MAX_TEXT].replace("\r\n", "\n").replace("\r", "\n")
    allowed = "".join(char for char in text if char in _ALLOWED or unicodedata.category(char) not in {"Cc", "Cs"})
    return "\n".join(allowed.strip().split("\n")[:MAX_LINES])[:MAX_TEXT].strip()


def as_line(value: object) -> str:
    """Return a reason as a single line within our limits; empty if there is none."""
    return " ".join(readable(value[:_MAX_REASON]).split()) if isinstance(value, str) else ""
