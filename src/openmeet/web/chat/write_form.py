"""The form below a conversation: the message that it replies to, its options, and the question asked with a first
message.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request

from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import NotFound
from openmeet.domain.chat import matrix_people, posting, queries, room_queries
from openmeet.domain.chat.matrix_people import MatrixConsent
from openmeet.domain.chat.model import MAX_TEXT, Access, ChatMessageId, Room, RoomId, RoomKind
from openmeet.domain.chat.queries import MessageFilter
from openmeet.domain.users import queries as users
from openmeet.domain.users.model import Caller, UserId
from openmeet.i18n.catalogue import gettext
from openmeet.web.chat import view
from openmeet.web.chat.pictures import PictureField, empty_fields
from openmeet.web.chat.room_pages import RoomPage
from openmeet.web.site.caller import caller_of
from openmeet.web.site.services import services


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
) -> view.WriteForm | None:
    room = room_page.room
    if viewer is None or room_page.access < Access.WRITE or (room is not None and room.is_closed):
        return None
    about = written.about if written else date_asked or room_page.heading
    if about is None and room is not None:
        about = await posting.default_heading(reader, room)
    reply_to = await _reply_context(
        reader, written.reply_to if written else request.query_params.get("reply", ""), viewer
    )
    label = gettext("Message the group") if room_page.target.kind is RoomKind.CHANNEL else gettext("Message everyone")
    if room_page.target.kind in {RoomKind.HOSTS, RoomKind.DIRECT}:
        label = gettext("Message the hosts")
    if room_page.target.kind is RoomKind.DIRECT and room_page.query:
        label = gettext("Write an answer")
    return view.WriteForm(
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
    user = await users.by_id(reader, viewer)
    return user is not None and user.enter_sends


def _offered_calls(room_page: RoomPage) -> tuple[str, ...]:
    if room_page.target.kind in {RoomKind.HOSTS, RoomKind.DIRECT}:
        return ()
    if room_page.access is Access.MODERATE:
        return gettext("@hosts"), gettext("@everyone")
    return (gettext("@hosts"),)


async def _mirror_question(reader: Reader, request: Request, room: Room | None) -> view.MirrorQuestion | None:
    server, caller = services(request).settings.matrix_server_name, caller_of(request)
    if not server or room is None or not await matrix_people.is_to_be_asked(reader, room, caller.user_id):
        return None
    return view.MirrorQuestion(server, caller.display_name)


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


async def answer_question(tx: Transaction, caller: Caller, room_id: RoomId, answer: str) -> None:
    """Store the choice made with a first message in a mirrored room. Does nothing if the person has already chosen, for
    example on an outdated page.
    """
    consent = {"pass_on": MatrixConsent.NAME_AND_WORDS, "keep_here": MatrixConsent.NONE}.get(answer)
    room = await room_queries.by_id(tx, room_id)
    if consent is not None and room is not None and await matrix_people.is_to_be_asked(tx, room, caller.user_id):
        await matrix_people.answer_consent(tx, caller, consent)
