"""Events that came under another name before: from a page and as a file, or from two calendars that each name them in their way.

The same title, written alike or nearly so, and the same start at the same person make a likeness, which is no proof: the person
is shown the other one and decides.
"""

import unicodedata
from collections.abc import Mapping, Sequence

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm
from openmeet.arriving import queries
from openmeet.arriving.model import Found
from openmeet.events.rules import check
from openmeet.site.texts import one_line
from openmeet.users.model import UserId


async def lookalikes(reader: Reader, user_id: UserId, events: Sequence[Found]) -> Mapping[str, str]:
    """The path of the person's own event that one of these looks like, by the UID of the one that arrived."""
    likenesses: dict[str, tuple[str, Instant]] = {}
    for found in events:
        try:
            details = check(found.typed)
        except InvalidForm:
            continue  # without a start nothing looks alike; that it is wrong is said when it is brought in
        likenesses[found.uid] = (_folded(details.title), details.starts_at)
    starts = sorted({at for _, at in likenesses.values()})
    own = {(_folded(title), at): slug for slug, title, at in await queries.own_starting(reader, user_id, starts)}
    return {uid: f"/events/{own[one]}" for uid, one in likenesses.items() if one in own}


def _folded(title: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", one_line(title)).casefold())
