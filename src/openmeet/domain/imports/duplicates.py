"""Find likely duplicates among imported events, such as the same event in a page and a file, or in two calendars with
different UIDs.

An imported event is compared with the other events of the file and with those that the user made or co-hosts. A similar
title and the same start do not prove a duplicate, so the user sees the other event and decides.
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
    """The event that an imported one resembles: the ``path`` of an event that the user hosts, or the ``uid`` of an
    earlier event in the file.
    """

    path: str = ""
    uid: str = ""


NOTHING = Likeness()


async def lookalikes(reader: Reader, user_id: UserId, events: Sequence[ImportedEvent]) -> Mapping[str, Likeness]:
    """Find likely duplicates, keyed by the UID of the imported event."""
    likenesses: dict[str, tuple[str, Instant]] = {}
    for imported in events:
        try:
            details = check(imported.typed)
        except InvalidForm:
            continue  # An event without a start cannot be compared; the import itself reports that error.
        likenesses[imported.uid] = (_folded(details.content.title), details.starts_at)
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
