"""Permissions on an event: the only table of roles and what each role may do. Pure."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

from groundwork.clock import DAY, Instant
from groundwork.errors import Forbidden
from groundwork.signing_key import SigningKey
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.users.model import UserId

CoHostId = NewType("CoHostId", str)

MAX_CO_HOSTS = 20
MAX_MAILS_A_DAY = 20
INVITATION_LIFE = 30 * DAY


class CoHostState(StrEnum):
    """State of a co-host invitation. ``INVITED`` people have not replied; only ``ACCEPTED`` ones are hosts."""

    INVITED = "invited"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    LEFT = "left"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class CoHost:
    """One co-host invitation and its state. ``user_id`` is None while only an e-mail address is known.

    ``is_for_series``: it is for all dates of the event's series, future ones included. Each date has its own row.
    ``is_asked_for_series``: they co-host this date, and are asked to host all dates.
    """

    id: CoHostId
    event_id: str
    user_id: UserId | None
    email: str | None
    state: CoHostState
    invited_by: UserId
    created_at: Instant
    expires_at: Instant
    decided_at: Instant | None
    is_for_series: bool = False
    is_asked_for_series: bool = False

    def is_open(self, now: Instant) -> bool:
        is_asked = self.state is CoHostState.ACCEPTED and self.is_asked_for_series
        return (self.state is CoHostState.INVITED or is_asked) and now < self.expires_at


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

_TOKEN = re.compile(r"([0-9a-f-]{36})\.([0-9a-f]{32})")


def may(role: EventRole, act: EventPermission) -> bool:
    """Whether this role allows the action."""
    return act in ALLOWED[role]


def require_permission(role: EventRole, act: EventPermission) -> None:
    """Raise Forbidden, with a reason, unless the role allows the action."""
    if not may(role, act):
        raise Forbidden(EventReason.NOT_IN_ITS_GROUP if role is EventRole.FORMER else _REFUSALS[act])


def token_of(key: SigningKey, invitation_id: CoHostId) -> str:
    """Token of an invitation link. It is derived from the installation's key, so that it is never stored (invariant 8)."""
    proof = key.digest(b"co-host invitation\x00" + invitation_id.encode()).hex()
    return f"{invitation_id}.{proof[:32]}"


def invitation_in(key: SigningKey, token: str) -> CoHostId | None:
    """The invitation id in a link. None if the link is forged."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    invitation_id = CoHostId(match[1])
    return invitation_id if key.verifies(token, lambda one: token_of(one, invitation_id)) else None
