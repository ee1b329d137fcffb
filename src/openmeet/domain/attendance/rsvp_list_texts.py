"""RSVPs of lists in words, for hosts: statuses, names and the sentence about a new time."""

from collections.abc import Mapping
from dataclasses import dataclass

from openmeet.domain.attendance.invitation_queries import REMOVED_ADDRESS
from openmeet.domain.attendance.model import AttendanceId, AttendanceMode, AttendanceStatus, PendingFor
from openmeet.domain.attendance.rsvp_list import RsvpListEntry
from openmeet.domain.attendance.seats import NO_LIMITS, SeatLimits, is_too_large
from openmeet.domain.users.model import UserId
from openmeet.i18n.catalogue import LazyText, gettext, lazy, ngettext

STATUS_LABELS: Mapping[AttendanceStatus, LazyText] = {
    AttendanceStatus.ATTENDING: lazy("going"),
    AttendanceStatus.INTERESTED: lazy("maybe"),
    AttendanceStatus.DECLINED: lazy("not going"),
    AttendanceStatus.PENDING: lazy("asked to join"),
    AttendanceStatus.WAITLISTED: lazy("on the waitlist"),
    AttendanceStatus.INVITED: lazy("invited"),
    AttendanceStatus.REJECTED: lazy("declined"),
    AttendanceStatus.ATTENDED: lazy("checked in"),
}


def status_words(status: AttendanceStatus, pending_for: PendingFor | None) -> str:
    """The status in words. Only some pending RSVPs are requests to join."""
    match pending_for:
        case PendingFor.UNCONFIRMED:
            return gettext("needs confirmation: from another app, late, or not a member")
        case PendingFor.UNCLEAR:
            return gettext("unclear answer")
        case _:
            return str(STATUS_LABELS[status])


@dataclass(frozen=True, slots=True)
class RsvpListText:
    """One RSVP as text, as hosts see it. ``is_named_by_address``: ``name`` is the address that a host invited."""

    attendance_id: AttendanceId
    user_id: UserId
    name: str
    status: AttendanceStatus
    status_words: str
    party: int
    companion_names: tuple[str, ...]
    mode: AttendanceMode | None
    pending_for: PendingFor | None
    is_guest: bool
    is_private: bool
    is_named_by_address: bool

    @property
    def awaits_decision(self) -> bool:
        """Whether it waits for a host to let its person in (``queries.awaits_decision_sql``)."""
        return self.status is AttendanceStatus.PENDING and self.pending_for is not PendingFor.UNCLEAR


def text_of(entry: RsvpListEntry, names: Mapping[UserId, str], limits: SeatLimits = NO_LIMITS) -> RsvpListText:
    """One RSVP of a list in words. Somebody who was invited by address is shown by that address until they answer, even
    after a host rejected them or checked them in. Anything else, such as the names of their companions, would
    reveal the owner of the address. People without an account who answer without a name are shown by that address, too.
    """
    words = status_words(entry.status, entry.pending_for)
    if entry.status is AttendanceStatus.WAITLISTED and entry.offered_until is not None:
        words = gettext("a place is held")
    elif entry.status is AttendanceStatus.WAITLISTED and is_too_large(limits, entry):
        words = gettext("more people than there are places, so others move up first")
    return RsvpListText(
        attendance_id=entry.attendance_id,
        user_id=entry.user_id,
        name=_name_of(entry, names),
        status=entry.status,
        status_words=words,
        party=entry.party,
        companion_names=() if entry.is_unanswered_invitation else entry.companion_names,
        mode=entry.mode,
        pending_for=entry.pending_for,
        # Either value would reveal whether this address has a local account.
        is_guest=entry.is_guest and not entry.is_unanswered_invitation,
        is_private=entry.is_private and not entry.is_unanswered_invitation,
        is_named_by_address=entry.is_unanswered_invitation,
    )


def _name_of(entry: RsvpListEntry, names: Mapping[UserId, str]) -> str:
    is_nameless = entry.is_guest and not entry.display_name and entry.invited_as not in {"", REMOVED_ADDRESS}
    return entry.invited_as if entry.is_unanswered_invitation or is_nameless else names[entry.user_id]


def new_time_sentence(going: int, unconfirmed: int) -> str:
    """Return the sentence that says how many of the people going have confirmed the new time; empty if nobody needs to
    confirm it.
    """
    if not unconfirmed:
        return ""
    if unconfirmed >= going:
        return gettext("Nobody has confirmed the new time yet.")
    return ngettext(
        "%(confirmed)s of %(number)s have confirmed the new time.",
        "%(confirmed)s of %(number)s have confirmed the new time.",
        going,
        confirmed=going - unconfirmed,
    )
