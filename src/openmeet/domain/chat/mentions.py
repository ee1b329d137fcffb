"""People mentioned in messages. The id and the name in the text are both stored, so that a mention survives a change of
name.
"""

from collections.abc import Collection
from dataclasses import dataclass

from groundwork.database.transaction import Reader
from openmeet.domain.chat.model import ChatMessageId
from openmeet.domain.chat.texts import name_key
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import UserId


@dataclass(frozen=True, slots=True)
class Mention:
    """``written`` is the folded name in the text, or empty if the client sent the person's id. ``name`` is their
    current name.
    """

    person: UserId
    written: str
    name: str
    is_renamed: bool


async def mentions_in(reader: Reader, messages: Collection[ChatMessageId]) -> dict[ChatMessageId, list[Mention]]:
    """The people mentioned by name in each message, except those who are deleting their account."""
    if not messages:
        return {}
    rows = await reader.fetch(
        f"""
        select q.message_id, q.user_id, q.name, u.display_name,
               (select count(*) from identities i where i.user_id = q.user_id and i.handle = q.name) as handles
          from chat_mentions q join users u on u.id = q.user_id
         where q.message_id in :messages and q.is_called = 0 and not {is_leaving("q.user_id")}
         order by q.message_id, q.user_id
        """,
        messages=sorted(messages),
    )
    mentions: dict[ChatMessageId, list[Mention]] = {}
    for row in rows:
        written, name = row["name"], row["display_name"] or ""
        is_renamed = bool(written and name) and not row["handles"] and name_key(name) != written
        mention = Mention(UserId(row["user_id"]), written, name, is_renamed)
        mentions.setdefault(ChatMessageId(row["message_id"]), []).append(mention)
    return mentions


def renamed_among(mentions: Collection[Mention]) -> dict[str, str]:
    """Current names of mentioned people who have changed their name, by the name in the text; see ``texts.with_names``."""
    return {one.written: one.name for one in mentions if one.is_renamed}
