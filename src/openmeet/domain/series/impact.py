"""Impact of an edit before it is saved: how many people will be notified, and how many of them by e-mail.

Uses the same rules as ``series.notify`` and ``notifications``: if only a date's description changed, its attendees get
no e-mail, and channels that people turned off deliver nothing. The database does the counting, because the series is
locked meanwhile and may have any number of followers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.database.transaction import Reader
from openmeet.domain.attendance import expected_rsvps
from openmeet.domain.attendance.notify import NOTIFIED_STATUSES, ParametrizedSelect, change_payload
from openmeet.domain.attendance.queries import CAN_BE_NOTIFIED
from openmeet.domain.events.edits import with_details
from openmeet.domain.events.values import Visibility
from openmeet.domain.notifications import event_kinds, preferences
from openmeet.domain.notifications.event_kinds import DatesChanged
from openmeet.domain.notifications.model import NotificationKind
from openmeet.domain.notifications.preferences import AudienceSize
from openmeet.domain.series import date_queries, follower_queries
from openmeet.domain.series.model import EditScope, Series, StoredOccurrence
from openmeet.domain.series.plan import EditPlan
from openmeet.domain.users.model import UserId

# People by the first notification of the action that they get. Attendees and co-hosts are notified of their own dates, by
# e-mail only if one of these moves. Followers and hosts are notified of all dates, unless they were already notified as
# attendees.
_RECIPIENTS: Final = f"""
    with answered as (
           select a.user_id, max(case when a.event_id in :moved then 1 else 0 end) as is_mailed
             from attendances a join users u on u.id = a.user_id
            where a.event_id in :changed and a.status in :concerned and {CAN_BE_NOTIFIED}
            group by a.user_id)
       , followers as ({{followers}})
       , goers as ({{goers}})
       , changes as (
           select c.user_id, max(c.is_mailed) as is_mailed from (
                  select user_id, is_mailed from answered
                   union all
                  select o.user_id, cast(:moves as integer)
                    from (select user_id from followers where cast(:does_change as integer) = 1
                           union select id from users where id in :hosts) o
                   where not exists (select 1 from answered n where n.user_id = o.user_id)
                   union all
                  select h.user_id, case when h.event_id in :moved then 1 else 0 end
                    from event_co_hosts h where h.event_id in :changed and h.state = 'accepted') c
            where c.user_id <> :by group by c.user_id)
       , removals as (
           select o.user_id from (select user_id from followers union select id from users where id in :authors) o
            where cast(:does_remove as integer) = 1 and o.user_id <> :by
              and not exists (select 1 from changes n where n.user_id = o.user_id)
            union
           select h.user_id from event_co_hosts h
            where h.event_id in :vanishing and h.state = 'accepted' and h.user_id <> :by)
       , additions as (
           select o.user_id from (select user_id from followers union select id from users where id = :owner_id) o
            where cast(:does_make as integer) = 1 and o.user_id <> :by
              and not exists (select 1 from changes n where n.user_id = o.user_id)
              and not exists (select 1 from removals n where n.user_id = o.user_id)
            union
           select user_id from goers where cast(:does_make as integer) = 1 and user_id <> :by)
       , recipients as (
           select user_id, cast(:of_changes as text) as topic, is_mailed from changes
            union all select user_id, cast(:of_removals as text), 1 from removals
            union all select user_id, cast(:of_additions as text), 1 from additions)
"""
_TOPICS: Final = {
    "of_changes": event_kinds.EVENT_CHANGED.topic,
    "of_removals": event_kinds.EVENT_DELETED.topic,
    "of_additions": event_kinds.NEW_DATE.topic,
}


async def impact_of_plan(reader: Reader, series: Series, plan: EditPlan, *, makes_dates: bool) -> AudienceSize:
    """Impact of a plan for a locked series, assuming that its host chooses to notify people."""
    # As in ``notify.of_changes``.
    changes = [one for one in plan.dates_changed if not one.event.is_cancelled] or plan.dates_changed
    changed = [one.event for one in changes]
    moved = [
        one.event.id
        for one in changes
        if event_kinds.EVENT_CHANGED.is_mailed(change_payload(one.event, with_details(one.event, one.details)))
    ]
    followers, of_followers = follower_queries.followers_to_notify_sql(series)
    goers, of_goers = follower_queries.goers_to_notify_sql(series)
    return await preferences.count(
        reader,
        _RECIPIENTS.format(followers=followers, goers=goers),
        {
            **of_followers,
            **of_goers,
            "changed": [event.id for event in changed],
            "moved": moved,
            "concerned": [status.value for status in NOTIFIED_STATUSES],
            "hosts": sorted(_hosts(series, plan)),
            "authors": sorted({event.author_id for event in plan.vanishing} | {series.owner_id}),
            "vanishing": [event.id for event in plan.vanishing],
            "by": series.changed_by or series.owner_id,
            "owner_id": series.owner_id,
            "moves": int(bool(moved)),
            "does_change": int(bool(changed)),
            "does_remove": int(bool(plan.vanishing)),
            "does_make": int(makes_dates),
            **{name: topic.value for name, topic in _TOPICS.items()},
        },
        _TOPICS.values(),
    )


def _hosts(series: Series, plan: EditPlan) -> set[UserId]:
    """Hosts who are notified because somebody else changes their dates. If dates only vanish, the notification of that is
    their first one.
    """
    user_ids = {one.event.author_id for one in plan.dates_changed}
    if user_ids or (plan.scope is not EditScope.THIS and not plan.vanishing):
        user_ids.add(series.owner_id)
    return user_ids


@dataclass(frozen=True, slots=True)
class SeriesImpact:
    """The effect of a planned change of a series.

    ``dates``: number of dates. ``rsvp_count``: number of RSVPs to stored dates. ``single_changes``: number of stored dates
    with overrides. ``notified``: people who are notified unless the host suppresses it. ``mailed``: the notified people
    who get an e-mail, at once or in a digest.
    """

    dates: int
    rsvp_count: int
    single_changes: int
    notified: int
    mailed: int


_CONCERNED: Final = f"""
    with concerned as (
           select a.user_id from attendances a join users u on u.id = a.user_id
            where a.event_id in :dates and a.status in :concerned and {CAN_BE_NOTIFIED}
            union {{followers}}
            union select id from users where id in :hosts
            union select h.user_id from event_co_hosts h where h.event_id in :hosted and h.state = 'accepted'
            {{expected}})
       , recipients as (select user_id, cast(:topic as text) as topic, 1 as is_mailed from concerned where user_id <> :by)
"""

# They host the dates that the action stores, too.
_CO_HOSTS_OF_SERIES: Final = """
    select h.user_id from event_co_hosts h join events e on e.id = h.event_id
     where e.series_id = :series_id and h.is_for_series = 1 and h.state = 'accepted'
"""


async def impact_of_action(
    reader: Reader,
    series: Series,
    held: Sequence[StoredOccurrence],
    kind: NotificationKind[DatesChanged],
    *,
    dates: int | None = None,
    stores_dates: bool = False,
) -> SeriesImpact:
    """Impact of an action on these dates, announced as ``kind``. ``dates``: number of affected dates, including
    computed ones. ``stores_dates``: the action stores these computed ones first, so that everyone who goes or is invited
    to all dates is notified.

    The database counts people, however many follow the series; none of them is loaded.
    """
    followers, of_followers = follower_queries.followers_to_notify_sql(series)
    topic = kind.topic
    # Pausing leaves the dates as they are, so their hosts are not notified.
    hosted = [] if kind is event_kinds.SERIES_PAUSED else [one.event for one in held]
    incomplete = await expected_rsvps.incomplete_among(reader, [one.event for one in held])
    expected: list[ParametrizedSelect] = []
    if incomplete.dates:
        expected.append(expected_rsvps.people_sql(series.id, incomplete))
    if stores_dates:
        has_limit = await date_queries.limits_new_dates(reader, series)
        expected.append(
            expected_rsvps.people_of_new_dates_sql(
                series.id,
                is_private=series.visibility is Visibility.PRIVATE,
                group_id=None if series.group is None else series.group.id,
                has_limit=has_limit,
            )
        )
        expected.append((_CO_HOSTS_OF_SERIES, {"series_id": series.id}))
    counted = await preferences.count(
        reader,
        _CONCERNED.format(followers=followers, expected="".join(f" union {sql}" for sql, _ in expected)),
        {
            **of_followers,
            **{name: value for _, values in expected for name, value in values.items()},
            "dates": [one.event.id for one in held] or [""],
            "concerned": [status.value for status in NOTIFIED_STATUSES],
            "hosts": sorted({series.owner_id} | {event.author_id for event in hosted}),
            "hosted": [event.id for event in hosted],
            "by": series.changed_by or series.owner_id,
            "topic": topic.value,
        },
        [topic],
    )
    return SeriesImpact(
        len(held) if dates is None else dates,
        sum(one.rsvp_count for one in held),
        sum(bool(one.event.position_in_series and one.event.position_in_series.overridden) for one in held),
        counted.notified,
        counted.mailed,
    )
