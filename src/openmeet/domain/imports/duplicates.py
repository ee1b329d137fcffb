"""Likely duplicates among imported events: the same event from a page and a file, or from two calendars with own UIDs.

A similar title and the same start, at an event that the user made or co-hosts or in the same file, is a likeness and no
proof: the user is shown the other event and decides.
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
    """What an event looks like: the ``path`` of an event that the user hosts, or the ``uid`` of an earlier one in the
    file.
    """

    path: str = ""
    uid: str = ""


NOTHING = Likeness()


async def lookalikes(reader: Reader, user_id: UserId, events: Sequence[ImportedEvent]) -> Mapping[str, Likeness]:
    """Likely duplicates among the user's events, by UID of the imported ones."""
    likenesses: dict[str, tuple[str, Instant]] = {}
    for found in events:
        try:
            details = check(found.typed)
        except InvalidForm:
            continue  # Without a start there is nothing to compare; the import itself reports that error.
        likenesses[found.uid] = (_folded(details.content.title), details.starts_at)
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
