"""Rooms and messages as JSON."""

from dataclasses import replace

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm, InvalidInput, NotFound
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.chat import (
    date_headings,
    messages,
    people,
    polls,
    queries,
    reactions,
    readers,
    room_list,
    room_queries,
    rooms,
    search,
)
from openmeet.domain.chat.access import access, access_to_each
from openmeet.domain.chat.model import (
    MAX_MENTIONS,
    Access,
    ChatMessageId,
    MessageKind,
    NewMessage,
    NewPicture,
    RoomId,
    RoomKind,
    RoomSubject,
    SentPictureKey,
    SubjectKind,
)
from openmeet.domain.chat.queries import MessageFilter, page_of_messages
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.chat.room_list import RoomFilter
from openmeet.domain.chat.rooms import RoomSettings, RoomTarget
from openmeet.domain.chat.search import ChatSearch
from openmeet.domain.paging import MAX_LIMIT, packed, unpacked
from openmeet.domain.series import date_queries
from openmeet.domain.series.dates import checked_name
from openmeet.domain.series.model import SeriesId
from openmeet.domain.users.model import UserId
from openmeet.domain.validation import GeneralReason
from openmeet.web.api.etags import etag_of, require_match
from openmeet.web.api.instants import parse_optional_instant
from openmeet.web.api.pagination import limit_of
from openmeet.web.chat.requests import (
    NAME_PLACE,
    NUMBER_PLACE,
    ROOM_PLACE,
    integer_parameter,
    message_id,
    removal_sealer,
    room_id,
    search_cursor,
    search_place,
    spend_on_change,
    spend_on_message,
    spend_on_opening,
    subject_of,
)
from openmeet.web.chat.schemas import (
    ActionReasonInput,
    ChatFindingList,
    ChatMemberList,
    ChatMessageEdit,
    ChatMessagePage,
    ChatMessageWanted,
    ChatNotifications,
    ChatVote,
    ReadMark,
    ReadShown,
    RoomChange,
    RoomList,
    RoomOpening,
    SubjectRooms,
    UnreadShown,
    access_name,
    member_shown,
    message_shown,
    my_rooms_shown,
    room_shown,
)
from openmeet.web.site.caller import caller_of, viewer_of
from openmeet.web.site.tenant_routing import database_of

_PAGE = 50
_ROLES = {"read": Access.READ, "write": Access.WRITE, "moderate": Access.MODERATE}


async def list_rooms(request: Request) -> Response:
    caller, query_params = caller_of(request), request.query_params
    limit = limit_of(request, _PAGE, MAX_LIMIT)
    cursor = query_params.get("cursor", "")
    match = unpacked(ROOM_PLACE, cursor) if cursor else None
    after = (int(match[1]), int(match[2]), match[3]) if match else None
    kinds = [one for one in RoomKind if one.value == query_params.get("kind")]
    if query_params.get("kind") and not kinds:
        raise InvalidForm({"kind": ChatReason.NO_SUCH_SUBJECT()})
    async with database_of(request).reader() as reader:
        subject = None
        if query_params.get("event") or query_params.get("series") or query_params.get("group"):
            subject = await subject_of(
                reader,
                caller.user_id,
                event=query_params.get("event"),
                series_slug=query_params.get("series"),
                group=query_params.get("group"),
            )
            subject = await _where_it_is(reader, subject)
        room_filter = RoomFilter(
            kinds=kinds,
            subject=subject,
            unread_only=query_params.get("unread") == "true",
            archived=query_params.get("archived") == "true",
            words=query_params.get("q", "")[:100],
        )
        my_rooms = await room_list.my_rooms(reader, caller.user_id, room_filter, limit=limit, after=after)
        listed = await my_rooms_shown(reader, my_rooms[:limit], caller.user_id)
    further = None
    if len(my_rooms) > limit:
        is_new, last_said_at, last = room_list.sort_key(my_rooms[limit - 1])
        further = packed(f"{is_new}.{last_said_at}.{last}")
    return json_response(RoomList(listed, further))


async def _where_it_is(reader: Reader, subject: RoomSubject) -> RoomSubject:
    kind = RoomKind.CHANNEL if subject.kind is SubjectKind.GROUP else RoomKind.HOSTS
    return (await rooms.target_of(reader, kind, subject)).subject


async def open_room(request: Request) -> Response:
    caller, body = caller_of(request), await read_json(request, RoomOpening)
    async with database_of(request).reader() as reader:
        is_there = await rooms.room_at(reader, await _room_target(reader, caller.user_id, body)) is not None
    if not is_there:
        await spend_on_opening(request, caller.user_id)
    async with database_of(request).transaction() as tx:
        room, is_new = await rooms.open_room(tx, caller, await _room_target(tx, caller.user_id, body))
        level = await access(tx, room.id, caller.user_id)
    return json_response(room_shown(room, level), 201 if is_new else 200, etag_of(room.revision))


async def _room_target(reader: Reader, person: UserId, body: RoomOpening) -> RoomTarget:
    """The room to open. Raises NotFound, InvalidForm (``date``)."""
    subject = await subject_of(reader, person, event=body.event, series_slug=body.series, group=body.group)
    if body.date is not None and subject.kind is SubjectKind.SERIES and body.kind is RoomKind.DATE:
        event = await date_queries.date_of(reader, SeriesId(subject.id), checked_name(body.date))
        if event is None:
            raise InvalidForm({"date": ChatReason.NO_SUCH_DATE()})
        subject = RoomSubject(SubjectKind.EVENT, event.id)
    person_id = UserId(body.with_) if body.with_ else person
    return await rooms.target_of(reader, body.kind, subject, with_user_id=person_id, name=body.name)


async def show_room(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        room, level, _ = await rooms.readable_room(reader, room_id(request), viewer_of(request))
    return json_response(room_shown(room, level), headers=etag_of(room.revision))


async def change_room(request: Request) -> Response:
    caller, body = caller_of(request), await read_json(request, RoomChange)
    async with database_of(request).transaction() as tx:
        room, _, _ = await rooms.readable_room(tx, room_id(request), caller.user_id)
        require_match(request, room.revision)
        changed = await rooms.change_settings(
            tx,
            caller,
            room.id,
            RoomSettings(
                body.name,
                body.about,
                body.audience,
                body.history,
                body.slow_seconds,
                body.holds_messages,
                body.retention,
                body.position,
            ),
            if_revision=room.revision,
        )
        level = await access(tx, room.id, caller.user_id)
    return json_response(room_shown(changed, level), headers=etag_of(changed.revision))


async def archive_room(request: Request) -> Response:
    body = await read_json(request, ActionReasonInput, is_optional=True)
    async with database_of(request).transaction() as tx:
        room = await rooms.close(tx, caller_of(request), room_id(request), body.reason)
        level = await access(tx, room.id, caller_of(request).user_id)
    return json_response(room_shown(room, level), headers=etag_of(room.revision))


async def reopen_room(request: Request) -> Response:
    body = await read_json(request, ActionReasonInput, is_optional=True)
    async with database_of(request).transaction() as tx:
        room = await rooms.reopen(tx, caller_of(request), room_id(request), body.reason)
        level = await access(tx, room.id, caller_of(request).user_id)
    return json_response(room_shown(room, level), headers=etag_of(room.revision))


async def list_members(request: Request) -> Response:
    caller, query_params = caller_of(request), request.query_params
    limit = limit_of(request, _PAGE, MAX_LIMIT)
    position = unpacked(NAME_PLACE, query_params["cursor"]) if query_params.get("cursor") else None
    try:
        after = (bytes.fromhex(position[1]).decode(), position[2]) if position else None
    except UnicodeDecodeError:
        raise InvalidInput("cursor", GeneralReason.INVALID_CURSOR, name="InvalidCursor") from None
    role = _ROLES.get(query_params.get("role", ""))
    async with database_of(request).reader() as reader:
        room, _, _ = await rooms.readable_room(reader, room_id(request), caller.user_id)
        members = await people.members(
            reader, room, caller.user_id, words=query_params.get("q", "")[:100], role=role, limit=limit, after=after
        )
    cursor = packed(f"{members.after[0].encode().hex()}.{members.after[1]}") if members.after else None
    return json_response(ChatMemberList([member_shown(one) for one in members.people], members.others, cursor))


async def list_messages(request: Request) -> Response:
    query_params, viewer = request.query_params, viewer_of(request)
    cursor = (
        unpacked(NUMBER_PLACE, query_params["cursor"])
        if query_params.get("cursor") and not query_params.get("q")
        else None
    )
    message_filter = MessageFilter(
        before=int(cursor[1]) if cursor else integer_parameter(request, "before"),
        after=integer_parameter(request, "after"),
        around=integer_parameter(request, "around"),
        about=query_params.get("date"),
        person=UserId(query_params["person"]) if query_params.get("person") else None,
        since=parse_optional_instant(query_params.get("from"), "from"),
        until=parse_optional_instant(query_params.get("to"), "to"),
        pinned=query_params.get("pinned") == "true",
    )
    limit = limit_of(request, _PAGE, MAX_LIMIT)
    async with database_of(request).reader() as reader:
        room, _, _ = await rooms.readable_room(reader, room_id(request), viewer)
        if query_params.get("q") and viewer is not None:
            return await _with_words(reader, request, viewer, room.id, message_filter)
        page = await page_of_messages(reader, room, viewer, message_filter, limit=limit)
    listed = [message_shown(one) for one in page.messages]
    before = listed[0].number if listed and page.has_before else None
    return json_response(
        ChatMessagePage(
            listed,
            before,
            listed[-1].number if listed and page.has_after else None,
            packed(str(before)) if before is not None else None,
        )
    )


async def _with_words(
    reader: Reader, request: Request, viewer: UserId, room: RoomId, message_filter: MessageFilter
) -> Response:
    """The messages that contain these words, oldest first. The cursor leads to earlier ones."""
    query_params = request.query_params
    page = await search.find_messages(
        reader,
        viewer,
        ChatSearch(
            query_params["q"],
            (room,),
            message_filter.person,
            message_filter.since,
            message_filter.until,
            message_filter.about,
        ),
        limit=limit_of(request, _PAGE, MAX_LIMIT),
        after=search_place(query_params.get("cursor", "")),
    )
    listed = [message_shown(one) for one in page.messages[::-1]]
    return json_response(ChatMessagePage(listed, None, None, search_cursor(page.after)))


async def send_message(request: Request) -> Response:
    caller, body, room = caller_of(request), await read_json(request, ChatMessageWanted), room_id(request)
    if len(body.mentions) > MAX_MENTIONS:
        raise InvalidForm({"mentions": ChatReason.TOO_MANY_MENTIONS(most=MAX_MENTIONS)})
    new = NewMessage(
        text=body.text,
        client_id=body.client_id,
        reply_to=ChatMessageId(body.reply_to) if body.reply_to else None,
        mentions=tuple(UserId(user_id) for user_id in body.mentions),
        pictures=tuple(NewPicture(SentPictureKey(picture.id), picture.alt) for picture in body.pictures),
    )
    await spend_on_message(request, caller.user_id, room)
    async with database_of(request).transaction() as tx:
        if body.about is not msgspec.UNSET:
            new = replace(new, about=body.about)
        elif (existing_room := await room_queries.by_id(tx, room)) is not None:
            new = replace(new, about=await date_headings.default_heading(tx, existing_room))
        if body.poll is not None:
            ends_at = parse_optional_instant(body.poll.ends_at, "endsAt")
            details = await polls.checked_poll(
                tx,
                room,
                body.poll.choices,
                dates=body.poll.dates,
                several=body.poll.several,
                ends_at=ends_at,
            )
            new = replace(new, kind=MessageKind.POLL, details=details, pictures=())
        elif body.signal is not None:
            new = replace(new, kind=MessageKind.SIGNAL, signal=body.signal, text="", pictures=())
        message, is_new = await messages.send(tx, caller, room, new)
        (shown,) = await queries.shown(tx, [message], caller.user_id)
    return json_response(message_shown(shown), 201 if is_new else 200)


async def show_message(request: Request) -> Response:
    viewer = viewer_of(request)
    async with database_of(request).reader() as reader:
        message, _, _ = await queries.visible_message(reader, message_id(request), viewer)
        (shown,) = await queries.shown(reader, [message], viewer)
    return json_response(message_shown(shown))


async def edit_message(request: Request) -> Response:
    caller, body = caller_of(request), await read_json(request, ChatMessageEdit)
    await spend_on_change(request, caller.user_id, message_id(request))
    async with database_of(request).transaction() as tx:
        message = await messages.edit(tx, caller, message_id(request), body.text, body.if_revision)
        (shown,) = await queries.shown(tx, [message], caller.user_id)
    return json_response(message_shown(shown))


async def remove_message(request: Request) -> Response:
    """Take back the caller's own message, or remove somebody else's for a reason."""
    caller, body = caller_of(request), await read_json(request, ActionReasonInput, is_optional=True)
    async with database_of(request).transaction() as tx:
        is_own = await messages.is_author(tx, message_id(request), caller.user_id)
        message = (
            await messages.retract(tx, caller, message_id(request))
            if is_own
            else await messages.remove(tx, caller, message_id(request), body.reason, removal_sealer(request))
        )
        (shown,) = await queries.shown(tx, [message], caller.user_id)
    return json_response(message_shown(shown))


async def add_reaction(request: Request) -> Response:
    return await _change_reaction(request, is_on=True)


async def remove_reaction(request: Request) -> Response:
    return await _change_reaction(request, is_on=False)


async def _change_reaction(request: Request, *, is_on: bool) -> Response:
    act = reactions.react if is_on else reactions.unreact
    await spend_on_change(request, caller_of(request).user_id, message_id(request))
    async with database_of(request).transaction() as tx:
        await act(tx, caller_of(request), message_id(request), request.path_params["emoji"])
        return await _message_response(tx, request)


async def vote(request: Request) -> Response:
    body = await read_json(request, ChatVote)
    await spend_on_change(request, caller_of(request).user_id, message_id(request))
    async with database_of(request).transaction() as tx:
        await reactions.vote(tx, caller_of(request), message_id(request), body.choices)
        return await _message_response(tx, request)


async def close_poll(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await reactions.close_poll(tx, caller_of(request), message_id(request))
        return await _message_response(tx, request)


async def _message_response(reader: Reader, request: Request) -> Response:
    """Respond with the current state of the message."""
    viewer = viewer_of(request)
    message, _, _ = await queries.visible_message(reader, message_id(request), viewer)
    (shown,) = await queries.shown(reader, [message], viewer)
    return json_response(message_shown(shown))


async def mark_read(request: Request) -> Response:
    body = await read_json(request, ReadMark)
    async with database_of(request).transaction() as tx:
        number = await readers.mark_read(tx, caller_of(request), room_id(request), body.number)
    return json_response(ReadShown(number))


async def choose_notifications(request: Request) -> Response:
    body = await read_json(request, ChatNotifications)
    until = parse_optional_instant(body.muted_until, "mutedUntil")
    async with database_of(request).transaction() as tx:
        await readers.choose_notifications(tx, caller_of(request), room_id(request), body.level, until)
    return json_response(body)


async def count_unread(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        unread_counts = await readers.unread_counts(reader, caller_of(request).user_id)
    return json_response(UnreadShown(unread_counts.messages, unread_counts.mentions, unread_counts.rooms))


async def search_messages(request: Request) -> Response:
    caller, query_params = caller_of(request), request.query_params
    has = query_params.getlist("has")
    chat_search = search.ChatSearch(
        words=query_params.get("q", "")[:200],
        rooms=tuple(RoomId(one) for one in query_params.getlist("room")[: search.MAX_ROOMS]),
        person=UserId(query_params["person"]) if query_params.get("person") else None,
        since=parse_optional_instant(query_params.get("from"), "from"),
        until=parse_optional_instant(query_params.get("to"), "to"),
        about=query_params.get("date"),
        has_link="link" in has,
        has_picture="picture" in has,
        mentions_me="mention" in has,
    )
    async with database_of(request).reader() as reader:
        page = await search.find_messages(
            reader,
            caller.user_id,
            chat_search,
            limit=limit_of(request, _PAGE, MAX_LIMIT),
            after=search_place(query_params.get("cursor", "")),
        )
    return json_response(ChatFindingList([message_shown(one) for one in page.messages], search_cursor(page.after)))


async def show_event_chat(request: Request) -> Response:
    return await _rooms_of(request, RoomKind.EVENT, event=request.path_params["slug"])


async def show_series_chat(request: Request) -> Response:
    return await _rooms_of(request, RoomKind.SERIES, series_slug=request.path_params["slug"])


async def show_group_chat(request: Request) -> Response:
    return await _rooms_of(request, RoomKind.CHANNEL, group=request.path_params["slug"])


async def _rooms_of(request: Request, kind: RoomKind, **slug: str) -> Response:
    viewer = viewer_of(request)
    async with database_of(request).reader() as reader:
        target: RoomTarget = await rooms.target_of(reader, kind, await subject_of(reader, viewer, **slug))
        rooms_of_subject = await room_queries.of_subject(reader, target.subject, set(RoomKind) - {RoomKind.DIRECT})
        reached = await access_to_each(reader, [one.id for one in rooms_of_subject], viewer)
        could = await rooms.access_before_opening(reader, target, viewer)
    listed = [
        room_shown(one, reached[one.id]) for one in rooms_of_subject if reached.get(one.id, Access.NONE) >= Access.READ
    ]
    if not listed and could is Access.NONE:
        raise NotFound(ChatReason.NO_SUCH_ROOM)
    return json_response(SubjectRooms(listed, access_name(could)))
