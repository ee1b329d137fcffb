"""Who is meant by ``@handle`` in a text that somebody wrote."""

import re

from groundwork.database.transaction import Reader
from openmeet.domain.identities.queries import people_by_handles
from openmeet.domain.users.model import UserId

# In a text by one person; who names more means nobody in particular.
MOST = 20
MAX_HANDLE = 253

# A handle is a host name of two labels or more (AT Protocol, "Handle Syntax"); an address of mail has something before its @.
_MENTION = re.compile(
    r"(?<![\w@.+-])@((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?)", re.IGNORECASE
)


def handles_in(text: str) -> tuple[str, ...]:
    """The handles that a text mentions, each once, in its order, at most ``MOST``."""
    found: dict[str, None] = {}
    for match in _MENTION.finditer(text):
        # Nothing longer is a host name.
        if len(match[1]) <= MAX_HANDLE:
            found[match[1].lower()] = None
        if len(found) == MOST:
            break
    return tuple(found)


async def mentioned_in(reader: Reader, text: str, *, before: str = "") -> list[UserId]:
    """People with an account here whom the text mentions, and who were not mentioned ``before``."""
    known = set(handles_in(before))
    return await people_by_handles(reader, [one for one in handles_in(text) if one not in known])
