"""Notify attendees, followers and people with standing RSVPs of changes to a series, each person once per action.

E-mails wait half an hour, and those about one date are combined (``notifications``). An action on a series therefore
results in one e-mail per person: each is notified only of their earliest date, with the times of their other dates. If
very many people are concerned, a fan-out notifies them. If the action is undone, its fan-out stops, and only people
already notified learn of the undo.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Final

import msgspec

from groundwork.clock import Instant
from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import expected_rsvps
from openmeet.domain.attendance.expected_rsvps import IncompleteDates
from openmeet.domain.attendance.notify import (
    NOTIFIED_STATUSES,
    AnsweredEvents,
    FanOutProgress,
    ParametrizedSelect,
    change_payload,
    earlier_start,
    earliest_answered,
    has_same_time,
    merge_recipients,
    people_to_notify_of_events,
)
from openmeet.domain.events.co_host_queries import co_hosts_of
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import lock_several
from openmeet.domain.notifications import event_kinds, fan_out
from openmeet.domain.notifications.event_kinds import DatesChanged
from openmeet.domain.notifications.fan_out import FanOutAudience, FanOutId, RecipientPage
from openmeet.domain.notifications.kinds import KINDS
from openmeet.domain.notifications.model import NotificationKind, RecurrenceSummary, ShownTime
from openmeet.domain.notifications.notify import Notice
from openmeet.domain.series import date_queries, follower_queries, queries
from openmeet.domain.series.model import Series, SeriesId
from openmeet.domain.users.model import UserId
from openmeet.recurrence.describe import describe
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.rule import format_rule


class DateNews(msgspec.Struct, frozen=True):
    """Content of a notification about one date. ``starts_at``: for a moved date, the earlier of both starts. ``is_at``:
    its present start.
    """

    event_id: EventId
    revision: int
    payload: DatesChanged
    starts_at: Instant | None = None
    is_at: ShownTime | None = None


class SeriesNews(msgspec.Struct, frozen=True):
    """Notifications of one kind from an action, about these dates, earliest first.

    Attendees of ``answers_to`` are notified of their earliest date and the times of their others, and so are the
    ``co_hosts`` of each date, who may not be able to see the others. ``hosts``, and with ``to_followers`` also followers,
    are notified of the first date and the others, unless this action has already notified them. With ``to_goers``,
    people with standing RSVPs are notified in any case. Followers do not learn of the dates ``for_hosts_only``.
    ``incomplete``: those of ``answers_to`` whose attendees are not all stored yet.
    """

    kind: str
    about: list[DateNews]
    answers_to: list[EventId]
    hosts: list[UserId]
    to_followers: bool
    to_goers: bool = False
    co_hosts: dict[EventId, list[UserId]] = {}
    for_hosts_only: list[EventId] = []
    incomplete: IncompleteDates = expected_rsvps.NO_INCOMPLETE_DATES


# Stored with its fan-out under the name ``only``.
class SeriesNotice(msgspec.Struct, frozen=True, rename={"reached_by": "only"}):
    """All notifications that follow from one action of a host on a series, stored with the fan-out that sends them.

    ``by``: the user who acted and is not notified. ``reached_by``: for an undo, how far the action's notifications got.
    """

    news: list[SeriesNews]
    by: UserId
    reached_by: FanOutProgress | None = None


# How many pairs of a person and an incomplete date one page of recipients considers. They take 0.3 s on a busy laptop.
MAX_EXPECTED_PAIRS = 10_000
# How many of a person's other dates are listed. For the rest, only the number is given.
NAMED = 10


async def of_changes(
    tx: Transaction,
    series: Series,
    changed: Sequence[tuple[Event | None, Event]],
    kind: NotificationKind[DatesChanged],
    *,
    notifies: bool = True,
    notifies_followers: bool = True,
) -> list[SeriesNews]:
    """Notices about changed dates (before, after) of a locked series. Dates that were cancelled before and still are do
    not count, unless nothing else changed: a list with their new times would read as if they took place.

    ``notifies``: False if the host chose not to notify attendees. As with a single event, a new time is announced anyway,
    and so is a date that is cancelled, deleted or back; hosts and co-hosts of these dates are notified in any case if
    somebody else changed them. ``notifies_followers``: False if these dates concern only people who answered them.
    """
    if not changed:
        return []
    ordered = _in_order(changed)
    announced = [after.id for before, after in ordered if notifies or _is_always_announced(before, after)]
    authors = {after.author_id for _, after in changed} | {series.owner_id}
    announced_ids = set(announced)
    return [
        SeriesNews(
            kind.name,
            [_date_news(before, after) for before, after in ordered],
            announced,
            sorted(authors),
            to_followers=notifies_followers and bool(announced),
            co_hosts=await co_hosts_of(tx, [after.id for _, after in ordered]),
            for_hosts_only=[after.id for _, after in ordered if after.id not in announced_ids],
            incomplete=await expected_rsvps.incomplete_among(
                tx, [after for _, after in ordered if after.id in announced_ids]
            ),
        )
    ]


def _in_order(changed: Sequence[tuple[Event | None, Event]]) -> list[tuple[Event | None, Event]]:
    """The dates that notices of changes are about, earliest first."""
    taking_place = [(before, after) for before, after in changed if not (_is_cancelled(before) and after.is_cancelled)]
    return sorted(taking_place or changed, key=lambda pair: (pair[1].starts_at or 0, pair[1].id))


def _date_news(before: Event | None, after: Event) -> DateNews:
    return DateNews(
        after.id, after.revision, change_payload(before, after), earlier_start(before, after), _start_of(after)
    )


def for_all_dates(
    changed: Sequence[tuple[Event | None, Event]], rule_before: Pattern, rule_after: Pattern
) -> tuple[Event, DatesChanged]:
    """What a person who answered all these dates will be notified of: the date that it is about, and the payload.

    ``changed``: the dates before and after an edit, at least one. The rules are those of the series; equal ones if the
    edit is of one date.
    """
    ordered = _in_order(changed)
    about, payload = _addressed([_date_news(before, after) for before, after in ordered[: 1 + NAMED]], len(ordered))
    event = next(after for _, after in ordered if after.id == about.event_id)
    repeats = _new_rule(rule_before, rule_after)
    return event, payload if repeats is None else msgspec.structs.replace(payload, repeats=repeats)


async def of_edit(tx: Transaction, series: Series) -> list[SeriesNews]:
    """Notice to the owner that somebody else changed the locked series, even if no stored date has changed."""
    if series.changed_by in {None, series.owner_id}:
        return []
    subject = await date_queries.any_date(tx, series.id)
    if subject is None:
        return []
    about = DateNews(subject, series.revision, DatesChanged())
    return [SeriesNews(event_kinds.EVENT_CHANGED.name, [about], [], [series.owner_id], to_followers=False)]


def of_new_dates(series: Series, made: Sequence[Event]) -> list[SeriesNews]:
    """Notice of new dates of a locked series. Followers and people with standing RSVPs get the earliest date and the
    number of others.
    """
    if not made:
        return []
    first = min(made, key=lambda event: (event.starts_at or 0, event.id))
    assert first.starts_at is not None  # noqa: S101  # dates of a series have a start
    payload = DatesChanged(starts=ShownTime(first.starts_at, first.time_zone), more=len(made) - 1)
    hosts = [] if series.changed_by in {None, series.owner_id} else [series.owner_id]
    return [
        SeriesNews(
            event_kinds.NEW_DATE.name, [DateNews(first.id, 1, payload)], [], hosts, to_followers=True, to_goers=True
        )
    ]


def with_rule(news: Sequence[SeriesNews], before: Pattern, after: Pattern) -> list[SeriesNews]:
    """Add the new rule to the notices of an action."""
    repeats = _new_rule(before, after)
    if repeats is None:
        return list(news)
    return [
        msgspec.structs.replace(
            one,
            about=[
                msgspec.structs.replace(about, payload=msgspec.structs.replace(about.payload, repeats=repeats))
                for about in one.about
            ],
        )
        for one in news
    ]


def _new_rule(before: Pattern, after: Pattern) -> RecurrenceSummary | None:
    """The rule after an action; None if it is the same. If only its end changed, it does not count as new."""
    old, new = _endless(before), _endless(after)
    if new is None or new.rule is None or (old is not None and describe(new) == describe(old)):
        return None
    return RecurrenceSummary(format_rule(new.rule), new.start, new.is_all_day)


def _endless(pattern: Pattern) -> Pattern | None:
    """The rule alone, without its end. None for a pattern without a rule."""
    if pattern.rule is None:
        return None
    return replace(pattern, rule=replace(pattern.rule, count=None, until=None), left_out=(), added=())


async def of_status(
    tx: Transaction, series: Series, kind: NotificationKind[DatesChanged], reason: str
) -> list[SeriesNews]:
    """Notice that a locked series is paused or resumes, for followers and attendees of upcoming dates. Its subject is
    the next date.
    """
    coming = await date_queries.ids_of_coming(tx, series.id)
    over = [] if coming else await date_queries.stored_before(tx, series.id, tx.now, 1)
    subjects = coming or [one.id for one in over]
    if not subjects:
        return []
    about = DateNews(subjects[0], series.revision, DatesChanged(reason=reason))
    return [SeriesNews(kind.name, [about], coming, [series.owner_id], to_followers=True)]


async def notify_people(
    tx: Transaction, series: Series, news: Sequence[SeriesNews], *, reached_by: FanOutProgress | None = None
) -> FanOutId | None:
    """Notify everybody affected by an action on a locked series and its dates. Returns the remaining fan-out, if any."""
    addressed = [one for one in news if one.answers_to or one.hosts or one.co_hosts or one.to_followers]
    if not addressed:
        return None
    # A change without a user was made by the owner in another app (``network.ingestion.local_series``).
    notice = SeriesNotice(addressed, series.changed_by or series.owner_id, reached_by)
    return await fan_out.start(tx, CONCERNED_BY_SERIES, series, notice)


async def _lock(tx: Transaction, series_id: str) -> Series | None:
    return await queries.lock(tx, SeriesId(series_id))


async def _lock_dates(tx: Transaction, event_ids: Sequence[str]) -> None:
    await lock_several(tx, [EventId(one) for one in event_ids])


async def _page(tx: Transaction, series: Series, notice: SeriesNotice, resume_after: str, limit: int) -> RecipientPage:
    after, reached_by = UserId(resume_after), notice.reached_by
    incomplete_dates = sum(len(one.incomplete.dates) for one in notice.news)
    if incomplete_dates:
        limit = max(1, min(limit, MAX_EXPECTED_PAIRS // incomplete_dates))
    answered_to = list(dict.fromkeys(event_id for one in notice.news for event_id in one.answers_to))
    answering = await people_to_notify_of_events(
        tx, answered_to, NOTIFIED_STATUSES, after=after, limit=limit + 1, reached_by=reached_by
    )
    until = None if reached_by is None else reached_by.until
    expected = [
        await expected_rsvps.people(tx, series.id, one.incomplete, after=after, until=until, limit=limit + 1)
        for one in notice.news
    ]
    followers: list[UserId] = []
    if any(one.to_followers for one in notice.news):
        followers = await follower_queries.followers_to_notify(
            tx, series, after=after, limit=limit + 1, reached_by=reached_by
        )
    goers: list[UserId] = []
    if any(one.to_goers for one in notice.news):
        goers = await follower_queries.goers_to_notify(tx, series, after=after, limit=limit + 1, reached_by=reached_by)
    hosts = {user_id for one in notice.news for user_id in chain(one.hosts, *one.co_hosts.values()) if user_id > after}
    hosts.discard(notice.by)
    if reached_by is not None:
        hosts = {user_id for user_id in hosts if user_id <= reached_by.until}
    people, is_all = merge_recipients([answering, *expected, followers, goers, sorted(hosts)], limit)
    others = [one for one in people if one != notice.by]
    notices = await _written(tx, series, notice, others, frozenset(followers), frozenset(goers))
    return RecipientPage(notices, None if is_all else people[-1])


CONCERNED_BY_SERIES: Final = FanOutAudience("series", SeriesNotice, _lock, _page, _lock_dates)


async def _written(
    tx: Transaction,
    series: Series,
    notice: SeriesNotice,
    people: Sequence[UserId],
    followers: frozenset[UserId],
    goers: frozenset[UserId],
) -> list[tuple[NotificationKind[DatesChanged], list[Notice[DatesChanged]]]]:
    """Notifications for these people, by kind. All notifications of a person go into the e-mail about their first one."""
    if not people:
        return []
    notices_by_kind: list[tuple[NotificationKind[DatesChanged], list[Notice[DatesChanged]]]] = []
    mail_about: dict[UserId, str] = {}
    for news in notice.news:
        by_event_id = {one.event_id: one for one in news.about}
        hosted = _dates_by_co_host(news)
        answered = await _earliest_answered(tx, series, news, people, at_most=1 + NAMED)
        # A co-host may have answered some of their dates only. There are few co-hosts, so all answers of each are read.
        both = [user_id for user_id in people if user_id in answered and user_id in hosted]
        all_answered = await _earliest_answered(tx, series, news, both, at_most=len(news.answers_to))
        for user_id in both:
            hosted[user_id] |= set(all_answered[user_id].earliest)
        to: dict[tuple[DateNews, DatesChanged, str], list[UserId]] = {}
        for user_id in people:
            if user_id in answered and user_id not in hosted:
                theirs = [by_event_id[one] for one in answered[user_id].earliest if one in by_event_id] or news.about[
                    :1
                ]
                total = answered[user_id].total
            elif news.to_goers and user_id in goers:
                theirs, total = news.about[:1], 1
            elif (
                user_id not in answered
                and user_id not in mail_about
                and (user_id in news.hosts or (news.to_followers and user_id in followers))
            ):
                known = _dates_known_to(news, user_id, hosted.get(user_id, set()))
                theirs, total = known[: 1 + NAMED], len(known)
            elif user_id in hosted:
                own = [one for one in news.about if one.event_id in hosted[user_id]]
                theirs, total = own[: 1 + NAMED], len(own)
            else:
                continue
            # A notification about the series as a whole is attached to one date and lists no others.
            about, addressed = _addressed(theirs, total if len(news.about) > 1 else 1)
            if news.to_goers and user_id in goers:
                addressed = msgspec.structs.replace(addressed, is_going=True)
            mail = mail_about.setdefault(user_id, about.event_id)
            to.setdefault((about, addressed, "" if mail == about.event_id else mail), []).append(user_id)
        notices = [
            Notice(some, about.event_id, about.revision, addressed, about.starts_at, mail)
            for (about, addressed, mail), some in to.items()
        ]
        notices_by_kind.append((KINDS[news.kind], notices))
    return notices_by_kind


async def _earliest_answered(
    tx: Transaction, series: Series, news: SeriesNews, people: Sequence[UserId], *, at_most: int
) -> dict[UserId, AnsweredEvents]:
    """The earliest dates that each person has answered, or will have answered once a job has added their RSVPs."""
    also_counted_sql: ParametrizedSelect = (
        expected_rsvps.dates_sql(series.id, news.incomplete, people) if news.incomplete.dates else ("", {})
    )
    return await earliest_answered(
        tx, news.answers_to, NOTIFIED_STATUSES, people, at_most=at_most, also_counted_sql=also_counted_sql
    )


def _dates_by_co_host(news: SeriesNews) -> dict[UserId, set[EventId]]:
    """The dates that each co-host hosts, of those that the notifications are about."""
    hosted: dict[UserId, set[EventId]] = {}
    for event_id, co_hosts in news.co_hosts.items():
        for user_id in co_hosts:
            hosted.setdefault(user_id, set()).add(event_id)
    return hosted


def _dates_known_to(news: SeriesNews, user_id: UserId, hosted: set[EventId]) -> list[DateNews]:
    """The dates that a host or follower is notified of."""
    if not news.for_hosts_only or user_id in news.hosts:
        return news.about
    hidden = set(news.for_hosts_only) - hosted
    return [one for one in news.about if one.event_id not in hidden]


def _addressed(dates: Sequence[DateNews], total: int) -> tuple[DateNews, DatesChanged]:
    """A person's notification: their first date, and its payload with the others that the action affects."""
    # Put moved dates first. A date whose text alone changed, because it had its own time, must not represent them.
    theirs = sorted(dates, key=lambda one: not one.payload.is_move)
    first = theirs[0].payload
    if total <= 1:
        return theirs[0], first
    others = [one for one in theirs[1:] if one.is_at is not None]
    return theirs[0], msgspec.structs.replace(
        first,
        more=total - 1,
        others=tuple(one.is_at for one in others if one.is_at is not None),
        others_moved=all(one.payload.starts is not None for one in others),
    )


def _is_always_announced(before: Event | None, after: Event) -> bool:
    """Whether people must learn of a change even if the host chose not to notify them: otherwise they come in vain, or
    miss the date.
    """
    return before is not None and (
        before.is_gone is not after.is_gone
        or before.is_cancelled is not after.is_cancelled
        or not has_same_time(before, after)
    )


def _is_cancelled(event: Event | None) -> bool:
    return event is not None and event.is_cancelled


def _start_of(event: Event) -> ShownTime | None:
    return None if event.starts_at is None else ShownTime(event.starts_at, event.time_zone, event.is_all_day)
