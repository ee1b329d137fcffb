"""People mentioned in messages: stored by id and by the name in the text, so that a mention stays theirs when they are renamed."""

from collections.abc import Collection
from dataclasses import dataclass

from groundwork.database.transaction import Reader
from openmeet.domain.chat.model import ChatMessageId
from openmeet.domain.chat.texts import name_key
from openmeet.domain.users.model import UserId


@dataclass(frozen=True, slots=True)
class Mention:
    """``written``: the folded name in the text; empty where the writer's program named the person by id. ``name``: the present one."""

    person: UserId
    written: str
    name: str
    is_renamed: bool


async def mentions_in(reader: Reader, messages: Collection[ChatMessageId]) -> dict[ChatMessageId, list[Mention]]:
    """Who is mentioned by name, by message."""
    if not messages:
        return {}
    rows = await reader.fetch(
        """
        select q.message_id, q.user_id, q.name, u.display_name,
               (select count(*) from identities i where i.user_id = q.user_id and i.handle = q.name) as handles
          from chat_mentions q join users u on u.id = q.user_id
         where q.message_id in :messages and q.is_called = 0 order by q.message_id, q.user_id
        """,
        messages=sorted(messages),
    )
    found: dict[ChatMessageId, list[Mention]] = {}
    for row in rows:
        written, name = row["name"], row["display_name"] or ""
        is_renamed = bool(written and name) and not row["handles"] and name_key(name) != written
        mention = Mention(UserId(row["user_id"]), written, name, is_renamed)
        found.setdefault(ChatMessageId(row["message_id"]), []).append(mention)
    return found


def renamed_among(mentions: Collection[Mention]) -> dict[str, str]:
    """Present names of mentioned people who have changed their name, by the name in the text; see ``texts.with_names``."""
    return {one.written: one.name for one in mentions if one.is_renamed}
