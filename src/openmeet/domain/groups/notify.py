"""Group notifications. Callers hold the lock on the group row, so that a group's notifications combine into one e-mail."""

from collections.abc import Sequence
from typing import Literal

from groundwork.database.transaction import Transaction
from openmeet.domain.groups import membership_queries
from openmeet.domain.groups.model import INSIDE, RUNNING, Announcement, Group, GroupRole, Membership
from openmeet.domain.identities.queries import mentioned_in
from openmeet.domain.notifications.model import NotificationDetails, NotificationKind
from openmeet.domain.notifications.notify import reached, tell
from openmeet.domain.users.model import UserId

# Kinds of ownership notifications; pages and e-mails have the sentences.
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
    """Notify those who may decide of a request to join."""
    deciding = await membership_queries.ids_in_roles(tx, group.id, RUNNING, who_listen=True)
    about = NotificationDetails(person_id=asking.user_id, group_id=group.id)
    await tell(tx, deciding, NotificationKind.JOIN_REQUEST, asking.id, asking.revision, about, bundle=group.id)


async def of_decision(tx: Transaction, group: Group, decided: Membership) -> None:
    """Notify the requester of the decision."""
    about = NotificationDetails(answer=decided.role.value, group_id=group.id)
    await tell(
        tx, [decided.user_id], NotificationKind.JOIN_DECIDED, decided.id, decided.revision, about, bundle=group.id
    )


async def of_role(tx: Transaction, group: Group, standing: Membership, before: GroupRole) -> None:
    """Notify somebody of their new role."""
    about = NotificationDetails(
        person_id=standing.decided_by, answer=standing.role.value, was_at=before.value, group_id=group.id
    )
    await tell(
        tx, [standing.user_id], NotificationKind.ROLE_CHANGED, standing.id, standing.revision, about, bundle=group.id
    )


async def of_ownership(
    tx: Transaction, group: Group, to: Sequence[UserId], *, what: Ownership, who: UserId | None
) -> None:
    """Notify people of a step in a succession. ``group`` is as it is after the step."""
    about = NotificationDetails(person_id=who, answer=what, group_id=group.id)
    await tell(tx, to, NotificationKind.OWNERSHIP, group.id, group.revision, about)


async def of_announcement(tx: Transaction, group: Group, said: Announcement) -> None:
    """Notify listening members of an announcement, and the mentioned ones of the mention; not its author."""
    everybody = await membership_queries.ids_in_roles(tx, group.id, INSIDE, who_listen=False)
    mentioned = [one for one in await mentioned_in(tx, said.text) if one in everybody and one != said.author_id]
    hearing = await reached(tx, mentioned, NotificationKind.GROUP_MENTION)
    inside = await membership_queries.ids_in_roles(tx, group.id, INSIDE, who_listen=True)
    about = NotificationDetails(person_id=said.author_id, group_id=group.id)
    told = [user_id for user_id in inside if user_id != said.author_id and user_id not in hearing]
    await tell(tx, told, NotificationKind.ANNOUNCEMENT, said.id, 1, about, bundle=group.id)
    await tell(tx, hearing, NotificationKind.GROUP_MENTION, said.id, 1, about, bundle=group.id)
