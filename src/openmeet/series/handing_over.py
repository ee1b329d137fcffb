"""A series gets another host: offered to somebody who is part of it, and theirs when they say yes.

Offered is it only to people who follow it, answered a date or are in its group: nobody learns from an offer who has an account here.
Dates whose record stands in the old host's repository stay under their name; every other coming one moves along.
"""

from dataclasses import replace

from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Forbidden, NotFound, Refused
from openmeet.events.dates import hand_over_dates
from openmeet.events.queries import lock_dates
from openmeet.groups.model import INSIDE
from openmeet.groups.rules import ALLOWED, Action
from openmeet.notifications.actions import tell
from openmeet.notifications.model import Kind, Particulars
from openmeet.series import following, queries
from openmeet.series.model import Offer, Series, SeriesId
from openmeet.users.model import Caller, UserId

# Names to choose from; whoever is not among them follows the series first.
MOST_CANDIDATES = 200

_PART_OF_IT = """
    select u.id, u.display_name from users u
     where u.kind = 'person' and u.id <> :owner_id and (
           exists (select 1 from event_series_followers f where f.series_id = :series_id and f.user_id = u.id)
        or exists (select 1 from events e join attendances a on a.event_id = e.id
                    where e.series_id = :series_id and a.user_id = u.id and a.status <> 'rejected')
        or exists (select 1 from group_members m
                    where m.group_id = :group_id and m.user_id = u.id and m.role in :hosting))
"""
_IN_GROUP = """ and exists (select 1 from group_members m
                    where m.group_id = :group_id and m.user_id = u.id and m.role in :hosting)"""


async def candidates(reader: Reader, series: Series) -> list[tuple[UserId, str]]:
    """To whom the series can be offered, by name; in a group, to those who may make events there."""
    in_group = "" if series.group is None else _IN_GROUP
    rows = await reader.fetch(
        f"{_PART_OF_IT}{in_group} order by u.display_name, u.id limit :limit",
        **_parameters(series),
        limit=MOST_CANDIDATES,
    )
    return [(UserId(row["id"]), row["display_name"]) for row in rows]


async def offer(tx: Transaction, caller: Caller, series: Series, to: UserId) -> Offer:
    """Offer the caller's locked series; another offer replaces the one before. Raises Forbidden, Refused (``NotPartOfIt``)."""
    if series.owner_id != caller.user_id:
        raise Forbidden("Only the host of a series can hand it over.")
    in_group = "" if series.group is None else _IN_GROUP
    row = await tx.fetch_one(f"{_PART_OF_IT}{in_group} and u.id = :to", **_parameters(series), to=to)
    if row is None:
        raise Refused("Offer it to somebody who follows it, answered a date, or runs its group.", name="NotPartOfIt")
    await tx.execute(
        """
        insert into event_series_offers (series_id, from_user_id, to_user_id, created_at)
        values (:series_id, :from_id, :to_id, :now)
            on conflict (series_id) do update
           set from_user_id = excluded.from_user_id, to_user_id = excluded.to_user_id, created_at = excluded.created_at
        """,
        series_id=series.id,
        from_id=caller.user_id,
        to_id=to,
        now=tx.now,
    )
    subject = await _any_date(tx, series.id)
    if subject is not None:
        about = Particulars(person_id=caller.user_id)
        await tell(tx, [to], Kind.SERIES_OFFERED, subject, int(tx.now), about)
    return Offer(series.id, caller.user_id, to, tx.now)


async def offered(reader: Reader, series_id: SeriesId) -> Offer | None:
    """The offer that stands; None where there is none."""
    row = await reader.fetch_one(
        "select series_id, from_user_id, to_user_id, created_at from event_series_offers where series_id = :series_id",
        series_id=series_id,
    )
    if row is None:
        return None
    return Offer(SeriesId(row["series_id"]), UserId(row["from_user_id"]), UserId(row["to_user_id"]), row["created_at"])


async def offered_to(reader: Reader, user_id: UserId) -> list[SeriesId]:
    """Series that somebody is offered, the oldest offer first."""
    rows = await reader.fetch(
        "select o.series_id from event_series_offers o join event_series s on s.id = o.series_id"
        " where o.to_user_id = :user_id and s.deleted_at is null order by o.created_at, o.series_id",
        user_id=user_id,
    )
    return [SeriesId(row["series_id"]) for row in rows]


async def accept(tx: Transaction, caller: Caller, series: Series) -> Series:
    """The caller hosts the locked series from now on; the one before follows it. Raises NotFound where it is not offered to them."""
    found = await offered(tx, series.id)
    if found is None or found.to_id != caller.user_id or found.from_id != series.owner_id:
        raise NotFound("There is no such offer.")
    before = series.owner_id
    await _forget(tx, series.id)
    saved = await queries.save(tx, replace(series, owner_id=caller.user_id))
    coming = [event for event in await lock_dates(tx, series.id) if not event.is_gone and not event.is_over(tx.now)]
    await hand_over_dates(tx, coming, caller.user_id)
    await following.unfollow(tx, series.id, caller.user_id)
    await following.follow(tx, series.id, before, notifies=True)
    return saved


async def take_back(tx: Transaction, caller: Caller, series: Series) -> bool:
    """The host wants to keep it after all, or who it was offered to does not want it. False where there was no offer of theirs."""
    found = await offered(tx, series.id)
    if found is None or caller.user_id not in {found.from_id, found.to_id, series.owner_id}:
        return False
    await _forget(tx, series.id)
    return True


async def _forget(tx: Transaction, series_id: SeriesId) -> None:
    await tx.execute("delete from event_series_offers where series_id = :series_id", series_id=series_id)


async def _any_date(reader: Reader, series_id: SeriesId) -> str | None:
    """The next stored date, or the last one: what news about the series are about."""
    for condition, order in (("over_at > :now", "starts_at, id"), ("over_at <= :now", "starts_at desc, id")):
        row = await reader.fetch_one(
            f"select id from events where series_id = :series_id and deleted_at is null and {condition}"
            f" order by {order} limit 1",
            series_id=series_id,
            now=reader.now,
        )
        if row is not None:
            return str(row["id"])
    return None


def _parameters(series: Series) -> dict[str, object]:
    return {
        "owner_id": series.owner_id,
        "series_id": series.id,
        "group_id": "" if series.group is None else series.group.id,
        "hosting": [role.value for role in INSIDE if Action.CREATE_EVENT in ALLOWED[role]],
    }
