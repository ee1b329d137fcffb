"""The group's log in words."""

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import InvalidForm, TooMany, kind_of
from openmeet.domain.groups import actions, announcements
from openmeet.domain.groups.invitation_queries import BY_CLOCK, IN_ANOTHER_APP
from openmeet.domain.groups.model import MAX_KEY, AnnouncementId, Group, GroupLogAction, GroupRole, Logged
from openmeet.domain.users.model import UserId
from openmeet.i18n import formatting
from openmeet.recurrence.wall_time import local_of
from openmeet.web.groups import view
from openmeet.web.groups.access import path_of, see, slug_of
from openmeet.web.groups.view import role_words
from openmeet.web.site.caller import caller_of
from openmeet.web.site.forms import read_form, typed_again
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

_BY_SELF = {
    GroupLogAction.CREATED: "made the group",
    GroupLogAction.JOINED: "joined",
    GroupLogAction.ASKED: "asked to get in",
    GroupLogAction.ACCEPTED: "accepted an invitation",
    GroupLogAction.LEFT: "left",
    GroupLogAction.EDITED: "changed the settings",
    GroupLogAction.LINK_MADE: "made a link that lets people in",
    GroupLogAction.INVITATION_REVOKED: "took back an invitation",
    GroupLogAction.ANNOUNCED: "announced something",
    GroupLogAction.DELETED: "deleted the group",
    GroupLogAction.SUCCESSION_ASKED: "asked to take the group over",
}
_ABOUT = {
    GroupLogAction.APPROVED: "let in {who}",
    GroupLogAction.DECLINED: "declined {who}",
    GroupLogAction.REMOVED: "removed {who}",
    GroupLogAction.BANNED: "banned {who}",
    GroupLogAction.UNBANNED: "lifted the ban of {who}",
    GroupLogAction.OWNERSHIP_OFFERED: "offered the group to {who}",
    GroupLogAction.OFFER_ENDED: "ended the offer to {who}",
    GroupLogAction.SUCCESSION_STOPPED: "ended the taking over by {who}",
    GroupLogAction.ANNOUNCEMENT_REMOVED: "removed an announcement of {who}",
}


@dataclass(frozen=True, slots=True)
class ActivityRow:
    """``what`` follows the name of ``who``."""

    when: Markup
    who: str
    what: str


def line_of(one: Logged, names: Mapping[UserId, str], group: Group) -> ActivityRow:
    at = local_of(one.created_at, group.details.time_zone)
    when = formatting.time_tag(one.created_at, f"{formatting.short_day(at)} {at.year}, {formatting.clock(at)}")
    who = "By itself" if one.note == BY_CLOCK else names[one.acted_by]
    return ActivityRow(when, who, _what(one, names))


def _what(one: Logged, names: Mapping[UserId, str]) -> str:
    return _did(one, names) + (f" ({IN_ANOTHER_APP})" if one.note == IN_ANOTHER_APP else "")


def _did(one: Logged, names: Mapping[UserId, str]) -> str:
    them = names[one.user_id]
    if one.note == BY_CLOCK:
        return {
            GroupLogAction.SUCCESSION_ASKED: f"the time began after which {them} takes over",
            GroupLogAction.SUCCESSION_STOPPED: f"{them} does not take over",
        }.get(one.act, _new_role(one, them))
    match one.act:
        case GroupLogAction.ROLE_CHANGED if one.after is not None:
            return f"made {them} {role_words(one.after)}"
        case (
            GroupLogAction.HANDED_OVER
            | GroupLogAction.TAKEN_OVER
            | GroupLogAction.TAKEN_BACK
            | GroupLogAction.PASSED_ON
        ):
            return f"passed the group on: {_new_role(one, them)}"
        case GroupLogAction.SUCCESSION_ARRANGED:
            return f"arranged that {them} is next" if one.user_id != one.acted_by else "changed who is next"
        case GroupLogAction.INVITED:
            return f"invited {one.note} by mail"
        case GroupLogAction.ADDRESS_CHANGED:
            return f"chose the address {one.note}"
        case GroupLogAction.DID_FOLLOWED:
            return f"let the group follow {one.note}"
        case GroupLogAction.DID_UNFOLLOWED:
            return f"let the group no longer follow {one.note}"
        case _:
            return _BY_SELF.get(one.act) or _ABOUT[one.act].format(who=them)


def _new_role(one: Logged, them: str) -> str:
    return f"{them} is {role_words(one.after)}" if one.after is not None and one.after in set(GroupRole) else them


def routes() -> list[Route]:
    return [
        Route("/groups/{slug}/announcements", announce, methods=["POST"]),
        Route("/groups/{slug}/announcements/{announcement}/remove", remove, methods=["POST"]),
    ]


async def announce(request: Request) -> Response:
    caller = caller_of(request)
    typed = await read_form(request)
    key = typed.get("submission", "")[:MAX_KEY]
    try:
        async with database_of(request).transaction() as tx:
            await announcements.announce(
                tx, caller, slug_of(request), typed.get("text", ""), submission_key=key or None
            )
            group, _ = await actions.visible(tx, slug_of(request), caller.user_id)
    except (InvalidForm, TooMany, announcements.AlreadySaid) as wrong:
        problem = wrong if isinstance(wrong, InvalidForm) else InvalidForm({"text": wrong.why})
        if isinstance(wrong, announcements.AlreadySaid):
            typed = {**typed, "submission": ""}
        async with database_of(request).reader() as reader:
            context = await view.view_of(
                reader, await see(reader, request), typed_again(typed, problem), services(request).settings.public_url
            )
        return page(request, "groups/group.html", context, status=kind_of(wrong).http_status)
    return go(path_of(group) + "#announcements", said="announced")


async def remove(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        await announcements.remove(tx, caller, slug_of(request), AnnouncementId(request.path_params["announcement"]))
        group, _ = await actions.visible(tx, slug_of(request), caller.user_id)
    return go(path_of(group), said="announcement_removed")
