"""The people in a conversation and why they are in it, and facts that people should know about it: who reads and
writes, from when and until when, and who else can see it. Hosts can also invite, remove and ban guests from Matrix.
"""

from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from groundwork.clock import DAY
from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm, NotFound, Refused, TooMany
from groundwork.http.forms import FormState, form_with_problems, read_form
from openmeet.domain.chat import matrix_guests, people
from openmeet.domain.chat.matrix_guests import MAX_ADDRESS, GuestPresence, GuestState, MatrixGuest
from openmeet.domain.chat.model import (
    ANSWER_COUNTS_FOR,
    ARCHIVED_AFTER,
    KEPT_AFTER_DATE,
    MAX_REASON,
    Access,
    AudienceSwitch,
    HistoryMode,
    Room,
    RoomKind,
    RoomRetention,
    SubjectKind,
)
from openmeet.domain.chat.people import RoomMember
from openmeet.domain.chat.reasons import ChatReason
from openmeet.i18n.catalogue import LazyText, gettext, lazy
from openmeet.web.chat import person_pages, room_pages
from openmeet.web.chat.requests import spend_on_guest
from openmeet.web.chat.room_pages import Find, RoomPage
from openmeet.web.site.caller import caller_of
from openmeet.web.site.faces import Portraits, avatar_of, portraits_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

_LABELS: Final = {"address": lazy("Matrix address"), "reason": lazy("Why")}
_PRESENCE: Final[Mapping[GuestPresence, LazyText]] = {
    GuestPresence.UNKNOWN: lazy("The invitation is on its way"),
    GuestPresence.INVITED: lazy("Invited"),
    GuestPresence.JOINED: lazy("In the chat"),
    GuestPresence.LEFT: lazy("Left the chat"),
    GuestPresence.REFUSED: lazy("Couldn’t be invited. Check the address."),
}
_OF_HOSTS = {RoomKind.HOSTS, RoomKind.DIRECT}


async def show_people(find: Find, request: Request) -> Response:
    return await _people_page(find, request, FormState({}))


async def change_guest(find: Find, request: Request) -> Response:
    """Invite, remove or ban (``act``) a guest from Matrix, identified by address."""
    form = await read_form(request)
    caller, settings = caller_of(request), services(request).settings
    address, reason = form.get("address", ""), form.get("reason", "")
    try:
        await spend_on_guest(request, caller.user_id)
        async with database_of(request).transaction() as tx:
            room_page = await find(tx, request)
            if room_page.access is Access.NONE or room_page.room is None or not settings.matrix_url:
                raise NotFound(ChatReason.NO_SUCH_ROOM)
            match form.get("act"):
                case "remove":
                    await matrix_guests.remove(tx, caller, room_page.room.id, address, reason)
                case "ban":
                    await matrix_guests.ban(tx, caller, room_page.room.id, address, reason)
                case _:
                    only = "" if settings.matrix_federate else settings.matrix_server_name
                    await matrix_guests.invite(tx, caller, room_page.room.id, address, only_of_server=only)
    except InvalidForm as wrong:
        return await _people_page(find, request, form_with_problems(form, wrong), 400)
    except (Refused, TooMany) as refused:
        status = 429 if isinstance(refused, TooMany) else 422
        return await _people_page(find, request, FormState(form, {"": refused.why}), status)
    return go(room_page.page("people"), flash="act_done")


def room_facts(room_page: RoomPage, kept_days: int) -> list[str]:
    """Facts about the conversation, one sentence each. ``kept_days`` is the maximum number of days for which this site
    keeps messages. 0 means no limit.
    """
    room, kind = room_page.room, room_page.target.kind
    facts = _access_facts(kind, room, has_group=room_page.group_id is not None)
    if room is not None and room.history is HistoryMode.SINCE_JOINING:
        facts.append(gettext("New people see messages from the day they join."))
    elif room is not None and room.history_floor:
        facts.append(gettext("New people can read what was said since the hosts allowed it."))
    elif kind not in _OF_HOSTS:
        facts.append(gettext("New people can read what was said before."))
    if kind in {RoomKind.EVENT, RoomKind.DATE}:
        facts.append(gettext("The chat closes %(days)s days after the event.", days=ARCHIVED_AFTER // DAY))
    if room_page.removal_notice:
        facts.append(room_page.removal_notice)
    if room is not None and room.retention is RoomRetention.AFTER_DATE:
        facts.append(gettext("Messages are deleted %(days)s days after the date.", days=KEPT_AFTER_DATE // DAY))
    retention_days = {RoomRetention.YEAR: 365, RoomRetention.QUARTER: 90}.get(room.retention, 0) if room else 0
    days = min((each for each in (retention_days, kept_days) if each), default=0)
    if days:
        facts.append(gettext("Messages are deleted after %(days)s days.", days=str(days)))
    if room is not None and room.is_mirrored:
        facts.append(
            gettext("This chat is also on Matrix. The operator of the Matrix server can read everything we forward.")
        )
    facts.append(gettext("Messages aren’t end-to-end encrypted."))
    return facts


def _access_facts(kind: RoomKind, room: Room | None, *, has_group: bool) -> list[str]:
    """Who can read and who can write, according to the room's settings."""

    def chosen(switch: AudienceSwitch, value: str) -> bool:
        return room is not None and room.switch(switch) == value

    match kind:
        case RoomKind.HOSTS:
            return [gettext("Only hosts and co-hosts can read this.")]
        case RoomKind.DIRECT:
            return [gettext("Only you and the hosts can read this.")]
        case RoomKind.CHANNEL if chosen(AudienceSwitch.ANNOUNCEMENTS, "yes"):
            return [gettext("Members of the group can read this. Only organisers can write.")]
        case RoomKind.CHANNEL:
            return [gettext("Members of the group can read and write here.")]
        case _:
            pass
    only_going = not chosen(AudienceSwitch.INTERESTED, "write") and room is not None
    if kind is RoomKind.SERIES:
        days = ANSWER_COUNTS_FOR // DAY
        facts = [
            gettext("Everyone going to a date, or who was there in the last %(days)s days, can write here.", days=days)
            if only_going
            else gettext(
                "Everyone who answered an upcoming date, or one in the last %(days)s days, can write here.", days=days
            )
        ]
    else:
        facts = [
            gettext("Everyone who is going can read and write here.")
            if only_going
            else gettext("Everyone who answered can read and write here.")
        ]
    if chosen(AudienceSwitch.INTERESTED, "read"):
        facts.append(gettext("People who said maybe can read."))
    if has_group and not chosen(AudienceSwitch.MEMBERS, "none"):
        facts.append(gettext("Members of the group can write, too."))
    if kind is RoomKind.SERIES and not chosen(AudienceSwitch.FOLLOWERS, "none"):
        facts.append(gettext("Followers can read."))
    if chosen(AudienceSwitch.PENDING, "read"):
        facts.append(gettext("People who are invited or waiting for approval can read."))
    if chosen(AudienceSwitch.ANYBODY, "read"):
        facts.append(gettext("Anyone can read this, even without an account."))
    return facts


async def _people_page(find: Find, request: Request, form_state: FormState, status: int = 200) -> Response:
    caller = caller_of(request)
    words = request.query_params.get("q", "").strip()
    async with database_of(request).reader() as reader:
        room_page = await find(reader, request)
        if room_page.access is Access.NONE:
            raise NotFound(ChatReason.NO_SUCH_ROOM)
        room = room_page.room or room_page.target
        members = await people.members(reader, room, caller.user_id, words=words, limit=100)
        portraits = await portraits_of(reader, caller.user_id, [one.user_id for one in members.people])
        further = await room_pages.further_rooms(reader, room_page, caller.user_id)
        sanctioned = await person_pages.sanctioned_rows(reader, room_page)
        guests = await _guest_rows(reader, room_page)
        invites = (
            room_page.room is not None
            and room_page.access is Access.MODERATE
            and await matrix_guests.are_allowed(reader, room_page.room)
        )
    context = {
        "place": room_page,
        "words": words,
        "people": [person_row(one, room_page, portraits) for one in members.people],
        "others": members.others,
        "further": further,
        "sanctioned": sanctioned,
        "guests": guests,
        "invites_guests": invites,
        "moderates": room_page.access is Access.MODERATE,
        "typed": form_state,
        "labels": _LABELS,
        "most": {"address": MAX_ADDRESS, "reason": MAX_REASON},
        "server": services(request).settings.matrix_server_name,
        "has_uncounted": members.others is None,
        "has_more": members.after is not None,
        "facts": room_facts(room_page, services(request).settings.chat_kept_days),
    }
    return page(request, "chat/people.html", context, status=status)


async def _guest_rows(reader: Reader, room_page: RoomPage) -> list[dict[str, object]]:
    """Guests from Matrix. Banned guests are listed for moderators only."""
    if room_page.room is None or not room_page.room.is_mirrored:
        return []
    seen = (GuestState.INVITED, GuestState.BANNED) if room_page.access is Access.MODERATE else (GuestState.INVITED,)
    guests = await matrix_guests.guests_of(reader, room_page.room.id, states=seen)
    is_open = await matrix_guests.are_allowed(reader, room_page.room)
    return [_guest_row(one) for one in guests if is_open or room_page.access is Access.MODERATE]


def _guest_row(guest: MatrixGuest) -> dict[str, object]:
    is_banned = guest.state is GuestState.BANNED
    return {
        "address": guest.mxid,
        "words": gettext("Banned") if is_banned else str(_PRESENCE[guest.presence]),
        "reason": guest.reason if is_banned else "",
        "is_banned": is_banned,
        "is_asked_again": is_banned or guest.presence in {GuestPresence.LEFT, GuestPresence.REFUSED},
    }


def person_row(member: RoomMember, room_page: RoomPage, portraits: Portraits) -> dict[str, object]:
    """One row of the list of people in a room."""
    # The usual reason is not shown: an RSVP or, in a chat of a group, membership.
    is_of_group = room_page.target.subject.kind is SubjectKind.GROUP
    why = {
        "attendance": "",
        "group": "" if is_of_group else gettext("Member of the group"),
        "following": gettext("Follows the series"),
        "direct": "",
        "hosting": "",
    }
    is_host = member.access is Access.MODERATE
    role = gettext("Organiser") if room_page.target.kind is RoomKind.CHANNEL else gettext("Host")
    return {
        "id": member.user_id,
        "name": member.name,
        "face": avatar_of(member.user_id, member.name, portraits),
        "href": room_page.page("people", member.user_id)
        if room_page.access is Access.MODERATE and not is_host and room_page.room
        else f"/people/{member.user_id}",
        "role": role if is_host else "",
        "why": "" if is_host else next((why[each] for each in member.because if why.get(each)), ""),
    }
