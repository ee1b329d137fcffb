"""Create notifications and enqueue their delivery in the app, by e-mail or in a digest, as each user chose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic

from groundwork.clock import Instant
from groundwork.database.bulk import SqlWrite
from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.moderation.blocks import unwilling_among
from openmeet.domain.notifications import emails, kinds, preferences, queries, rules
from openmeet.domain.notifications.emails import DueNotification
from openmeet.domain.notifications.model import (
    Channel,
    DeliveryHours,
    NotificationKind,
    NotificationRecipient,
    NotificationTopic,
    P,
    SubjectType,
)
from openmeet.domain.users.model import UserId


@dataclass(frozen=True, slots=True)
class Notice(Generic[P]):
    """A notification about one revision of a subject for several users.

    ``starts_at``: when the event starts; if it was moved, the earlier time. E-mails about events in the near future are
    sent at once. ``bundle``: the subject of the e-mail that this notification joins, if not its own.

    ``sources``: users and groups that it comes from, in addition to those in the payload. Recipients who block or mute
    a source, or are blocked by one, are skipped. If ``is_shown`` is False, it is sent only by e-mail, if it is still
    valid then.
    """

    to: Sequence[UserId]
    subject_id: str
    revision: int
    payload: P
    starts_at: Instant | None = None
    bundle: str = ""
    sources: Sequence[str] = ()
    is_shown: bool = True


@dataclass(frozen=True, slots=True)
class _RecipientChannel:
    """A recipient, and whether to send an e-mail at once or in a digest."""

    addressee: NotificationRecipient
    channel: Channel | None
    notice: Notice[Any]

    @property
    def about(self) -> tuple[UserId, str, int]:
        return self.addressee.user_id, self.notice.subject_id, self.notice.revision


async def notify(tx: Transaction, kind: NotificationKind[P], notice: Notice[P]) -> None:
    """Notify each of these users once about this revision of the subject. Idempotent. The caller holds the lock on the
    subject's row.
    """
    await notify_each(tx, kind, [notice])


async def notify_each(tx: Transaction, kind: NotificationKind[P], notices: Sequence[Notice[P]]) -> None:
    """Notify people of changes of several subjects, with hardly more statements than for one subject. A user must not
    appear twice for one subject.
    """
    if not any(one.to for one in notices):
        return
    addressees = await _addressees(tx, kind, notices)
    recipients: list[_RecipientChannel] = []
    for one, willing in zip(notices, addressees, strict=True):
        is_mailed = kind.is_mailed(one.payload)
        for addressee in willing:
            channel = _channel(kind, one, addressee, tx.now) if is_mailed else None
            if Channel.IN_APP in addressee.channels or channel:
                recipients.append(_RecipientChannel(addressee, channel, one))
    existing = await queries.existing_among(tx, kind, [one.about for one in recipients])
    fresh = [one for one in recipients if one.about not in existing]
    mail_of = await emails.open_emails_for(tx, await _waiting(tx, kind, fresh))
    await queries.insert(
        tx,
        kind,
        [
            queries.NotificationRow(
                *one.about,
                one.notice.payload,
                one.notice.is_shown and Channel.IN_APP in one.addressee.channels,
                mail_of.get(one.addressee.user_id),
                is_for_digest=one.channel is Channel.DIGEST,
            )
            for one in fresh
        ],
    )
    digests = dict.fromkeys(one.addressee for one in fresh if one.channel is Channel.DIGEST)
    await emails.enqueue_digests(tx, [(one.user_id, *rules.next_digest(one.hours, tx.now)) for one in digests])


async def _addressees(
    tx: Transaction, kind: NotificationKind[Any], notices: Sequence[Notice[Any]]
) -> list[list[NotificationRecipient]]:
    """The recipients of each notice, without those who block or mute one of its sources."""
    people = [user_id for one in notices for user_id in one.to]
    sources = [rules.sources_of(kind, one.payload, one.sources) for one in notices]
    are_alike = all(some == sources[0] for some in sources)
    asked_at_once = sources[0] if are_alike else ()
    recipient_by_id = {one.user_id: one for one in await preferences.addressees(tx, people, kind.topic, asked_at_once)}
    pairs = [
        set()
        if are_alike
        else {(user_id, source) for user_id in one.to if user_id in recipient_by_id for source in some}
        for one, some in zip(notices, sources, strict=True)
    ]
    unwilling = await unwilling_among(tx, {pair for some in pairs for pair in some})
    without = [{user_id for user_id, _ in some & unwilling} for some in pairs]
    return [
        [
            recipient_by_id[user_id]
            for user_id in dict.fromkeys(one.to)
            if user_id in recipient_by_id and user_id not in some
        ]
        for one, some in zip(notices, without, strict=True)
    ]


async def _waiting(
    tx: Transaction, kind: NotificationKind[Any], recipients: Sequence[_RecipientChannel]
) -> list[DueNotification]:
    """One due e-mail per user, with the earliest due time."""
    now = tx.now
    spaced = [one for one in recipients if rules.mail_gap(kind, one.notice.payload)]
    last = await emails.last_sent(
        tx, {(one.addressee.user_id, one.notice.bundle or one.notice.subject_id) for one in spaced}
    )
    waiting: dict[UserId, DueNotification] = {}
    for one in recipients:
        if one.channel is not Channel.EMAIL:
            continue
        is_urgent = _is_urgent(kind, one.notice, now)
        due_at = rules.mail_due_at(
            one.addressee.hours, now, urgent=is_urgent, waits=rules.bundling_delay(kind, one.notice.payload)
        )
        user_id, subject = one.addressee.user_id, one.notice.bundle or one.notice.subject_id
        if (user_id, subject) in last:
            rested = Instant(last[user_id, subject] + rules.mail_gap(kind, one.notice.payload))
            due_at = max(due_at, rules.after_quiet_hours(one.addressee.hours, rested))
        if user_id not in waiting or due_at < waiting[user_id].due_at:
            waiting[user_id] = DueNotification(user_id, subject, due_at)
    return list(waiting.values())


async def notification_writes(
    tx: Transaction, kind: NotificationKind[P], subject_id: str, to: Sequence[UserId], payload: P, *, revision: int
) -> Sequence[SqlWrite] | None:
    """The SQL writes of ``notify``, which the caller executes together with others.

    Works for a few users whose notifications join an open e-mail. Returns None if more than that is needed.
    """
    writes: list[SqlWrite] = []
    sources = rules.sources_of(kind, payload, ())
    for one, open_id, leaves_at in await emails.addressees_and_mails(tx, to, kind.topic, sources, subject_id):
        channel = rules.email_channel(one) if kind.is_mailed(payload) else None
        mail_id = None
        if channel is not None:
            due_at = rules.mail_due_at(one.hours, tx.now, urgent=False, waits=rules.bundling_delay(kind, payload))
            if channel is not Channel.EMAIL or open_id is None or leaves_at is None or leaves_at > due_at:
                return None
            mail_id = open_id
        is_shown = Channel.IN_APP in one.channels
        if is_shown or mail_id is not None:
            news = queries.NotificationRow(one.user_id, subject_id, revision, payload, is_shown, mail_id)
            writes.append(queries.insert_statement(tx, kind, news))
    return writes


async def withdraw(tx: Transaction, user_id: UserId, kind: NotificationKind[Any], subject_id: str) -> bool:
    """Undo the newest notification of this kind about a subject. False if there is none or the user may have read it.

    The caller holds the lock on the subject's row. An e-mail that is left without notifications is not sent.
    """
    return user_id in await withdraw_each(tx, [user_id], kind, subject_id)


async def withdraw_each(
    tx: Transaction, user_ids: Sequence[UserId], kind: NotificationKind[Any], subject_id: str
) -> set[UserId]:
    """``withdraw`` for several users, in one statement. Return those whose notification was withdrawn."""
    return await queries.withdraw(tx, user_ids, kind, subject_id)


async def notified_among(
    reader: Reader, revisions: Mapping[UserId, int], kind: NotificationKind[Any], subject_id: str
) -> set[UserId]:
    """Which of these users have a notification of this kind about this revision of a subject, in the app or by e-mail."""
    about = [(user_id, subject_id, revision) for user_id, revision in revisions.items()]
    existing = await queries.existing_among(reader, kind, about)
    return {user_id for user_id, subject, revision in about if (user_id, subject, revision) in existing}


async def mark_read_in(tx: Transaction, user_id: UserId, subject_id: str, revision: int) -> None:
    """Mark a user's notifications about a room as read, up to this number of the room's log."""
    of_rooms = [kind.name for kind in kinds.KINDS.values() if kind.subject is SubjectType.ROOM]
    await queries.mark_read_in(tx, user_id, of_rooms, subject_id, revision)


async def reachable_among(reader: Reader, people: Sequence[UserId], kind: NotificationKind[Any]) -> list[UserId]:
    """The given users whom a notification of this kind would reach, in the app or by e-mail, in order."""
    reachable = {
        one.user_id
        for one in await preferences.addressees(reader, people, kind.topic)
        if Channel.IN_APP in one.channels or rules.email_channel(one)
    }
    return [one for one in people if one in reachable]


async def mark_all_read(tx: Transaction, user_id: UserId, *, until: Instant | None = None) -> None:
    """Mark all notifications as read, or only those created until a given time."""
    await queries.mark_read(tx, user_id, tx.now if until is None else until)


async def set_channels(
    tx: Transaction, user_id: UserId, chosen: Mapping[NotificationTopic, frozenset[Channel]]
) -> None:
    """Set the channels of these topics. Other topics do not change."""
    await preferences.put(
        tx,
        user_id,
        {(topic, channel): channel in channels for topic, channels in chosen.items() for channel in Channel},
    )


async def set_hours(tx: Transaction, user_id: UserId, hours: DeliveryHours) -> None:
    """Set quiet hours and digest hour. E-mails that are already due keep their time."""
    await preferences.put_hours(tx, user_id, hours)


async def stop_mail(tx: Transaction, user_id: UserId, topic: NotificationTopic) -> None:
    """Turn off e-mail for a topic, including digests. The app still shows it."""
    await preferences.put(tx, user_id, {(topic, Channel.EMAIL): False, (topic, Channel.DIGEST): False})


def _channel(
    kind: NotificationKind[Any], notice: Notice[Any], addressee: NotificationRecipient, now: Instant
) -> Channel | None:
    """How to e-mail the notice to a recipient. If the digest would come too late, it is sent at once."""
    channel = rules.email_channel(addressee)
    if channel is Channel.DIGEST:
        _, digest_at = rules.next_digest(addressee.hours, now)
        if rules.is_too_late_in(digest_at, kind, notice.starts_at, urgent=_is_urgent(kind, notice, now)):
            return Channel.EMAIL
    return channel


def _is_urgent(kind: NotificationKind[Any], notice: Notice[Any], now: Instant) -> bool:
    return rules.is_urgent(kind, notice.starts_at, now)
