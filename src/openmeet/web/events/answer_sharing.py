"""Sharing line next to the answer bar: whether an RSVP is shared with other apps, and under which account."""

from dataclasses import dataclass
from enum import StrEnum

from groundwork.database.transaction import Reader
from openmeet.domain.attendance.model import Attendance, AttendanceStatus
from openmeet.domain.attendance.rules import are_rsvps_publishable
from openmeet.domain.events.model import Event
from openmeet.domain.identities import session_queries
from openmeet.domain.identities.model import Consent, IdentityKind
from openmeet.domain.users.model import UserId
from openmeet.network.publishing.repositories import repository_for


class SharingState(StrEnum):
    """The states of the sharing line. ``CHOOSE`` has a switch, ``KEPT_HERE`` a button to share the RSVP. For ``GIVEN``,
    the status of the RSVP's record is shown instead.
    """

    STAYS_HERE = "stays_here"
    HOSTS_ONLY = "hosts_only"
    NOT_CONNECTED = "not_connected"
    SIGN_IN_AGAIN = "sign_in_again"
    CHOOSE = "choose"
    KEPT_HERE = "kept_here"
    GIVEN = "given"


@dataclass(frozen=True, slots=True)
class AnswerSharing:
    """How an RSVP is shared with other apps. ``name`` is the account under which it is shared. It is empty while that
    account is being created, or if none is connected.
    """

    state: SharingState
    name: str = ""


async def sharing_of(
    reader: Reader, event: Event, own_rsvp: Attendance | None, viewer: UserId, agreement: Consent
) -> AnswerSharing:
    """The sharing line for a signed-in person."""
    if not are_rsvps_publishable(event):
        return AnswerSharing(SharingState.STAYS_HERE)
    if own_rsvp is not None and own_rsvp.is_private:
        return AnswerSharing(SharingState.HOSTS_ONLY)
    if not agreement.is_given:
        return AnswerSharing(SharingState.NOT_CONNECTED)
    identity = await repository_for(reader, viewer, None)
    name = agreement.handle if identity is None else identity.handle or identity.did
    if identity is not None and identity.kind is IdentityKind.CONNECTED:
        session = await session_queries.find_of(reader, identity.did, viewer)
        if session is None or session.needs_login:
            return AnswerSharing(SharingState.SIGN_IN_AGAIN, name)
    if own_rsvp is None or own_rsvp.status in {AttendanceStatus.DECLINED, AttendanceStatus.INVITED}:
        return AnswerSharing(SharingState.CHOOSE, name)
    return AnswerSharing(SharingState.KEPT_HERE if own_rsvp.skips_record else SharingState.GIVEN, name)
