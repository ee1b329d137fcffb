"""Permissions on an event: the only table of roles and what each role may do. Pure."""

from enum import StrEnum
from typing import Final

from groundwork.errors import Forbidden
from openmeet.domain.events.reasons import EventReason


class EventRole(StrEnum):
    """A person's role in an event, apart from any RSVP."""

    AUTHOR = "author"
    FORMER = "former"  # created it in a group in which they may no longer create events
    CO_HOST = "co_host"
    GROUP = "group"  # administers its group
    NOBODY = "nobody"


class EventPermission(StrEnum):
    """An action that a role can allow."""

    SEE = "see"  # includes drafts, private events, the exact address, the link and the entry instructions
    EDIT = "edit"
    KEEP_DRAFT = "keep_draft"  # edit something that is not published yet
    COPY = "copy"
    CANCEL = "cancel"
    DECIDE_ANSWERS = "decide_answers"
    MESSAGE = "message"
    PUBLISH_DRAFT = "publish_draft"
    LEAVE = "leave"
    DELETE = "delete"
    CHOOSE_HOSTS = "choose_hosts"
    HAND_OVER = "hand_over"
    PUBLISH_RECORD = "publish_record"  # and retract it; the record is in the author's repository


_AUTHOR: Final = frozenset(EventPermission) - {EventPermission.LEAVE}
# The event is published under the group's name. A person who may no longer publish in the group can only cancel it,
# transfer it, or take it out of the group.
_PUBLISHING: Final = frozenset({EventPermission.EDIT, EventPermission.PUBLISH_DRAFT, EventPermission.CHOOSE_HOSTS})

# Anything not listed is forbidden. Group administrators see what the event's visibility allows; people who may edit it
# see everything.
ALLOWED: Final[dict[EventRole, frozenset[EventPermission]]] = {
    EventRole.AUTHOR: _AUTHOR,
    EventRole.FORMER: _AUTHOR - _PUBLISHING,
    EventRole.CO_HOST: frozenset(
        {
            EventPermission.SEE,
            EventPermission.EDIT,
            EventPermission.KEEP_DRAFT,
            EventPermission.COPY,
            EventPermission.CANCEL,
            EventPermission.DECIDE_ANSWERS,
            EventPermission.MESSAGE,
            EventPermission.LEAVE,
        }
    ),
    EventRole.GROUP: frozenset(
        {
            EventPermission.EDIT,
            EventPermission.KEEP_DRAFT,
            EventPermission.COPY,
            EventPermission.CANCEL,
            EventPermission.DELETE,
        }
    ),
    EventRole.NOBODY: frozenset(),
}

_REFUSALS: Final = {
    EventPermission.SEE: EventReason.MAY_NOT_SEE,
    EventPermission.EDIT: EventReason.HOSTS_ONLY,
    EventPermission.KEEP_DRAFT: EventReason.HOSTS_ONLY,
    EventPermission.COPY: EventReason.HOSTS_ONLY,
    EventPermission.CANCEL: EventReason.MAY_NOT_CANCEL,
    EventPermission.DECIDE_ANSWERS: EventReason.MAY_NOT_DECIDE_ANSWERS,
    EventPermission.MESSAGE: EventReason.MAY_NOT_MESSAGE,
    EventPermission.PUBLISH_DRAFT: EventReason.MAY_NOT_PUBLISH_DRAFT,
    EventPermission.LEAVE: EventReason.MAY_NOT_LEAVE,
    EventPermission.DELETE: EventReason.MAY_NOT_DELETE,
    EventPermission.CHOOSE_HOSTS: EventReason.MAY_NOT_CHOOSE_HOSTS,
    EventPermission.HAND_OVER: EventReason.MAY_NOT_HAND_OVER,
    EventPermission.PUBLISH_RECORD: EventReason.MAY_NOT_PUBLISH_RECORD,
}


def may(role: EventRole, act: EventPermission) -> bool:
    """Whether this role at an event allows the action."""
    return act in ALLOWED[role]


def require_permission(role: EventRole, act: EventPermission) -> None:
    """Raise Forbidden, with a reason, unless the role at an event allows the action."""
    if not may(role, act):
        raise Forbidden(EventReason.NOT_IN_ITS_GROUP if role is EventRole.FORMER else _REFUSALS[act])
