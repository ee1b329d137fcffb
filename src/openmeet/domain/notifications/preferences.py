"""Users' notification preferences: topics, channels and hours, with defaults. SQL."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time
from itertools import groupby
from operator import itemgetter
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row, Transaction
from openmeet.domain.moderation.blocks import is_unwilling
from openmeet.domain.notifications.model import (
    DIGEST_HOUR,
    WEEK_MAIL,
    Channel,
    DeliveryHours,
    NotificationRecipient,
    NotificationTopic,
    defaults_of,
)
from openmeet.domain.users.model import UserId
from openmeet.outbox.emails import was_never_enqueued_sql

# Users per statement, because engines limit the number of parameters.
AT_ONCE = 1000

_HOURS = """
    select u.id, coalesce(u.email, g.email) as email, u.time_zone as own_zone, h.time_zone, h.quiet_from, h.quiet_until,
           h.digest_hour
      from users u left join notification_hours h on h.user_id = u.id left join guests g on g.user_id = u.id
     where u.id in :user_ids and (u.kind = 'person' or g.email is not null) order by u.id
"""

# The same with one row per chosen channel, or a single row if none was chosen.
_ADDRESSEES = """
    select u.id, coalesce(u.email, g.email) as email, u.time_zone as own_zone, h.time_zone, h.quiet_from, h.quiet_until,
           h.digest_hour, p.channel, p.is_on, u.kind{columns}
      from users u left join notification_hours h on h.user_id = u.id left join guests g on g.user_id = u.id
      left join notification_preferences p on p.user_id = u.id and p.topic = :topic{joined}
     where u.id in :user_ids and (u.kind = 'person' or g.email is not null){willing} order by u.id, p.channel
"""
# The people who switched the weekly e-mail on. The condition on ``p`` is that of the index
# ``notification_preferences_weekly``.
_WEEKLY = """
      from notification_preferences p join users u on u.id = p.user_id left join notification_hours h on h.user_id = u.id
     where p.topic = 'week' and p.channel = 'email' and p.is_on = 1 and u.kind = 'person' and u.email is not null
"""
_ZONE = "coalesce(nullif(h.time_zone, ''), nullif(u.time_zone, ''), 'UTC')"
_WILLING = f" and not {is_unwilling('u.id')}"


def statement(*, has_sources: bool, columns: str = "", joined: str = "") -> str:
    """SQL that reads the preferences of users (``user_ids``) for a ``topic``, without users who block or mute a source."""
    return _ADDRESSEES.format(columns=columns, joined=joined, willing=_WILLING if has_sources else "")


_STATEMENTS = {has_sources: statement(has_sources=has_sources) for has_sources in (False, True)}


async def addressees(
    reader: Reader, user_ids: Sequence[UserId], topic: NotificationTopic, sources: Collection[str] = ()
) -> list[NotificationRecipient]:
    """The preferences of each user for the topic, ordered by id. Shadow accounts are left out; guests with an address
    are included.

    ``sources``: users and groups that the notification comes from. Users who block or mute one of them are left out.
    """
    recipients: list[NotificationRecipient] = []
    values = {"sources": sorted(sources)} if sources else {}
    ordered = sorted(set(user_ids))
    for start in range(0, len(ordered), AT_ONCE):
        chunk = ordered[start : start + AT_ONCE]
        rows = await reader.fetch(_STATEMENTS[bool(sources)], user_ids=chunk, topic=topic.value, **values)
        recipients += [addressee_of(own, topic) for own in by_person(rows)]
    return recipients


def by_person(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Group the rows of ``statement`` by user."""
    return (list(own) for _, own in groupby(rows, key=itemgetter("id")))


def addressee_of(own: Sequence[Row], topic: NotificationTopic) -> NotificationRecipient:
    """Parse one user's preferences from their rows."""
    own_choices = {Channel(row["channel"]): bool(row["is_on"]) for row in own if row["channel"] is not None}
    channels = frozenset(channel for channel, is_on in {**defaults_of(topic), **own_choices}.items() if is_on)
    first = own[0]
    if first["kind"] != "person":
        # Guests cannot sign in, so only e-mail reaches them.
        channels -= {Channel.IN_APP}
    return NotificationRecipient(UserId(first["id"]), first["email"] is not None, channels, _hours_of(first))


async def of_person(reader: Reader, user_id: UserId) -> dict[NotificationTopic, frozenset[Channel]]:
    """One user's channels by topic."""
    rows = await reader.fetch(
        "select topic, channel, is_on from notification_preferences where user_id = :user_id order by topic, channel",
        user_id=user_id,
    )
    own_choices = {(row["topic"], row["channel"]): bool(row["is_on"]) for row in rows}
    return {
        topic: frozenset(
            channel for channel in Channel if own_choices.get((topic.value, channel.value), defaults_of(topic)[channel])
        )
        for topic in NotificationTopic
    }


async def hours(reader: Reader, user_id: UserId) -> DeliveryHours | None:
    """A user's quiet hours and digest hour. None if there is no such user."""
    rows = await reader.fetch(_HOURS, user_ids=[user_id])
    return _hours_of(rows[0]) if rows else None


async def weekly_zones(reader: Reader) -> list[str]:
    """The time zones of the people who switched the weekly e-mail on."""
    rows = await reader.fetch(f"select distinct {_ZONE} as time_zone {_WEEKLY} order by 1")
    return [row["time_zone"] for row in rows]


async def weekly_recipients(
    reader: Reader, time_zone: str, monday: str, switched_on_by: Instant, *, after: UserId, limit: int
) -> list[tuple[UserId, DeliveryHours]]:
    """People in a zone who switched the weekly e-mail on by then and for whom that of this Monday was not enqueued yet,
    ordered by id.
    """
    rows = await reader.fetch(
        f"""
        select u.id, u.time_zone as own_zone, h.time_zone, h.quiet_from, h.quiet_until, h.digest_hour
        {_WEEKLY} and {_ZONE} = :time_zone and p.updated_at <= :switched_on_by and u.id > :after
           and {was_never_enqueued_sql("u.id")}
         order by u.id limit :limit
        """,
        time_zone=time_zone,
        switched_on_by=switched_on_by,
        after=after,
        mail_kind=WEEK_MAIL,
        mail_subject=monday,
        limit=limit,
    )
    return [(UserId(row["id"]), _hours_of(row)) for row in rows]


async def put(tx: Transaction, user_id: UserId, chosen: Mapping[tuple[NotificationTopic, Channel], bool]) -> None:
    """Store choices. ``updated_at`` of a choice is the time of its last change."""
    await tx.execute_many(
        """
        insert into notification_preferences (user_id, topic, channel, is_on, updated_at)
        values (:user_id, :topic, :channel, :is_on, :now)
            on conflict (user_id, topic, channel) do update set is_on = excluded.is_on, updated_at = excluded.updated_at
         where notification_preferences.is_on <> excluded.is_on
        """,
        [
            {"user_id": user_id, "topic": topic.value, "channel": channel.value, "is_on": int(is_on), "now": tx.now}
            for (topic, channel), is_on in sorted(chosen.items())
        ],
    )


async def put_hours(tx: Transaction, user_id: UserId, hours: DeliveryHours) -> None:
    start, end = (one.isoformat("minutes") for one in hours.quiet) if hours.quiet else (None, None)
    await tx.execute(
        """
        insert into notification_hours (user_id, time_zone, quiet_from, quiet_until, digest_hour, updated_at)
        values (:user_id, :time_zone, :quiet_from, :quiet_until, :digest_hour, :now)
            on conflict (user_id) do update
           set time_zone = excluded.time_zone, quiet_from = excluded.quiet_from, quiet_until = excluded.quiet_until,
               digest_hour = excluded.digest_hour, updated_at = excluded.updated_at
        """,
        user_id=user_id,
        time_zone=hours.time_zone,
        quiet_from=start,
        quiet_until=end,
        digest_hour=hours.digest_hour,
        now=tx.now,
    )


def _hours_of(row: Row) -> DeliveryHours:
    zone = row["time_zone"] or row["own_zone"] or "UTC"
    quiet = None
    if row["quiet_from"] is not None:
        quiet = (time.fromisoformat(row["quiet_from"]), time.fromisoformat(row["quiet_until"]))
    return DeliveryHours(zone, quiet, DIGEST_HOUR if row["digest_hour"] is None else row["digest_hour"])


@dataclass(frozen=True, slots=True)
class AudienceSize:
    """How many people a change would notify. ``mailed`` counts those of ``notified`` who get an e-mail, at once or in a
    digest. ``considered``: the recipients whose preferences were read; a statement that limits them may have had more.
    """

    notified: int
    mailed: int
    considered: int = field(default=0, compare=False)


# Shadow accounts have no address and cannot read notifications. Guests cannot sign in, so only e-mail reaches them
# (``preferences.addressee_of``).
_COUNT: Final = """
      , topics as ({topics})
      , reach as (
          select h.user_id,
                 case when u.kind = 'person' and coalesce(a.is_on, t.in_app) = 1 then 1 else 0 end as is_shown,
                 case when h.is_mailed = 1 and coalesce(u.email, g.email) is not null
                       and (coalesce(m.is_on, t.email) = 1 or coalesce(d.is_on, t.digest) = 1) then 1
                           else 0 end as gets_mail
            from recipients h
            join topics t on t.topic = h.topic
            join users u on u.id = h.user_id
            left join guests g on g.user_id = u.id
            left join notification_preferences a on a.user_id = u.id and a.topic = t.topic and a.channel = 'in_app'
            left join notification_preferences m on m.user_id = u.id and m.topic = t.topic and m.channel = 'email'
            left join notification_preferences d on d.user_id = u.id and d.topic = t.topic and d.channel = 'digest')
    select count(distinct case when is_shown = 1 or gets_mail = 1 then user_id end) as notified,
           count(distinct case when gets_mail = 1 then user_id end) as mailed, count(*) as considered
      from reach
"""
_TOPIC: Final = """select cast(:topic_{number} as text) as topic, cast(:in_app_{number} as integer) as in_app,
                 cast(:email_{number} as integer) as email, cast(:digest_{number} as integer) as digest"""


async def count(
    reader: Reader, recipients_sql: str, parameters: Mapping[str, object], topics: Collection[NotificationTopic]
) -> AudienceSize:
    """Count the recipients of notifications. A user who appears several times counts once.

    ``recipients_sql``: a ``with`` clause whose last part is ``recipients (user_id, topic, is_mailed)``. Each row has a
    recipient, the topic, and whether the notification is worth an e-mail.
    """
    values = dict(parameters)
    rows = []
    for number, topic in enumerate(sorted(set(topics))):
        on = defaults_of(topic)
        values[f"topic_{number}"] = topic.value
        values |= {f"{channel.value}_{number}": int(on[channel]) for channel in Channel}
        rows.append(_TOPIC.format(number=number))
    row = await reader.fetch_one(recipients_sql + _COUNT.format(topics=" union all ".join(rows)), **values)
    assert row is not None  # noqa: S101 - an aggregate has one row
    return AudienceSize(int(row["notified"]), int(row["mailed"]), int(row["considered"]))
