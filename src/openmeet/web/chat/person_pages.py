"""Page of one person in a room, for its hosts: mute or ban them, or lift a mute or ban. Also the notice that a muted or
banned person sees.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, assert_never

from starlette.requests import Request
from starlette.responses import Response

from groundwork.clock import DAY, HOUR, Instant
from groundwork.database.transaction import Reader
from groundwork.errors import Forbidden, InvalidForm, InvalidInput, NotFound, Refused
from groundwork.http.forms import FormState, form_with_problems, read_form
from openmeet.domain.chat import rooms, sanctions
from openmeet.domain.chat.access import access_of_each, require_at_least
from openmeet.domain.chat.model import MAX_REASON, Access, Room, RoomKind
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.chat.sanctions import Sanction, SanctionKind
from openmeet.domain.groups import administration, rules
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups.model import Group, GroupRole
from openmeet.domain.groups.reasons import GroupReason
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.users.model import UserId
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.catalogue import gettext, lazy
from openmeet.web.chat import view
from openmeet.web.chat.room_pages import Find, RoomPage
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of

_LABELS: Final = {"reason": lazy("Why"), "for": lazy("How long")}
_SPANS: Final = {"hour": HOUR, "day": DAY, "week": 7 * DAY}
_CHOICES: Final = (
    ("hour", lazy("For an hour")),
    ("day", lazy("For a day")),
    ("week", lazy("For a week")),
    ("", lazy("Until a host ends it")),
)


async def show_person(find: Find, request: Request) -> Response:
    return await _person_page(find, request, FormState({}))


async def sanction(find: Find, request: Request, *, kind: SanctionKind) -> Response:
    """Mute or ban the person that the page is about."""
    form = await read_form(request)
    span = _SPANS.get(form.get("for", ""))
    try:
        async with database_of(request).transaction() as tx:
            room_page, room, person = await _find_room_and_person(find, tx, request)
            until = Instant(tx.now + span) if span else None
            reason = form.get("reason", "")
            await sanctions.sanction(tx, caller_of(request), room.id, person, kind, reason=reason, until=until)
    except (InvalidForm, InvalidInput) as wrong:
        return await _person_page(find, request, form_with_problems(form, wrong), 400)
    except Refused as refused:
        return await _person_page(find, request, FormState(form, {"": refused.why}), 422)
    return go(room_page.page("people", person), flash="act_done")


async def lift(find: Find, request: Request) -> Response:
    """End a mute or a ban that hosts imposed."""
    form = await read_form(request)
    try:
        async with database_of(request).transaction() as tx:
            room_page, room, person = await _find_room_and_person(find, tx, request)
            await sanctions.lift(tx, caller_of(request), room.id, person, kind=_kind_in(form))
    except Refused as refused:
        return await _person_page(find, request, FormState(form, {"": refused.why}), 422)
    return go(room_page.page("people", person), flash="act_done")


def _kind_in(form: Mapping[str, str]) -> SanctionKind:
    try:
        return SanctionKind(form.get("kind", ""))
    except ValueError:
        raise InvalidInput("kind", GeneralReason.CHOOSE_ONE, choices=", ".join(SanctionKind)) from None


async def decide_in_group(find: Find, request: Request) -> Response:
    """Ban the person from the group, which includes all its chats, or lift that ban (``act``: ban, lift)."""
    form = await read_form(request)
    try:
        async with database_of(request).transaction() as tx:
            room_page, _, person = await _find_room_and_person(find, tx, request)
            in_group = await _role_in_group(tx, room_page, caller_of(request).user_id, person)
            if in_group is None:
                raise Forbidden(GroupReason.MAY_NOT_BAN)
            act = administration.unban if form.get("act") == "lift" else administration.ban
            await act(tx, caller_of(request), in_group.group.slug, person)
    except Refused as refused:
        return await _person_page(find, request, FormState(form, {"": refused.why}), 422)
    return go(room_page.page("people", person), flash="act_done")


mute = partial(sanction, kind=SanctionKind.MUTE)
ban = partial(sanction, kind=SanctionKind.BAN)


async def sanctioned_rows(reader: Reader, room_page: RoomPage) -> list[dict[str, object]]:
    """The people who are muted or banned in the room. Empty unless the viewer moderates it."""
    if room_page.room is None or room_page.access is not Access.MODERATE:
        return []
    active_sanctions = await sanctions.sanctions_in(reader, room_page.room.id)
    names = await shown_names(reader, [one.user_id for one in active_sanctions])
    return [
        {
            "name": names[one.user_id],
            "href": room_page.page("people", one.user_id),
            "words": _words_of(one, reader.now, room_page.time_zone),
        }
        for one in active_sanctions
    ]


@dataclass(frozen=True, slots=True)
class SanctionNotice:
    """Why a muted or banned person cannot write or read. ``ask`` is the URL where they can object, ``ask_label`` the
    text of the link.
    """

    words: str
    reason: str
    ask: str
    ask_label: str


async def sanction_notice(
    reader: Reader, room: Room | None, zone: str, viewer: UserId | None, hosts: str = ""
) -> SanctionNotice | None:
    """The notice for a muted or banned viewer; None for everyone else. ``hosts`` is the URL of their thread with the
    hosts. If it is empty, or if a moderator of the site decided, the notice refers to the people who run the site.
    """
    if room is None or viewer is None:
        return None
    active_sanctions = await sanctions.sanctions_in(reader, room.id, viewer)
    if not active_sanctions:
        return None
    strictest = max(active_sanctions, key=lambda one: one.kind.severity)
    until = "" if strictest.until is None else view.time_in_sentence(strictest.until, reader.now, zone)
    words = (
        gettext("A moderator of this site decided that you can’t write here.")
        if strictest.of_site
        else _words_to_person(strictest.kind, until)
    )
    if hosts and not strictest.of_site:
        return SanctionNotice(words, strictest.reason, hosts, gettext("Ask the hosts"))
    return SanctionNotice(words, strictest.reason, "/help", gettext("Ask the people who run this site"))


def _words_to_person(kind: SanctionKind, until: str) -> str:
    """A decision of the hosts, for the person. ``until`` is empty if it lasts until it is lifted."""
    match kind:
        case SanctionKind.BAN if until:
            return gettext("A host has banned you from this chat until %(until)s.", until=until)
        case SanctionKind.BAN:
            return gettext("A host has banned you from this chat.")
        case SanctionKind.MUTE if until:
            return gettext(
                "A host has muted you in this chat until %(until)s. You can read it, but not write.", until=until
            )
        case SanctionKind.MUTE:
            return gettext("A host has muted you in this chat. You can read it, but not write.")
        case _:
            assert_never(kind)


def _words_of(person_sanction: Sanction, now: Instant, zone: str) -> str:
    """The sanction in a list for moderators."""
    until = "" if person_sanction.until is None else view.time_in_sentence(person_sanction.until, now, zone)
    match person_sanction.kind:
        case SanctionKind.BAN:
            return gettext("Banned until %(until)s", until=until) if until else gettext("Banned")
        case SanctionKind.MUTE:
            return gettext("Muted until %(until)s", until=until) if until else gettext("Muted")
        case _:
            assert_never(person_sanction.kind)


def _lift_label(kind: SanctionKind) -> str:
    """The button that lifts it."""
    match kind:
        case SanctionKind.BAN:
            return gettext("Lift the ban")
        case SanctionKind.MUTE:
            return gettext("Let them write again")
        case _:
            assert_never(kind)


@dataclass(frozen=True, slots=True)
class _InGroup:
    """A person whom the viewer may ban from the group that a chat belongs to."""

    group: Group
    is_banned: bool


async def _role_in_group(reader: Reader, room_page: RoomPage, caller: UserId, person: UserId) -> _InGroup | None:
    """The person's state in the group. None if there is no group, or if the caller may not ban this person from it."""
    group = None if room_page.group_id is None else await group_queries.by_id(reader, room_page.group_id)
    role = None if group is None else await group_queries.role_in(reader, group.id, caller)
    if group is None or role is None or group.is_read_only or not rules.may(role, GroupPermission.BAN):
        return None
    their_membership = await group_queries.find_member(reader, group.id, person)
    if person == caller or (their_membership is not None and not rules.ranks_above(role, their_membership.role)):
        return None
    return _InGroup(group, their_membership is not None and their_membership.role is GroupRole.BANNED)


async def _find_room_and_person(find: Find, reader: Reader, request: Request) -> tuple[RoomPage, Room, UserId]:
    """The room, which the caller must moderate, and a person who is in it, is banned from it or has written in it.
    Raises NotFound, Forbidden.
    """
    caller = caller_of(request)
    room_page = await find(reader, request)
    require_at_least(room_page.access, Access.MODERATE)
    if room_page.room is None:
        raise NotFound(ChatReason.NO_ROOM_YET)
    person = UserId(request.path_params["person"])
    in_group = await _role_in_group(reader, room_page, caller.user_id, person)
    is_banned_from_group = in_group is not None and in_group.is_banned
    if not is_banned_from_group and not await sanctions.is_known_in(reader, room_page.room, person):
        raise NotFound(GeneralReason.NO_SUCH_PERSON)
    return room_page, room_page.room, person


async def _thread_with(reader: Reader, room_page: RoomPage, person: UserId) -> str:
    """The URL of this person's thread with the hosts. Empty if hosts cannot write to them."""
    if not room_page.path_of_related_room("direct"):
        return ""
    target = await rooms.target_of(reader, RoomKind.DIRECT, room_page.target.subject, with_user_id=person)
    try:
        await rooms.require_answered(reader, target)
    except NotFound:
        return ""
    return room_page.path_of_related_room("direct", person)


async def _person_page(find: Find, request: Request, form_state: FormState, status: int = 200) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        room_page, room, person = await _find_room_and_person(find, reader, request)
        reached = (await access_of_each(reader, room, [person])).get(person, Access.NONE)
        active_sanctions = await sanctions.sanctions_in(reader, room.id, person)
        by = await shown_names(reader, [person, *(one.by_user_id for one in active_sanctions)])
        write = await _thread_with(reader, room_page, person)
        in_group = await _role_in_group(reader, room_page, caller.user_id, person)
        now = reader.now
    context = {
        "place": room_page,
        "name": by[person],
        "address": room_page.page("people", person),
        "person": person,
        "href": f"/people/{person}",
        "runs": reached is Access.MODERATE or person == caller.user_id,
        "found": [
            {
                "kind": one.kind.value,
                "words": _words_of(one, now, room_page.time_zone),
                "reason": one.reason,
                "by": gettext("A moderator of this site") if one.of_site else by[one.by_user_id],
                "of_site": one.of_site,
                "lift_label": _lift_label(one.kind),
            }
            for one in active_sanctions
        ],
        "write": write,
        "in_group": in_group,
        "choices": _CHOICES,
        "typed": FormState({"for": "day"} | dict(form_state.values), form_state.problems),
        "labels": _LABELS,
        "most": MAX_REASON,
    }
    return page(request, "chat/person.html", context, status=status)
