"""Those who host an event beside its author: invited, and how it went on."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from groundwork.clock import DAY, Instant
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
