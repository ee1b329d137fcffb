"""Who may do what with an event: THE table of those who host it. Pure."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

from groundwork.clock import DAY, Instant
from groundwork.errors import Forbidden
from groundwork.signing_key import SigningKey
from openmeet.domain.users.model import UserId

CoHostId = NewType("CoHostId", str)

MAX_CO_HOSTS = 20
MAX_MAILS_A_DAY = 20
INVITATION_LIFE = 30 * DAY


class CoHostState(StrEnum):
    """``INVITED`` has said nothing yet; only ``ACCEPTED`` hosts."""

    INVITED = "invited"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    LEFT = "left"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class CoHost:
    """One invitation and what became of it. ``user_id`` is None while only a mail address is known.

    ``is_for_series``: of all dates of the event's series, also of those that come into being later; each has a row of its own.
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

    def is_open(self, now: Instant) -> bool:
        return self.state is CoHostState.INVITED and now < self.expires_at


class Standing(StrEnum):
    """How somebody stands towards an event, apart from any answer of theirs."""

    AUTHOR = "author"
    FORMER = "former"  # made it in a group that lets them make no events any more
    CO_HOST = "co_host"
    GROUP = "group"  # runs the group that it belongs to
    NOBODY = "nobody"


class Act(StrEnum):
    """Everything that this allows or forbids."""

    SEE = "see"  # also a draft, a private event, the exact address, the link and the door
    EDIT = "edit"
    KEEP_DRAFT = "keep_draft"  # write on at what is not published
    COPY = "copy"
    CANCEL = "cancel"
    DECIDE_ANSWERS = "decide_answers"
    MESSAGE = "message"
    PUBLISH_DRAFT = "publish_draft"
    LEAVE = "leave"
    DELETE = "delete"
    CHOOSE_HOSTS = "choose_hosts"
    HAND_OVER = "hand_over"
    PUBLISH_RECORD = "publish_record"  # and take it back: it stands in the author's repository


_AUTHOR: Final = frozenset(Act) - {Act.LEAVE}
# What others read under the name of a group: who may publish nothing in it any more calls it off, gives it away, or keeps it for themselves.
_PUBLISHING: Final = frozenset({Act.EDIT, Act.PUBLISH_DRAFT, Act.CHOOSE_HOSTS})

# What is not named here is forbidden. Those who run a group see what its events let them see; editing shows them the rest.
ALLOWED: Final[dict[Standing, frozenset[Act]]] = {
    Standing.AUTHOR: _AUTHOR,
    Standing.FORMER: _AUTHOR - _PUBLISHING,
    Standing.CO_HOST: frozenset(
        {Act.SEE, Act.EDIT, Act.KEEP_DRAFT, Act.COPY, Act.CANCEL, Act.DECIDE_ANSWERS, Act.MESSAGE, Act.LEAVE}
    ),
    Standing.GROUP: frozenset({Act.EDIT, Act.KEEP_DRAFT, Act.COPY, Act.CANCEL, Act.DELETE}),
    Standing.NOBODY: frozenset(),
}

_WORDS: Final = {
    Act.SEE: "see all of this event",
    Act.EDIT: "change this event",
    Act.KEEP_DRAFT: "change this draft",
    Act.COPY: "copy this event",
    Act.CANCEL: "cancel this event",
    Act.DECIDE_ANSWERS: "decide about answers to this event",
    Act.MESSAGE: "write to those who answered this event",
    Act.PUBLISH_DRAFT: "publish this draft",
    Act.LEAVE: "leave the hosts of this event",
    Act.DELETE: "delete this event",
    Act.CHOOSE_HOSTS: "choose who hosts this event",
    Act.HAND_OVER: "hand this event over",
    Act.PUBLISH_RECORD: "publish this event from its author’s repository",
}

NOT_IN_ITS_GROUP: Final = (
    "You may not make events in its group any more. You can still make a copy that is in no group."
)

_TOKEN = re.compile(r"([0-9a-f-]{36})\.([0-9a-f]{32})")


def may(standing: Standing, act: Act) -> bool:
    """Whether this standing allows it."""
    return act in ALLOWED[standing]


def must_be_allowed(standing: Standing, act: Act) -> None:
    """Forbidden, in words, unless the standing allows it."""
    if not may(standing, act):
        if standing is Standing.FORMER:
            raise Forbidden(NOT_IN_ITS_GROUP)
        if act in {Act.EDIT, Act.KEEP_DRAFT, Act.COPY}:
            raise Forbidden("Only those who host this event can change it.")
        raise Forbidden(f"You may not {_WORDS[act]}.")


def token_of(key: SigningKey, invitation_id: CoHostId) -> str:
    """What an invitation's link carries: derived from the installation's key, so that no copy is at rest (invariant 8)."""
    proof = key.digest(b"co-host invitation\x00" + invitation_id.encode()).hex()
    return f"{invitation_id}.{proof[:32]}"


def invitation_in(key: SigningKey, token: str) -> CoHostId | None:
    """The invitation that a link stands for; None where it was made up."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        return None
    invitation_id = CoHostId(found[1])
    return invitation_id if key.made(token, lambda one: token_of(one, invitation_id)) else None
