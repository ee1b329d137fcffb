"""Who sees an event: THE place that asks how a person stands in the event's group, and then ``rules`` (invariant 3).

Lists choose in their statements, by ``queries.is_public`` and ``queries.is_shut_out``, which say the same.
"""

from collections.abc import Collection, Sequence

from groundwork.database.transaction import Reader
from openmeet.events import rules
from openmeet.events.model import Event, EventId
from openmeet.events.private_details import PrivateDetails, private_details
from openmeet.events.rules import access_by
from openmeet.groups.queries import role_in, roles_in
from openmeet.users.model import UserId


async def may_see(reader: Reader, event: Event, viewer: UserId | None, *, is_invited: bool) -> bool:
    """Whether the event exists for this person. ``is_invited``: has an attendance row other than rejected."""
    role = await role_in(reader, event.group.id if event.group else None, viewer)
    return rules.may_see(event, viewer, is_invited=is_invited, access=access_by(role))


async def seen(
    reader: Reader, events: Sequence[Event], viewer: UserId | None, invited: Collection[EventId]
) -> list[Event]:
    """Those of several events that exist for this person, in their order. ``invited``: where ``is_invited`` holds."""
    groups = [event.group.id for event in events if event.group is not None]
    roles = {} if viewer is None else await roles_in(reader, groups, viewer)
    return [
        event
        for event in events
        if rules.may_see(
            event,
            viewer,
            is_invited=event.id in invited,
            access=access_by(roles.get(event.group.id) if event.group else None),
        )
    ]


async def private_details_for(reader: Reader, event: Event, viewer: UserId | None, *, is_going: bool) -> PrivateDetails:
    """What this person may know of the exact address, the link to join and the door. ``is_going``: has a confirmed place."""
    return private_details(event, viewer, is_going=is_going, now=reader.now)


async def must_be_editable(reader: Reader, event: Event, caller: UserId) -> None:
    """Forbidden unless the caller hosts the event or runs its group; Refused where it is only a copy of the network's."""
    rules.must_be_editable(event, caller, await role_in(reader, event.group.id if event.group else None, caller))
