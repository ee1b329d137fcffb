"""Who owns a group, and how that passes on: handed over, or taken over from an owner who is not there any more.

An admin asks to take over when no trace of the owner is newer than ``absence``; the owner is written to and can say no for
``wait``; then the admin takes over, and the owner before can take the group back. Each step is in the log.
"""

from dataclasses import dataclass, replace

from groundwork.clock import DAY
from groundwork.database.transaction import Transaction
from groundwork.errors import Forbidden, NotFound, Refused
from openmeet.debts.deliveries import owe_mail
from openmeet.groups import doors, queries, rules
from openmeet.groups.actions import lock_for, lock_visible
from openmeet.groups.letters import SUCCESSION_MAIL
from openmeet.groups.model import INSIDE, Act, Group, GroupSlug, Role, Succession
from openmeet.groups.rules import Action
from openmeet.users.model import Caller, UserId


@dataclass(frozen=True, slots=True)
class Patience:
    """In microseconds: how long an owner must have been away, and how long they then have to say no."""

    absence: int = 90 * DAY
    wait: int = 14 * DAY


async def hand_over(tx: Transaction, caller: Caller, slug: GroupSlug, to: UserId) -> Group:
    """Somebody who is in the group owns it from now on; the owner before is an admin. Raises NotFound, Forbidden, Refused."""
    group, _ = await lock_for(tx, caller, slug, Action.TRANSFER)
    if to == caller.user_id:
        raise Refused("You own this group already.", name="OneOwner")
    return await _pass_on(tx, group, to, Act.HANDED_OVER, by=caller.user_id)


async def ask(tx: Transaction, caller: Caller, slug: GroupSlug, patience: Patience) -> Group:
    """An admin asks to take over; asking again keeps the first day. Raises NotFound, Forbidden, Refused."""
    group, role = await lock_for(tx, caller, slug, Action.TAKE_OVER)
    if group.succession is not None:
        if group.succession.successor_id == caller.user_id:
            return group
        raise Refused("Another admin has asked already.", name="AskedAlready")
    if not rules.is_absent(await doors.last_seen(tx, group.owner_id), tx.now, after=patience.absence):
        raise Refused("The owner was here not long ago. Talk to them.", name="OwnerIsHere")
    after = replace(group, succession=Succession(caller.user_id, tx.now), revision=group.revision + 1)
    await queries.update(tx, after)
    await doors.log(tx, group.id, caller.user_id, Act.SUCCESSION_ASKED, by=caller.user_id, before=role, after=role)
    await owe_mail(tx, kind=SUCCESSION_MAIL, person=group.owner_id, subject_id=group.id, revision=after.revision)
    return after


async def stop(tx: Transaction, caller: Caller, slug: GroupSlug) -> Group:
    """The owner says no, or the admin who asked takes it back. Raises NotFound, Forbidden."""
    group, mine = await lock_visible(tx, caller, slug)
    asked = group.succession
    if asked is None:
        return group
    if caller.user_id not in {group.owner_id, asked.successor_id}:
        raise Forbidden("Only the owner and the person who asked can end this.")
    role = mine.role if mine else None
    after = replace(group, succession=None, revision=group.revision + 1)
    await queries.update(tx, after)
    await doors.log(
        tx, group.id, asked.successor_id, Act.SUCCESSION_STOPPED, by=caller.user_id, before=role, after=role
    )
    return after


async def take_over(tx: Transaction, caller: Caller, slug: GroupSlug, patience: Patience) -> Group:
    """The admin who asked owns the group, after the waiting time. Raises NotFound, Forbidden, Refused."""
    group, _ = await lock_for(tx, caller, slug, Action.TAKE_OVER)
    seen = await doors.last_seen(tx, group.owner_id)
    rules.must_be_takeable(group, caller.user_id, owner_seen_at=seen, now=tx.now, wait=patience.wait)
    return await _pass_on(tx, group, caller.user_id, Act.TAKEN_OVER, by=caller.user_id)


async def take_back(tx: Transaction, caller: Caller, slug: GroupSlug) -> Group:
    """The owner from whom the group was taken over has it back. Raises NotFound, Refused."""
    group, mine = await lock_visible(tx, caller, slug)
    rules.must_be_returnable(await doors.last_change_of_owner(tx, group.id), caller.user_id, mine)
    return await _pass_on(tx, group, caller.user_id, Act.TAKEN_BACK, by=caller.user_id)


async def _pass_on(tx: Transaction, group: Group, to: UserId, act: Act, *, by: UserId) -> Group:
    """Change the owner of a locked group; the one before stays as an admin."""
    heir = await queries.find_member(tx, group.id, to)
    if heir is None or heir.role not in INSIDE:
        raise NotFound("This person is not in the group.")
    owner = await queries.find_member(tx, group.id, group.owner_id)
    assert owner is not None  # noqa: S101  # every group has an owner among its members
    # First down, then up: the database lets there be one owner at any moment.
    await queries.put_member(tx, replace(owner, role=Role.ADMIN, revision=owner.revision + 1))
    await queries.put_member(tx, replace(heir, role=Role.OWNER, revision=heir.revision + 1))
    await doors.log(tx, group.id, heir.user_id, act, by=by, before=heir.role, after=Role.OWNER)
    await doors.log(tx, group.id, owner.user_id, act, by=by, before=Role.OWNER, after=Role.ADMIN)
    after = replace(group, owner_id=heir.user_id, succession=None, revision=group.revision + 1, updated_at=tx.now)
    await queries.update(tx, after)
    return after
