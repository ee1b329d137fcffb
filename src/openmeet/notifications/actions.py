"""Telling people: on their page, by mail, in a digest, as each has chosen."""

from collections.abc import Mapping, Sequence

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


async def tell(
    tx: Transaction,
    to: Sequence[UserId],
    kind: Kind,
    subject_id: str,
    revision: int,
    particulars: Particulars = NOTHING_MORE,
    *,
    starts_at: Instant | None = None,
) -> None:
    """Tell each of these people once about this revision of the subject; the same call again tells nobody.

    ``starts_at``: when the event starts (of a moved one, the earlier of the two): what is near is mailed at once. The caller
    holds the lock on the subject's row.
    """
    if not to:
        return
    addressees = await preferences.addressees(tx, to, TOPICS[kind])
    mailed = {one.user_id: rules.channel_of_mail(one) for one in addressees if rules.is_mailed(kind, particulars)}
    told = [one for one in addressees if Channel.IN_APP in one.channels or mailed.get(one.user_id)]
    fresh = await queries.insert(
        tx, [(one.user_id, Channel.IN_APP in one.channels) for one in told], kind, subject_id, revision, particulars
    )
    new = [(one, fresh[one.user_id], mailed.get(one.user_id)) for one in told if one.user_id in fresh]
    is_urgent = rules.is_urgent(kind, particulars, starts_at, tx.now)
    await mails.add(
        tx,
        subject_id,
        [
            Waiting(one.user_id, news, rules.mail_due_at(one.hours, tx.now, urgent=is_urgent))
            for one, news, channel in new
            if channel is Channel.EMAIL
        ],
    )
    await mails.add_to_digests(
        tx, [_digest(one, news, tx.now) for one, news, channel in new if channel is Channel.DIGEST]
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


def _digest(one: Addressee, news: NotificationId, now: Instant) -> tuple[UserId, NotificationId, str, Instant]:
    day, at = rules.next_digest(one.hours, now)
    return one.user_id, news, day, at
