"""Access to events: the only place that looks up how a person relates to an event (invariant 3).

Lists apply the same rules in SQL, with ``visibility.is_public`` and ``visibility.is_shut_out``.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from groundwork.database.transaction import Reader
from groundwork.errors import Gone, InvalidForm, NotFound, Reason
from openmeet.domain.events import group_of_event, permissions, rules
from openmeet.domain.events.co_host_queries import hosted_among
from openmeet.domain.events.disclosure import PrivateDetails, private_details
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.permissions import EventPermission, EventRole
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.events.rules import access_by
from openmeet.domain.events.values import RemovalDelay, Visibility
from openmeet.domain.groups import rules as group_rules
from openmeet.domain.groups.queries import role_in, roles_in
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.moderation.blocks import blockers_of, has_blocked
from openmeet.domain.users.model import UserId
from openmeet.domain.validation import GeneralReason


async def may_see(reader: Reader, event: Event, viewer: UserId | None, *, has_rsvp_access: bool) -> bool:
    """Whether the event exists for this person. ``has_rsvp_access``: they have an RSVP other than a rejected one."""
    # Query only if they could not see it without any relation to it.
    if rules.may_see(event, viewer, has_rsvp_access=False):
        return True
    role = await role_in(reader, event.group.id if event.group else None, viewer)
    is_kept_away = not group_rules.may(role, GroupPermission.EDIT_ANY_EVENT) and await has_blocked(
        reader, event.author_id, viewer
    )
    if rules.may_see(event, viewer, has_rsvp_access=has_rsvp_access, access=access_by(role), is_kept_away=is_kept_away):
        return True
    is_co_host = viewer is not None and bool(await hosted_among(reader, viewer, [event.id]))
    return rules.may_see(event, viewer, has_rsvp_access=False, is_co_host=is_co_host)


async def require_visible(
    reader: Reader,
    event: Event | None,
    viewer: UserId | None,
    *,
    has_rsvp_access: bool = False,
    refusal: Reason = GeneralReason.NO_SUCH_EVENT,
) -> Event:
    """Return the event. Raises NotFound (``refusal``) if it does not exist, is gone or is hidden from this person.
    ``has_rsvp_access`` is as in ``may_see``.
    """
    if event is None or event.is_gone or not await may_see(reader, event, viewer, has_rsvp_access=has_rsvp_access):
        raise NotFound(refusal)
    return event


async def may_answer_from_network(
    reader: Reader, event: Event, user_id: UserId, *, has_rsvp_access: bool = False
) -> bool:
    """Whether the event exists for a person, apart from the RSVP in their record. ``has_rsvp_access`` is as in
    ``may_see``.

    Events hidden by moderators are only temporarily hidden from everyone, so RSVPs to them still count.
    """
    return await may_see(reader, replace(event, is_hidden=False), user_id, has_rsvp_access=has_rsvp_access)


async def seen(
    reader: Reader, events: Sequence[Event], viewer: UserId | None, invited: Collection[EventId]
) -> list[Event]:
    """Return which of these events this person may see, in their order. ``invited`` has the events for which
    ``has_rsvp_access`` is true.
    """
    groups = [event.group.id for event in events if event.group is not None]
    roles = {} if viewer is None else await roles_in(reader, groups, viewer)
    hosted = set() if viewer is None else await hosted_among(reader, viewer, [event.id for event in events])
    authors = {event.author_id for event in events if event.visibility is Visibility.PRIVATE}
    blockers = await blockers_of(reader, authors, viewer)
    return [
        event
        for event in events
        if rules.may_see(
            event,
            viewer,
            has_rsvp_access=event.id in invited,
            access=access_by(roles.get(event.group.id) if event.group else None),
            is_co_host=event.id in hosted,
            is_kept_away=event.author_id in blockers
            and not group_rules.may(roles.get(event.group.id) if event.group else None, GroupPermission.EDIT_ANY_EVENT),
        )
    ]


async def role_of(reader: Reader, event: Event, viewer: UserId | None) -> EventRole:
    """The role of this person in the event: NOBODY for visitors, FORMER for an author who may no longer manage events of
    the group.
    """
    if viewer is None:
        return EventRole.NOBODY
    if viewer == event.author_id:
        return EventRole.AUTHOR if await group_of_event.lets_its_author(reader, event) else EventRole.FORMER
    if await hosted_among(reader, viewer, [event.id]):
        return EventRole.CO_HOST
    role = await role_in(reader, event.group.id if event.group else None, viewer)
    return EventRole.GROUP if group_rules.may(role, GroupPermission.EDIT_ANY_EVENT) else EventRole.NOBODY


async def managed_among(reader: Reader, events: Sequence[Event], viewer: UserId | None) -> set[EventId]:
    """Return which of these events this person hosts, or administers the group of. They see all of them."""
    if viewer is None:
        return set()
    groups = [event.group.id for event in events if event.group is not None]
    roles = await roles_in(reader, groups, viewer)
    event_ids = await hosted_among(reader, viewer, [event.id for event in events])
    return event_ids | {
        event.id
        for event in events
        if event.author_id == viewer
        or (event.group is not None and group_rules.may(roles.get(event.group.id), GroupPermission.EDIT_ANY_EVENT))
    }


async def private_details_for(reader: Reader, event: Event, viewer: UserId | None, *, is_going: bool) -> PrivateDetails:
    """The exact address, join link and entry instructions, as far as this person may see them. ``is_going``: they have
    a confirmed place.
    """
    runs = bool(await managed_among(reader, [event], viewer))
    return private_details(event, viewer, is_going=is_going, now=reader.now, runs=runs)


async def require_permission(reader: Reader, event: Event, caller: UserId, act: EventPermission) -> None:
    """Raise Forbidden unless the caller's role allows the action."""
    permissions.require_permission(await role_of(reader, event, caller), act)


async def require_editable(
    reader: Reader, event: Event, caller: UserId, act: EventPermission = EventPermission.EDIT
) -> None:
    """Raise Forbidden if the caller may not do this to the event, Refused if it is a copy from the network, or gone."""
    await require_permission(
        reader, event, caller, EventPermission.KEEP_DRAFT if event.is_draft and act is EventPermission.EDIT else act
    )
    rules.require_changeable(event)


async def require_removal_permission(reader: Reader, event: Event, caller: UserId, delay: RemovalDelay) -> None:
    """Raise InvalidForm if the caller may not choose that the event is removed after this delay, because they may not
    delete it. Everybody who may edit it may keep the present choice, or choose that it stays.
    """
    if delay in {RemovalDelay.NEVER, event.content.remove_after}:
        return
    if not permissions.may(await role_of(reader, event, caller), EventPermission.DELETE):
        raise InvalidForm({"remove_after": EventReason.MAY_NOT_REMOVE})


def raise_if_gone(event: Event, *, is_involved: bool = False) -> None:
    """Raise Gone (410) for a deleted event that was public, NotFound for a deleted one that was not.

    ``is_involved``: the viewer answered or hosted it, so they get Gone even if it was not public, and read which one it
    was. Nobody else reads the title, even of an event that was public: its host deleted it, so this site no longer
    publishes what it was about. Those who planned to come need it, because the link alone does not tell them.
    """
    if not event.is_gone:
        return
    if event.is_hidden or event.is_held or (event.visibility is not Visibility.PUBLIC and not is_involved):
        raise NotFound(GeneralReason.NO_SUCH_EVENT)
    if event.was_removed_as_chosen:
        named, unnamed = EventReason.NAMED_EVENT_REMOVED_AFTER_END, EventReason.REMOVED_AFTER_END
    elif event.deleted_at is not None:
        named, unnamed = EventReason.NAMED_EVENT_DELETED, EventReason.DELETED
    else:
        # If a record is missing from its repository, any app may have deleted it.
        named, unnamed = EventReason.NAMED_EVENT_REMOVED_ELSEWHERE, EventReason.REMOVED_ELSEWHERE
    if event.title and is_involved:
        raise Gone(named, title=event.title)
    raise Gone(unnamed)
