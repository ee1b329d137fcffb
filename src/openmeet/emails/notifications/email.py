"""Notification e-mails: read the current state, leave out what no longer applies, and render text, HTML and calendar
file.
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from groundwork.database.transaction import Database, Transaction
from groundwork.mail.contract import CalendarFile
from openmeet.domain.attendance import answer_texts, calendar_entries, registration
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.answer_bar import AnswerBar, AnswerState, answer_bar_of
from openmeet.domain.attendance.answer_bar_inputs import bar_input_of
from openmeet.domain.attendance.calendar_entries import IN_CALENDAR
from openmeet.domain.attendance.model import SEATED_STATUSES, Attendance, AttendanceStatus, RsvpReply
from openmeet.domain.attendance.moved_dates import moved_dates_if_several
from openmeet.domain.calendars.queries import zone_of_person
from openmeet.domain.events.event_access import may_see, private_details_for
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.time_and_place import lines_without_own_country
from openmeet.domain.groups.model import GroupId
from openmeet.domain.icalendar.write import geo_of
from openmeet.domain.notifications import chat_kinds, email_links, emails, event_kinds, preferences
from openmeet.domain.notifications.email_links import EmailLink, LinkPurpose
from openmeet.domain.notifications.event_kinds import DatesChanged, Rejection, SearchMatch
from openmeet.domain.notifications.model import Channel, NotificationTopic, SubjectType, each
from openmeet.domain.notifications.queries import Notification
from openmeet.domain.page_paths import event_path, group_path
from openmeet.domain.saved_searches import queries as alerts
from openmeet.domain.users import guests
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.model import User, UserId, UserKind
from openmeet.emails import calendar_file, series_confirmation
from openmeet.emails.calendar_file import cancellation_of, file_of, file_of_dates
from openmeet.emails.notifications import texts
from openmeet.emails.notifications.chats import DECISIONS, SANCTIONS
from openmeet.emails.notifications.current_state import CurrentChatState
from openmeet.emails.notifications.facts import Facts, facts_of, points
from openmeet.emails.notifications.texts import Point
from openmeet.emails.render import TEMPLATES, EmailContext, cover_url, render_html, subject_line
from openmeet.emails.unsubscribe import DIGEST, room_subject, search_subject, unsubscribe_label
from openmeet.i18n.catalogue import gettext, ngettext
from openmeet.i18n.markdown import one_line
from openmeet.outbox import email_suppressions
from openmeet.outbox.emails import Composer, DueEmail, OutgoingEmail

# The most events in one digest. The page lists all of them.
_MAX_EVENTS = 50
# The length of a title in the subject of a digest, which has 60 characters.
_TITLE_IN_DIGEST = 36
# The most messages of one chat in an e-mail.
_MAX_MESSAGES = 10


@dataclass(frozen=True, slots=True)
class Story:
    """One event, group or chat in an e-mail.

    ``when`` and ``place`` are empty if the points already show them as changes. ``url`` is empty if there is no page,
    ``answer_url`` if the recipient cannot RSVP. ``is_shut_out``: the host has removed the recipient, who may no longer
    see the event. ``asks_for_answer``: the RSVP is the main action, because they have not answered for the current time.
    ``replies``: the label and URL of each reply they can choose, if they are asked for one or have been offered a place;
    the page behind the URL asks for confirmation. ``cover_url``: the event's picture, in an invitation. ``next_url``: the
    next date of the series of a cancelled event.
    """

    event: Event | None
    title: str
    points: list[Point]
    when: str
    place: tuple[str, ...]
    point: tuple[float, float] | None
    entry_instructions: str
    url: str
    join_url: str
    answer_url: str
    answer_label: str
    is_shut_out: bool = False
    is_chat: bool = False
    asks_for_answer: bool = False
    replies: tuple[tuple[str, str], ...] = ()
    cover_url: str = ""
    next_url: str = ""


def notification_composer(site: EmailContext) -> Composer:
    """Composer of ``NOTIFICATION_MAIL``: notifications about one event or one change of a series, for one person."""

    async def compose(db: Database, due: DueEmail) -> OutgoingEmail | None:
        async with db.transaction() as tx:
            news = await emails.close(tx, due.subject_id)
            return await _notification_email(tx, site, due, news)

    return compose


def digest_composer(site: EmailContext) -> Composer:
    """Composer of ``DIGEST_MAIL``: the notifications of one day."""

    async def compose(db: Database, due: DueEmail) -> OutgoingEmail | None:
        async with db.transaction() as tx:
            news = await emails.close_digest(tx, UserId(due.person), due.subject_id, due.revision)
            return await _notification_email(tx, site, due, news, is_digest=True)

    return compose


async def _notification_email(
    tx: Transaction, site: EmailContext, due: DueEmail, news: list[Notification], *, is_digest: bool = False
) -> OutgoingEmail | None:
    user_id = UserId(due.person)
    user = await user_queries.by_id(tx, user_id)
    guest = await guests.find(tx, user_id)
    address = guest.email if guest else user.email if user else None
    if user is None or address is None:
        return None
    mailed_news = await _still_wanted(tx, user_id, news)
    if guest is not None and await email_suppressions.is_suppressed(tx, site.key, address):
        mailed_news = [one for one in mailed_news if one.kind is not event_kinds.INVITED]
    searches = await _searches_of(tx, user_id, mailed_news)
    mailed_news = [one for one in mailed_news if not _search_id(one) or _search_id(one) in searches]
    facts = await facts_of(tx, mailed_news, user.id)
    stories = await _stories(tx, site, user, mailed_news, facts, with_answer=not is_digest)
    stories += _stories_of_groups(site, mailed_news, facts)
    stories += await _stories_of_chats(tx, site, user, mailed_news, facts, has_account=guest is None)
    if not stories:
        return None
    first = stories[0]
    is_invited_guest = guest is not None and any(
        point.kind is event_kinds.INVITED for story in stories for point in story.points
    )
    if is_digest:
        subject = subject_of(first) if len(stories) == 1 else _subject_of_digest(stories)
        stops = [(gettext("Stop the digest"), await _stop_url(tx, site, user_id, DIGEST))]
    else:
        subject = subject_of(first)
        room = mailed_news[0].subject_id if first.is_chat else None
        never = email_suppressions.url_of(site.key, site.public_url, address) if is_invited_guest else ""
        stops = await _stops(tx, site, user_id, stories, room=room, never_url=never)
    for one in searches.values():
        words = gettext("Stop e-mails about “%(search)s”", search=one_line(one.name))
        stops.append((words, await _stop_url(tx, site, user_id, search_subject(one.id))))
    context = {
        "stories": stories[:_MAX_EVENTS],
        "left_out": max(0, len(stories) - _MAX_EVENTS),
        "stops": stops,
        "site_name": site.site_name,
        "site_url": site.public_url,
        "name": one_line(user.display_name),
        "has_account": guest is None,
        "is_invited_guest": is_invited_guest,
    }
    return OutgoingEmail(
        address,
        subject,
        TEMPLATES.get_template("notification.txt").render(context),
        html=render_html("notification.html", site, subject, context),
        unsubscribe_url=stops[0][1],
        calendar=None if is_digest else await _calendar_of_news(tx, site, user_id, first, mailed_news, due),
        thread="" if is_digest else _thread(first, mailed_news[0]),
    )


async def _still_wanted(tx: Transaction, user_id: UserId, news: list[Notification]) -> list[Notification]:
    """Without notifications whose topic has been switched off since they were created."""
    channels_by_topic = await preferences.of_person(tx, user_id)
    return [one for one in news if channels_by_topic[one.kind.topic] & {Channel.EMAIL, Channel.DIGEST}]


def _search_id(notification: Notification) -> str | None:
    return notification.payload.search_id if isinstance(notification.payload, SearchMatch) else None


async def _searches_of(tx: Transaction, user_id: UserId, news: list[Notification]) -> Mapping[str, alerts.SavedSearch]:
    """The saved searches that found something, if they still exist and are on."""
    return await alerts.active_searches(tx, user_id, {search_id for one in news if (search_id := _search_id(one))})


async def _stops(
    tx: Transaction, site: EmailContext, user_id: UserId, stories: list[Story], *, room: str | None, never_url: str
) -> list[tuple[str, str]]:
    """Labels and URLs that unsubscribe, the one for the ``List-Unsubscribe`` header first. ``never_url`` is set for a
    guest who is invited: they have no account, so it unsubscribes from every kind of e-mail that they get. ``room``: the
    chat that the e-mail is about.
    """
    topics = list(dict.fromkeys(point.kind.topic for story in stories for point in story.points))
    stops = [(unsubscribe_label(topic), await _stop_url(tx, site, user_id, topic)) for topic in topics]
    if never_url:
        stops.insert(0, (gettext("Never get e-mails that others send you through this site"), never_url))
    elif room is not None:
        stops.insert(0, (gettext("Mute this chat"), await _stop_url(tx, site, user_id, room_subject(room))))
    return stops


async def _calendar_of_news(
    tx: Transaction, site: EmailContext, user_id: UserId, first: Story, news: list[Notification], due: DueEmail
) -> CalendarFile | None:
    # A person with a standing RSVP also gets the calendar entries of the new dates.
    goes_to_all = any(
        one.kind is event_kinds.NEW_DATE and isinstance(one.payload, DatesChanged) and one.payload.is_going
        for one in news
    )
    about = [first.event.id] if first.event else []
    own_rsvp = next(iter((await attendance_queries.of_user(tx, user_id, about)).values()), None)
    return await _calendar_file(tx, site, first, own_rsvp, due, goes_to_all=goes_to_all)


def _thread(story: Story, notification: Notification) -> str:
    """The id of the event, group or room that the e-mail is about."""
    if story.event is not None:
        return story.event.id
    return (notification.payload.group_id if notification.kind.is_of_group else None) or notification.subject_id


def subject_of(story: Story) -> str:
    """The subject line of an e-mail that starts with this story."""
    point = story.points[0]
    if story.event is None or point.kind is event_kinds.REMINDER:  # a reminder's heading already begins with the day
        return subject_line(point.heading, story.title)
    return subject_line(point.heading, story.title, texts.short_day_label(story.event))


def _subject_of_digest(stories: Sequence[Story]) -> str:
    """``Your news: Film night and 2 more``, for several stories."""
    title = textwrap.shorten(stories[0].title, _TITLE_IN_DIGEST, placeholder="…")
    return ngettext(
        "Your news: %(title)s and %(number)s more",
        "Your news: %(title)s and %(number)s more",
        len(stories) - 1,
        title=title,
    )


async def _stories(
    tx: Transaction, site: EmailContext, user: User, news: list[Notification], facts: Facts, *, with_answer: bool
) -> list[Story]:
    """One story per event. ``with_answer``: include a link to change the RSVP. A digest links only to the pages."""
    recipient = _Recipient(site, user, await zone_of_person(tx, user.id, ""), with_answer)
    about: dict[EventId, list[Notification]] = {}
    for one in news:
        if one.kind.subject is SubjectType.EVENT:
            about.setdefault(EventId(one.subject_id), []).append(one)
    stories = []
    for event_id, its_news in about.items():
        event, own_rsvp = facts.events.get(event_id), facts.answers.get(event_id)
        if event is None or not event.title:
            continue
        if event_id not in facts.seen:
            rejection = calendar_file.newest_removal(its_news, event, own_rsvp)
            stories += (
                []
                if rejection is None
                else _story_of_removal(calendar_file.as_last_known(event, rejection), rejection, facts)
            )
            continue
        news_points = points(its_news, facts.of_event(event), facts.names)
        if news_points:
            story = await _story(tx, recipient, event, own_rsvp, news_points)
            next_date = facts.of_event(event).next_date
            if next_date is not None and await _has_page(tx, next_date, user):
                story = replace(story, next_url=f"{site.public_url}{event_path(next_date.slug)}")
            stories.append(story)
    return stories


def _stories_of_groups(site: EmailContext, news: list[Notification], facts: Facts) -> list[Story]:
    """One story per group, with the notifications that still apply."""
    stories: dict[GroupId, Story] = {}
    for one in news:
        state = facts.of_group(one) if one.kind.is_of_group else None
        if state is None or state.group is None or not one.kind.still_true(one.payload, state):
            continue
        group = state.group
        name, url = one_line(group.details.name), f"{site.public_url}{group_path(group.slug)}{one.kind.page}"
        story = stories.setdefault(group.id, Story(None, name, [], "", (), None, "", url, "", "", ""))
        story.points.append(texts.point(one.kind, one.payload, state, facts.names, title=name))
    return list(stories.values())


async def _stories_of_chats(
    tx: Transaction, site: EmailContext, user: User, news: list[Notification], facts: Facts, *, has_account: bool
) -> list[Story]:
    """One story per room, with the messages that are still unread.

    A recipient without an account can reach the room only by the reply link.
    """
    stories: dict[str, Story] = {}
    for one in news:
        state = facts.of_chat(one) if one.kind.subject is SubjectType.ROOM else None
        if state is None or state.chat is None or not one.kind.still_true(one.payload, state):
            continue
        chat = state.chat
        story = stories.get(one.subject_id)
        if story is None:
            link = EmailLink(user.id, LinkPurpose.CHAT, one.subject_id)
            back = f"/mail/chat/{await email_links.token_for(tx, site.key, link)}"
            is_decision = one.kind in DECISIONS | SANCTIONS
            way = _way_there(one, chat, back, has_account=has_account)
            story = Story(
                event=None,
                title=one_line(chat.title),
                points=[],
                when="",
                place=(),
                point=None,
                entry_instructions="",
                url=f"{site.public_url}{chat.room_path}" if has_account and not is_decision else "",
                join_url="",
                answer_url="" if way is None else f"{site.public_url}{way[0]}",
                answer_label="" if way is None else way[1],
                is_chat=True,
            )
            stories[one.subject_id] = story
        is_there = one.kind.merged is not each and any(point.kind is one.kind for point in story.points)
        if not is_there and len(story.points) < _MAX_MESSAGES:
            story.points.append(texts.point(one.kind, one.payload, state, facts.names, title=story.title))
    return list(stories.values())


def _way_there(
    notification: Notification, chat: CurrentChatState, back: str, *, has_account: bool
) -> tuple[str, str] | None:
    """The path and label of the link below a chat notification; None if there is no page that the recipient can open.

    ``back``: the path of the reply page, which needs no sign-in. The page about a moderator's decision does need a
    sign-in.
    """
    if notification.kind is chat_kinds.CHAT_SANCTIONED and not has_account and not chat.may_read:
        return "/help", gettext("Ask the people who run this site")
    if notification.kind in DECISIONS and not has_account:
        return None
    path = chat.path if has_account and notification.kind in DECISIONS | SANCTIONS else back
    if notification.kind in {chat_kinds.CHAT_REMOVED, chat_kinds.CHAT_SANCTIONED}:
        return path, gettext("See why, or object")
    if notification.kind is chat_kinds.CHAT_UPHELD:
        return path, gettext("See the decision")
    return path, gettext("Reply") if chat.may_write else gettext("Read it")


@dataclass(frozen=True, slots=True)
class _Recipient:
    """Whom an e-mail is for, and their time zone. ``with_answer``: it may have links to change an RSVP."""

    site: EmailContext
    user: User
    zone: str
    with_answer: bool


async def _story(
    tx: Transaction, recipient: _Recipient, event: Event, own_rsvp: Attendance | None, news_points: list[Point]
) -> Story:
    """The story of an event that the recipient can see. ``news_points`` is not empty."""
    site, user, zone = recipient.site, recipient.user, recipient.zone
    takes_place = not (event.is_gone or event.is_cancelled or event.is_over(tx.now))
    is_going = own_rsvp is not None and own_rsvp.status in SEATED_STATUSES
    answer_url = ""
    if takes_place and recipient.with_answer and event.author_id != user.id:
        token = await email_links.token_for(tx, site.key, EmailLink(user.id, LinkPurpose.ANSWER, event.id))
        answer_url = f"{site.public_url}/mail/answer/{token}"
    seen = await private_details_for(tx, event, user.id, is_going=is_going)
    has_answered = own_rsvp is not None and own_rsvp.status is not AttendanceStatus.INVITED
    offer = next((point.action for point in news_points if point.action), "")
    bar = await _answer_bar_of(tx, event, user.id, own_rsvp) if answer_url and not offer else None
    has_answered = has_answered and (bar is None or bar.state is not AnswerState.MOVED)
    in_series = event.position_in_series if bar is not None and bar.state is AnswerState.MOVED else None
    moved = None if in_series is None else await moved_dates_if_several(tx, user.id, in_series.series_id)
    labels = {} if bar is None or has_answered else answer_texts.reply_labels(bar, moved)
    if offer:
        labels = {
            RsvpReply.GOING.value: offer,
            RsvpReply.DECLINED.value: str(answer_texts.REPLY_LABELS[RsvpReply.DECLINED]),
        }
    place = tuple(one_line(line) for line in lines_without_own_country(seen.place, zone))
    when = texts.when_label(event, tx.now, user.time_zone)
    changes = [change for one in news_points for change in one.changes]
    return Story(
        event=event,
        title=one_line(event.title),
        points=[texts.as_recipient_sees(one, ", ".join(place), when, zone) for one in news_points],
        when="" if any(not one.is_place for one in changes) else when,
        place=() if any(one.is_place for one in changes) else place,
        point=geo_of(seen.place),
        url=f"{site.public_url}{event_path(event.slug)}" if await _has_page(tx, event, user) else "",
        entry_instructions=seen.entry_instructions if takes_place and is_going else "",
        join_url=seen.join_url if takes_place else "",
        answer_url=answer_url,
        answer_label=offer or (gettext("Change your answer") if has_answered else gettext("Say if you’re going")),
        asks_for_answer=bool(answer_url) and not has_answered,
        replies=tuple((label, f"{answer_url}?reply={reply}") for reply, label in labels.items()) if answer_url else (),
        cover_url=cover_url(site, event) if news_points[0].kind is event_kinds.INVITED else "",
    )


async def _has_page(tx: Transaction, event: Event, user: User) -> bool:
    """Whether the event has a page that the person can open. Guests cannot sign in to see a private one."""
    if event.is_gone:
        return False
    return user.kind is UserKind.PERSON or await may_see(tx, event, None, has_rsvp_access=False)


async def _answer_bar_of(tx: Transaction, event: Event, person: UserId, own_rsvp: Attendance | None) -> AnswerBar:
    event_registration = await registration.registration_of(tx, event)
    return answer_bar_of(await bar_input_of(tx, event_registration, person, rsvp=own_rsvp))


def _story_of_removal(event: Event, rejection: Rejection, facts: Facts) -> list[Story]:
    """The story for a removed attendee, empty once the event is over. ``event``: the event as the attendee last knew
    it.
    """
    if event.is_over(facts.now):
        return []
    point = texts.point(event_kinds.ANSWER_REJECTED, rejection, facts.of_event(event), facts.names, is_shut_out=True)
    title, when = one_line(event.title), texts.when_label(event, facts.now)
    return [Story(event, title, [point], when, (), None, "", "", "", "", "", is_shut_out=True)]


async def _stop_url(tx: Transaction, site: EmailContext, user_id: UserId, topic: NotificationTopic | str) -> str:
    token = await email_links.token_for(tx, site.key, EmailLink(user_id, LinkPurpose.UNSUBSCRIBE, str(topic)))
    return f"{site.public_url}/mail/stop/{token}"


async def _calendar_file(
    tx: Transaction, site: EmailContext, story: Story, own_rsvp: Attendance | None, due: DueEmail, *, goes_to_all: bool
) -> CalendarFile | None:
    """The calendar file for a person who attends or might attend, or the cancellation for a removed one; otherwise
    None.

    ``goes_to_all``: include all dates of the series that they attend.
    """
    event = story.event
    if event is None:
        return None
    also, answers = await series_confirmation.attended_dates(tx, event, UserId(due.person)) if goes_to_all else ([], {})
    is_sent_away = own_rsvp is not None and own_rsvp.status is AttendanceStatus.REJECTED
    if also and not is_sent_away and (own_rsvp is None or own_rsvp.status not in IN_CALENDAR or event.is_over(tx.now)):
        await calendar_entries.mark_calendar_entries_sent(tx, [answers[one.id].id for one in also])
        return await file_of_dates(tx, site, also, [], UserId(due.person))
    if own_rsvp is None or event.is_over(tx.now):
        return None
    if own_rsvp.status is AttendanceStatus.REJECTED:
        is_ended = bool(await calendar_entries.end_calendar_entries(tx, [own_rsvp.id], due.message_id_local))
        return await cancellation_of(tx, site, event, own_rsvp, is_shut_out=story.is_shut_out) if is_ended else None
    if own_rsvp.status not in IN_CALENDAR or not (also or any(point.kind.in_calendar for point in story.points)):
        return None
    file = await file_of(tx, site, event, own_rsvp.user_id, also=also)
    await calendar_entries.mark_calendar_entries_sent(tx, [answers[one.id].id for one in also])
    if file is not None and not event.is_cancelled:
        await calendar_entries.mark_calendar_entries_sent(tx, [own_rsvp.id])
    return file
