"""Whether somebody's answer to an event is shared with other apps, and as whom: the line beside the answer bar."""

from dataclasses import dataclass
from enum import StrEnum

from groundwork.database.transaction import Reader
from openmeet.domain.attendance.model import Attendance, AttendanceStatus
from openmeet.domain.attendance.rules import are_rsvps_publishable
from openmeet.domain.events.model import Event
from openmeet.domain.identities import session_queries
from openmeet.domain.identities.model import Consent, IdentityKind
from openmeet.domain.users.model import UserId
from openmeet.network.publishing.decision import repository_for


class SharingState(StrEnum):
    """What the line says. ``CHOOSE`` has a switch, ``KEPT_HERE`` a button that shares; ``GIVEN``: see the record's status."""

    STAYS_HERE = "stays_here"
    HOSTS_ONLY = "hosts_only"
    NOT_CONNECTED = "not_connected"
    SIGN_IN_AGAIN = "sign_in_again"
    CHOOSE = "choose"
    KEPT_HERE = "kept_here"
    GIVEN = "given"


@dataclass(frozen=True, slots=True)
class AnswerSharing:
    """How an answer is shared in other apps. ``name``: the account that it is shared as; empty while it is being made
    or none is connected.
    """

    state: SharingState
    name: str = ""


async def sharing_of(
    reader: Reader, event: Event, mine: Attendance | None, viewer: UserId, agreement: Consent
) -> AnswerSharing:
    """The line for a signed-in person."""
    if not are_rsvps_publishable(event):
        return AnswerSharing(SharingState.STAYS_HERE)
    if mine is not None and mine.is_private:
        return AnswerSharing(SharingState.HOSTS_ONLY)
    if not agreement.is_given:
        return AnswerSharing(SharingState.NOT_CONNECTED)
    identity = await repository_for(reader, viewer, None)
    name = agreement.handle if identity is None else identity.handle or identity.did
    if identity is not None and identity.kind is IdentityKind.CONNECTED:
        session = await session_queries.find_of(reader, identity.did, viewer)
        if session is None or session.needs_login:
            return AnswerSharing(SharingState.SIGN_IN_AGAIN, name)
    if mine is None or mine.status in {AttendanceStatus.DECLINED, AttendanceStatus.INVITED}:
        return AnswerSharing(SharingState.CHOOSE, name)
    return AnswerSharing(SharingState.KEPT_HERE if mine.skips_record else SharingState.GIVEN, name)
