"""Validate and clean texts of messages, names and reasons; find and replace mentions; terms for the search index. Pure."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

from groundwork.database.words import words_of
from groundwork.errors import InvalidForm, InvalidInput, Reason, Why
from openmeet.domain.chat.model import (
    MAX_CLIENT_ID,
    MAX_LINES,
    MAX_MENTIONS,
    MAX_REASON,
    MAX_TEXT,
    WRITTEN,
    ChatMessage,
)
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.markdown import folded, html_of, is_visible, without_stacked_marks

# These characters change the direction of the text that follows, even outside the message.
_WITHOUT_BIDI_CONTROLS: Final = dict.fromkeys(
    map(ord, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
)
_ALLOWED_CONTROLS: Final = frozenset("\n\t")
_CLIENT_ID = re.compile(rf"[A-Za-z0-9._:\-]{{1,{MAX_CLIENT_ID}}}")
_MENTION = re.compile(r"(?<![\w@./])@([\w](?:[\w.\-]{0,62}[\w])?)")
_LINK = re.compile(r"(?:https?://|www\.)\S", re.IGNORECASE)
# A message is indexed under its words, its room (``r=``), its author (``p=``), and under these if it has a link or a
# picture.
LINK_TERM = "l=1"
PICTURE_TERM = "i=1"


def checked_text(text: str, *, is_needed: bool = True) -> str:
    """Return the text as it is stored. With ``is_needed``, it must show something. Raises InvalidForm (``text``)."""
    problem = None
    plain = cleaned(text.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if _has_controls(plain):
        problem = ChatReason.UNREADABLE_TEXT()
    elif is_needed and not is_visible(plain):
        problem = ChatReason.TEXT_NEEDED()
    elif len(plain) > MAX_TEXT:
        problem = GeneralReason.TEXT_OF_LENGTH_TOO_LONG(most=MAX_TEXT, length=len(plain))
    elif plain.count("\n") >= MAX_LINES:
        problem = ChatReason.TOO_MANY_LINES(most=MAX_LINES)
    elif len(mentioned_names(plain)) > MAX_MENTIONS:
        problem = ChatReason.TOO_MANY_MENTIONS(most=MAX_MENTIONS)
    if problem is not None:
        raise InvalidForm({"text": problem})
    return plain


def checked_line(
    text: str, field: str, most: int, problems: dict[str, Why], *, too_long: Reason = GeneralReason.TEXT_TOO_LONG
) -> str:
    """Return one line, cleaned; empty if it shows nothing. A problem is added to ``problems`` under ``field``."""
    plain = " ".join(cleaned(text).split())
    if _has_controls(plain):
        problems[field] = ChatReason.UNREADABLE_TEXT
    elif len(plain) > most:
        problems[field] = too_long(most=most)
    return plain if is_visible(plain) else ""


def checked_reason(text: str) -> str:
    """Return a moderator's reason, stripped. Raises InvalidInput (``reason``)."""
    reason = text.strip()
    if len(reason) > MAX_REASON:
        raise InvalidInput("reason", GeneralReason.TEXT_TOO_LONG, most=MAX_REASON)
    return reason


def checked_client_id(text: str | None) -> str | None:
    """Validate the id that a client chose for a message. Raises InvalidForm (``clientId``)."""
    if text is not None and not _CLIENT_ID.fullmatch(text):
        raise InvalidForm({"clientId": ChatReason.CLIENT_ID_INVALID(most=MAX_CLIENT_ID)})
    return text


def cleaned(text: str) -> str:
    """Remove characters that change the text direction, and stacked combining marks."""
    return without_stacked_marks(text.translate(_WITHOUT_BIDI_CONTROLS))


def _has_controls(text: str) -> bool:
    """Whether the text contains control characters or unpaired surrogates."""
    return any(unicodedata.category(char) in {"Cc", "Cs"} and char not in _ALLOWED_CONTROLS for char in text)


def mentioned_names(text: str) -> list[str]:
    """The words after ``@``: handles, or names without their spaces. Case-folded, each once."""
    return list(dict.fromkeys(name_key(name) for name in _MENTION.findall(text)))


def name_key(name: str) -> str:
    """A name in the form that ``mentioned_names`` returns."""
    return "".join(name.split()).casefold()


def with_names(text: str, names: Mapping[str, str]) -> str:
    """Replace the names after ``@``. ``names`` maps the folded name in the text to the new one. A name with a link is
    not inserted, so that nobody can add a link to other people's messages by changing their name.
    """
    if not names:
        return text

    def named(match: re.Match[str]) -> str:
        name = names.get(name_key(match[1]), "")
        return f"@{name}" if name and not has_link(name) and "." not in name else match[0]

    return _MENTION.sub(named, text)


def has_link(text: str) -> bool:
    """Whether the text is displayed with a link or contains the beginning of an address. Markdown also links addresses
    without a scheme.
    """
    # Every Markdown link has a bracket. Check that first, because rendering costs more than storing a message.
    return _LINK.search(text) is not None or (("[" in text or "<" in text) and "<a " in html_of(text))


def search_index_terms(message: ChatMessage) -> str:
    """The value of the column ``search_words``. It is empty for messages that are removed, held, or have no text."""
    text = " ".join(filter(None, [message.body, *(picture.alt for picture in message.pictures)]))
    is_found = not message.is_removed and not message.is_held and message.kind in WRITTEN
    if not is_found or not (text or message.pictures):
        return ""
    writer = f"{person_term(message.user_id)} " if message.user_id else ""
    link = f"{LINK_TERM} " if has_link(message.body) else ""
    picture = f"{PICTURE_TERM} " if message.pictures else ""
    return f"{words_of('', folded(text)) or ' '}{room_term(message.room_id)} {writer}{link}{picture}"


def room_term(room: str) -> str:
    return f"r={room.replace('-', '')}"


def person_term(person: str) -> str:
    return f"p={person.replace('-', '')}"
