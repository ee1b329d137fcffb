"""What a person has on already at a time that they think of. The function that other rooms call."""

from collections.abc import Sequence

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.calendars.entries import all_of
from openmeet.domain.calendars.model import WIDEST, Entry, Itself, Span
from openmeet.domain.users.model import UserId

# Dates of a series that one question asks about.
MOST_SPANS = 100


async def conflicts(
    reader: Reader, user_id: UserId, spans: Sequence[Span], *, apart_from: Itself | None = None
) -> list[list[Entry]]:
    """For each span what overlaps it and takes the person's time, in order. ``apart_from``: an event that is itself no conflict.

    Spans further apart than a year are asked about one by one, near ones with one question.
    """
    found: list[list[Entry]] = []
    wanted = list(spans[:MOST_SPANS])
    if not wanted:
        return found
    start = min(span.starts_at for span in wanted)
    end = max(max(span.ends_at, Instant(span.starts_at + 1)) for span in wanted)
    together = await all_of(reader, user_id, start, end, only_busy=True) if end - start <= WIDEST else None
    for span in wanted:
        ends = max(span.ends_at, Instant(span.starts_at + 1))
        entries = together
        if entries is None:
            entries = await all_of(reader, user_id, span.starts_at, ends, only_busy=True)
        found.append(
            [
                entry
                for entry in entries
                if entry.is_busy
                and not (apart_from is not None and apart_from.is_entry(entry))
                and entry.starts_at < ends
                and max(entry.ends_at, Instant(entry.starts_at + 1)) > span.starts_at
            ]
        )
    return found
