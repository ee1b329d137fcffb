"""Notification e-mails: read the present, leave out what no longer holds, render text, HTML and calendar file."""

from dataclasses import dataclass
from urllib.parse import quote

from groundwork.clock import Instant
from groundwork.database.transaction import Database, Transaction
from groundwork.mail.contract import CalendarFile
from openmeet.domain.attendance import notify
from openmeet.domain.attendance import queries as attendance
from openmeet.domain.attendance.model import SEATED, Attendance, AttendanceStatus
from openmeet.domain.attendance.notify import IN_CALENDAR
from openmeet.domain.attendance.visibility import seen_by
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.seeing import private_details_for
from openmeet.domain.groups.model import GroupId
from openmeet.domain.icalendar.of_event import geo_of
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.notifications import emails, links, preferences
from openmeet.domain.notifications.links import EmailLink, LinkPurpose
from openmeet.domain.notifications.model import (
    OF_GROUPS,
    TOPICS,
    Channel,
    Notification,
    NotificationKind,
    NotificationTopic,
)
from openmeet.domain.saved_searches import queries as alerts
from openmeet.domain.search.event_lists import events_by_ids
from openmeet.domain.users import guests
from openmeet.domain.users import queries as users
from openmeet.domain.users.model import User, UserId
from openmeet.emails import calendar_file, series_confirmation
from openmeet.emails.calendar_file import end_of, file_of, file_of_dates
from openmeet.emails.notifications import group_content
from openmeet.emails.notifications.items import REMOVED, Point, points, when_words
from openmeet.emails.render import TEMPLATES, Letterhead
from openmeet.emails.unsubscribe import DIGEST, TOPIC_WORDS, search_subject
from openmeet.i18n import formatting
from openmeet.outbox import emails as outbox_emails
from openmeet.outbox.emails import Composer, Due, OutgoingEmail
from openmeet.recurrence import wall_time

# Events in one digest; the page has them all.
_MOST_EVENTS = 50

# Notifications that change a calendar, or are a reason to add the event.
_FOR_CALENDARS = frozenset(NotificationKind) - {
    NotificationKind.NEW_ANSWER,
    NotificationKind.NEW_DATE,
    NotificationKind.FOREIGN_ANSWERS,
    NotificationKind.ANSWER_DECLINED,
    NotificationKind.SERIES_PAUSED,
    NotificationKind.SERIES_RESUMED,
    NotificationKind.SERIES_OFFERED,
    NotificationKind.HOST_MESSAGE,
    NotificationKind.GROUP_EVENT,
    NotificationKind.MENTION,
    NotificationKind.RECORD_DELETED,
    NotificationKind.MODERATED,
    NotificationKind.SEARCH_FIND,
    NotificationKind.HOST_EVENT,
    *OF_GROUPS,
}


@dataclass(frozen=True, slots=True)
class Story:
    """One event or one group in an e-mail. ``url`` is empty without a page, ``answer_url`` without a possible RSVP.

    ``is_shut_out``: the host has removed them, and they may no longer see the event.
    """

    event: Event | None
    title: str
    points: list[Point]
    when: str
    place: tuple[str, ...]
    point: tuple[float, float] | None
    door_note: str
    url: str
    join_url: str
    answer_url: str
    answer_words: str = "Change your answer"
    is_shut_out: bool = False


def news_composer(head: Letterhead) -> Composer:
    """Composer of ``NEWS_MAIL``: one event, or one change of a series, for one person."""

    async def compose(db: Database, due: Due) -> OutgoingEmail | None:
        async with db.transaction() as tx:
            news = await emails.close(tx, due.subject_id)
            return await _letter(tx, head, due, news)

    return compose


def digest_composer(head: Letterhead) -> Composer:
    """Composer of ``DIGEST_MAIL``: what happened in a day."""

    async def compose(db: Database, due: Due) -> OutgoingEmail | None:
        async with db.transaction() as tx:
            news = await emails.close_digest(tx, UserId(due.person), due.subject_id, due.revision)
            return await _letter(tx, head, due, news, is_digest=True)

    return compose


async def _letter(
    tx: Transaction, head: Letterhead, due: Due, news: list[Notification], *, is_digest: bool = False
) -> OutgoingEmail | None:
    user_id = UserId(due.person)
    user = await users.by_id(tx, user_id)
    guest = await guests.find(tx, user_id)
    address = guest.email if guest else user.email if user else None
    if user is None or address is None:
        return None
    # Switched off since: not sent, whatever is waiting.
    chosen = await preferences.of_person(tx, user_id)
    wanted = [one for one in news if chosen[TOPICS[one.kind]] & {Channel.EMAIL, Channel.DIGEST}]
    never = "" if guest is None else outbox_emails.url_of(head.key, head.public_url, address)
    if never and await outbox_emails.is_left_alone(tx, outbox_emails.hash_of(address)):
        wanted = [one for one in wanted if one.kind is not NotificationKind.INVITED]
    searches = await alerts.those_on(
        tx, user_id, {one.particulars.search_id for one in wanted if one.particulars.search_id}
    )
    wanted = [one for one in wanted if one.particulars.search_id is None or one.particulars.search_id in searches]
    stories = await _stories(tx, head, user, wanted, with_answer=not is_digest)
    stories += await _stories_of_groups(tx, head, user, wanted)
    if not stories:
        return None
    first = stories[0]
    topics = list(dict.fromkeys(point.topic for story in stories for point in story.points))
    stops = [(f"Stop mail about {TOPIC_WORDS[topic]}", await _stop_url(tx, head, user_id, topic)) for topic in topics]
    if never and any(point.kind is NotificationKind.INVITED for story in stories for point in story.points):
        # A recipient without an account: the link unsubscribes from every kind of e-mail that they get.
        stops.insert(0, ("Never get letters from this site that others send you", never))
    if is_digest:
        stops = [("Stop the digest", await _stop_url(tx, head, user_id, DIGEST))]
        subject = f"Your news from {head.site_name}"
    else:
        subject = subject_of(first)
    for one in searches.values():
        name = one_line(one.name)
        stops.append((f"Stop looking for “{name}”", await _stop_url(tx, head, user_id, search_subject(one.id))))
    context = {
        "subject": subject,
        "stories": stories[:_MOST_EVENTS],
        "left_out": max(0, len(stories) - _MOST_EVENTS),
        "stops": stops,
        "site_name": head.site_name,
        "site_url": head.public_url,
        "name": one_line(user.display_name),
        "has_account": guest is None,
    }
    # New dates go into the calendar of a person with a standing RSVP.
    goes_to_all = any(one.kind is NotificationKind.NEW_DATE and one.particulars.answer for one in wanted)
    about = [first.event.id] if first.event else []
    mine = next(iter((await attendance.of_user(tx, user_id, about)).values()), None)
    return OutgoingEmail(
        address,
        subject,
        TEMPLATES.get_template("news.txt").render(context),
        html=TEMPLATES.get_template("news.html").render(context),
        unsubscribe_url=stops[0][1],
        calendar=None if is_digest else await _calendar(tx, head, first, mine, due, goes_to_all=goes_to_all),
    )


def subject_of(story: Story) -> str:
    """The subject of an e-mail whose first story this is."""
    return f"{story.points[0].heading}: {story.title}{_which_date(story)}"


def _which_date(story: Story) -> str:
    """`` (Tue 6 January)`` after the title of a date of a series, because all dates have the same title."""
    event = story.event
    if event is None or event.starts_at is None or event.place_in_series is None:
        return ""
    return f" ({formatting.short_day(wall_time.local_of(event.starts_at, event.time_zone))})"


async def _stories(
    tx: Transaction, head: Letterhead, user: User, news: list[Notification], *, with_answer: bool
) -> list[Story]:
    """``with_answer``: an e-mail about one event has a link to change the RSVP; a digest links to the pages only."""
    about: dict[EventId, list[Notification]] = {}
    for one in news:
        if one.kind in OF_GROUPS:
            continue
        about.setdefault(EventId(one.subject_id), []).append(one)
    events = await events_by_ids(tx, list(about))
    seen = await seen_by(tx, list(events.values()), user.id)
    mine = await attendance.of_user(tx, user.id, list(about))
    names = await shown_names(tx, [one.particulars.person_id for one in news if one.particulars.person_id])
    names = {user_id: one_line(name) for user_id, name in names.items()}
    found = []
    for event_id, its_news in about.items():
        event, answer = events.get(event_id), mine.get(event_id)
        if event is None or not event.title:
            continue
        if event_id not in seen:
            known = calendar_file.newest_removal(its_news, event, answer)
            found += [] if known is None else _story_of_removal(calendar_file.as_known(event, known), tx.now)
            continue
        said = points(event, its_news, answer, names, tx.now)
        if said:
            found.append(await _story(tx, head, user, event, answer, said, with_answer=with_answer))
    return found


async def _stories_of_groups(tx: Transaction, head: Letterhead, user: User, news: list[Notification]) -> list[Story]:
    """One per group, with the notifications that still hold."""
    facts = await group_content.facts_of(tx, news, user.id)
    found: dict[GroupId, Story] = {}
    for one in news:
        said = (
            group_content.said(one, facts) if one.kind in OF_GROUPS and group_content.still_holds(one, facts) else None
        )
        if said is None:
            continue
        name = one_line(said.group.details.name)
        # Text that a person wrote stands below the sentence, unabridged.
        behind = ":" if said.text else said.after
        point = Point(one.kind, said.heading, (one_line(f"{said.before}{name}{behind}"),), said.text)
        story = found.setdefault(
            said.group.id, Story(None, name, [], "", (), None, "", head.public_url + said.path, "", "")
        )
        story.points.append(point)
    return list(found.values())


async def _story(
    tx: Transaction,
    head: Letterhead,
    user: User,
    event: Event,
    mine: Attendance | None,
    said: list[Point],
    *,
    with_answer: bool,
) -> Story:
    takes_place = not (event.is_gone or event.is_cancelled or event.is_over(tx.now))
    is_going = mine is not None and mine.status in SEATED
    answer_url = ""
    if takes_place and with_answer and event.author_id != user.id:
        token = await links.token_for(tx, head.key, EmailLink(user.id, LinkPurpose.ANSWER, event.id))
        answer_url = f"{head.public_url}/mail/answer/{token}"
    seen = await private_details_for(tx, event, user.id, is_going=is_going)
    return Story(
        event=event,
        title=one_line(event.title),
        points=said,
        when=when_words(event),
        place=tuple(one_line(line) for line in seen.place.lines),
        point=geo_of(seen.place),
        url="" if event.is_gone else f"{head.public_url}/events/{quote(event.slug)}",
        door_note=seen.door_note if takes_place and is_going else "",
        join_url=seen.join_url if takes_place else "",
        answer_url=answer_url,
        answer_words=_answer_words(said, mine),
    )


def _story_of_removal(event: Event, now: Instant) -> list[Story]:
    """``event``: as they knew it; no story once it is over."""
    if event.is_over(now):
        return []
    point = Point(NotificationKind.ANSWER_DECLINED, *REMOVED)
    title, when = one_line(event.title), when_words(event)
    return [Story(event, title, [point], when, (), None, "", "", "", "", is_shut_out=True)]


def _answer_words(said: list[Point], mine: Attendance | None) -> str:
    """The text of the RSVP link: an offered place must be accepted."""
    if mine is None or all(point.kind is not NotificationKind.SEAT_OFFERED for point in said):
        return "Change your answer"
    return "Take the place" if mine.party == 1 else f"Take the {mine.party} places"


async def _stop_url(tx: Transaction, head: Letterhead, user_id: UserId, topic: NotificationTopic | str) -> str:
    token = await links.token_for(tx, head.key, EmailLink(user_id, LinkPurpose.UNSUBSCRIBE, str(topic)))
    return f"{head.public_url}/mail/stop/{token}"


async def _calendar(
    tx: Transaction, head: Letterhead, story: Story, mine: Attendance | None, due: Due, *, goes_to_all: bool
) -> CalendarFile | None:
    """The calendar file for an attendee or a possible one, and the cancellation for a removed one; otherwise none.

    ``goes_to_all``: with all dates of its series to which they go.
    """
    event = story.event
    if event is None:
        return None
    also, answers = await series_confirmation.gone_to(tx, event, UserId(due.person)) if goes_to_all else ([], {})
    is_sent_away = mine is not None and mine.status is AttendanceStatus.REJECTED
    if also and not is_sent_away and (mine is None or mine.status not in IN_CALENDAR or event.is_over(tx.now)):
        await notify.note_mailed(tx, [answers[one.id].id for one in also])
        return await file_of_dates(tx, head, also, [], UserId(due.person))
    if mine is None or event.is_over(tx.now):
        return None
    if mine.status is AttendanceStatus.REJECTED:
        is_ended = bool(await notify.end(tx, [mine.id], due.message_id_local))
        return await end_of(tx, head, event, mine, is_shut_out=story.is_shut_out) if is_ended else None
    if mine.status not in IN_CALENDAR or not (also or any(point.kind in _FOR_CALENDARS for point in story.points)):
        return None
    file = await file_of(tx, head, event, mine.user_id, also=also)
    await notify.note_mailed(tx, [answers[one.id].id for one in also])
    if file is not None and not event.is_cancelled:
        await notify.note_mailed(tx, [mine.id])
    return file


def one_line(text: str) -> str:
    """A title or name on one line: text after a line break would look like ours."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
