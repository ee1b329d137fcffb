"""View models of messages and rooms for pages and the live stream, in the reader's language."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from markupsafe import Markup

from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Reader
from openmeet.domain.chat.access import access_of_each
from openmeet.domain.chat.addresses import RoomAddress
from openmeet.domain.chat.model import WRITTEN, Access, MessageKind, Room, RoomKind, Signal
from openmeet.domain.chat.pictures import words_of
from openmeet.domain.chat.polls import poll_in
from openmeet.domain.chat.queries import ReplyLine, ShownMessage
from openmeet.domain.chat.room_list import MyRoom
from openmeet.domain.chat.rooms import GENERAL
from openmeet.domain.chat.texts import with_names
from openmeet.domain.series.dates import original_of
from openmeet.domain.users.model import UserId
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import LazyText, gettext, lazy
from openmeet.i18n.markdown import html_of, one_line
from openmeet.recurrence.wall_time import local_of
from openmeet.web.chat.pictures import PATH as PICTURES
from openmeet.web.chat.pictures import MessagePictureView, picture_views
from openmeet.web.chat.room_faces import room_picture
from openmeet.web.site.faces import Avatar, avatar_with

SIGNALS: Final[Mapping[Signal, LazyText]] = {
    Signal.RUNNING_LATE: lazy("I’m running late"),
    Signal.HERE: lazy("I’m here"),
    Signal.WHERE_ARE_YOU: lazy("Where are you?"),
}
# Messages that one person sends within this time share one header.
_RUN: Final = 10 * MINUTE
_LINE: Final = 90
_MARKS: Final = re.compile(r"[!-/:-@\[-`{-~]")
_EXCERPT: Final = 40


@dataclass(frozen=True, slots=True)
class Quote:
    """The line with which a reply quotes the original message."""

    name: str
    words: str
    href: str


@dataclass(frozen=True, slots=True)
class ReactionView:
    emoji: str
    count: int
    is_mine: bool


@dataclass(frozen=True, slots=True)
class ChoiceView:
    """A choice of a poll. ``share`` is its percentage of all votes."""

    number: int
    words: str
    votes: int
    share: int
    is_mine: bool


@dataclass(frozen=True, slots=True)
class PollView:
    """A poll. ``note`` says how many choices one can make, and when the poll ends or that it is over."""

    choices: tuple[ChoiceView, ...]
    note: str
    is_over: bool


@dataclass(frozen=True, slots=True)
class MessageView:
    """One row of a conversation. ``at`` is ISO 8601 in UTC, ``time`` is local, ``time_in_sentence`` the same as part of a
    sentence. ``note`` says what the message is waiting for.
    """

    id: str
    number: int
    author: str
    name: str
    face: Avatar
    role: str
    at: str
    time: str
    time_in_sentence: str
    html: Markup | str
    excerpt: str
    href: str
    is_own: bool
    is_continued: bool = False
    is_edited: bool = False
    is_pinned: bool = False
    is_folded: bool = False
    is_signal: bool = False
    is_readonly: bool = False
    is_notice: bool = False
    is_only_here: bool = False
    removed: str = ""
    note: str = ""
    quote: Quote | None = None
    reactions: tuple[ReactionView, ...] = ()
    pictures: tuple[MessagePictureView, ...] = ()
    poll: PollView | None = None


@dataclass(frozen=True, slots=True)
class RuleView:
    """A divider in the conversation."""

    words: str
    id: str = ""
    is_new: bool = False
    href: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class RoomRow:
    """A room in the list. ``picture`` replaces the face. ``who`` says who is in the room, unless it is for everyone."""

    href: str
    title: str
    face: Avatar
    is_square: bool
    at: str
    time: str
    words: str
    unread: int
    is_mentioned: bool
    is_muted: bool = False
    is_here: bool = False
    picture: str = ""
    who: str = ""


async def hosts_among(reader: Reader, room: Room, shown: Sequence[ShownMessage]) -> set[UserId]:
    """The authors of these messages who moderate the room."""
    authors = {one.message.user_id for one in shown if one.message.user_id is not None}
    return {
        user_id for user_id, level in (await access_of_each(reader, room, authors)).items() if level is Access.MODERATE
    }


def seen_by(shown: ShownMessage, *, is_author: bool, is_folded: bool, hides_quote: bool) -> ShownMessage:
    """Adapt a message that was loaded without a viewer to this viewer."""
    reply = replace(shown.reply, text="", is_removed=True) if hides_quote and shown.reply is not None else shown.reply
    return replace(shown, is_mine=is_author, is_folded=is_folded, reply=reply)


@dataclass(frozen=True, slots=True)
class MessageReader:
    """For whom a message is shown. ``zone``: the zone of its times. ``may_write``: the reader can write in the room.

    ``is_linked`` adds the reactions and the URL of the message's page. ``pictures_at`` is the path prefix of pictures for
    this reader. If it is empty, pictures are described in words.
    """

    zone: str
    now: Instant
    may_write: bool = False
    is_linked: bool = True
    pictures_at: str = PICTURES


def message_view(shown: ShownMessage, room: Room, hosts: set[UserId], reader: MessageReader) -> MessageView:
    """A row, regardless of its neighbours. ``hosts``: those of the room, who are marked as such."""
    zone, now, pictures_at = reader.zone, reader.now, reader.pictures_at
    message = shown.message
    author = message.user_id or message.matrix_sender or ""
    is_removed = message.is_removed
    quote = None
    if shown.reply is not None and not is_removed:
        words = gettext("(no longer there)") if shown.reply.is_removed else _reply_label(shown.reply)
        quote = Quote(shown.reply.name, words, f"#m{shown.reply.number}")
    return MessageView(
        id=message.id,
        number=message.number,
        author=author,
        name=shown.name,
        face=avatar_with(author, shown.name, None if shown.is_folded else shown.portrait),
        role=_room_role(room) if message.user_id in hosts else "",
        at=formatting.iso(message.said_at),
        time=time_label(message.said_at, now, zone),
        time_in_sentence=time_in_sentence(message.said_at, now, zone),
        html=_html(shown, tells_pictures=not pictures_at),
        excerpt=_excerpt(shown),
        href=f"/chat/messages/{message.id}" if reader.is_linked else "",
        is_own=shown.is_mine,
        is_edited=message.edited_at is not None and not is_removed,
        is_pinned=shown.is_pinned,
        is_folded=shown.is_folded,
        is_signal=message.kind is MessageKind.SIGNAL,
        is_readonly=not reader.may_write,
        is_notice=message.kind is MessageKind.NOTICE,
        is_only_here=shown.is_only_here,
        removed=_removed_sentence(shown),
        note=gettext("Waiting for a moderator") if message.is_held else "",
        quote=quote,
        reactions=tuple(
            ReactionView(each.emoji, each.number, each.is_mine) for each in shown.reactions if reader.is_linked
        ),
        pictures=picture_views(message.pictures, shown.name, pictures_at) if pictures_at else (),
        poll=_poll_view(shown, zone, now),
    )


def _excerpt(shown: ShownMessage) -> str:
    """The beginning of a message for the names of its buttons, which are read aloud also while the message is folded."""
    if shown.is_folded:
        return gettext("hidden")
    if shown.message.kind is MessageKind.SIGNAL:
        return str(_html(shown))
    body = with_names(shown.message.body, shown.renamed)
    return _cut(one_line(words_of(body, shown.message.pictures)), _EXCERPT)


def _poll_view(shown: ShownMessage, zone: str, now: Instant) -> PollView | None:
    poll = poll_in(shown.message.details)
    if poll is None:
        return None
    total = sum(shown.votes.values())
    choices = tuple(
        ChoiceView(
            number,
            occurrence_label(choice.date, now, zone) if choice.date else choice.text,
            shown.votes.get(number, 0),
            round(100 * shown.votes.get(number, 0) / total) if total else 0,
            number in shown.my_votes,
        )
        for number, choice in enumerate(poll.choices)
    )
    if poll.is_over(now):
        note = gettext("This poll has ended.")
    elif poll.ends_at is not None:
        ends = time_in_sentence(poll.ends_at, now, zone)
        note = (
            gettext("Choose as many as you like, until %(time)s.", time=ends)
            if poll.several
            else gettext("Choose one, until %(time)s.", time=ends)
        )
    else:
        note = gettext("Choose as many as you like.") if poll.several else gettext("Choose one.")
    return PollView(choices, note, poll.is_over(now))


def occurrence_label(date_: str, now: Instant, zone: str) -> str:
    """A date of the series with its time: ``Thu 26 November, 18:00``."""
    return formatting.day_and_time(date_heading(date_, now, zone), original_of(date_))


def _reply_label(reply: ReplyLine) -> str:
    if not reply.has_picture:
        return one_line(reply.text)
    return gettext("Picture: %(words)s", words=one_line(reply.text)) if reply.text else gettext("Picture")


def _html(shown: ShownMessage, *, tells_pictures: bool = False) -> Markup | str:
    message = shown.message
    match message.kind:
        case MessageKind.SIGNAL:
            return str(SIGNALS.get(Signal(message.body), "")) if message.body else ""
        case MessageKind.NOTICE:
            return notice_sentence(message.details)
        case _ if tells_pictures and message.pictures:
            pictures_text = words_of("", message.pictures)
            return _html_of_body(shown) + Markup("<p><i>{}</i></p>").format(pictures_text)
        case _:
            return _html_of_body(shown) if message.body else ""


def _html_of_body(shown: ShownMessage) -> Markup:
    # Names are not Markdown.
    renamed = {written: _MARKS.sub(r"\\\g<0>", name) for written, name in shown.renamed.items()}
    return html_of(with_names(shown.message.body, renamed))


def notice_sentence(details: Mapping[str, object]) -> str:
    """The sentence for a notice about a room, given its code."""
    if details.get("notice") == "history_changed":
        if details.get("history") == "all":
            return gettext("From now on, new people can read everything written here.")
        return gettext("From now on, new people see only messages sent after they join.")
    if details.get("notice") == "matrix_new_room":
        return gettext("This chat has a new room on Matrix.")
    return gettext("The settings of this chat changed.")


def _removed_sentence(shown: ShownMessage) -> str:
    message = shown.message
    if not message.is_removed:
        return ""
    if message.is_taken_back:
        return gettext("You deleted this.") if shown.is_mine else gettext("%(name)s deleted this.", name=shown.name)
    return gettext("Removed by a moderator.")


def _room_role(room: Room) -> str:
    return gettext("Organiser") if room.kind is RoomKind.CHANNEL else gettext("Host")


def rows_of(
    views: Sequence[MessageView],
    shown: Sequence[ShownMessage],
    *,
    zone: str,
    now: Instant,
    read_number: int | None,
    rooms_of_dates: Mapping[str, str],
) -> list[MessageView | RuleView]:
    """The rows with dividers between them: where a new date of the series or a new day begins, and where the reader
    stopped reading.

    ``read_number`` is None if the reader has not opened the room before. ``rooms_of_dates`` has the URLs of the
    separate rooms of dates.
    """
    rows: list[MessageView | RuleView] = []
    before: tuple[MessageView, Instant] | None = None
    heading: tuple[str | None, date] | None = None
    for row, one in zip(views, shown, strict=True):
        at = one.message.said_at
        about, day = one.message.about, local_of(at, zone).date()
        if heading is None or (about != heading[0] if about or heading[0] else day != heading[1]):
            room_url = rooms_of_dates.get(about or "", "")
            words = date_heading(about, now, zone) if about else day_heading(day, now, zone)
            rows.append(RuleView(words, href=room_url, link=gettext("Chat of this date only") if room_url else ""))
            before, heading = None, (about, day)
        if read_number is not None and row.number > read_number and not row.is_own:
            rows.append(RuleView(gettext("New since your last visit"), id="new", is_new=True))
            before, read_number = None, None
        # A date of the series as heading does not say on which day its messages were written.
        time = row.time if about else formatting.clock(local_of(at, zone))
        rows.append(replace(row, time=time, is_continued=before is not None and _shares_header(*before, row, at)))
        before = row, at
    return rows


def _shares_header(before: MessageView, said_at: Instant, row: MessageView, at: Instant) -> bool:
    """Whether a row shares the header of the previous one."""
    return before.author == row.author and bool(row.author) and not before.is_notice and at - said_at < _RUN


def date_heading(about: str, now: Instant, zone: str) -> str:
    """``Thu 26 November``, with the year if it is not the current one."""
    moment = original_of(about)
    is_this_year = moment.year == local_of(now, zone).year
    return formatting.short_day(moment) if is_this_year else formatting.short_date(moment)


def day_heading(day: date, now: Instant, zone: str) -> str:
    today = local_of(now, zone).date()
    if day == today:
        return gettext("Today")
    if day == today - timedelta(days=1):
        return gettext("Yesterday")
    return formatting.short_day(day) if day.year == today.year else formatting.short_date(day)


def time_label(at: Instant, now: Instant, zone: str) -> str:
    """``18:02`` today; on any other day with the day."""
    moment = local_of(at, zone)
    if moment.date() == local_of(now, zone).date():
        return formatting.clock(moment)
    return gettext("%(day)s %(time)s", day=day_heading(moment.date(), now, zone), time=formatting.clock(moment))


def time_in_sentence(at: Instant, now: Instant, zone: str) -> str:
    """The same as part of a sentence, such as “until 18:02”."""
    moment = local_of(at, zone)
    is_today = moment.date() == local_of(now, zone).date()
    return formatting.time_of_day(moment) if is_today else time_label(at, now, zone)


def short_time(at: Instant, now: Instant, zone: str) -> str:
    """The time for a list of rooms: today the time of day, otherwise the day."""
    moment = local_of(at, zone)
    if moment.date() == local_of(now, zone).date():
        return formatting.clock(moment)
    return day_heading(moment.date(), now, zone)


def line_of(shown: ShownMessage | None) -> str:
    """A message as one line with its author, for lists."""
    if shown is None:
        return gettext("No messages yet")
    if shown.message.is_removed:
        return _removed_sentence(shown)
    is_text = shown.message.kind in WRITTEN
    body = with_names(shown.message.body, shown.renamed)
    words = one_line(words_of(body, shown.message.pictures)) if is_text else str(_html(shown))
    words = _cut(words, _LINE)
    if shown.message.kind is MessageKind.NOTICE:
        return words
    if shown.is_folded:
        return gettext("A message from somebody you blocked or muted")
    return gettext("You: %(words)s", words=words) if shown.is_mine else f"{shown.name}: {words}"


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 1] + "…"


# Kinds of rooms whose title needs no addition such as "Group chat".
_FOR_ALL: Final = frozenset({RoomKind.EVENT, RoomKind.SERIES})


def room_row(
    my_room: MyRoom, address: RoomAddress, face: Avatar, last: ShownMessage | None, *, now: Instant, current_path: str
) -> RoomRow:
    """A room in the list. If it has unread messages, the link leads to the first of them."""
    room = my_room.room
    at = last.message.said_at if last else room.created_at
    return RoomRow(
        href=address.path + ("#new" if my_room.unread else ""),
        title=address.title,
        face=face,
        is_square=room.kind is not RoomKind.DIRECT,
        at=formatting.iso(at),
        time=short_time(at, now, address.time_zone),
        words=gettext("Closed. %(words)s", words=line_of(last)) if room.is_closed else line_of(last),
        unread=my_room.unread,
        is_mentioned=bool(my_room.mentioned),
        is_muted=my_room.is_muted,
        is_here=address.path == current_path,
        who=""
        if room.kind in _FOR_ALL or (room.kind is RoomKind.CHANNEL and room.name == GENERAL)
        else address.subtitle,
        picture=room_picture(room, address),
    )
