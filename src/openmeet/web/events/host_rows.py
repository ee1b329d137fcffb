"""The hosts of an event or a series, and its group, each with a button to follow them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from groundwork.database.transaction import Reader
from openmeet.domain.groups import membership_queries
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups.model import INSIDE, Group, GroupRole, GroupVisibility
from openmeet.domain.page_paths import group_path
from openmeet.domain.profiles.queries import followed_among
from openmeet.domain.users.model import UserId
from openmeet.i18n.catalogue import gettext, ngettext
from openmeet.web.site.faces import Avatar, Portraits, avatar_of


@dataclass(frozen=True, slots=True)
class HostRow:
    """A host or a group. ``role`` says what they are: "Hosted by", or for a group the number of its members.

    ``path`` is their page and empty if they have none. ``follow_path`` takes the form that follows or unfollows them;
    empty if the viewer cannot follow them.
    """

    name: str
    role: str
    face: Avatar
    path: str
    follow_path: str = ""
    is_following: bool = False
    is_group: bool = False


async def host_rows(
    reader: Reader,
    viewer: UserId | None,
    hosts: Sequence[UserId],
    group: Group | None,
    *,
    paths: Mapping[UserId, str],
    names: Mapping[UserId, str],
    portraits: Portraits,
) -> list[HostRow]:
    """The rows for these hosts, the main host first, and for the group. The viewer may see the group.

    ``paths`` are the public profiles of the hosts; only hosts who have one can be followed.
    """
    followed = set() if viewer is None else await followed_among(reader, viewer, hosts)
    rows = [
        HostRow(
            names[host],
            gettext("Hosted by") if index == 0 else gettext("Co-host"),
            avatar_of(host, names[host], portraits),
            paths[host],
            f"{paths[host]}/follow" if paths[host] and host != viewer else "",
            host in followed,
        )
        for index, host in enumerate(hosts)
    ]
    return rows if group is None else [*rows, await _group_row(reader, viewer, group)]


async def _group_row(reader: Reader, viewer: UserId | None, group: Group) -> HostRow:
    by_role = await group_queries.counts(reader, group.id)
    members = sum(by_role.get(role, 0) for role in INSIDE)
    path = group_path(group.slug)
    role = await group_queries.role_in(reader, group.id, viewer)
    # Members get the news anyway.
    can_follow = group.details.visibility is GroupVisibility.PUBLIC and role not in {*INSIDE, GroupRole.BANNED}
    return HostRow(
        group.details.name,
        ngettext("%(number)s member", "%(number)s members", members),
        avatar_of(group.id, group.details.name),
        path,
        f"{path}/follow" if can_follow else "",
        can_follow and viewer is not None and await membership_queries.is_following(reader, group.id, viewer),
        is_group=True,
    )
