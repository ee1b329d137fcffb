"""What calling off, pausing, removing or deleting would do, counted before it is done; the pages and the API say the same numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.database.transaction import Reader
from openmeet.domain.attendance.notify import CONCERNED
from openmeet.domain.attendance.queries import IS_GUEST
from openmeet.domain.notifications import preferences
from openmeet.domain.notifications.model import TOPICS, Kind
from openmeet.domain.series import follower_queries
from openmeet.domain.series.model import Held, Series


@dataclass(frozen=True, slots=True)
class Effect:
    """``dates``: that it reaches. Of those that are stored: ``answers`` to them, and ``single_changes``, dates that differ on purpose.

    ``told``: people who hear of it, if its host is not silent; ``mailed``: those of them who get a mail, at once or in their digest.
    """

    dates: int
    answers: int
    single_changes: int
    told: int
    mailed: int


_CROWD: Final = f"""
    with concerned as (
           select a.user_id from attendances a join users u on u.id = a.user_id
            where a.event_id in :dates and a.status in :concerned and (u.kind = 'person' or {IS_GUEST})
            union {{followers}}
            union select id from users where id in :hosts)
       , heard as (select user_id, cast(:topic as text) as topic, 1 as is_mailed from concerned where user_id <> :by)
"""


async def of(reader: Reader, series: Series, held: Sequence[Held], kind: Kind, *, dates: int | None = None) -> Effect:
    """Of an act on these dates that people hear of as ``kind``. ``dates``: how many it reaches with those that are only computed.

    People are counted by the database, however many follow the series: none of them is read.
    """
    followers, of_followers = follower_queries.telling(series)
    topic = TOPICS[kind]
    reached = await preferences.count(
        reader,
        _CROWD.format(followers=followers),
        {
            **of_followers,
            "dates": [one.event.id for one in held] or [""],
            "concerned": [status.value for status in CONCERNED],
            "hosts": sorted({series.owner_id} | {one.event.author_id for one in held}),
            "by": series.changed_by or series.owner_id,
            "topic": topic.value,
        },
        [topic],
    )
    return Effect(
        len(held) if dates is None else dates,
        sum(one.answers for one in held),
        sum(bool(one.event.place_in_series and one.event.place_in_series.overridden) for one in held),
        reached.told,
        reached.mailed,
    )
