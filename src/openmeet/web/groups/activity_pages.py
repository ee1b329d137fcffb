"""Announcements of a group, and its activity log in words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Final

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.errors import InvalidForm, TooMany, kind_of
from groundwork.http.forms import form_with_problems, read_form
from openmeet.domain.groups import actions, announcements
from openmeet.domain.groups.audit_log import BY_CLOCK, IN_ANOTHER_APP
from openmeet.domain.groups.model import (
    INSIDE,
    MAX_KEY,
    AnnouncementId,
    Group,
    GroupLogAction,
    GroupLogEntry,
    GroupRole,
)
from openmeet.domain.page_paths import group_path
from openmeet.domain.users.model import UserId
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext, lazy, ngettext
from openmeet.recurrence.wall_time import local_of
from openmeet.web.groups import view
from openmeet.web.groups.view import role_label
from openmeet.web.groups.viewed_group import view_group
from openmeet.web.site.caller import caller_of
from openmeet.web.site.faces import Avatar, Portraits, avatar_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.slugs import group_slug_of
from openmeet.web.site.tenant_routing import database_of

_BY_SELF = {
    GroupLogAction.CREATED: lazy("created the group"),
    GroupLogAction.JOINED: lazy("joined"),
    GroupLogAction.ASKED: lazy("asked to join"),
    GroupLogAction.ACCEPTED: lazy("accepted an invitation"),
    GroupLogAction.LEFT: lazy("left"),
    GroupLogAction.EDITED: lazy("changed the settings"),
    GroupLogAction.LINK_MADE: lazy("created an invitation link"),
    GroupLogAction.INVITATION_REVOKED: lazy("withdrew an invitation"),
    GroupLogAction.ANNOUNCED: lazy("announced something"),
    GroupLogAction.DELETED: lazy("deleted the group"),
    GroupLogAction.SUCCESSION_ASKED: lazy("asked to take the group over"),
    GroupLogAction.SUCCEEDED: lazy("replaced the group’s copy in other apps"),
}
_ABOUT = {
    GroupLogAction.APPROVED: lazy("let in %(who)s"),
    GroupLogAction.DECLINED: lazy("declined %(who)s"),
    GroupLogAction.REMOVED: lazy("removed %(who)s"),
    GroupLogAction.BANNED: lazy("banned %(who)s"),
    GroupLogAction.UNBANNED: lazy("lifted the ban on %(who)s"),
    GroupLogAction.OWNERSHIP_OFFERED: lazy("offered the group to %(who)s"),
    GroupLogAction.OFFER_ENDED: lazy("ended the offer to %(who)s"),
    GroupLogAction.SUCCESSION_STOPPED: lazy("stopped %(who)s from taking over"),
    GroupLogAction.ANNOUNCEMENT_REMOVED: lazy("removed an announcement of %(who)s"),
}

# What several people can do one after the other, as a sentence with their number.
_BY_SEVERAL: Final[Mapping[GroupLogAction, Callable[[int], str]]] = {
    GroupLogAction.JOINED: lambda count: ngettext("%(number)s person joined", "%(number)s people joined", count),
    GroupLogAction.ASKED: lambda count: ngettext(
        "%(number)s person asked to join", "%(number)s people asked to join", count
    ),
    GroupLogAction.ACCEPTED: lambda count: ngettext(
        "%(number)s person accepted an invitation", "%(number)s people accepted invitations", count
    ),
    GroupLogAction.LEFT: lambda count: ngettext("%(number)s person left", "%(number)s people left", count),
}


@dataclass(frozen=True, slots=True)
class ActivityEntry:
    """An entry of the activity log. ``what`` is the rest of the sentence after ``who``. ``face`` is None if the site
    acted automatically.
    """

    when: Markup
    who: str
    what: str
    face: Avatar | None


@dataclass(frozen=True, slots=True)
class ActivityRow:
    """A row of the activity log: one entry, or several people who did the same on one day, newest first. ``what`` is
    the sentence about all of them; it is empty for one entry.
    """

    entries: Sequence[ActivityEntry]
    day: str
    what: str


def activity_rows(
    entries: Sequence[GroupLogEntry], names: Mapping[UserId, str], portraits: Portraits, group: Group, now: Instant
) -> list[ActivityRow]:
    """The rows of the activity log. Names and portraits are those of the people who acted or are concerned."""
    zone = group.details.time_zone
    today = local_of(now, zone).date()

    def bundle_of(entry: GroupLogEntry) -> tuple[date, GroupLogAction, str]:
        by_many = entry.act in _BY_SEVERAL and not entry.note
        return local_of(entry.created_at, zone).date(), entry.act, "" if by_many else entry.id

    def entry_of(entry: GroupLogEntry) -> ActivityEntry:
        at = local_of(entry.created_at, zone)
        when = formatting.time_tag(entry.created_at, formatting.day_and_time(formatting.short_day(at, today), at))
        if entry.note == BY_CLOCK:
            return ActivityEntry(when, gettext("Automatically"), _entry_text(entry, names), None)
        name = names[entry.acted_by]
        return ActivityEntry(when, name, _entry_text(entry, names), avatar_of(entry.acted_by, name, portraits))

    rows = []
    for (day, act, _), bundle in groupby(entries, bundle_of):
        shown = [entry_of(one) for one in bundle]
        what = _BY_SEVERAL[act](len(shown)) if len(shown) > 1 else ""
        rows.append(ActivityRow(shown, formatting.short_day(day, today), what))
    return rows


def _entry_text(entry: GroupLogEntry, names: Mapping[UserId, str]) -> str:
    action_text = _action_text(entry, names)
    return gettext("%(what)s (in another app)", what=action_text) if entry.note == IN_ANOTHER_APP else action_text


def _action_text(entry: GroupLogEntry, names: Mapping[UserId, str]) -> str:
    member_name = names[entry.user_id]
    if entry.note == BY_CLOCK:
        return {
            GroupLogAction.SUCCESSION_ASKED: gettext(
                "started the waiting time until %(name)s takes over", name=member_name
            ),
            GroupLogAction.SUCCESSION_STOPPED: gettext("%(name)s isn’t taking over", name=member_name),
        }.get(entry.act, _new_role(entry, member_name))
    match entry.act:
        case GroupLogAction.ROLE_CHANGED:
            return _made(entry, member_name)
        case (
            GroupLogAction.HANDED_OVER
            | GroupLogAction.TAKEN_OVER
            | GroupLogAction.TAKEN_BACK
            | GroupLogAction.PASSED_ON
        ):
            return _new_owner_text(entry, member_name)
        case GroupLogAction.SUCCESSION_ARRANGED:
            return (
                gettext("named %(them)s as the next owner", them=member_name)
                if entry.user_id != entry.acted_by
                else gettext("changed who’s next in line")
            )
        case GroupLogAction.OFFER_ENDED if entry.user_id == entry.acted_by:
            return gettext("declined to own the group")
        case GroupLogAction.SUCCESSION_STOPPED if entry.user_id == entry.acted_by:
            return gettext("no longer asks to take the group over")
        case GroupLogAction.INVITED:
            return ngettext(
                "invited %(number)s person by e-mail", "invited %(number)s people by e-mail", int(entry.note)
            )
        case GroupLogAction.ADDRESS_CHANGED if entry.note:
            return gettext("chose the address %(note)s", note=entry.note)
        case GroupLogAction.ADDRESS_CHANGED:
            return gettext("created a new link for the group")
        case GroupLogAction.DID_FOLLOWED:
            return gettext("made the group follow %(note)s", note=entry.note)
        case GroupLogAction.DID_UNFOLLOWED:
            return gettext("made the group unfollow %(note)s", note=entry.note)
        case GroupLogAction.ACCOUNT_OPENED:
            return gettext("gave the group its own account, @%(handle)s", handle=entry.note)
        case _:
            return _ABOUT[entry.act].filled(who=member_name) if entry.act in _ABOUT else str(_BY_SELF[entry.act])


def _new_owner_text(entry: GroupLogEntry, member_name: str) -> str:
    """A change of owner has two entries: one about the new owner, one about the former owner, who becomes an admin."""
    if entry.after is not GroupRole.OWNER:
        return _made(entry, member_name)
    if entry.user_id == entry.acted_by:
        return gettext("became the owner of the group")
    return gettext("handed the group over to %(them)s", them=member_name)


def _made(entry: GroupLogEntry, member_name: str) -> str:
    if entry.after is None or entry.after not in INSIDE:
        return member_name
    return gettext("made %(them)s %(after)s", them=member_name, after=role_label(entry.after))


def _new_role(entry: GroupLogEntry, member_name: str) -> str:
    if entry.after is None or entry.after not in INSIDE:
        return member_name
    return gettext("%(them)s is %(after)s", them=member_name, after=role_label(entry.after))


def routes() -> list[Route]:
    return [
        Route("/groups/{slug}/announcements", announce, methods=["POST"]),
        Route("/groups/{slug}/announcements/{announcement}/remove", remove, methods=["POST"]),
    ]


async def announce(request: Request) -> Response:
    caller = caller_of(request)
    form = await read_form(request)
    key = form.get("submission", "")[:MAX_KEY]
    try:
        async with database_of(request).transaction() as tx:
            await announcements.announce(
                tx, caller, group_slug_of(request), form.get("text", ""), submission_key=key or None
            )
            group, _ = await actions.visible(tx, group_slug_of(request), caller.user_id)
    except (InvalidForm, TooMany, announcements.AlreadyAnnounced) as wrong:
        problem = wrong if isinstance(wrong, InvalidForm) else InvalidForm({"text": wrong.why})
        if isinstance(wrong, announcements.AlreadyAnnounced):
            form = {**form, "submission": ""}
        async with database_of(request).reader() as reader:
            context = await view.group_context(
                reader,
                await view_group(reader, request),
                form_with_problems(form, problem),
                services(request).settings.public_url,
            )
        return page(request, "groups/group.html", context, status=kind_of(wrong).http_status)
    return go(f"{group_path(group.slug)}#announcements", flash="announced")


async def remove(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        await announcements.remove(
            tx, caller, group_slug_of(request), AnnouncementId(request.path_params["announcement"])
        )
        group, _ = await actions.visible(tx, group_slug_of(request), caller.user_id)
    return go(group_path(group.slug), flash="announcement_removed")
