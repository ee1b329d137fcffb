"""Fields of an RSVP form in addition to the reply itself. A form has only the fields that the event uses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm
from openmeet.domain.attendance.model import MAX_PARTY, Attendance, AttendanceMode, ReplyDetails
from openmeet.domain.attendance.queries import seats_by_mode
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.attendance.registration import EventRegistration, RegistrationQuestion
from openmeet.domain.attendance.seats import SeatsHeld, fits, largest_party, limits_of
from openmeet.domain.attendance.waitlist import is_full_now
from openmeet.domain.events.values import Mode
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.catalogue import LazyText, gettext, lazy, ngettext

MODE_LABELS: Mapping[AttendanceMode, LazyText] = {
    AttendanceMode.IN_PERSON: lazy("In person"),
    AttendanceMode.ONLINE: lazy("Online"),
}

# Whether the RSVP is shared with other apps. A form without this field leaves the setting unchanged.
SHARE = "share"

# Fields of the form on the event page, in addition to the reply.
DETAIL_FIELDS: Final = ("party", "mode", SHARE)

# A form on a page of a series: its slug. ``FROM_LIST_FIELD``: on the list of its dates.
SERIES_FIELD: Final = "series"
FROM_LIST_FIELD: Final = "in_list"

# Marks a complete form: a checkbox that is missing in it is not selected, instead of unchanged.
FULL_FORM_FIELD = "whole"


@dataclass(frozen=True, slots=True)
class AnswerFields:
    """The fields that a form for this event has, and their options: ``party_options`` as (value, label), ``modes`` as
    (value, label, hint). A field without options is left out. ``asks_names``: of the people who come along.
    """

    party_options: tuple[tuple[str, str], ...]
    asks_names: bool
    modes: tuple[tuple[str, str, str], ...]
    questions: tuple[RegistrationQuestion, ...]

    @property
    def party_options_for_host(self) -> list[tuple[str, str]]:
        """``party_options`` with labels for a host who enters somebody else’s answer."""
        return [(value, _people_label(int(value))) for value, _ in self.party_options]

    @property
    def mode_options(self) -> list[tuple[str, str]]:
        """``modes`` as (value, label), for a list to choose from."""
        return [(value, label) for value, label, _ in self.modes]

    @property
    def field_names(self) -> set[str]:
        """The names of the fields for party, mode and questions, which the complete form always sends. Empty if the
        event asks for nothing but the reply.
        """
        asked = {"party": self.party_options, "mode": self.modes}
        return {name for name, options in asked.items() if options} | {question.id for question in self.questions}

    @property
    def labels(self) -> dict[str, str]:
        """Field labels for the error summary."""
        labels = {
            "party": gettext("How many"),
            "guest_names": gettext("Who’s coming with you"),
            "mode": gettext("How you take part"),
        }
        return labels | {question.id: question.words for question in self.questions}


def fields_of(
    event_registration: EventRegistration,
    own_rsvp: Attendance | None,
    held: SeatsHeld | None = None,
) -> AnswerFields:
    """The fields for an event and an existing RSVP.

    With ``held``, the places that are held now, the options say which parties would wait for places. Options
    that would be refused because the person already has a place are left out.
    """
    settings = event_registration.settings
    is_hybrid = event_registration.event.content.mode is Mode.HYBRID
    holds_seat = own_rsvp is not None and own_rsvp.holds_seat
    largest = _largest_option(event_registration, own_rsvp)
    without_wait = largest if held is None else _largest_party_without_wait(event_registration, own_rsvp, held, largest)
    if own_rsvp is not None and holds_seat:
        largest = min(largest, max(without_wait, own_rsvp.party))
    says_who_waits = not holds_seat and not settings.needs_approval
    asks_party = largest > 1 or (own_rsvp is not None and own_rsvp.party > 1)
    return AnswerFields(
        party_options=tuple(
            (str(party), _party_label(party, waits=says_who_waits and party > without_wait))
            for party in (range(1, largest + 1) if asks_party else ())
        ),
        asks_names=settings.asks_names and largest > 1,
        modes=tuple((mode.value, str(label), "") for mode, label in MODE_LABELS.items()) if is_hybrid else (),
        questions=settings.questions,
    )


def _largest_option(event_registration: EventRegistration, own_rsvp: Attendance | None) -> int:
    """The largest party among the options, whether or not there are places for it now."""
    limits = limits_of(event_registration)
    fits_ever = max(largest_party(limits, mode) or MAX_PARTY for mode in _modes_of(event_registration))
    own_party = own_rsvp.party if own_rsvp else 1
    # Attendees keep their seats if the limit is lowered. A party that exceeds it can be reduced while on the waitlist.
    kept = own_party if own_rsvp and own_rsvp.is_seated else 1
    return max(min(max(event_registration.settings.max_party, own_party), fits_ever), kept)


def _largest_party_without_wait(
    event_registration: EventRegistration, own_rsvp: Attendance | None, held: SeatsHeld, largest: int
) -> int:
    """The largest party up to ``largest`` for which there are places now in one of the modes, in addition to the places
    that the person has. 0 if there is not even one place.
    """
    limits = limits_of(event_registration)
    if own_rsvp is not None and own_rsvp.holds_seat:
        held = held.plus(-own_rsvp.party, own_rsvp.mode)
    parties = range(1, largest + 1)
    return max(
        (n for n in parties if any(fits(limits, held, n, mode) for mode in _modes_of(event_registration))), default=0
    )


def _modes_of(event_registration: EventRegistration) -> Sequence[AttendanceMode | None]:
    """The ways to take part; None alone unless the event is hybrid."""
    return tuple(AttendanceMode) if event_registration.event.content.mode is Mode.HYBRID else (None,)


async def fields_now(
    reader: Reader, event_registration: EventRegistration, own_rsvp: Attendance | None
) -> AnswerFields:
    """``fields_of`` with the places that are free now."""
    fields = fields_of(event_registration, own_rsvp)
    if not fields.party_options or limits_of(event_registration).is_unlimited:
        return fields
    holds_seat = own_rsvp is not None and own_rsvp.holds_seat
    if not holds_seat and await is_full_now(reader, event_registration):
        # Everybody joins the waitlist, and the button says so.
        return fields
    return fields_of(event_registration, own_rsvp, await seats_by_mode(reader, event_registration.event.id))


def _party_label(party: int, *, waits: bool) -> str:
    if waits:
        return ngettext("%(number)s person, on the waitlist", "%(number)s people, on the waitlist", party)
    return gettext("Only me") if party == 1 else _people_label(party)


def _people_label(party: int) -> str:
    return ngettext("%(number)s person", "%(number)s people", party)


def values_of(own_rsvp: Attendance | None) -> dict[str, str]:
    """The form's values for an RSVP."""
    if own_rsvp is None:
        return {"party": "1", "mode": AttendanceMode.IN_PERSON.value}
    return {
        "party": str(own_rsvp.party),
        "mode": (own_rsvp.mode or AttendanceMode.IN_PERSON).value,
        "guest_names": "\n".join(own_rsvp.companion_names),
        "is_private": "yes" if own_rsvp.is_private else "",
        **own_rsvp.form_responses,
    }


def reply_details_of(form: Mapping[str, str], fields: AnswerFields) -> ReplyDetails:
    """Parse the form. What it leaves out stays as it is. Raises InvalidForm for an invalid number or way to take part."""
    party, mode = form.get("party", "").strip(), form.get("mode", "")
    if party and not (party.isascii() and party.isdecimal() and len(party) < 4):
        raise InvalidForm({"party": AttendanceReason.PARTY_NOT_A_NUMBER})
    if mode and fields.modes and mode not in set(AttendanceMode):
        raise InvalidForm(
            {"mode": GeneralReason.CHOOSE_ONE(choices=", ".join(label for _, label in fields.mode_options))}
        )
    form_responses = {one.id: form[one.id] for one in fields.questions if one.id in form}
    is_full_form = FULL_FORM_FIELD in form
    return ReplyDetails(
        party=int(party) if party and fields.party_options else None,
        mode=AttendanceMode(mode) if mode and fields.modes else None,
        companion_names=tuple(form["guest_names"].split("\n")) if "guest_names" in form else None,
        form_responses=form_responses or None,
        is_private=bool(form.get("is_private")) if is_full_form else None,
        skips_record=not form[SHARE] if SHARE in form else None,
    )
