"""What every page of a group begins with: the group as the viewer may see it, its newest address, its tabs."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from groundwork.database.transaction import Reader
from openmeet.domain.groups import actions, queries, rules
from openmeet.domain.groups.model import INSIDE, Group, GroupRole, GroupSlug
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.users.model import UserId
from openmeet.web.site.caller import caller_or_none


@dataclass(frozen=True, slots=True)
class Tab:
    """``count`` is what waits there; nothing is shown for none."""

    path: str
    words: str
    count: int = 0


@dataclass(frozen=True, slots=True)
class GroupAccess:
    """A group, how the viewer stands in it, and how many people stand how."""

    group: Group
    role: GroupRole | None
    counts: Mapping[GroupRole, int]
    viewer: UserId | None

    @property
    def path(self) -> str:
        return f"/groups/{quote(self.group.slug)}"

    @property
    def members(self) -> int:
        return sum(self.counts.get(one, 0) for one in INSIDE)

    @property
    def member(self) -> UserId | None:
        """The viewer, where they are in the group."""
        return self.viewer if self.may(GroupPermission.VIEW) else None

    def may(self, action: GroupPermission) -> bool:
        return rules.may(self.role, action)

    @property
    def tabs(self) -> list[Tab]:
        """The pages of the group that the viewer may open."""
        found = [Tab(self.path, "Group"), Tab(f"{self.path}/events", "Events")]
        if self.may(GroupPermission.SEE_MEMBERS):
            found.append(Tab(f"{self.path}/members", "Members"))
        if self.viewer is not None and (self.group.is_read_only or self.may(GroupPermission.SEE_MEMBERS)):
            found.append(Tab(f"{self.path}/network", "Network"))
        if self.may(GroupPermission.APPROVE):
            found.append(Tab(f"{self.path}/requests", "Requests", self.counts.get(GroupRole.PENDING, 0)))
        if self.may(GroupPermission.INVITE):
            found.append(Tab(f"{self.path}/invitations", "Invite"))
        if self.may(GroupPermission.EDIT_GROUP):
            found.append(Tab(f"{self.path}/settings", "Settings"))
        return found


async def see(reader: Reader, request: Request, action: GroupPermission | None = None) -> GroupAccess:
    """The group in the path, for who may see it and do this in it. Raises NotFound, Forbidden."""
    caller = caller_or_none(request)
    viewer = caller.user_id if caller else None
    group, mine = await actions.visible(reader, slug_of(request), viewer)
    role = mine.role if mine else None
    if action is not None:
        rules.must_be_allowed(role, action)
    return GroupAccess(group, role, await queries.counts(reader, group.id), viewer)


async def see_as_stranger(reader: Reader, request: Request) -> Group:
    """The group in the path, as it is for everybody, whoever asks. Raises NotFound."""
    group, _ = await actions.visible(reader, slug_of(request), None)
    return group


def slug_of(request: Request) -> GroupSlug:
    return GroupSlug(request.path_params["slug"])


def path_of(group: Group, *more: str) -> str:
    """The address of the group's page, or of one below it."""
    return "/".join([f"/groups/{quote(group.slug)}", *more])


def elsewhere(request: Request, group: Group) -> Response | None:
    """Where the same page is now, when the address in the path is an earlier one of the group."""
    asked = slug_of(request)
    if asked == group.slug:
        return None
    # The slug stands alone between two slashes, or before a file's ending: it has neither itself.
    rest = request.url.path.removeprefix("/groups/").removeprefix(quote(asked)).removeprefix(asked)
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"/groups/{quote(group.slug)}{rest}{query}", 301)


def context_of(seen: GroupAccess, here: str) -> dict[str, object]:
    """What the frame of a group's pages shows. ``here``: the path of the tab that is open."""
    return {
        "group": seen.group,
        "address": seen.path,
        "role": seen.role.value if seen.role else "",
        "tabs": seen.tabs,
        "tab": here,
    }
