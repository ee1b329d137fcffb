"""Terms under which a message is indexed: its words, its room (``r=``), its author (``p=``), ``l=1`` if it has a link,
``i=1`` if it has a picture. Pure.
"""

from groundwork.database.words import words_of
from openmeet.domain.chat.model import WRITTEN, ChatMessage
from openmeet.domain.chat.texts import has_link
from openmeet.i18n.markdown import folded

LINK_TERM = "l=1"
PICTURE_TERM = "i=1"


def search_index_terms(one: ChatMessage) -> str:
    """The value of the column ``search_words``. It is empty for messages that are removed, held, or have no text."""
    text = " ".join(filter(None, [one.body, *(picture.alt for picture in one.pictures)]))
    is_found = not one.is_removed and not one.is_held and one.kind in WRITTEN
    if not is_found or not (text or one.pictures):
        return ""
    writer = f"{person_term(one.user_id)} " if one.user_id else ""
    link = f"{LINK_TERM} " if has_link(one.body) else ""
    picture = f"{PICTURE_TERM} " if one.pictures else ""
    return f"{words_of('', folded(text)) or ' '}{room_term(one.room_id)} {writer}{link}{picture}"


def room_term(room: str) -> str:
    return f"r={room.replace('-', '')}"


def person_term(person: str) -> str:
    return f"p={person.replace('-', '')}"
