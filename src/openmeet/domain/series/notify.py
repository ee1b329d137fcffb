"""Notify attendees and followers of changes to a series: each person once per action.

E-mails wait half an hour and those about one date are combined (``notifications``). An action on a series is therefore
one e-mail per person: each is notified of their earliest date only, with the times of their others.

An action notifies the first few people in its own transaction. More would keep it open too long (over two seconds), so
a job notifies the rest in batches, in order of user ids. Progress is stored with the notifications: a handler that dies
notifies nobody twice (invariant 10). The next action's fan-out waits for the previous one. An undone action's fan-out
stops, and only people already notified learn of the undo.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NewType

import msgspec

from groundwork.clock import Instant
from groundwork.database.one_hop import in_one_hop
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.outbox.dispatcher import JobHandler
from groundwork.outbox.jobs import Job, enqueue
from groundwork.uuid7 import new_id
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.attendance.notify import (
    CONCERNED,
    Heard,
    earlier_start,
    earliest_answered,
    particulars_of,
    people_answering,
)
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import lock_several
from openmeet.domain.notifications.model import NotificationDetails, NotificationKind, When
from openmeet.domain.notifications.notify import Notice, tell_each
from openmeet.domain.series import date_queries, follower_queries, queries
from openmeet.domain.series.model import Series, SeriesId
from openmeet.domain.users.model import UserId
from openmeet.outbox.kinds import JobKind
from openmeet.recurrence.describe import describe
from openmeet.recurrence.pattern import Pattern

TellingId = NewType("TellingId", str)


class About(msgspec.Struct, frozen=True):
    """Content of a notification about one date. ``starts_at``: earlier start of a moved one; ``is_at``: its start now."""

    event_id: EventId
    revision: int
    particulars: NotificationDetails
    starts_at: Instant | None = None
    is_at: When | None = None


class SeriesNews(msgspec.Struct, frozen=True):
    """One kind of notification of an action, for these dates, earliest first.

    Attendees of ``answers_to`` are notified of their earliest date and the times of their others. ``hosts``, and
    followers where ``to_followers``, are notified of the first date and the others unless this action has notified them
    already; people with standing RSVPs where ``to_goers``, in any case.
    """

    kind: NotificationKind
    about: list[About]
    answers_to: list[EventId]
    hosts: list[UserId]
    to_followers: bool
    to_goers: bool = False


class SeriesNotice(msgspec.Struct, frozen=True):
    """All notifications of one action. ``by``: who did it, and is not notified. ``only``: an undo concerns only people
    notified of the action.
    """

    news: list[SeriesNews]
    by: UserId
    only: Heard | None = None


class PendingNotice(msgspec.Struct, frozen=True):
    """The rest of a fan-out: everybody after ``told_until``."""

    id: TellingId
    telling: SeriesNotice
    told_until: UserId


async def insert(tx: Transaction, series_id: SeriesId, telling: SeriesNotice, told_until: UserId) -> TellingId:
    """Store the rest of a fan-out of a locked series."""
    telling_id = TellingId(new_id(tx.now))
    await tx.execute(
        """
        insert into event_series_tellings (id, series_id, telling, told_until, created_at)
        values (:id, :series_id, :telling, :told_until, :now)
        """,
        id=telling_id,
        series_id=series_id,
        telling=msgspec.json.encode(telling).decode(),
        told_until=told_until,
        now=tx.now,
    )
    return telling_id


async def series_of(reader: Reader, telling_id: TellingId) -> SeriesId | None:
    """The series of a fan-out; None when it is complete."""
    row = await reader.fetch_one("select series_id from event_series_tellings where id = :id", id=telling_id)
    return None if row is None else SeriesId(row["series_id"])


async def oldest(reader: Reader, series_id: SeriesId) -> PendingNotice | None:
    """The oldest fan-out of a series: actions are announced in order."""
    row = await reader.fetch_one(
        "select id, telling, told_until from event_series_tellings where series_id = :series_id"
        " order by created_at, id limit 1",
        series_id=series_id,
    )
    if row is None:
        return None
    return PendingNotice(
        TellingId(row["id"]), msgspec.json.decode(row["telling"], type=SeriesNotice), UserId(row["told_until"])
    )


async def is_any_owed(reader: Reader, series_id: SeriesId) -> bool:
    row = await reader.fetch_one(
        "select 1 as found from event_series_tellings where series_id = :series_id limit 1", series_id=series_id
    )
    return row is not None


async def note(tx: Transaction, telling_id: TellingId, told_until: UserId) -> None:
    await tx.execute(
        "update event_series_tellings set told_until = :told_until where id = :id",
        told_until=told_until,
        id=telling_id,
    )


async def drop(tx: Transaction, telling_id: TellingId) -> UserId | None:
    """Stop a fan-out; returns the last person notified, None if it was complete."""
    row = await tx.fetch_one("delete from event_series_tellings where id = :id returning told_until", id=telling_id)
    return None if row is None else UserId(row["told_until"])


def next_people(crowds: Sequence[Sequence[UserId]], limit: int) -> tuple[list[UserId], bool]:
    """Merge the first entries of several ordered lists of recipients; and whether that is everybody. Pure."""
    everybody = sorted({user_id for crowd in crowds for user_id in crowd})
    return everybody[:limit], len(everybody) <= limit


# How many people an action notifies itself, and how many a handler per transaction: 15 and 100 ms on a laptop.
AT_ONCE = 100
PIECE = 1000

# How many of somebody's other dates are listed; of the rest the number is given.
NAMED = 10

_NOBODY = UserId("")


def of_changes(
    series: Series, changed: Sequence[tuple[Event | None, Event]], kind: NotificationKind, *, tells: bool = True
) -> list[SeriesNews]:
    """Notices for changed dates (before and after) of a locked series. ``tells`` False: the host chose not to notify.

    Co-hosts of these dates are notified in any case.
    """
    if not changed:
        return []
    ordered = sorted(changed, key=lambda pair: (pair[1].starts_at or 0, pair[1].id))
    authors = {after.author_id for _, after in changed} | {series.owner_id}
    return [
        SeriesNews(
            kind,
            [
                About(
                    after.id, after.revision, particulars_of(before, after), earlier_start(before, after), _now(after)
                )
                for before, after in ordered
            ],
            [after.id for _, after in ordered] if tells else [],
            [] if series.changed_by is None else sorted(authors),
            to_followers=tells,
        )
    ]


async def of_edit(tx: Transaction, series: Series) -> list[SeriesNews]:
    """Notice to the owner that somebody else changed the locked series, even if no stored date differs."""
    if series.changed_by in {None, series.owner_id}:
        return []
    subject = await date_queries.any_date(tx, series.id)
    if subject is None:
        return []
    about = About(subject, series.revision, NotificationDetails())
    return [SeriesNews(NotificationKind.EVENT_CHANGED, [about], [], [series.owner_id], to_followers=False)]


def of_new_dates(series: Series, made: Sequence[Event]) -> list[SeriesNews]:
    """Notices for new dates of a locked series: followers and people with standing RSVPs get the earliest and the
    number of others.
    """
    if not made:
        return []
    first = min(made, key=lambda event: (event.starts_at or 0, event.id))
    assert first.starts_at is not None  # noqa: S101  # a rule gave it one
    particulars = NotificationDetails(starts=When(first.starts_at, first.time_zone), more=len(made) - 1)
    hosts = [] if series.changed_by in {None, series.owner_id} else [series.owner_id]
    return [
        SeriesNews(
            NotificationKind.NEW_DATE, [About(first.id, 1, particulars)], [], hosts, to_followers=True, to_goers=True
        )
    ]


def with_rule(news: Sequence[SeriesNews], before: Pattern, after: Pattern) -> list[SeriesNews]:
    """Add the new rule in words to the notices of an action. A new end alone does not count as another rule."""
    words = _in_words(after)
    if not words or words == _in_words(before):
        return list(news)
    return [
        msgspec.structs.replace(
            one,
            about=[
                msgspec.structs.replace(about, particulars=replace(about.particulars, rule=words))
                for about in one.about
            ],
        )
        for one in news
    ]


def _in_words(pattern: Pattern) -> str:
    """The rule in words; empty for dates chosen one by one."""
    if pattern.rule is None:
        return ""
    endless = replace(pattern.rule, count=None, until=None)
    return describe(replace(pattern, rule=endless, left_out=(), added=()))


async def of_status(tx: Transaction, series: Series, kind: NotificationKind, reason: str) -> list[SeriesNews]:
    """Notice that a locked series is paused or resumes, to followers and attendees of upcoming dates, by its next date."""
    coming = await date_queries.ids_of_coming(tx, series.id)
    over = [] if coming else await date_queries.stored_before(tx, series.id, tx.now, 1)
    subjects = coming or [one.id for one in over]
    if not subjects:
        return []
    about = About(subjects[0], series.revision, NotificationDetails(said=reason))
    return [SeriesNews(kind, [about], coming, [series.owner_id], to_followers=True)]


async def tell(
    tx: Transaction, series: Series, news: Sequence[SeriesNews], *, only: Heard | None = None
) -> TellingId | None:
    """Notify everybody affected by an action on a locked series, the first at once. Returns the id of the remaining
    fan-out, or None.
    """
    said = [one for one in news if one.answers_to or one.hosts or one.to_followers]
    if not said:
        return None
    telling = SeriesNotice(said, series.changed_by or series.owner_id, only)
    told_until: UserId | None = _NOBODY
    if not await is_any_owed(tx, series.id):
        told_until = await _tell_some(tx, series, telling, _NOBODY, AT_ONCE)
    if told_until is None:
        return None
    left = await insert(tx, series.id, telling, told_until)
    await enqueue(tx, JobKind.SERIES_NEWS, left)
    return left


def fan_out_handler(db: Database) -> JobHandler:
    """Handler of ``JobKind.SERIES_NEWS``; the subject is the rest of a fan-out."""

    async def pay(job: Job) -> None:
        while await in_one_hop(db, lambda tx: _tell_on(tx, TellingId(job.subject))):
            pass

    return pay


async def _tell_on(tx: Transaction, telling_id: TellingId) -> bool:
    """Notify the next batch for the oldest action on the series; True while recipients are left."""
    series_id = await series_of(tx, telling_id)
    series = None if series_id is None else await queries.lock(tx, series_id)
    owed = None if series is None else await oldest(tx, series.id)
    if series is None or owed is None:
        return False
    told_until = await _tell_some(tx, series, owed.telling, owed.told_until, PIECE, locks=True)
    if told_until is not None:
        await note(tx, owed.id, told_until)
        return True
    await drop(tx, owed.id)
    return owed.id != telling_id


async def _tell_some(
    tx: Transaction, series: Series, telling: SeriesNotice, after: UserId, limit: int, *, locks: bool = False
) -> UserId | None:
    """Notify one batch of people after ``after``; returns the last one, None when everyone is notified.

    ``locks``: the dates are not locked yet.
    """
    only = telling.only
    answered_to = list(dict.fromkeys(event_id for one in telling.news for event_id in one.answers_to))
    answering = await people_answering(tx, answered_to, CONCERNED, after=after, limit=limit + 1, only=only)
    followers: list[UserId] = []
    if any(one.to_followers for one in telling.news):
        followers = await follower_queries.to_tell(tx, series, after=after, limit=limit + 1, only=only)
    goers: list[UserId] = []
    if any(one.to_goers for one in telling.news):
        goers = await follower_queries.goers_to_tell(tx, series, after=after, limit=limit + 1, only=only)
    hosts = {user_id for one in telling.news for user_id in one.hosts if user_id > after} - {telling.by}
    if only is not None:
        hosts = {user_id for user_id in hosts if user_id <= only.until}
    people, is_all = next_people([answering, followers, goers, sorted(hosts)], limit)
    others = [one for one in people if one != telling.by]
    tellings_of_kind = await _written(tx, telling, others, frozenset(followers), frozenset(goers))
    if locks:
        subjects = {EventId(one.subject_id) for _, told in tellings_of_kind for one in told}
        await lock_several(tx, sorted(subjects))
    for kind, told in tellings_of_kind:
        await tell_each(tx, kind, told)
    return None if is_all else people[-1]


async def _written(
    tx: Transaction,
    telling: SeriesNotice,
    people: Sequence[UserId],
    followers: frozenset[UserId],
    goers: frozenset[UserId],
) -> list[tuple[NotificationKind, list[Notice]]]:
    """Notifications of these people, by kind. Everything for one person goes into the e-mail about their first."""
    if not people:
        return []
    found: list[tuple[NotificationKind, list[Notice]]] = []
    mail_about: dict[UserId, str] = {}
    for news in telling.news:
        known = {one.event_id: one for one in news.about}
        answered = await earliest_answered(tx, news.answers_to, CONCERNED, people, at_most=1 + NAMED)
        to: dict[tuple[About, NotificationDetails, str], list[UserId]] = {}
        for user_id in people:
            if user_id in answered:
                theirs = [known[one] for one in answered[user_id].earliest if one in known] or news.about[:1]
                total = answered[user_id].total
            elif news.to_goers and user_id in goers:
                theirs, total = news.about[:1], 1
            elif user_id not in mail_about and (user_id in news.hosts or (news.to_followers and user_id in followers)):
                theirs, total = news.about[: 1 + NAMED], len(news.about)
            else:
                continue
            # A date with only its text changed, because it had a time of its own, must not represent those that moved.
            theirs = sorted(theirs, key=lambda one: not one.particulars.is_move)
            about = theirs[0]
            # A notification about the series as a whole, represented by one date, lists no other dates.
            said = _with_others(theirs, total if len(news.about) > 1 else 1)
            if news.to_goers and user_id in goers:
                said = replace(said, answer=AttendanceStatus.ATTENDING.value)
            mail = mail_about.setdefault(user_id, about.event_id)
            to.setdefault((about, said, "" if mail == about.event_id else mail), []).append(user_id)
        told = [
            Notice(some, about.event_id, about.revision, said, about.starts_at, mail)
            for (about, said, mail), some in to.items()
        ]
        found.append((news.kind, told))
    return found


def _with_others(theirs: Sequence[About], total: int) -> NotificationDetails:
    """One person's notification: their first date, and the others that the same action affects."""
    first = theirs[0].particulars
    if total <= 1:
        return first
    others = [one for one in theirs[1:] if one.is_at is not None]
    return replace(
        first,
        more=total - 1,
        others=tuple(one.is_at for one in others if one.is_at is not None),
        others_moved=all(one.particulars.starts is not None for one in others),
    )


def _now(event: Event) -> When | None:
    return None if event.starts_at is None else When(event.starts_at, event.time_zone, event.is_all_day)
