"""The forms that write in a conversation. The form below it has the message that it replies to, its options, and the
question asked with a first message. A poll has a page with a question and 2 to 10 choices, which can be dates of the
series.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Conflict, Forbidden, InvalidForm, InvalidInput, NotFound, TooMany
from groundwork.http.forms import FormState, form_with_problems, read_form
from openmeet.domain.chat import date_headings, matrix_people, messages, polls, queries, readers, room_queries, rooms
from openmeet.domain.chat.access import require_at_least
from openmeet.domain.chat.matrix_people import MatrixConsent
from openmeet.domain.chat.model import MAX_TEXT, Access, ChatMessageId, MessageKind, NewMessage, Room, RoomId, RoomKind
from openmeet.domain.chat.polls import MAX_CHOICES
from openmeet.domain.chat.queries import MessageFilter
from openmeet.domain.series import date_queries
from openmeet.domain.series.model import SeriesId
from openmeet.domain.series.split_queries import chain_of
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.model import Caller, UserId
from openmeet.i18n.catalogue import gettext, lazy
from openmeet.recurrence.wall_time import instant_of, parse_local
from openmeet.web.chat import view
from openmeet.web.chat.pictures import PictureField, empty_fields
from openmeet.web.chat.requests import spend_on_message, spend_on_opening
from openmeet.web.chat.room_pages import Find, RoomPage
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of


@dataclass(frozen=True, slots=True)
class MirrorQuestion:
    """The question that is asked with a person's first message in a mirrored room. ``server`` would receive their
    messages, under ``name``.
    """

    server: str
    name: str


@dataclass(frozen=True, slots=True)
class WriteForm:
    """The form below a conversation. ``enter_sends`` says whether Enter sends. ``room`` is the key under which the
    browser stores the draft. ``poll`` is the URL of the poll form. ``names`` is the URL that lists people who can be
    mentioned. ``calls`` are words that mention many people at once.
    """

    action: str
    room: str
    submission: str
    label: str
    max_length: int
    text: str = ""
    about: str = ""
    reply_to: Mapping[str, str] | None = None
    problem: str = ""
    signals: Sequence[tuple[str, str]] = ()
    hint: str = ""
    pictures: Sequence[PictureField] = ()
    poll: str = ""
    asks: MirrorQuestion | None = None
    names: str = ""
    calls: Sequence[str] = ()
    enter_sends: bool = False


_POLL_LABELS: Final = {
    "text": lazy("Question"),
    "choices": lazy("Choices"),
    "dates": lazy("Dates"),
    "ends_at": lazy("Voting ends"),
}


@dataclass(frozen=True, slots=True)
class WrittenMessage:
    """A message that was not sent, and the reason."""

    text: str
    about: str
    reply_to: str
    submission: str
    problem: str
    status: int
    pictures: Sequence[PictureField]


async def write_form(
    reader: Reader,
    request: Request,
    room_page: RoomPage,
    viewer: UserId | None,
    written: WrittenMessage | None,
    *,
    date_asked: str | None,
) -> WriteForm | None:
    room = room_page.room
    if viewer is None or room_page.access < Access.WRITE or (room is not None and room.is_closed):
        return None
    about = written.about if written else date_asked or room_page.heading
    if about is None and room is not None:
        about = await date_headings.default_heading(reader, room)
    reply_to = await _reply_context(
        reader, written.reply_to if written else request.query_params.get("reply", ""), viewer
    )
    label = gettext("Message the group") if room_page.target.kind is RoomKind.CHANNEL else gettext("Message everyone")
    if room_page.target.kind in {RoomKind.HOSTS, RoomKind.DIRECT}:
        label = gettext("Message the hosts")
    if room_page.target.kind is RoomKind.DIRECT and room_page.query:
        label = gettext("Write a reply")
    return WriteForm(
        action=room_page.page(),
        room=f"{room_page.path}?{room_page.query}",
        submission=written.submission if written else secrets.token_urlsafe(16),
        label=label,
        max_length=MAX_TEXT,
        text=written.text if written else "",
        about=about or "",
        reply_to=reply_to,
        problem=written.problem if written else "",
        signals=[(one.value, str(words)) for one, words in view.SIGNALS.items()]
        if room_page.is_under_way(reader.now)
        else (),
        hint=gettext("People in this chat will see your name.")
        if room is None or not await _has_written(reader, room, viewer, room_page.access)
        else "",
        pictures=written.pictures if written else empty_fields(),
        poll=room_page.page("poll"),
        asks=await _mirror_question(reader, request, room),
        names=room_page.page("people"),
        calls=_offered_calls(room_page),
        enter_sends=await _enter_sends(reader, viewer),
    )


async def _enter_sends(reader: Reader, viewer: UserId) -> bool:
    user = await user_queries.by_id(reader, viewer)
    return user is not None and user.enter_sends


def _offered_calls(room_page: RoomPage) -> tuple[str, ...]:
    if room_page.target.kind in {RoomKind.HOSTS, RoomKind.DIRECT}:
        return ()
    if room_page.access is Access.MODERATE:
        return gettext("@hosts"), gettext("@everyone")
    return (gettext("@hosts"),)


async def _mirror_question(reader: Reader, request: Request, room: Room | None) -> MirrorQuestion | None:
    server, caller = services(request).settings.matrix_server_name, caller_of(request)
    if not server or room is None or not await matrix_people.is_to_be_asked(reader, room, caller.user_id):
        return None
    return MirrorQuestion(server, caller.display_name)


async def _reply_context(reader: Reader, message: str, viewer: UserId) -> dict[str, str] | None:
    if not message:
        return None
    try:
        quoted, room, access = await queries.visible_message(reader, ChatMessageId(message), viewer)
    except NotFound:
        return None
    shown = (await queries.visible_among(reader, room, [quoted.id], viewer, access))[0]
    return {"id": quoted.id, "name": shown.name, "words": view.line_of(shown).removeprefix(f"{shown.name}: ")}


async def _has_written(reader: Reader, room: Room, viewer: UserId, level: Access) -> bool:
    own_messages = MessageFilter(person=viewer)
    return bool((await queries.page_of_messages(reader, room, viewer, own_messages, limit=1, level=level)).messages)


async def answer_mirror_question(tx: Transaction, caller: Caller, room_id: RoomId, answer: str) -> None:
    """Store the choice made with a first message in a mirrored room. Does nothing if the person has already chosen, for
    example on an outdated page.
    """
    consent = {"pass_on": MatrixConsent.NAME_AND_WORDS, "keep_here": MatrixConsent.NONE}.get(answer)
    room = await room_queries.by_id(tx, room_id)
    if consent is not None and room is not None and await matrix_people.is_to_be_asked(tx, room, caller.user_id):
        await matrix_people.answer_consent(tx, caller, consent)


async def show_poll_form(find: Find, request: Request) -> Response:
    return await _poll_page(find, request, FormState({}))


async def send_poll(find: Find, request: Request) -> Response:
    """Post the poll. Creates the room if this is its first message."""
    caller, form = caller_of(request), await read_form(request)
    try:
        async with database_of(request).reader() as reader:
            room_page = await find(reader, request)
        await spend_on_message(request, caller.user_id, room_page.room.id if room_page.room else None)
        if room_page.room is None:
            await spend_on_opening(request, caller.user_id)
        async with database_of(request).transaction() as tx:
            room = room_page.room.id if room_page.room else (await rooms.open_room(tx, caller, room_page.target))[0].id
            details = await polls.checked_poll(
                tx,
                room,
                [line for line in form.get("choices", "").splitlines() if line.strip()],
                dates=[name.removeprefix("date_") for name in form if name.startswith("date_")],
                several=bool(form.get("several")),
                ends_at=_poll_end(form.get("ends_at", ""), room_page.time_zone),
            )
            message, _ = await messages.send(
                tx,
                caller,
                room,
                NewMessage(
                    text=form.get("text", ""),
                    client_id=form.get("submission") or None,
                    kind=MessageKind.POLL,
                    details=details,
                ),
            )
            await readers.move_mark(tx, room, caller.user_id, message.number)
    except InvalidForm as wrong:
        # The field has a different name in JSON.
        problems = {"ends_at" if name == "endsAt" else name: why for name, why in wrong.problems.items()}
        return await _poll_page(find, request, form_with_problems(form, InvalidForm(problems)), 400)
    except (Conflict, Forbidden, TooMany) as refused:
        status = {Conflict: 409, Forbidden: 403}.get(type(refused), 429)
        return await _poll_page(find, request, FormState(form, {"": refused.why}), status)
    return go(f"{room_page.page()}#m{message.number}")


def _poll_end(text: str, zone: str) -> Instant | None:
    """The end of the poll, which the form has in the event's local time. Raises InvalidForm (``endsAt``)."""
    if not text:
        return None
    try:
        return instant_of(parse_local(text, "endsAt"), zone)
    except InvalidInput as wrong:
        raise InvalidForm({"endsAt": wrong.why}) from None


async def _poll_page(find: Find, request: Request, form_state: FormState, status: int = 200) -> Response:
    caller_of(request)
    async with database_of(request).reader() as reader:
        room_page = await find(reader, request)
        require_at_least(room_page.access, Access.READ)
        dates = await _next_dates(reader, room_page)
    context = {
        "place": room_page,
        "typed": form_state,
        "labels": _POLL_LABELS,
        "dates": dates,
        "most": MAX_CHOICES,
        "max_text": MAX_TEXT,
        # A form that is sent again after an error is a new submission.
        "submission": secrets.token_urlsafe(16),
    }
    return page(request, "chat/poll.html", context, status=status)


async def _next_dates(reader: Reader, room_page: RoomPage) -> list[tuple[str, str, str]]:
    """The next dates of the series: the name of the form field, the date in words, and an empty hint."""
    if room_page.target.kind is not RoomKind.SERIES:
        return []
    parts = await chain_of(reader, SeriesId(room_page.target.subject.id))
    upcoming_dates = [one.position_in_series for one in await date_queries.upcoming_of(reader, parts)]
    names = [one.original_date for one in upcoming_dates if one is not None][:MAX_CHOICES]
    return [(f"date_{name}", view.occurrence_label(name, reader.now, room_page.time_zone), "") for name in names]
