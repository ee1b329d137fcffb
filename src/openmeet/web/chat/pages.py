"""Chat pages: the list of the user's rooms, a conversation, and writing in it."""

import secrets
from collections.abc import Mapping
from functools import partial
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import Conflict, Forbidden, InvalidForm, NotFound, TooMany
from groundwork.http.forms import read_form
from openmeet.domain.calendars.queries import zone_of_person
from openmeet.domain.chat import message_queries, messages, people, queries, readers, room_list, room_queries, rooms
from openmeet.domain.chat.addresses import addresses_of
from openmeet.domain.chat.model import Access, ChatMessageId, MessageKind, NewMessage, RoomKind, Signal
from openmeet.domain.chat.queries import MessageFilter, MessagePage
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.chat.room_list import MyRoom, RoomFilter
from openmeet.domain.page_paths import event_path
from openmeet.domain.paging import packed, unpacked
from openmeet.domain.series.dates import checked_name
from openmeet.domain.users.model import UserId
from openmeet.i18n.catalogue import lazy
from openmeet.i18n.reasons.messages import explain
from openmeet.web.chat import moderation_pages, people_pages, person_pages, room_pages, room_settings, view
from openmeet.web.chat import write_form as chat_write_form
from openmeet.web.chat.export_api import export_room
from openmeet.web.chat.message_search import is_search, period_of, search_chats, search_room
from openmeet.web.chat.people_pages import room_facts
from openmeet.web.chat.pictures import SentForm, TakenPictures, read_message_form, store_pictures
from openmeet.web.chat.requests import ROOM_PLACE, spend_on_message, spend_on_opening
from openmeet.web.chat.room_faces import faces_of
from openmeet.web.chat.room_pages import Find, RoomPage
from openmeet.web.chat.write_form import WrittenMessage, answer_mirror_question, write_form
from openmeet.web.site.caller import caller_of, viewer_of
from openmeet.web.site.faces import portraits_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

_ROOMS_SHOWN: Final = 40
_BESIDE: Final = 30
# In a search of all chats: the number of chats found by name, and the number offered in the filter.
_CHATS_NAMED: Final = 5
_CHATS_OFFERED: Final = 100
_PEOPLE_BESIDE: Final = 6
_LONGEST_NUMBER: Final = 16
# Query parameter: without scripts, the page can reload itself periodically.
_FOLLOW: Final = "follow"
# Query parameters that limit a conversation to some of its messages. A date does so too.
_NARROWED: Final = ("person", "pinned", "from", "to")
_REFRESH_SECONDS: Final = "30"

# The path of every page with a conversation, and the function that finds it.
BASES: Final[dict[str, Find]] = {
    "/events/{slug}/chat": room_pages.of_event,
    "/events/{slug}/chat/date": room_pages.of_date,
    "/series/{slug}/chat": room_pages.of_series,
    "/groups/{slug}/chat/{channel}": room_pages.of_channel,
    "/chat/hosts/{kind}/{slug}": room_pages.of_hosts,
    "/chat/direct/{kind}/{slug}": room_pages.of_question,
}

_FILTERS = (
    ("", lazy("All"), frozenset[RoomKind]()),
    ("events", lazy("Events"), frozenset({RoomKind.EVENT, RoomKind.SERIES, RoomKind.DATE})),
    ("groups", lazy("Groups"), frozenset({RoomKind.CHANNEL})),
    ("direct", lazy("Direct"), frozenset({RoomKind.DIRECT, RoomKind.HOSTS})),
)


def routes() -> list[Route]:
    all_routes = [
        Route("/chat", show_rooms, methods=["GET"]),
        Route("/groups/{slug}/chat", show_general, methods=["GET"]),
        Route("/groups/{slug}/chat", room_settings.open_channel, methods=["POST"]),
        # For browsers. Programs use the API instead, which ignores cookies.
        Route("/chat/rooms/{room}/export", export_room, methods=["GET"]),
    ]
    for base, find in BASES.items():
        all_routes += [
            Route(f"{base}/people", partial(people_pages.show_people, find), methods=["GET"]),
            Route(f"{base}/guests", partial(people_pages.change_guest, find), methods=["POST"]),
            Route(f"{base}/people/{{person}}", partial(person_pages.show_person, find), methods=["GET"]),
            Route(f"{base}/people/{{person}}/mute", partial(person_pages.mute, find), methods=["POST"]),
            Route(f"{base}/people/{{person}}/ban", partial(person_pages.ban, find), methods=["POST"]),
            Route(f"{base}/people/{{person}}/lift", partial(person_pages.lift, find), methods=["POST"]),
            Route(f"{base}/people/{{person}}/group", partial(person_pages.decide_in_group, find), methods=["POST"]),
            Route(f"{base}/moderation", partial(moderation_pages.show_moderation, find), methods=["GET"]),
            Route(f"{base}/read", partial(mark_read, find), methods=["POST"]),
            Route(f"{base}/poll", partial(chat_write_form.show_poll_form, find), methods=["GET"]),
            Route(f"{base}/poll", partial(chat_write_form.send_poll, find), methods=["POST"]),
            Route(f"{base}/settings", partial(room_settings.show_settings, find), methods=["GET"]),
            Route(f"{base}/settings", partial(room_settings.change_settings, find), methods=["POST"]),
            Route(
                f"{base}/settings/notifications", partial(room_settings.choose_notifications, find), methods=["POST"]
            ),
            Route(f"{base}/settings/writing", partial(room_settings.choose_enter, find), methods=["POST"]),
            Route(f"{base}/settings/matrix", partial(room_settings.switch_mirror, find), methods=["POST"]),
            Route(f"{base}/settings/close", partial(room_settings.close, find), methods=["POST"]),
            Route(f"{base}/settings/reopen", partial(room_settings.reopen, find), methods=["POST"]),
            Route(base, partial(show_room, find), methods=["GET"]),
            Route(base, partial(send, find), methods=["POST"]),
        ]
    return all_routes


async def show_rooms(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        if is_search(request.query_params):
            return page(request, "chat/found.html", await _found_in_chats(reader, request, caller.user_id))
        listed = await _room_list(reader, request, caller.user_id, _ROOMS_SHOWN)
    return page(request, "chat/rooms.html", {"list": listed})


async def _found_in_chats(reader: Reader, request: Request, viewer: UserId) -> dict[str, object]:
    """Chats that match by name, and matching messages in all chats."""
    query_params = request.query_params
    zone = await zone_of_person(reader, viewer, services(request).settings.time_zone)
    my_rooms = await room_list.my_rooms(reader, viewer, RoomFilter(), limit=_CHATS_OFFERED)
    addresses = await addresses_of(reader, [one.room for one in my_rooms], viewer)
    offered = sorted(
        ((str(room), address.name) for room, address in addresses.items()), key=lambda one: one[1].casefold()
    )
    context = await search_chats(reader, viewer, query_params, zone, offered)
    if context["words"] and not context["narrowed"] and not context["is_further"]:
        context["named"] = await _room_list(reader, request, viewer, _CHATS_NAMED)
    return {"place": None, **context}


async def show_general(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        room_page = await room_pages.of_channel(reader, request)
    return go(room_page.path)


async def show_room(find: Find, request: Request) -> Response:
    return await _room_page(find, request)


async def send(find: Find, request: Request) -> Response:
    """Send the message. Creates the room if this is its first message."""
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        room_page = await find(reader, request)
    # A form with pictures has megabytes, so it is not read if the sender may not write in the room. The checks below
    # report the reason.
    message_form = await read_message_form(request) if room_page.access >= Access.WRITE else SentForm({})
    fields = message_form.fields
    signal = Signal(fields["signal"]) if fields.get("signal") in set(Signal) else None
    submission = fields.get("submission", "")
    stored_pictures = TakenPictures()
    try:
        # If the room has not been opened yet, it has no limit of its own. Only the person's limit applies.
        await spend_on_message(request, caller.user_id, room_page.room.id if room_page.room else None)
        if room_page.room is None:
            await spend_on_opening(request, caller.user_id)
        if not signal:
            stored_pictures = await store_pictures(request, caller.user_id, message_form)
            stored_pictures.require()
        async with database_of(request).transaction() as tx:
            room = room_page.room.id if room_page.room else (await rooms.open_room(tx, caller, room_page.target))[0].id
            new = NewMessage(
                text="" if signal else fields.get("text", ""),
                # A signal is sent on its own, with its own key. A draft in the same form keeps the form's key.
                client_id=f"{submission}-{signal}" if signal and submission else submission or None,
                about=fields.get("about") or None,
                reply_to=ChatMessageId(fields["reply_to"]) if fields.get("reply_to") and not signal else None,
                signal=signal,
                kind=MessageKind.SIGNAL if signal else MessageKind.TEXT,
                pictures=stored_pictures.ready,
            )
            if not signal:
                await answer_mirror_question(tx, caller, room, fields.get("mirror", ""))
            message, _ = await messages.send(tx, caller, room, new)
            await readers.move_mark(tx, room, caller.user_id, message.number, about=room_page.heading)
    except (InvalidForm, Conflict, Forbidden, TooMany) as refused:
        if isinstance(refused, InvalidForm):
            problem, status = " ".join(explain(why) for why in refused.problems.values()), 400
        else:
            problem, status = explain(refused.why), {Conflict: 409, Forbidden: 403}.get(type(refused), 429)
        # The key was already used for a different text, and every retry with it would fail too. Use a new one.
        submission = secrets.token_urlsafe(16) if isinstance(refused, Conflict) else submission
        written = WrittenMessage(
            fields.get("text", ""),
            fields.get("about", ""),
            fields.get("reply_to", ""),
            submission,
            problem,
            status,
            stored_pictures.fields,
        )
        return await _room_page(find, request, written)
    return go(f"{room_page.page()}#m{message.number}")


async def mark_read(find: Find, request: Request) -> Response:
    """Move the read mark forward to the last message that the page showed."""
    form = await read_form(request)
    number = form.get("number", "")
    async with database_of(request).transaction() as tx:
        room_page = await find(tx, request)
        if room_page.room is None:
            raise NotFound(ChatReason.NO_SUCH_ROOM)
        if number.isascii() and number.isdecimal() and len(number) < _LONGEST_NUMBER:
            await readers.mark_read(
                tx, caller_of(request), room_page.room.id, int(number), about=_limited_to_date(request, room_page)
            )
    return go(room_page.page())


async def _room_page(find: Find, request: Request, written: WrittenMessage | None = None) -> Response:
    viewer = viewer_of(request)
    async with database_of(request).reader() as reader:
        room_page = await find(reader, request)
        current_path = room_page.page()
        listed = await _room_list(reader, request, viewer, _BESIDE, current_path) if viewer else None
        context: dict[str, object] = {"place": room_page, "list": listed, "problem": written.problem if written else ""}
        context["sanction"] = (
            await person_pages.sanction_notice(
                reader, room_page.room, room_page.time_zone, viewer, room_page.path_of_related_room("direct")
            )
            if room_page.access < Access.WRITE
            else None
        )
        if room_page.access is Access.NONE:
            context["is_over"] = room_page.span is not None and room_page.span[1] <= reader.now
            context["facts"] = room_facts(room_page, services(request).settings.chat_kept_days)
            context["is_banned"] = viewer is not None and await room_queries.is_banned_from_group(
                reader, room_page.target.subject, viewer
            )
            return page(request, "chat/outside.html", context, status=403 if viewer else 200)
        if viewer is not None and room_page.room is not None and is_search(request.query_params):
            context |= await search_room(reader, room_page, room_page.room, viewer, request.query_params)
            return page(request, "chat/found.html", context)
        context |= await _conversation(reader, request, room_page, viewer)
        follows = written is None and request.query_params.get(_FOLLOW) == "yes"
        context["write"] = (
            None
            if follows
            else await write_form(reader, request, room_page, viewer, written, date_asked=_date_asked(request))
        )
        context["is_current"] = not set(request.query_params) - {"with", _FOLLOW}
        context["further"] = await room_pages.further_rooms(reader, room_page, viewer)
        context["pins"] = await _pinned_context(reader, room_page, viewer)
        context["facts"] = room_facts(room_page, services(request).settings.chat_kept_days)
        context["beside"] = None
        if viewer is not None:
            room = room_page.room or room_page.target
            members = await people.some_members(reader, room, viewer, _PEOPLE_BESIDE)
            portraits = await portraits_of(reader, viewer, [one.user_id for one in members.people])
            context["beside"] = {
                "people": [people_pages.person_row(one, room_page, portraits) for one in members.people],
                "others": 0 if members.total is None else members.total - len(members.people),
                "total": members.total,
            }
    context["follows"] = follows
    # A page that reloads itself has no text field, so nothing typed can be lost.
    headers = {"refresh": _REFRESH_SECONDS} if follows else None
    return page(request, "chat/room.html", context, status=written.status if written else 200, headers=headers)


async def _conversation(
    reader: Reader, request: Request, room_page: RoomPage, viewer: UserId | None
) -> dict[str, object]:
    """The rows of the page, and the links to earlier and later messages."""
    room = room_page.room
    about = _limited_to_date(request, room_page)
    message_filter = _message_filter(request, room_page, about)
    shown = MessagePage((), has_before=False, has_after=False)
    rows: list[object] = []
    if room is not None:
        shown = await queries.page_of_messages(reader, room, viewer, message_filter, level=room_page.access)
        hosts = await view.hosts_among(reader, room, shown.messages)
        may_write = room_page.access >= Access.WRITE and not room.is_closed
        viewed_by = view.MessageReader(room_page.time_zone, reader.now, may_write)
        views = [view.message_view(one, room, hosts, viewed_by) for one in shown.messages]
        reading = await readers.reading_of(reader, room.id, viewer) if viewer else None
        read_number = reading.read_number if reading else None
        rooms_of_dates = await rooms.rooms_of_dates(
            reader, room, {one.message.about for one in shown.messages if one.message.about}, viewer
        )
        rows = list(
            view.rows_of(
                views,
                shown.messages,
                zone=room_page.time_zone,
                now=reader.now,
                read_number=read_number,
                rooms_of_dates={date: f"{event_path(slug)}/chat/date" for date, slug in rooms_of_dates.items()},
            )
        )
    query = {name: request.query_params[name] for name in (*_NARROWED, "date") if request.query_params.get(name)}
    is_narrowed = bool(set(query) - {"date"})
    if room_page.heading and not about:
        query["all"] = "yes"
    of_mark = {"date": query["date"]} if query.get("date") else {"all": "yes"} if "all" in query else {}
    return {
        "rows": rows,
        "long_date": view.date_heading(about, reader.now, room_page.time_zone) if about else "",
        "is_filtered": bool(about) or is_narrowed,
        "is_live": room is not None and not shown.has_after and not is_narrowed,
        "heading": about or "",
        "read_path": _with_query(room_page.page("read"), of_mark),
        "older": _further_path(room_page, query, before=shown.messages[0].number) if shown.has_before else "",
        "newer": _further_path(room_page, query, after=shown.messages[-1].number) if shown.has_after else "",
        "last_number": room.last_number if room else 0,
        # The read mark is for the whole room, so a view that is limited to one person or to some days must not move it.
        "has_new": not is_narrowed and not shown.has_after and any(getattr(one, "is_new", False) for one in rows),
    }


def _further_path(room_page: RoomPage, query: Mapping[str, str], **number: int) -> str:
    return _with_query(room_page.page(), {**query, **{name: str(value) for name, value in number.items()}})


def _with_query(address: str, query: Mapping[str, str]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}" if query else address


def _limited_to_date(request: Request, room_page: RoomPage) -> str | None:
    """The date that the conversation is limited to: the requested one, or that of the occurrence whose page this is."""
    other_parameters = set(request.query_params) - {_FOLLOW, "before", "after"}
    return _date_asked(request) or (None if other_parameters else room_page.heading)


def _message_filter(request: Request, room_page: RoomPage, about: str | None) -> MessageFilter:
    query_params = request.query_params

    def number(name: str) -> int | None:
        text = query_params.get(name, "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < _LONGEST_NUMBER else None

    since, until = period_of(query_params, room_page.time_zone)
    return MessageFilter(
        before=number("before"),
        after=number("after"),
        around=number("around"),
        about=about,
        person=UserId(query_params["person"]) if query_params.get("person") else None,
        since=since,
        until=until,
        pinned=query_params.get("pinned") == "yes",
    )


def _date_asked(request: Request) -> str | None:
    text = request.query_params.get("date", "")
    return checked_name(text) if text else None


async def _pinned_context(reader: Reader, room_page: RoomPage, viewer: UserId | None) -> dict[str, object] | None:
    if room_page.room is None:
        return None
    pinned = await queries.page_of_messages(
        reader, room_page.room, viewer, MessageFilter(pinned=True), limit=10, level=room_page.access
    )
    if not pinned.messages:
        return None
    newest = pinned.messages[-1]
    return {
        "one": {"href": f"{room_page.page()}#m{newest.number}", "words": view.line_of(newest)},
        "count": len(pinned.messages),
        "href": f"{room_page.path}?pinned=yes",
    }


async def _room_list(
    reader: Reader, request: Request, viewer: UserId, most: int, current_path: str = ""
) -> dict[str, object]:
    """A person's rooms, for the list next to a chat and for the page of all chats."""
    query_params = request.query_params if request.url.path == "/chat" else {}
    kind = query_params.get("kind", "")
    kinds = next((kinds for value, _, kinds in _FILTERS if value == kind), frozenset[RoomKind]())
    archived = query_params.get("archived") == "yes"
    words = query_params.get("q", "").strip()[:100]
    match = unpacked(ROOM_PLACE, query_params["after"]) if query_params.get("after") else None
    after = (int(match[1]), int(match[2]), match[3]) if match else None
    room_filter = RoomFilter(kinds=kinds, archived=archived, words=words)
    my_rooms = await room_list.my_rooms(reader, viewer, room_filter, limit=most, after=after)
    shown = my_rooms[:most]
    addresses = await addresses_of(reader, [one.room for one in shown], viewer)
    latest = await message_queries.by_ids(
        reader, [ChatMessageId(one.last_message_id) for one in shown if one.last_message_id]
    )
    last = {str(one.id): one for one in await queries.shown(reader, list(latest.values()), viewer)}
    faces = await faces_of(reader, viewer, [one.room for one in shown], addresses)
    return {
        "rows": [
            view.room_row(
                one,
                addresses[one.room.id],
                faces[one.room.id],
                last.get(one.last_message_id or ""),
                now=reader.now,
                current_path=current_path,
            )
            for one in shown
            if one.room.id in addresses
        ],
        "picks": [(value, words_of, value == kind) for value, words_of, _ in _FILTERS],
        "archived": archived,
        "words": words,
        "more": _more_rooms(my_rooms[most - 1], kind, archived=archived, words=words) if len(my_rooms) > most else "",
        "which": kind,
    }


def _more_rooms(last: MyRoom, kind: str, *, archived: bool, words: str) -> str:
    """The URL of the list of chats after this one."""
    is_new, last_said_at, room = room_list.sort_key(last)
    query = {
        "kind": kind,
        "archived": "yes" if archived else "",
        "q": words,
        "after": packed(f"{is_new}.{last_said_at}.{room}"),
    }
    return f"/chat?{urlencode({name: value for name, value in query.items() if value})}"
