"""Group notifications.

Callers hold the lock on the group row, so that several notifications of a group are combined into one e-mail.
"""

from collections.abc import Sequence
from typing import Literal

from groundwork.database.transaction import Transaction
from openmeet.domain.groups import membership_queries
from openmeet.domain.groups.model import Group, GroupRole, Membership
from openmeet.domain.groups.rules import GroupPermission, roles_with
from openmeet.domain.notifications import group_kinds
from openmeet.domain.notifications.group_kinds import RoleDecided, Succession
from openmeet.domain.notifications.model import Payload
from openmeet.domain.notifications.notify import Notice, notify
from openmeet.domain.users.model import UserId

# Kinds of ownership notifications; pages and e-mails contain the sentences.
Ownership = Literal[
    "offered",
    "declined",
    "accepted",
    "backup",
    "asked",
    "stopped",
    "taken_over",
    "yours",
    "taken_back",
    "passed_on",
]


async def of_request(tx: Transaction, group: Group, asking: Membership) -> None:
    """Notify everyone who can decide on join requests that there is a new one."""
    deciding = await membership_queries.ids_in_roles(
        tx, group.id, roles_with(GroupPermission.APPROVE), only_notified=True
    )
    about = Payload(person_id=asking.user_id, group_id=group.id)
    await notify(tx, group_kinds.JOIN_REQUEST, Notice(deciding, asking.id, asking.revision, about, bundle=group.id))


async def of_decision(tx: Transaction, group: Group, membership: Membership) -> None:
    """Notify a person who asked to join of the decision."""
    about = RoleDecided(group_id=group.id, role=membership.role.value)
    to, revision = [membership.user_id], membership.revision
    await notify(tx, group_kinds.JOIN_DECIDED, Notice(to, membership.id, revision, about, bundle=group.id))


async def of_role(tx: Transaction, group: Group, membership: Membership, before: GroupRole) -> None:
    """Notify a person of their new role."""
    by, role = membership.decided_by, membership.role.value
    about = RoleDecided(person_id=by, group_id=group.id, role=role, before=before.value)
    to, revision = [membership.user_id], membership.revision
    await notify(tx, group_kinds.ROLE_CHANGED, Notice(to, membership.id, revision, about, bundle=group.id))


async def of_ownership(
    tx: Transaction, group: Group, to: Sequence[UserId], *, what: Ownership, who: UserId | None
) -> None:
    """Notify people of a step in a succession. ``group`` is the group after the step."""
    about = Succession(person_id=who, group_id=group.id, step=what)
    await notify(tx, group_kinds.OWNERSHIP, Notice(to, group.id, group.revision, about))
