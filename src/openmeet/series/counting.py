"""How many people an edit would reach, before it is done: who reads of it here, and to whom a mail goes.

The same choices as those of ``telling`` and ``notifications``, which reach them: who hears of a date only that it says something else
gets no mail, and whoever switched a channel off gets nothing by it.
"""

from dataclasses import dataclass

from groundwork.database.transaction import Reader
from openmeet.attendance.hearing import CONCERNED, particulars_of, people_of_dates
from openmeet.events.saying import with_details
from openmeet.notifications import preferences, rules
from openmeet.notifications.model import TOPICS, Channel, Kind
from openmeet.series import following
from openmeet.series.model import Scope, Series
from openmeet.series.plan import Plan
from openmeet.users.model import UserId


@dataclass(frozen=True, slots=True)
class Reached:
    """``told``: people who hear of it at all, ``mailed``: those of them who get a mail, at once or in their digest."""

    told: int
    mailed: int


@dataclass(frozen=True, slots=True)
class _Crowd:
    """People by what they hear first of the act; ``moved`` of those to whom a changed date means another time or place."""

    changed: set[UserId]
    moved: set[UserId]
    deleted: set[UserId]
    made: set[UserId]


async def reached(reader: Reader, series: Series, plan: Plan, *, makes_dates: bool) -> Reached:
    """Of a plan of a locked series whose host is not silent about it."""
    crowd = await _crowd(reader, series, plan, makes_dates=makes_dates)
    told: set[UserId] = set()
    mailed: set[UserId] = set()
    for kind, people, is_mailed in (
        (Kind.EVENT_CHANGED, crowd.changed, crowd.moved),
        (Kind.EVENT_DELETED, crowd.deleted, crowd.deleted),
        (Kind.NEW_DATE, crowd.made, crowd.made),
    ):
        for one in await preferences.addressees(reader, sorted(people), TOPICS[kind]):
            gets_mail = one.user_id in is_mailed and rules.channel_of_mail(one) is not None
            if gets_mail:
                mailed.add(one.user_id)
            if gets_mail or Channel.IN_APP in one.channels:
                told.add(one.user_id)
    return Reached(len(told), len(mailed))


async def _crowd(reader: Reader, series: Series, plan: Plan, *, makes_dates: bool) -> _Crowd:
    by = series.changed_by or series.owner_id
    moved = {
        one.event.id
        for one in plan.dates_changed
        if rules.is_mailed(Kind.EVENT_CHANGED, particulars_of(one.event, with_details(one.event, one.details)))
    }
    changed = [one.event for one in plan.dates_changed]
    answered: dict[UserId, bool] = {}
    for user_id, event_id in await people_of_dates(reader, [event.id for event in changed], CONCERNED):
        answered[user_id] = answered.get(user_id, False) or event_id in moved
    followers = set(await following.to_tell(reader, series)) if changed or plan.vanishing or makes_dates else set()
    goers = set(await following.goers_to_tell(reader, series)) if makes_dates else set()
    # Who answered hears of theirs; who follows, and whose dates they are, of all of them, unless they have heard already.
    of_all = (followers if changed else set()) | _hosts(series, plan)
    hears = (answered.keys() | of_all) - {by}
    hears_of_move = {one for one in hears if answered.get(one, bool(moved))}
    authors = {event.author_id for event in plan.vanishing}
    deleted = (followers | authors | {series.owner_id}) - hears - {by} if plan.vanishing else set()
    made = ((followers | {series.owner_id}) - hears - deleted | goers) - {by} if makes_dates else set()
    return _Crowd(hears, hears_of_move, deleted, made)


def _hosts(series: Series, plan: Plan) -> set[UserId]:
    """Who hear of it because it is theirs, and somebody else changes it."""
    if series.changed_by is None:
        return set()
    found = {one.event.author_id for one in plan.dates_changed}
    if found or plan.scope is not Scope.THIS:
        found.add(series.owner_id)
    return found
