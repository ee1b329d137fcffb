"""Events that came under another name before: from a page and as a file, or from two calendars that each name them in their way.

The same title, written alike or nearly so, and the same start at the same person, who made the other or hosts it beside its author, or
in the same file, make a likeness, which is no proof: the person is shown the other one and decides.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm
from openmeet.domain.events.rules import check
from openmeet.domain.imports import queries
from openmeet.domain.imports.model import ImportedEvent
from openmeet.domain.users.model import UserId
from openmeet.i18n.markdown import one_line


@dataclass(frozen=True, slots=True)
class Likeness:
    """What one looks like: the ``path`` of an event that the person hosts, or else the ``uid`` of one that stands before it in the file."""

    path: str = ""
    uid: str = ""


NOTHING = Likeness()


async def lookalikes(reader: Reader, user_id: UserId, events: Sequence[ImportedEvent]) -> Mapping[str, Likeness]:
    """What of those that arrived looks like another, by UID."""
    likenesses: dict[str, tuple[str, Instant]] = {}
    for found in events:
        try:
            details = check(found.typed)
        except InvalidForm:
            continue  # without a start nothing looks alike; that it is wrong is said when it is imported
        likenesses[found.uid] = (_folded(details.title), details.starts_at)
    starts = sorted({at for _, at in likenesses.values()})
    own = {(_folded(title), at): slug for slug, title, at in await queries.own_starting(reader, user_id, starts)}
    first: dict[tuple[str, Instant], str] = {}
    found_alike: dict[str, Likeness] = {}
    for uid, one in likenesses.items():
        if one in own:
            found_alike[uid] = Likeness(path=f"/events/{own[one]}")
        elif first.setdefault(one, uid) != uid:
            found_alike[uid] = Likeness(uid=first[one])
    return found_alike


def _folded(title: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", one_line(title)).casefold())
