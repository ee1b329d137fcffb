"""Settings of a conversation. Everyone can set their notifications; moderators can set who is in it and how it works."""

from functools import partial
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from groundwork.clock import DAY, HOUR, Instant
from groundwork.database.transaction import Reader
from groundwork.errors import Conflict, Forbidden, InvalidForm, InvalidInput, NotFound, Refused, TooMany
from groundwork.http.forms import FormState, form_with_problems, read_form
from openmeet.domain.chat import mirroring, readers, rooms
from openmeet.domain.chat.mirroring import MirrorStatus
from openmeet.domain.chat.model import (
    KEPT_AFTER_DATE,
    MAX_ABOUT,
    MAX_NAME,
    MAX_REASON,
    SWITCHES,
    SWITCHES_OF,
    Access,
    AudienceSwitch,
    HistoryMode,
    NotificationLevel,
    Room,
    RoomId,
    RoomKind,
    RoomRetention,
)
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.chat.rooms import RoomSettings
from openmeet.domain.users import queries as user_queries
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext, lazy
from openmeet.matrix.names import full_alias
from openmeet.recurrence.wall_time import local_of
from openmeet.web.chat import room_pages
from openmeet.web.chat.requests import spend_on_opening
from openmeet.web.chat.room_pages import Find, RoomPage
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

_LABELS: Final = {
    "name": lazy("Name"),
    "about": lazy("Category"),
    "slow": lazy("Wait between messages"),
    "reason": lazy("Why"),
    "channel": lazy("Channel name"),
}
_LEVELS: Final = {
    NotificationLevel.USUAL: lazy("As in your settings"),
    NotificationLevel.ALL: lazy("Every message"),
    NotificationLevel.MENTIONS: lazy("Mentions and replies to you"),
    NotificationLevel.NONE: lazy("Nothing"),
}
_MUTES: Final = {
    "hour": (HOUR, lazy("For an hour")),
    "day": (DAY, lazy("For a day")),
    "week": (7 * DAY, lazy("For a week")),
}
# Leaves the current mute unchanged.
_KEEP: Final = "keep"
_SWITCHES: Final = {
    AudienceSwitch.INTERESTED: lazy("People who said maybe"),
    AudienceSwitch.MEMBERS: lazy("Members of the group"),
    AudienceSwitch.FOLLOWERS: lazy("People who follow the series"),
    AudienceSwitch.PENDING: lazy("People waiting for your decision"),
    AudienceSwitch.ANYBODY: lazy("Everyone, if the event is public"),
    AudienceSwitch.ANNOUNCEMENTS: lazy("Who can write"),
}
_VALUES: Final = {
    "write": lazy("read and write"),
    "read": lazy("read"),
    "none": lazy("don’t see it"),
    "no": lazy("All members"),
    "yes": lazy("Only organisers"),
}
_HISTORIES: Final = {
    HistoryMode.ALL: lazy("All messages"),
    HistoryMode.SINCE_JOINING: lazy("Messages from the day they join"),
}
_PAUSES: Final = {
    "0": lazy("No pause"),
    "10": lazy("10 seconds"),
    "60": lazy("1 minute"),
    "300": lazy("5 minutes"),
    "3600": lazy("1 hour"),
}
_KEEPING: Final = {
    RoomRetention.FOREVER: lazy("As long as this site keeps them"),
    RoomRetention.YEAR: lazy("A year"),
    RoomRetention.QUARTER: lazy("90 days"),
    RoomRetention.AFTER_DATE: lazy("Until %(days)s days after the date"),
}
_MAX_DIGITS: Final = 9


async def show_settings(find: Find, request: Request) -> Response:
    return await _settings_page(find, request, FormState({}))


async def change_settings(find: Find, request: Request) -> Response:
    """Change the settings that the moderators of a room decide."""
    form = await read_form(request)
    kind_of = {one.value: one for one in AudienceSwitch}
    try:
        async with database_of(request).transaction() as tx:
            room_page, room = await _find_room(find, tx, request)
            room_settings = RoomSettings(
                name=form.get("name"),
                about=form.get("about"),
                audience={name: form[f"who_{name}"] for name in kind_of if form.get(f"who_{name}")},
                history=next((one for one in HistoryMode if one.value == form.get("history")), None),
                slow_seconds=_parse_number(form.get("slow", "")),
                holds_messages=bool(form["holds"]) if "holds" in form else None,
                retention=next((one for one in RoomRetention if one.value == form.get("retention")), None),
            )
            revision = _parse_number(form.get("revision", ""))
            await rooms.change_settings(tx, caller_of(request), room.id, room_settings, if_revision=revision)
    except (InvalidForm, InvalidInput) as wrong:
        return await _settings_page(find, request, form_with_problems(form, wrong), 400)
    except (Conflict, Forbidden, Refused) as refused:
        status = {Conflict: 409, Forbidden: 403}.get(type(refused), 422)
        return await _settings_page(find, request, FormState(form, {"": refused.why}), status)
    return go(room_page.page("settings"), flash="chat_saved")


async def open_channel(request: Request) -> Response:
    """Open another channel of a group."""
    form = await read_form(request)
    name = form.get("channel", "").strip()
    if not name:
        missing = InvalidForm({"channel": ChatReason.NAME_NEEDED()})
        return await _settings_page(room_pages.of_channel, request, form_with_problems(form, missing), 400)
    try:
        await spend_on_opening(request, caller_of(request).user_id)
        async with database_of(request).transaction() as tx:
            room_page = await room_pages.of_channel(tx, request)
            target = await rooms.target_of(tx, RoomKind.CHANNEL, room_page.target.subject, name=name)
            room, _ = await rooms.open_room(tx, caller_of(request), target)
    except InvalidForm as wrong:
        problems = InvalidForm({"channel": next(iter(wrong.problems.values()))})
        return await _settings_page(room_pages.of_channel, request, form_with_problems(form, problems), 400)
    except (Forbidden, Refused, TooMany) as refused:
        status = {Forbidden: 403, TooMany: 429}.get(type(refused), 422)
        return await _settings_page(room_pages.of_channel, request, FormState(form, {"": refused.why}), status)
    return go(f"{room_page.subject_path}/chat/{quote(room.name, safe='')}")


async def choose_notifications(find: Find, request: Request) -> Response:
    """Set the caller's notification level for a room, and how long the room is muted for them."""
    form = await read_form(request)
    level = next((one for one in NotificationLevel if one.value == form.get("level")), NotificationLevel.USUAL)
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        room_page, room = await _find_room(find, tx, request)
        until = None
        if form.get("mute") in _MUTES:
            until = Instant(tx.now + _MUTES[form["mute"]][0])
        elif form.get("mute") == _KEEP:
            reading = await readers.reading_of(tx, room.id, caller.user_id)
            until = reading.muted_until if reading else None
        await readers.choose_notifications(tx, caller, room.id, level, until)
    return go(room_page.page("settings"), flash="chat_saved")


async def choose_enter(find: Find, request: Request) -> Response:
    """Set whether Enter sends a message. Applies to all chats of the caller."""
    form = await read_form(request)
    async with database_of(request).transaction() as tx:
        room_page, _ = await _find_room(find, tx, request)
        await user_queries.set_enter_sends(tx, caller_of(request).user_id, sends=form.get("enter") == "sends")
    return go(room_page.page("settings"), flash="chat_saved")


async def switch_mirror(find: Find, request: Request) -> Response:
    """Start or stop mirroring the room to Matrix."""
    form = await read_form(request)
    try:
        async with database_of(request).transaction() as tx:
            room_page, room = await _find_room(find, tx, request)
            if not services(request).settings.matrix_url:
                raise NotFound(ChatReason.NO_MATRIX_HERE)
            if form.get("mirror") == "off":
                await mirroring.switch_off(tx, caller_of(request), room.id)
            else:
                confirmed, guests = bool(form.get("confirmed")), bool(form.get("guests"))
                await mirroring.switch_on(tx, caller_of(request), room.id, is_confirmed=confirmed, guests=guests)
    except Refused as refused:
        field = "guests" if refused.name == "GuestsNeedPublic" else "confirmed"
        return await _settings_page(find, request, FormState(form, {field: refused.why}), 422)
    return go(room_page.page("settings"), flash="chat_saved")


async def _set_closed(find: Find, request: Request, *, closed: bool) -> Response:
    form = await read_form(request)
    act = rooms.close if closed else rooms.reopen
    try:
        async with database_of(request).transaction() as tx:
            room_page, room = await _find_room(find, tx, request)
            await act(tx, caller_of(request), room.id, form.get("reason", ""))
    except InvalidInput as wrong:
        return await _settings_page(find, request, form_with_problems(form, wrong), 400)
    return go(room_page.page("settings"), flash="chat_saved")


close = partial(_set_closed, closed=True)
reopen = partial(_set_closed, closed=False)


def _parse_number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS else None


async def _find_room(find: Find, reader: Reader, request: Request) -> tuple[RoomPage, Room]:
    """The room of the page, for people who may read it. Raises NotFound."""
    room_page = await find(reader, request)
    if room_page.access is Access.NONE:
        raise NotFound(ChatReason.NO_SUCH_ROOM)
    if room_page.room is None:
        raise NotFound(ChatReason.NO_ROOM_YET)
    return room_page, room_page.room


def matrix_alias(request: Request, room: RoomId, mirror: MirrorStatus) -> str:
    """The alias of the room’s mirror. Empty if the mirror has not been created yet, or was taken over with a different
    alias.
    """
    if mirror.matrix_room_id is None or mirror.is_adopted:
        return ""
    site = services(request)
    return full_alias(site.tenant.name, site.settings.matrix_server_name, room)


async def _settings_page(find: Find, request: Request, form_state: FormState, status: int = 200) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        room_page, room = await _find_room(find, reader, request)
        reading = await readers.reading_of(reader, room.id, caller.user_id)
        mirror = None
        if services(request).settings.matrix_url and room.kind not in mirroring.NEVER:
            mirror = await mirroring.status(reader, room.id)
        asks_twice = mirror is not None and await mirroring.is_subject_restricted(reader, room.id)
        user = await user_queries.by_id(reader, caller.user_id)
        now = reader.now
    has_group = room_page.group_id is not None
    switches = [one for one in SWITCHES_OF[room.kind] if has_group or one is not AudienceSwitch.MEMBERS]
    muted = ""
    if reading is not None and reading.muted_until is not None and reading.muted_until > now:
        ends = local_of(reading.muted_until, room_page.time_zone)
        muted = formatting.day_and_time(formatting.short_day(ends), ends)
    stored = {
        "name": room.name,
        "about": room.about,
        "history": room.history.value,
        "slow": str(room.slow_seconds),
        "retention": room.retention.value,
        "holds": "yes" if room.holds_messages else "",
        "revision": str(room.revision),
        "guests": "yes" if mirror is not None and mirror.allows_guests else "",
        **{f"who_{one.value}": room.switch(one) for one in switches},
    }
    context = {
        "place": room_page,
        "typed": FormState({**stored, **form_state.values}, form_state.problems),
        "labels": _LABELS,
        "mine": FormState(
            {"level": (reading.level if reading else NotificationLevel.USUAL).value, "mute": _KEEP if muted else ""}
        ),
        "mutes": [
            ("", gettext("No")),
            *([(_KEEP, gettext("Until %(when)s", when=muted))] if muted else []),
            *((value, words) for value, (_, words) in _MUTES.items()),
        ],
        "levels": [(one.value, words, "") for one, words in _LEVELS.items()],
        "enter_sends": user is not None and user.enter_sends,
        "moderates": room_page.access is Access.MODERATE,
        "is_channel": room.kind is RoomKind.CHANNEL,
        "switches": [(f"who_{one}", _SWITCHES[one], [(v, _VALUES[v]) for v in SWITCHES[one]]) for one in switches],
        "histories": [(one.value, words) for one, words in _HISTORIES.items()],
        "pauses": list(_PAUSES.items()),
        "keeping": [(one.value, words.filled(days=KEPT_AFTER_DATE // DAY)) for one, words in _KEEPING.items()],
        "is_closed": room.is_closed,
        "mirror": mirror,
        "alias": matrix_alias(request, room.id, mirror) if mirror is not None else "",
        "asks_twice": asks_twice,
        "most": {"name": MAX_NAME, "about": MAX_ABOUT, "reason": MAX_REASON},
    }
    return page(request, "chat/settings.html", context, status=status)
