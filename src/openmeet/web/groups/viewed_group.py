"""Shared by all group pages: the group as the viewer may see it, redirects from old slugs, and the tabs."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from groundwork.database.transaction import Reader
from openmeet.domain.groups import actions, queries, rules
from openmeet.domain.groups.model import INSIDE, Group, GroupRole
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.page_paths import group_path
from openmeet.domain.users.model import UserId
from openmeet.i18n.catalogue import gettext
from openmeet.web.media.subject import subject_of_group
from openmeet.web.site.caller import viewer_of
from openmeet.web.site.slugs import group_slug_of


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab of the group's pages. ``count`` is the number of items that wait; zero is not shown."""

    path: str
    words: str
    count: int = 0


@dataclass(frozen=True, slots=True)
class ViewedGroup:
    """A group, the viewer's membership, and the number of members by role."""

    group: Group
    role: GroupRole | None
    counts: Mapping[GroupRole, int]
    viewer: UserId | None

    @property
    def path(self) -> str:
        return group_path(self.group.slug)

    @property
    def members(self) -> int:
        return sum(self.counts.get(one, 0) for one in INSIDE)

    @property
    def member(self) -> UserId | None:
        """The viewer, if they are a member."""
        return self.viewer if self.may(GroupPermission.VIEW) else None

    def may(self, action: GroupPermission) -> bool:
        return rules.may(self.role, action)

    @property
    def tabs(self) -> list[Tab]:
        """The tabs that the viewer needs often. At most five fit into one line on a phone."""
        tabs = [Tab(self.path, gettext("Group")), Tab(f"{self.path}/events", gettext("Events"))]
        if self.member is not None and not self.group.is_read_only:
            tabs.append(Tab(f"{self.path}/chat", gettext("Chat")))
        if self.may(GroupPermission.SEE_MEMBERS):
            tabs.append(Tab(f"{self.path}/members", gettext("Members")))
        return tabs + [one for one in self._rare if one.count]

    @property
    def rare_tabs(self) -> list[Tab]:
        """The tabs that the viewer rarely needs and that have no waiting items."""
        return [one for one in self._rare if not one.count]

    @property
    def _rare(self) -> list[Tab]:
        tabs = []
        if self.may(GroupPermission.APPROVE):
            tabs.append(Tab(f"{self.path}/requests", gettext("Requests"), self.counts.get(GroupRole.PENDING, 0)))
        if self.may(GroupPermission.INVITE):
            tabs.append(Tab(f"{self.path}/invitations", gettext("Invite")))
        if self.viewer is not None and (self.group.is_read_only or self.may(GroupPermission.SEE_MEMBERS)):
            tabs.append(Tab(f"{self.path}/network", gettext("Other apps")))
        if self.may(GroupPermission.EDIT_GROUP):
            tabs.append(Tab(f"{self.path}/settings", gettext("Settings")))
        return tabs


async def view_group(reader: Reader, request: Request, action: GroupPermission | None = None) -> ViewedGroup:
    """The group in the path. Raises NotFound if the viewer may not see it, and Forbidden if they lack this permission."""
    viewer = viewer_of(request)
    group, membership = await actions.visible(reader, group_slug_of(request), viewer)
    role = membership.role if membership else None
    if action is not None:
        rules.require_permission(role, action)
    return ViewedGroup(group, role, await queries.counts(reader, group.id), viewer)


async def view_group_as_stranger(reader: Reader, request: Request) -> Group:
    """The public view of the group in the path, regardless of the caller. Raises NotFound."""
    group, _ = await actions.visible(reader, group_slug_of(request), None)
    return group


def redirect_to_current_slug(request: Request, group: Group) -> Response | None:
    """Redirect to the same page under the current slug if the path contains an earlier slug of the group. Otherwise
    None.
    """
    requested_slug = group_slug_of(request)
    if requested_slug == group.slug:
        return None
    # The slug is a whole path segment or is followed by a file extension. A slug contains neither slashes nor dots.
    path_below = (
        request.url.path.removeprefix("/groups/").removeprefix(quote(requested_slug)).removeprefix(requested_slug)
    )
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{group_path(group.slug)}{path_below}{query}", 301)


def context_of(seen: ViewedGroup, current_tab: str) -> dict[str, object]:
    """The context that the layout of group pages needs. ``current_tab`` is the path of the open tab."""
    return {
        "group": seen.group,
        "address": seen.path,
        "subject": subject_of_group(seen.group),
        "role": seen.role.value if seen.role else "",
        "tabs": [*seen.tabs, *(one for one in seen.rare_tabs if one.path == current_tab)],
        "rare_tabs": seen.rare_tabs,
        "tab": current_tab,
    }
