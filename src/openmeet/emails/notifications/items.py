"""Reduction of notifications to sentences about the present: one per fact that still holds. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from groundwork.clock import Instant
from openmeet.domain.attendance.model import SEATED, Attendance, AttendanceStatus
from openmeet.domain.events import ownership, time_words
from openmeet.domain.events.model import Event
from openmeet.domain.notifications.model import TOPICS, Notification, NotificationKind, NotificationTopic
from openmeet.domain.users.model import UNNAMED, UserId
from openmeet.i18n import formatting
from openmeet.recurrence import wall_time

# Names in an e-mail to a host; the page has them all.
_MOST_NAMES = 20

_ANSWERS: Mapping[str, str] = {
    AttendanceStatus.ATTENDING: "is going",
    AttendanceStatus.ATTENDED: "is going",
    AttendanceStatus.INTERESTED: "is interested",
    AttendanceStatus.DECLINED: "is not going",
    AttendanceStatus.WAITLISTED: "is on the waitlist",
    AttendanceStatus.PENDING: "would like to go",
}


@dataclass(frozen=True, slots=True)
class Point:
    """One thing to say. ``heading`` precedes the event's title in the subject of the e-mail."""

    kind: NotificationKind
    heading: str
    sentences: tuple[str, ...]
    text: str = ""  # written by a person, with line breaks

    @property
    def topic(self) -> NotificationTopic:
        return TOPICS[self.kind]


def points(
    event: Event, news: Sequence[Notification], mine: Attendance | None, names: Mapping[UserId, str], now: Instant
) -> list[Point]:
    """What still holds of these notifications (oldest first, about this event), the most important first."""
    kinds = {one.kind for one in news}
    if event.is_over(now):
        # A clean-up after the event keeps nobody away; for later dates the notification may still hold.
        kinds -= {kind for kind in _NOT_TAKING_PLACE if not _others(news, kind, "")}
    if event.is_gone:
        others = _others(news, NotificationKind.EVENT_DELETED, "Other dates are removed, too")
        what = "The host removed this event." if event.deleted_at else "This event was removed where it was kept."
        words = (f"{what} It does not take place.", *others, *_rule(news, NotificationKind.EVENT_DELETED))
        gone = Point(NotificationKind.EVENT_DELETED, "Removed", words)
        return [gone] if NotificationKind.EVENT_DELETED in kinds else []
    if event.is_cancelled:
        said = [_cancelled(event, news)] if NotificationKind.EVENT_CANCELLED in kinds else _of_series(news, names)
        return said + _messages(news, names)
    found = [*_moderated(event, news), *_of_series(news, names)]
    if NotificationKind.RECORD_DELETED in kinds and event.record_deleted_at is not None:
        found.append(_RECORD_DELETED)
    if NotificationKind.EVENT_REINSTATED in kinds:
        others = _others(news, NotificationKind.EVENT_REINSTATED, "Other dates take place after all, too")
        found.append(Point(NotificationKind.EVENT_REINSTATED, "Back on", ("It takes place after all.", *others)))
    if not event.is_over(now):
        found += _moves(event, news)
        if NotificationKind.MOVED_UP in kinds and mine is not None and mine.status in SEATED:
            found.append(
                Point(
                    NotificationKind.MOVED_UP,
                    "You have a place",
                    ("A place became free, and it is yours: you are going.",),
                )
            )
        found += _decisions(
            event,
            kinds,
            mine,
            now,
            more=max((one.particulars.more for one in news if one.kind is NotificationKind.INVITED), default=0),
        )
        if NotificationKind.REMINDER in kinds and mine is not None and mine.status in SEATED:
            found.append(
                Point(NotificationKind.REMINDER, "Coming up", ("You said that you are going. It is almost time.",))
            )
        found += [_mention(one, names) for one in news if one.kind is NotificationKind.MENTION][-1:]
        if NotificationKind.GROUP_EVENT in kinds:
            found.append(Point(NotificationKind.GROUP_EVENT, "New event", ("A group of yours has a new event.",)))
        if NotificationKind.HOST_EVENT in kinds:
            found.append(
                Point(NotificationKind.HOST_EVENT, "New event", ("Somebody whom you follow has a new event.",))
            )
        found += [_find(one) for one in news if one.kind is NotificationKind.SEARCH_FIND][-1:]
        found += [_new_date(one, mine) for one in news if one.kind is NotificationKind.NEW_DATE][-1:]
        if NotificationKind.FOREIGN_ANSWERS in kinds:
            found.append(_FOREIGN)
    return found + _messages(news, names) + _answers(news, names)


# For a person removed from an invite-only event: its heading and sentences.
REMOVED = (
    "No place",
    (
        "The host has taken you off the list of this event. It is for invited people alone, so you do not see it any more.",
    ),
)

# Kinds that are useful only before the start.
_NOT_TAKING_PLACE = frozenset(
    {NotificationKind.EVENT_CANCELLED, NotificationKind.EVENT_REINSTATED, NotificationKind.EVENT_DELETED}
)

_RECORD_DELETED = Point(
    NotificationKind.RECORD_DELETED,
    "Deleted in another app",
    (
        "Another app deleted this event. It stays here, and guests haven’t been told.",
        "On its page the host decides: publish it again, keep it only here, or cancel it.",
    ),
)

_FOREIGN = Point(
    NotificationKind.FOREIGN_ANSWERS,
    "Answers from elsewhere",
    ("People who were never here answered by other apps. They take no place before you confirm them.",),
)


def _moderated(event: Event, news: Sequence[Notification]) -> list[Point]:
    """The last decision of a moderator, as far as it still holds."""
    decided = [one.particulars for one in news if one.kind is NotificationKind.MODERATED][-1:]
    is_hidden = bool(decided) and decided[0].answer == "hidden"
    if not decided or is_hidden is not event.is_hidden:
        return []
    if is_hidden:
        words = (
            "A moderator of this site has hidden it: nobody but you sees it.",
            "Answer to this mail if that is a mistake.",
        )
        return [Point(NotificationKind.MODERATED, "Hidden", words, decided[0].said)]
    return [
        Point(NotificationKind.MODERATED, "Shown to others", ("A moderator has decided that it is shown to others.",))
    ]


def when_words(event: Event) -> str:
    """``Saturday 4 July 2026, 18:00–20:00, Berlin time (UTC+2)``."""
    if event.starts_at is None:
        return "The date is to be announced"
    return ", ".join(filter(None, (time_words.span_words(event), time_words.zone_words(event))))


def _decisions(
    event: Event, kinds: set[NotificationKind], mine: Attendance | None, now: Instant, *, more: int
) -> list[Point]:
    """Decisions about one's own place, by the host or because others left, as far as they still hold.

    ``more``: to how many further dates of its series they are invited.
    """
    if mine is None:
        return []
    found = []
    is_waiting = mine.status is AttendanceStatus.WAITLISTED and not mine.has_offer(now)
    # Offered and withdrawn before the e-mail was sent: they never knew of that place.
    if NotificationKind.SEAT_WITHDRAWN in kinds and NotificationKind.SEAT_OFFERED not in kinds and is_waiting:
        found.append(Point(NotificationKind.SEAT_WITHDRAWN, "No place after all", _WITHDRAWN))
    if NotificationKind.SEAT_OFFERED in kinds and mine.offered_until is not None and mine.has_offer(now):
        until = wall_time.local_of(mine.offered_until, event.time_zone)
        seats = "A place is" if mine.party == 1 else f"{mine.party} places are"
        when = f"{formatting.span(until, None)}, {formatting.zone_words(until, event.time_zone)}"
        words = f"{seats} yours if you say so until {when}. After that the next in the line is asked."
        found.append(Point(NotificationKind.SEAT_OFFERED, "A place for you", (words,)))
    if NotificationKind.ANSWER_APPROVED in kinds and NotificationKind.MOVED_UP not in kinds and mine.is_seated:
        found.append(Point(NotificationKind.ANSWER_APPROVED, "You are in", ("The host said yes: you are going.",)))
    elif NotificationKind.ANSWER_APPROVED in kinds and is_waiting:
        words = "The host said yes. It is full at the moment, and you are on the waitlist."
        found.append(Point(NotificationKind.ANSWER_APPROVED, "On the waitlist", (words,)))
    if NotificationKind.ANSWER_DECLINED in kinds and mine.status is AttendanceStatus.REJECTED:
        found.append(
            Point(NotificationKind.ANSWER_DECLINED, "No place", ("The host has no place for you at this event.",))
        )
    if NotificationKind.INVITED in kinds and mine.status is AttendanceStatus.INVITED:
        found.append(
            Point(
                NotificationKind.INVITED,
                "Invitation",
                ("The host invites you. Say whether you come.", *_of_series_too(more)),
            )
        )
    return found


_WITHDRAWN = (
    "A place was held for you. The host has lowered the number of places since, and it is none any more.",
    "You are on the waitlist, where you stood before, and hear from us when a place becomes free.",
)


def _of_series_too(more: int) -> tuple[str, ...]:
    if not more:
        return ()
    dates = "one more date" if more == 1 else f"{more} more dates"
    return (f"You are invited to {dates} of this series, too, and to those that are made later.",)


def _cancelled(event: Event, news: Sequence[Notification]) -> Point:
    why = (f"The host writes: {event.status_reason}",) if event.status_reason else ()
    others = _others(news, NotificationKind.EVENT_CANCELLED, "Other dates are cancelled, too")
    return Point(NotificationKind.EVENT_CANCELLED, "Cancelled", ("It does not take place.", *others, *why))


def _others(news: Sequence[Notification], kind: NotificationKind, words: str = "") -> tuple[str, ...]:
    """When the further dates take place that the newest of these notifications are about; empty where there are none."""
    newest = next((one.particulars for one in reversed(news) if one.kind is kind), None)
    if newest is None or not newest.others:
        return ()
    return (f"{words or time_words.changed_too(newest)}: {time_words.others_words(newest)}.",)


def _rule(news: Sequence[Notification], kind: NotificationKind) -> tuple[str, ...]:
    """The recurrence of their series, as in the newest of these notifications; empty where none has it."""
    said = [time_words.rule_words(one.particulars) for one in news if one.kind is kind and one.particulars.rule]
    return tuple(said[-1:])


def _moves(event: Event, news: Sequence[Notification]) -> list[Point]:
    """From the last notified time and place to the present ones; moved there and back is no move."""
    changes = [one.particulars for one in news if one.kind is NotificationKind.EVENT_CHANGED]
    before = next((one.started for one in changes if one.started is not None), None)
    was_at = next((one.was_at for one in changes if one.was_at is not None), None)
    is_at = ", ".join(event.place.lines)
    sentences = []
    heading = "New place"
    if before is not None and event.starts_at is not None and before.at != event.starts_at:
        local = wall_time.local_of(before.at, before.time_zone)
        was = f"{formatting.span(local, None)}, {formatting.zone_words(local, before.time_zone)}"
        if before.is_day:
            was = formatting.day(local)
        sentences.append(f"Until now it was on {was}.")
        heading = "Moved"
    if was_at is not None and was_at != is_at:
        where = f"It takes place somewhere else now: {is_at}." if is_at else "It has no place to go to any more."
        sentences.append(where + (f" Until now that was {was_at}." if was_at else ""))
    elif any(one.is_near for one in changes):
        sentences.append("The exact place has changed.")
    if sentences:
        sentences.extend(_others(news, NotificationKind.EVENT_CHANGED))
        sentences.extend(_rule(news, NotificationKind.EVENT_CHANGED))
    return [Point(NotificationKind.EVENT_CHANGED, heading, tuple(sentences))] if sentences else []


def _mention(one: Notification, names: Mapping[UserId, str]) -> Point:
    name = names.get(one.particulars.person_id or UserId("")) or UNNAMED
    return Point(one.kind, "You are mentioned", (f"{name} mentions you in what the event says.",))


def _find(one: Notification) -> Point:
    return Point(
        NotificationKind.SEARCH_FIND, "You look for this", (f"It fits a search that you keep: {one.particulars.said}.",)
    )


def _new_date(one: Notification, mine: Attendance | None) -> Point:
    more = one.particulars.more
    further = f" There {'is one more new date' if more == 1 else f'are {more} more new dates'}." if more else ""
    whose = "A series to which you go" if one.particulars.answer else "A series that you follow"
    goes = " You are going." if one.particulars.answer and mine is not None and mine.is_seated else ""
    words = (f"{whose} has a new date.{goes}{further}", *_rule([one], NotificationKind.NEW_DATE))
    return Point(NotificationKind.NEW_DATE, "New date", words)


def _of_series(news: Sequence[Notification], names: Mapping[UserId, str]) -> list[Point]:
    """Changes of the event's series; paused and resumed again cancel out."""
    found = []
    status = [one for one in news if one.kind in {NotificationKind.SERIES_PAUSED, NotificationKind.SERIES_RESUMED}]
    if status and (len(status) == 1 or status[0].kind is status[-1].kind):
        last = status[-1]
        if last.kind is NotificationKind.SERIES_PAUSED:
            why = (f"The host writes: {last.particulars.said}",) if last.particulars.said else ()
            words = "The series is paused: there are no new dates for now. Dates that stand already stay."
            found.append(Point(last.kind, "Series paused", (words, *why)))
        else:
            found.append(Point(last.kind, "The series goes on", ("The series makes new dates again.",)))
    for one in [one for one in news if one.kind is NotificationKind.SERIES_OFFERED][-1:]:
        person = one.particulars.person_id
        name = (names.get(person) if person else None) or UNNAMED
        if one.particulars.answer in _TAKEN:
            what = _TAKEN[one.particulars.answer]
            found.append(Point(one.kind, "Taken over", (f"{name} has taken over {what} that you offered.",)))
            continue
        if one.particulars.answer in _DECLINED:
            what = _DECLINED[one.particulars.answer]
            words = f"{name} does not take over {what} that you offered. It stays yours."
            found.append(Point(one.kind, "Not taken over", (words,)))
            continue
        is_event = one.particulars.answer == ownership.EVENT
        words = f"{name} would like to hand this series over to you. Say yes or no on its page."
        if is_event:
            words = f"{name} would like to hand this event over to you. Say yes or no where its hosts are listed."
        found.append(Point(one.kind, "An event for you" if is_event else "A series for you", (words,)))
    return found


_TAKEN: Mapping[str, str] = {ownership.EVENT_TAKEN: "the event", ownership.SERIES_TAKEN: "the series"}
_DECLINED: Mapping[str, str] = {ownership.EVENT_DECLINED: "the event", ownership.SERIES_DECLINED: "the series"}


def _messages(news: Sequence[Notification], names: Mapping[UserId, str]) -> list[Point]:
    """Messages of hosts, each in full: a later message replaces none."""
    return [
        host_message(names.get(one.particulars.person_id or UserId("")) or UNNAMED, one.particulars.said)
        for one in news
        if one.kind is NotificationKind.HOST_MESSAGE
    ]


def host_message(name: str, text: str) -> Point:
    """A message by a host of this name."""
    return Point(NotificationKind.HOST_MESSAGE, "Message from the host", (f"{name} writes:",), text)


def _answers(news: Sequence[Notification], names: Mapping[UserId, str]) -> list[Point]:
    """Each person once, with their latest RSVP."""
    said: dict[UserId, str] = {}
    for one in news:
        about = one.particulars
        if one.kind is NotificationKind.NEW_ANSWER and about.person_id is not None:
            said.pop(about.person_id, None)
            said[about.person_id] = f"{names.get(about.person_id) or UNNAMED} {_ANSWERS.get(about.answer, 'answered')}."
    if not said:
        return []
    sentences = list(said.values())
    if len(sentences) > _MOST_NAMES:
        sentences = [*sentences[:_MOST_NAMES], f"And {len(sentences) - _MOST_NAMES} more."]
    heading = "New answer" if len(said) == 1 else f"{len(said)} new answers"
    return [Point(NotificationKind.NEW_ANSWER, heading, tuple(sentences))]
