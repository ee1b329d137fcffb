"""Terms under which a message is indexed: its words, its room (``r=``), its author (``p=``), ``l=1`` if it has a link,
``i=1`` if it has a picture. Pure.
"""

from groundwork.database.words import words_of
from openmeet.domain.chat.model import WRITTEN, ChatMessage
from openmeet.domain.chat.texts import has_link
from openmeet.i18n.markdown import folded

LINK_TERM = "l=1"
PICTURE_TERM = "i=1"


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
