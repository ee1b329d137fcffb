"""Invitations of co-hosts: their values, their limits and the tokens of their links."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from groundwork.clock import DAY, Instant
from groundwork.signing_key import SigningKey
from openmeet.domain.users.model import UserId

CoHostId = NewType("CoHostId", str)

# Per event, with open invitations.
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


_TOKEN = re.compile(r"([0-9a-f-]{36})\.([0-9a-f]{32})")


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
