"""Groups in a random network: people found, join, leave and moderate them, and events belong to them.

The groups are not published. Network records about groups have their own tests (``tests/openmeet/ingestion``).
"""

from dataclasses import dataclass
from typing import Any

from groundwork.errors import Failure
from openmeet.domain.events.group_of_event import group_for
from openmeet.domain.events.model import GroupOfEvent
from openmeet.domain.groups import actions, administration
from openmeet.domain.groups.model import GroupRole, GroupSlug
from openmeet.domain.users.model import Caller, UserId
from openmeet.web.groups.forms import GroupSubmission, check
from tests.simulation.simulation_hosting import Hosting

# People deal with this many of the newest groups.
CURRENT_GROUPS = 3
GRANTED = (GroupRole.MEMBER, GroupRole.MODERATOR, GroupRole.ADMIN)


@dataclass
class Groups(Hosting):
    """Actions of people in groups."""

    async def make_group(self) -> None:
        person, caller = self.somebody_here()
        visibility = self.chance.choice(("public", "public", "private"))
        submitted = GroupSubmission(
            name=f"Group {self.number}", time_zone="Europe/Vienna", country="AT", visibility=visibility
        )
        async with self.deployment.db.transaction() as tx:
            group = await actions.create(tx, caller, check(submitted))
        self.note(f"{person.name} founds the {visibility} group {group.id}")

    async def join_group(self) -> None:
        """Join a group, also a private one: its owner sends a link."""
        person, caller = self.somebody_here()
        group = await self._a_group()
        if group is None:
            return
        self.note(f"{person.name} joins the group {group['id']}")
        owner = Caller(UserId(group["owner_id"]), "")
        try:
            async with self.deployment.db.transaction() as tx:
                link = await administration.invite_by_link(tx, owner, GroupSlug(group["slug"]), uses=1)
                await administration.accept(tx, caller, link.id)
        except Failure as refused:
            self.note(f"refused: {refused.why}")

    async def leave_group(self) -> None:
        person, caller = self.somebody_here()
        group = await self._a_group()
        if group is None:
            return
        self.note(f"{person.name} leaves the group {group['id']}")
        try:
            async with self.deployment.db.transaction() as tx:
                await actions.leave(tx, caller, GroupSlug(group["slug"]))
        except Failure as refused:
            self.note(f"refused: {refused.why}")
        else:
            self.memory.left.add((group["id"], caller.user_id))

    async def moderate_group(self) -> None:
        """Give somebody a role, remove or ban them, or lift their ban."""
        person, caller = self.somebody_here()
        other, member = self.somebody_here()
        group = await self._a_group()
        if group is None:
            return
        what, slug = self.chance.choice(("role", "role", "remove", "ban", "unban", "unban")), GroupSlug(group["slug"])
        self.note(f"{person.name} decides about {other.name} in the group {group['id']}: {what}")
        try:
            async with self.deployment.db.transaction() as tx:
                match what:
                    case "role":
                        role = self.chance.choice(GRANTED)
                        await administration.change_role(tx, caller, slug, member.user_id, role)
                    case "remove":
                        await administration.remove(tx, caller, slug, member.user_id)
                    case "ban":
                        await administration.ban(tx, caller, slug, member.user_id)
                    case _:
                        await administration.unban(tx, caller, slug, member.user_id)
        except Failure as refused:
            self.note(f"refused: {refused.why}")
        else:
            if what == "ban":
                self.memory.banned.add((group["id"], member.user_id))
            elif what == "remove":
                self.memory.left.add((group["id"], member.user_id))

    async def group_for_event(self, caller: Caller) -> GroupOfEvent | None:
        """A group in which this person may create events, for some of their events."""
        group = await self._a_group() if self.chance.random() < 0.4 else None
        if group is None:
            return None
        try:
            async with self.deployment.db.reader() as reader:
                return await group_for(reader, group["slug"], caller.user_id)
        except Failure:
            return None

    async def _a_group(self) -> Any:
        async with self.deployment.db.reader() as reader:
            rows = await reader.fetch(
                "select id, slug, owner_id from groups where deleted_at is null order by created_at desc, id limit :limit",
                limit=CURRENT_GROUPS,
            )
        return self.chance.choice(rows) if rows else None
