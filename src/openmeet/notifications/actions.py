"""Telling people: on their page, by mail, in a digest, as each has chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.transaction import Transaction
from openmeet.notifications import mails, preferences, queries, rules
from openmeet.notifications.mails import Waiting
from openmeet.notifications.model import (
    NOTHING_MORE,
    TOPICS,
    Addressee,
    Channel,
    Hours,
    Kind,
    NotificationId,
    Particulars,
    Topic,
    When,
)
from openmeet.users.model import UserId


@dataclass(frozen=True, slots=True)
class Telling:
    """News about one subject for these people. ``starts_at`` and ``bundle`` as for ``tell``."""

    to: Sequence[UserId]
    subject_id: str
    revision: int
    particulars: Particulars = NOTHING_MORE
    starts_at: Instant | None = None
    bundle: str = ""


@dataclass(frozen=True, slots=True)
class _Told:
    """One person who is told, and by which kind of mail."""

    addressee: Addressee
    channel: Channel | None
    telling: Telling


async def tell(
    tx: Transaction,
    to: Sequence[UserId],
    kind: Kind,
    subject_id: str,
    revision: int,
    particulars: Particulars = NOTHING_MORE,
    *,
    starts_at: Instant | None = None,
    bundle: str = "",
) -> None:
    """Tell each of these people once about this revision of the subject; the same call again tells nobody.

    ``starts_at``: when the event starts (of a moved one, the earlier of the two): what is near is mailed at once. The caller
    holds the lock on the subject's row. ``bundle``: what the mail is about in which these news wait, where that is not the subject.
    """
    await tell_each(tx, kind, [Telling(to, subject_id, revision, particulars, starts_at, bundle)])


async def tell_each(tx: Transaction, kind: Kind, tellings: Sequence[Telling]) -> None:
    """``tell`` about several subjects, in as many statements as about one. A person is told of one subject at most."""
    people = [user_id for one in tellings for user_id in one.to]
    if not people:
        return
    addressees = {one.user_id: one for one in await preferences.addressees(tx, people, TOPICS[kind])}
    told: list[_Told] = []
    for one in tellings:
        is_mailed = rules.is_mailed(kind, one.particulars)
        for addressee in (addressees[user_id] for user_id in dict.fromkeys(one.to) if user_id in addressees):
            channel = rules.channel_of_mail(addressee) if is_mailed else None
            if Channel.IN_APP in addressee.channels or channel:
                told.append(_Told(addressee, channel, one))
    fresh = await queries.insert(
        tx,
        kind,
        [
            queries.News(
                one.addressee.user_id,
                one.telling.subject_id,
                one.telling.revision,
                one.telling.particulars,
                Channel.IN_APP in one.addressee.channels,
            )
            for one in told
        ],
    )
    new = [(one, fresh[one.addressee.user_id]) for one in told if one.addressee.user_id in fresh]
    await mails.add(
        tx,
        [
            Waiting(
                one.addressee.user_id,
                one.telling.bundle or one.telling.subject_id,
                news,
                rules.mail_due_at(one.addressee.hours, tx.now, urgent=_is_urgent(kind, one.telling, tx.now)),
                is_bundled=bool(one.telling.bundle),
            )
            for one, news in new
            if one.channel is Channel.EMAIL
        ],
    )
    await mails.add_to_digests(
        tx, [_digest(one.addressee, news, tx.now) for one, news in new if one.channel is Channel.DIGEST]
    )


async def tell_of_new_dates(
    tx: Transaction, to: Sequence[UserId], event_id: str, starts_at: Instant, time_zone: str, *, more: int = 0
) -> None:
    """A followed series has got dates: its followers hear of the earliest, and of how many ``more`` there are.

    One call per change of a series is one mail per person. The caller holds the lock on the series' row.
    """
    await tell(tx, to, Kind.NEW_DATE, event_id, 1, Particulars(starts=When(starts_at, time_zone), more=more))


async def mark_all_read(tx: Transaction, user_id: UserId) -> None:
    """The person has seen the list."""
    await queries.mark_read(tx, user_id)


async def choose(tx: Transaction, user_id: UserId, chosen: Mapping[Topic, frozenset[Channel]]) -> None:
    """Hear of these topics through these channels; topics that are not named stay as they are."""
    await preferences.put(
        tx,
        user_id,
        {(topic, channel): channel in channels for topic, channels in chosen.items() for channel in Channel},
    )


async def choose_hours(tx: Transaction, user_id: UserId, hours: Hours) -> None:
    """When mail may come; what waits already keeps its time."""
    await preferences.put_hours(tx, user_id, hours)


async def stop_mail(tx: Transaction, user_id: UserId, topic: Topic) -> None:
    """No more mail about a topic, neither at once nor in a digest; the page still tells."""
    await preferences.put(tx, user_id, {(topic, Channel.EMAIL): False, (topic, Channel.DIGEST): False})


def _is_urgent(kind: Kind, one: Telling, now: Instant) -> bool:
    return rules.is_urgent(kind, one.particulars, one.starts_at, now)


def _digest(one: Addressee, news: NotificationId, now: Instant) -> tuple[UserId, NotificationId, str, Instant]:
    day, at = rules.next_digest(one.hours, now)
    return one.user_id, news, day, at
