"""Transfer of a series: the owner offers it to somebody involved in it, and the transfer takes effect on acceptance.

A series can be offered only to followers, people who answered a date and members of its group, so that an offer does
not reveal who has a local account. All upcoming dates move with it. Records in the former host's repository stay and
point to the new host's (``events.ownership``).
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.errors import Forbidden, NotFound, Refused
from openmeet.domain.attendance.invitation_queries import IS_UNANSWERED_INVITATION
from openmeet.domain.events import co_host_queries, ownership
from openmeet.domain.events.ownership import (
    SERIES_DECLINED,
    SERIES_INHERITED,
    SERIES_TAKEN,
    accepted_co_host,
    heir_of,
)
from openmeet.domain.events.queries import by_id as event_by_id
from openmeet.domain.events.queries import lock_dates
from openmeet.domain.groups.model import FORMER_ROLES, roles_sql
from openmeet.domain.groups.queries import role_in
from openmeet.domain.groups.rules import GroupPermission, may, roles_with
from openmeet.domain.merge_decisions.queries import settle_outdated
from openmeet.domain.moderation.blocks import apply_to_new_host, is_block_between_sql, raise_if_blocked
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.event_kinds import HandOver
from openmeet.domain.notifications.notify import Notice, notify
from openmeet.domain.paging import ALL_ROWS, Page
from openmeet.domain.series import date_queries, follower_queries, queries, save_series, visibility
from openmeet.domain.series.model import Series, SeriesId, SeriesOffer
from openmeet.domain.series.reasons import SeriesReason
from openmeet.domain.series.record_fields import fields_of
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import Caller, UserId
from openmeet.outbox import publication_moves, superseded_records
from openmeet.outbox.publications import PublicationKind

# Offers to ``:user_id``, as a FROM clause with conditions.
OFFERED_SERIES = """
    event_series_offers o join event_series s on s.id = o.series_id
     where o.to_user_id = :user_id and s.deleted_at is null and o.from_user_id = s.user_id
"""

# Maximum number of names to choose from. Anybody else must follow the series first.
MAX_CANDIDATES = 200

_PART_OF_IT = f"""
    select u.id, u.display_name from users u
     where u.kind = 'person' and u.id <> :owner_id and not {is_leaving("u.id")}
         and not {is_block_between_sql("u.id", ":owner_id")} and (
           exists (select 1 from event_series_followers f where f.series_id = :series_id and f.user_id = u.id)
        or exists (select 1 from events e join attendances a on a.event_id = e.id
                    where e.series_id = :series_id and a.user_id = u.id and a.status <> 'rejected'
                      and not {IS_UNANSWERED_INVITATION})
        or exists (select 1 from group_members m
                    where m.group_id = :group_id and m.user_id = u.id and m.role in :hosting))
"""
_IN_GROUP = """ and exists (select 1 from group_members m
                    where m.group_id = :group_id and m.user_id = u.id and m.role in :hosting)"""


async def candidates(
    reader: Reader, series: Series, *, after: tuple[str, str] | None = None, limit: int = MAX_CANDIDATES
) -> list[tuple[UserId, str]]:
    """People to whom the series can be offered, ordered by name. In a group, only those who may create events there.

    ``after``: name and id of the last person on the previous page.
    """
    in_group = "" if series.group is None else _IN_GROUP
    name, user_id = after or ("", "")
    after_clause = "and (u.display_name, u.id) > (:after_name, :after_id)" if after else ""
    rows = await reader.fetch(
        f"{_PART_OF_IT}{in_group} {after_clause} order by u.display_name, u.id limit :limit",
        **_parameters(series),
        **({"after_name": name, "after_id": user_id} if after else {}),
        limit=limit,
    )
    return [(UserId(row["id"]), row["display_name"]) for row in rows]


async def offer(tx: Transaction, caller: Caller, series: Series, to: UserId) -> SeriesOffer:
    """Offer the caller's locked series to somebody. A new offer replaces the previous one. Raises Forbidden, Refused
    (``NotPartOfIt``).
    """
    if series.owner_id != caller.user_id:
        raise Forbidden(SeriesReason.HOST_HANDS_OVER)
    in_group = "" if series.group is None else _IN_GROUP
    row = await tx.fetch_one(f"{_PART_OF_IT}{in_group} and u.id = :to", **_parameters(series), to=to)
    if row is None:
        raise Refused(SeriesReason.CANNOT_OFFER_TO_THEM, name="NotPartOfIt")
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
    subject = await date_queries.any_date(tx, series.id)
    if subject is not None:
        about = HandOver(person_id=caller.user_id)
        await notify(tx, event_kinds.SERIES_OFFERED, Notice([to], subject, int(tx.now), about))
    return SeriesOffer(series.id, caller.user_id, to, tx.now)


async def offered(reader: Reader, series_id: SeriesId) -> SeriesOffer | None:
    """The open offer. None if there is none or if its author no longer hosts the series."""
    row = await reader.fetch_one(
        "select o.series_id, o.from_user_id, o.to_user_id, o.created_at"
        " from event_series_offers o join event_series s on s.id = o.series_id"
        " where o.series_id = :series_id and o.from_user_id = s.user_id",
        series_id=series_id,
    )
    if row is None:
        return None
    return _offer_of(row)


async def end_offers_in_left_groups(tx: Transaction, user_id: UserId, series_ids: Sequence[SeriesId]) -> None:
    """End offers to a person of those of these series that are in groups that they have left."""
    await tx.execute(
        "delete from event_series_offers where to_user_id = :user_id and series_id in :series_ids"
        " and exists (select 1 from event_series s"
        " join group_members m on m.group_id = s.group_id and m.user_id = event_series_offers.to_user_id"
        f" where s.id = event_series_offers.series_id and m.role in ({roles_sql(FORMER_ROLES)}))",
        user_id=user_id,
        series_ids=list(series_ids),
    )


async def open_to(reader: Reader, user_id: UserId, offers: Sequence[SeriesOffer]) -> list[tuple[SeriesOffer, Series]]:
    """The offers to a person for series that they can see now, in order. Other offers are not mentioned (invariant 3)."""
    offered_series = await queries.by_ids(reader, [one.series_id for one in offers])
    seen = {one.id: one for one in await visibility.seen(reader, list(offered_series.values()), user_id)}
    return [(one, seen[one.series_id]) for one in offers if one.series_id in seen]


async def offered_to(reader: Reader, user_id: UserId, page: Page = ALL_ROWS) -> list[SeriesOffer]:
    """Offers to a person, oldest first. Filter with ``open_to``, because they may no longer see some of the series."""
    rows = await reader.fetch(
        f"select o.series_id, o.from_user_id, o.to_user_id, o.created_at from {OFFERED_SERIES}"
        f"{page.clause('o.created_at', 'o.series_id', newest_first=False)}",
        user_id=user_id,
        **page.values,
    )
    return [_offer_of(row) for row in rows]


async def accept(tx: Transaction, caller: Caller, series: Series) -> Series:
    """Accept an offer: the caller becomes host of the locked series. The former host becomes a follower and is
    notified.

    If the former host could no longer see the series (private, no common group), they co-host all upcoming dates, as
    with a single event. Raises NotFound if it is not offered to the caller. Raises Refused if either has blocked the
    other since (``NotWelcome``), or if the caller may no longer create events in its group (``NotPartOfIt``).
    """
    series_offer = await offered(tx, series.id)
    if series_offer is None or series_offer.to_id != caller.user_id:
        raise NotFound(SeriesReason.NO_SUCH_OFFER)
    before = series.owner_id
    await raise_if_blocked(tx, before, caller.user_id, refusal=SeriesReason.CANNOT_TAKE_OVER)
    role = await role_in(tx, series.group.id if series.group else None, caller.user_id)
    if series.group is not None and not may(role, GroupPermission.CREATE_EVENT):
        raise Refused(SeriesReason.OFFER_NEEDS_GROUP, name="NotPartOfIt")
    saved = await _transfer(tx, series, caller.user_id)
    await follower_queries.unfollow(tx, series.id, caller.user_id)
    await follower_queries.follow(tx, series.id, before, notifies=True)
    if not await visibility.may_see(tx, saved, before):
        coming = [event for event in await lock_dates(tx, series.id) if not event.is_gone and not event.is_over(tx.now)]
        hosting = [accepted_co_host(tx, event, before, by=caller.user_id) for event in coming[:1]]
        await co_host_queries.add_to_events(tx, hosting, [event.id for event in coming])
    subject = await date_queries.any_date(tx, series.id)
    if subject is not None:
        about = HandOver(person_id=caller.user_id, step=SERIES_TAKEN)
        await notify(tx, event_kinds.SERIES_OFFERED, Notice([before], subject, int(tx.now), about))
    return saved


async def transfer_all_of(tx: Transaction, user_id: UserId) -> None:
    """Transfer all series of a person whose account is deleted, without waiting for acceptance, as with single events
    (``events.ownership``).

    Idempotent.
    """
    await drop_offers_of(tx, user_id)
    for series_id in await owned_by(tx, user_id):
        await pass_to_heir(tx, series_id, user_id)


async def drop_offers_of(tx: Transaction, user_id: UserId) -> None:
    """Withdraw all offers of series from and to a person."""
    await tx.execute("delete from event_series_offers where from_user_id = :id or to_user_id = :id", id=user_id)


async def pass_to_heir(tx: Transaction, series_id: SeriesId, owner: UserId) -> bool:
    """Transfer this owner's series to the person who inherits it. False if there is nobody or the series is not theirs."""
    series = await queries.lock(tx, series_id)
    if series is None or series.owner_id != owner or series.deleted_at is not None or series.is_read_only:
        return False
    date = await date_queries.any_date(tx, series.id)
    event = None if date is None else await event_by_id(tx, date)
    heir = None if event is None else await heir_of(tx, event)
    if date is None or heir is None:
        return False
    await _transfer(tx, series, heir)
    await notify(tx, event_kinds.SERIES_OFFERED, Notice([heir], date, int(tx.now), HandOver(step=SERIES_INHERITED)))
    return True


async def _transfer(tx: Transaction, series: Series, to: UserId) -> Series:
    """Transfer the locked series and its upcoming dates to somebody else."""
    await _forget(tx, series.id)
    await ownership.leave_record(tx, PublicationKind.SERIES, series.id, series.owner_id, series.revision + 1)
    former = await superseded_records.of_subject(tx, PublicationKind.SERIES, series.id)
    await ownership.keep_retracted(tx, PublicationKind.SERIES, former, series.owner_id, series.revision + 1)
    uri = await ownership.return_to(tx, PublicationKind.SERIES, series.id, former, to)
    if uri is not None:
        await settle_outdated(tx, uri, partial(getattr, fields_of(series.content, series.timing)))
    # If there was no record to leave, the publication itself moves.
    await publication_moves.move_to_user(tx, PublicationKind.SERIES, [series.id], to)
    saved = await save_series.save(tx, replace(series, owner_id=to, changed_by=to))
    coming = [event for event in await lock_dates(tx, series.id) if not event.is_gone and not event.is_over(tx.now)]
    await ownership.change(tx, coming, to)
    # Also if no date is coming: people follow the series.
    await apply_to_new_host(tx, to)
    return saved


async def withdraw_offer(tx: Transaction, caller: Caller, series: Series) -> bool:
    """Withdraw or decline an offer. If it was declined, the host is notified.

    False if there is no offer from or to the caller.
    """
    series_offer = await offered(tx, series.id)
    if series_offer is None or caller.user_id not in {series_offer.from_id, series_offer.to_id}:
        return False
    await _forget(tx, series.id)
    subject = await date_queries.any_date(tx, series.id)
    if caller.user_id == series_offer.to_id and subject is not None:
        about = HandOver(person_id=caller.user_id, step=SERIES_DECLINED)
        await notify(tx, event_kinds.SERIES_OFFERED, Notice([series.owner_id], subject, int(tx.now), about))
    return True


def _offer_of(row: Row) -> SeriesOffer:
    return SeriesOffer(
        SeriesId(row["series_id"]), UserId(row["from_user_id"]), UserId(row["to_user_id"]), row["created_at"]
    )


async def owned_by(reader: Reader, user_id: UserId) -> list[SeriesId]:
    """The series that a person hosts on this site, in id order."""
    rows = await reader.fetch(
        "select id from event_series where user_id = :user_id and deleted_at is null and is_read_only = 0 order by id",
        user_id=user_id,
    )
    return [SeriesId(row["id"]) for row in rows]


async def _forget(tx: Transaction, series_id: SeriesId) -> None:
    await tx.execute("delete from event_series_offers where series_id = :series_id", series_id=series_id)


def _parameters(series: Series) -> dict[str, object]:
    return {
        "owner_id": series.owner_id,
        "series_id": series.id,
        "group_id": "" if series.group is None else series.group.id,
        "hosting": [role.value for role in roles_with(GroupPermission.CREATE_EVENT)],
    }
