"""Who hears of what happens to a series: those who answered its dates, and those who follow it; each once, however much it is.

Mails about news wait half an hour and those about one date become one (``notifications``): one act on a series is one mail per
person, because each of them is told of one date only, their earliest, with the times of their others; whatever else they hear of it
goes into the same mail.

An act tells the first few people in its own transaction. A crowd would keep that open for longer than it may be (two seconds), so
telling the others is a debt of that transaction, paid piece by piece in transactions of their own, in order of people's ids. What was
told is noted with the news themselves: a payer that dies tells nobody twice (invariant 10). The next act on the series waits with
its news until those of the one before are told; an act that is taken back is told to nobody else, and its undo only to who had heard.
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
    """What news say of one date. ``starts_at``: of a moved one, the earlier start; ``is_at``: when it is now."""

    event_id: EventId
    revision: int
    particulars: NotificationDetails
    starts_at: Instant | None = None
    is_at: When | None = None


class SeriesNews(msgspec.Struct, frozen=True):
    """One kind of news of an act: of these dates, the earliest first.

    Who answered one of ``answers_to`` hears of it, of their earliest, and when their others are; ``hosts``, and followers where
    ``to_followers``, hear of the first date and of the others unless they have heard of this act already; who goes to all dates, where
    ``to_goers``, hears of them anyway.
    """

    kind: NotificationKind
    about: list[About]
    answers_to: list[EventId]
    hosts: list[UserId]
    to_followers: bool
    to_goers: bool = False


class SeriesNotice(msgspec.Struct, frozen=True):
    """All news of one act. ``by``: who did it, and knows. ``only``: who did not hear of what is taken back need not hear of that."""

    news: list[SeriesNews]
    by: UserId
    only: Heard | None = None


class PendingNotice(msgspec.Struct, frozen=True):
    """What is left of a telling: everybody behind ``told_until``."""

    id: TellingId
    telling: SeriesNotice
    told_until: UserId


async def insert(tx: Transaction, series_id: SeriesId, telling: SeriesNotice, told_until: UserId) -> TellingId:
    """Of a locked series."""
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
    """None: everybody was told."""
    row = await reader.fetch_one("select series_id from event_series_tellings where id = :id", id=telling_id)
    return None if row is None else SeriesId(row["series_id"])


async def oldest(reader: Reader, series_id: SeriesId) -> PendingNotice | None:
    """What is told next: nobody hears of a later act before an earlier one."""
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
    """No more is told of it: until whom it was. None: to everybody, it was done."""
    row = await tx.fetch_one("delete from event_series_tellings where id = :id returning told_until", id=telling_id)
    return None if row is None else UserId(row["told_until"])


def next_people(crowds: Sequence[Sequence[UserId]], limit: int) -> tuple[list[UserId], bool]:
    """The first of several ordered crowds as one, and whether that is everybody there is. Pure."""
    everybody = sorted({user_id for crowd in crowds for user_id in crowd})
    return everybody[:limit], len(everybody) <= limit


# How many people an act tells by itself, and how many a payer in one transaction: 15 and 100 ms on a laptop.
AT_ONCE = 100
PIECE = 1000

# How many of somebody's other dates are named; of the rest their number is said.
NAMED = 10

_NOBODY = UserId("")


def of_changes(
    series: Series, changed: Sequence[tuple[Event | None, Event]], kind: NotificationKind, *, tells: bool = True
) -> list[SeriesNews]:
    """These dates (before and after) of a locked series were changed. ``tells`` False: the host chose to stay silent.

    The other hosts, whose dates they are, hear of it all the same.
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
    """Somebody else has changed a locked series: its owner hears of it, whether or not a stored date is different."""
    if series.changed_by in {None, series.owner_id}:
        return []
    subject = await date_queries.any_date(tx, series.id)
    if subject is None:
        return []
    about = About(subject, series.revision, NotificationDetails())
    return [SeriesNews(NotificationKind.EVENT_CHANGED, [about], [], [series.owner_id], to_followers=False)]


def of_new_dates(series: Series, made: Sequence[Event]) -> list[SeriesNews]:
    """A locked series has got dates: followers, and who goes to all, hear of the earliest and of how many more there are."""
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
    """The same news of an act that gave the series another rule: they say it in words. When it ends is no other rule."""
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
    """Empty where there is no rule, but dates that were chosen one by one."""
    if pattern.rule is None:
        return ""
    endless = replace(pattern.rule, count=None, until=None)
    return describe(replace(pattern, rule=endless, left_out=(), added=()))


async def of_status(tx: Transaction, series: Series, kind: NotificationKind, reason: str) -> list[SeriesNews]:
    """A locked series is paused, or goes on: followers and those who answered a coming date hear of it, by its next date."""
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
    """Tell everybody concerned by an act on a locked series, the first at once. What is left of that, None where nothing is."""
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
    """The payer of ``Debt.SERIES_NEWS``; the subject is what is left of a telling."""

    async def pay(job: Job) -> None:
        while await in_one_hop(db, lambda tx: _tell_on(tx, TellingId(job.subject))):
            pass

    return pay


async def _tell_on(tx: Transaction, telling_id: TellingId) -> bool:
    """Tell the next people of the oldest act on the series; whether this one is not told to everybody yet."""
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
    """Tell the next so many people behind ``after``; the last of them, None where that was everybody.

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
    """What these people are told, by kind. All that one of them hears goes into the mail about what they hear first."""
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
            # One that only reads otherwise now, because it had a time of its own, does not stand for those that were moved.
            theirs = sorted(theirs, key=lambda one: not one.particulars.is_move)
            about = theirs[0]
            # What is said of a series as a whole, by one of its dates, is about no others.
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
    """What one person is told of their first date, and of the others that the same act is about."""
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
