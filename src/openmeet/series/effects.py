"""What calling off, pausing, removing or deleting would do, counted before it is done; the pages and the API say the same numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

from groundwork.database.transaction import Reader
from openmeet.attendance.hearing import CONCERNED, people_of_dates
from openmeet.notifications import preferences, rules
from openmeet.notifications.model import TOPICS, Channel, Kind
from openmeet.series import date_queries, following
from openmeet.series.model import Held, Series


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


async def coming(reader: Reader, series: Series) -> list[Held]:
    """The stored dates that are neither over nor gone."""
    held = await date_queries.stored(reader, series.id)
    return [one for one in held if not one.event.is_gone and not one.event.is_over(reader.now)]


async def named(reader: Reader, series: Series, names: Sequence[str]) -> list[Held]:
    """Those of these dates that are stored."""
    wanted = set(names)
    return [
        one
        for one in await date_queries.stored(reader, series.id)
        if not one.event.is_gone
        and one.event.place_in_series is not None
        and one.event.place_in_series.original_date in wanted
    ]


async def of(reader: Reader, series: Series, held: Sequence[Held], kind: Kind, *, dates: int | None = None) -> Effect:
    """Of an act on these dates that people hear of as ``kind``. ``dates``: how many it reaches with those that are only computed."""
    by = series.changed_by or series.owner_id
    answered = await people_of_dates(reader, [one.event.id for one in held], CONCERNED)
    concerned = {user_id for user_id, _ in answered} | set(await following.to_tell(reader, series))
    concerned |= {series.owner_id} | {one.event.author_id for one in held}
    told = mailed = 0
    for one in await preferences.addressees(reader, sorted(concerned - {by}), TOPICS[kind]):
        gets_mail = rules.channel_of_mail(one) is not None
        mailed += gets_mail
        told += gets_mail or Channel.IN_APP in one.channels
    return Effect(
        len(held) if dates is None else dates,
        sum(one.answers for one in held),
        sum(bool(one.event.place_in_series and one.event.place_in_series.overridden) for one in held),
        told,
        mailed,
    )
