"""Visibility of series: the only module that looks up how a person relates to a series (invariant 3), for one or many
at once.
"""

from collections.abc import Collection, Sequence

from groundwork.database.transaction import Reader
from groundwork.errors import Reason, Refused
from openmeet.domain.events.co_host_queries import series_hosted_among
from openmeet.domain.events.rules import GroupEventAccess, access_by
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups import rules as group_rules
from openmeet.domain.groups.membership_queries import is_unwelcome_at
from openmeet.domain.groups.queries import roles_in
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.moderation.blocks import blockers_of
from openmeet.domain.series.model import Series, SeriesId
from openmeet.domain.users.model import UserId


async def may_see(reader: Reader, series: Series, viewer: UserId | None) -> bool:
    """Whether this person may know that the series exists. Private series exist only for hosts, group members and
    people invited to a date.
    """
    return bool(await seen(reader, [series], viewer))


async def seen(reader: Reader, all_series: Sequence[Series], viewer: UserId | None) -> list[Series]:
    """The given series that this person can see, in the same order. Takes as many statements for a hundred as for
    one.
    """
    decided_without_lookup = {one.id: _visibility_without_lookup(one, viewer) for one in all_series}
    undecided = [one for one in all_series if decided_without_lookup[one.id] is None]
    seen_ids = await _private_series_seen_by(reader, undecided, viewer) if viewer is not None else set()
    return [one for one in all_series if decided_without_lookup[one.id] or one.id in seen_ids]


async def is_unwelcome(reader: Reader, series: Series, person: UserId) -> bool:
    """Whether the series' host or a moderator has blocked this person, or its group has banned them."""
    row = await reader.fetch_one(
        "select 1 as found from event_series s"
        f" where s.id = :series and {is_unwelcome_at('s.user_id', 's.group_id', ':person')}",
        series=series.id,
        person=person,
    )
    return row is not None


async def raise_if_unwelcome(reader: Reader, series: Series, person: UserId, *, refusal: Reason) -> None:
    """Raise Refused (``NotWelcome``) if the person is unwelcome (``is_unwelcome``). The message does not say why."""
    if await is_unwelcome(reader, series, person):
        raise Refused(refusal, name="NotWelcome")


def _visibility_without_lookup(series: Series, viewer: UserId | None) -> bool | None:
    """Whether the viewer can see the series, if that can be decided without look-ups. None if it depends on who they
    are.
    """
    if viewer == series.owner_id:
        return True
    if series.is_hidden:
        return False
    return None if series.visibility is Visibility.PRIVATE else True


async def _private_series_seen_by(reader: Reader, private: Sequence[Series], viewer: UserId) -> set[SeriesId]:
    """The given private series that the viewer, who is not their host, can see."""
    if not private:
        return set()
    roles = await roles_in(reader, [one.group.id for one in private if one.group is not None], viewer)
    blockers = await blockers_of(reader, {one.owner_id for one in private}, viewer)
    as_member: set[SeriesId] = set()
    as_outsider: list[SeriesId] = []
    for one in private:
        role = roles.get(one.group.id) if one.group is not None else None
        if one.owner_id in blockers and not group_rules.may(role, GroupPermission.EDIT_ANY_EVENT):
            continue
        access = access_by(role) if one.group is not None else GroupEventAccess.OUTSIDER
        if access is GroupEventAccess.MEMBER:
            as_member.add(one.id)
        elif access is GroupEventAccess.OUTSIDER:
            as_outsider.append(one.id)
    if not as_outsider:
        return as_member
    hosted = {SeriesId(one) for one in await series_hosted_among(reader, as_outsider, viewer)}
    return as_member | hosted | await invited_among(reader, as_outsider, viewer)


async def invited_among(reader: Reader, series_ids: Collection[SeriesId], user_id: UserId) -> set[SeriesId]:
    """The given series in which the person answered, or was invited to, at least one date."""
    rows = await reader.fetch(
        "select distinct e.series_id from attendances a join events e on e.id = a.event_id"
        " where e.series_id in :ids and a.user_id = :user_id and a.status <> 'rejected' order by e.series_id",
        ids=sorted(series_ids),
        user_id=user_id,
    )
    return {SeriesId(row["series_id"]) for row in rows}
