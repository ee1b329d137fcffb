"""JSON types of series and dates."""

from typing import Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, UnsetType

from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.web.api.external_identity import RecordSource
from openmeet.web.events.schemas import (
    DateDefaults,
    EventFieldsEdit,
    EventFieldsInput,
    StatusName,
)
from openmeet.web.media.uploads import PictureOutput

PolicyName = Literal["next", "window", "none"]
SeriesStatusName = Literal["active", "paused", "cancelled"]
ScopeName = Literal["this", "following", "all"]

# RFC 5545 text (``FREQ=WEEKLY;BYDAY=TU``), the same rule as an object (see ``recurrence.structured``), or null for
# single dates only.
RuleInput = str | dict[str, Any] | None


class TimingInput(msgspec.Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """When a series meets. ``startsLocal`` and ``endsLocal`` are wall-clock times of the first date in ``timeZone``.

    ``rdates`` are added dates and ``exdates`` excluded ones: ``2026-12-24T18:00``, or an instant that ends in ``Z``.
    """

    starts_local: str
    ends_local: str | None = None
    time_zone: str
    recurrence: RuleInput = None
    rdates: list[str] = []
    exdates: list[str] = []


class SeriesInput(EventFieldsInput, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A whole series: the content and the timing of its dates. ``publish`` says which dates get records.

    ``group`` is the slug of its group, whose visibility limits the visibility of the series.
    """

    # The fields of ``TimingInput``. They are repeated because a struct can have only one base.
    starts_local: str
    ends_local: str | None = None
    time_zone: str
    recurrence: RuleInput = None
    rdates: list[str] = msgspec.field(default_factory=list)
    exdates: list[str] = msgspec.field(default_factory=list)
    publish: PolicyName = "next"
    group: str | None = None


class SeriesFromEvent(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """How an event that becomes a series recurs. Everything else is taken from the event."""

    recurrence: RuleInput
    rdates: list[str] = []
    exdates: list[str] = []
    publish: PolicyName = "next"


class EventAdded(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The event to add as a date."""

    event: str


class DatePreview(msgspec.Struct, rename="camel"):
    """A future date. If a DST change skips the rule's wall-clock time on that day, ``insteadOf`` is that time."""

    original_date: str
    starts_at: str
    ends_at: str | None
    starts_local: str
    instead_of: str | None


class RulePreview(msgspec.Struct, rename="camel"):
    """What a rule means. ``silentMonths`` are months (``2027-02``) in which the day of the rule does not exist.

    ``startFits`` says whether the start matches the rule. If not, ``betterStart`` is the first date that does, or null
    if that is years ahead. ``exdatesWithoutDate`` are exclusions that match no date.
    """

    sentence: str
    rule: str | None
    structured: dict[str, Any] | None
    dates: list[DatePreview]
    is_endless: bool
    last_starts_at: str | None
    silent_months: list[str]
    start_fits: bool
    better_start: str | None
    exdates_without_date: list[str]


class UndoableActionOutput(msgspec.Struct, rename="camel"):
    """The host's last action, and the time until which it can be undone."""

    act: str
    until: str


class MyDatesOutput(msgspec.Struct, rename="camel"):
    """Coming stored dates that take place and that the caller can see, by RSVP.

    ``limited`` are unanswered dates with limited capacity, ``unanswered`` the other unanswered dates.
    """

    dates: int
    going: int
    waitlisted: int
    pending: int
    limited: int
    unanswered: int


class SeriesOutput(DateDefaults, kw_only=True, rename="camel"):
    """A series. ``sentence`` is the rule in words, ``recurrence`` the rule as RFC 5545 text, under the name that requests
    have for it, ``rule`` the same text, and ``structured`` the rule as an object.

    ``isGoingToAll`` means that the caller has a standing RSVP "going", which also applies to new dates. ``myDates`` are
    the caller's RSVPs; null if not signed in.
    """

    slug: str
    url: str
    picture: PictureOutput | None
    sentence: str
    recurrence: str | None
    rule: str | None
    structured: dict[str, Any] | None
    rdates: list[str]
    exdates: list[str]
    starts_local: str
    time_zone: str
    duration_seconds: int | None
    publish: PolicyName
    status: SeriesStatusName
    status_reason: str
    host_id: str
    continues: str | None
    continued_by: list[str]
    group_id: str | None
    can_edit: bool
    can_undo: UndoableActionOutput | None
    is_following: bool
    notifies: bool
    is_going_to_all: bool
    my_dates: MyDatesOutput | None
    is_read_only: bool
    source: RecordSource
    revision: int
    created_at: str
    updated_at: str


class SeriesList(msgspec.Struct, rename="camel"):
    """The caller's series, newest first. ``cursor`` is null on the last page."""

    series: list[SeriesOutput]
    cursor: str | None


class DateOutput(msgspec.Struct, kw_only=True, rename="camel"):
    """A date of a series. ``originalDate`` is its permanent name. ``slug`` is null while the date is computed from the
    rule and not stored.

    ``differsIn`` lists the fields that override the series.
    """

    original_date: str
    is_stored: bool
    slug: str | None
    url: str
    title: str
    starts_at: str
    ends_at: str | None
    starts_local: str
    time_zone: str
    status: StatusName
    status_reason: str
    is_over: bool
    differs_in: list[str]
    capacity: int | None
    going: int
    my_status: AttendanceStatus | None
    revision: int | None


class ExtraDate(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A date to add to the dates of the rule: its wall-clock start in the time zone of the series."""

    starts_local: str
    is_silent: bool = False


class DateList(msgspec.Struct, rename="camel"):
    """Dates in order. ``cursor`` leads to later dates, and ``next`` is the instant of the first of these. Both are null
    on the last page.
    """

    dates: list[DateOutput]
    next: str | None
    cursor: str | None


class EditInput(EventFieldsEdit, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The changes and their scope. Fields left out are unchanged.

    ``originalDate`` names the edited date. It is required for ``this`` and ``following``, and if times change.
    ``recurrence`` is a new rule. The edit is refused if the revision of that date is no longer
    ``expectedDateRevision``, if the new start is in the past without ``allowPast``, or if it is further ahead than
    dates can be opened (``TooFarAhead``). With ``isSilent``, attendees and followers are notified only of new times
    and deleted dates.
    """

    scope: ScopeName
    original_date: str | None = None
    starts_local: str | UnsetType = UNSET
    ends_local: str | UnsetType | None = UNSET
    time_zone: str | UnsetType = UNSET
    is_all_day: bool | UnsetType = UNSET
    recurrence: str | dict[str, Any] | UnsetType | None = UNSET
    rdates: list[str] | UnsetType = UNSET
    exdates: list[str] | UnsetType = UNSET
    drop_single_changes: bool = False
    is_silent: bool = False
    expected_date_revision: int | None = None
    allow_past: bool = False


class DateChange(msgspec.Struct, rename="camel"):
    """One stored date before and after the edit. ``fields`` lists the changed fields, ``keepsOwn`` those in which the
    date overrides the series.
    """

    original_date: str
    new_original_date: str
    slug: str
    starts_at: str
    new_starts_at: str
    fields: list[str]
    keeps_own: list[str]
    answers: int


class DateTouched(msgspec.Struct, rename="camel"):
    """A date that is no longer in the rule."""

    original_date: str
    slug: str
    starts_at: str
    answers: int


class DateMade(msgspec.Struct, rename="camel"):
    """A new date, or one that was only computed from the rule before."""

    original_date: str
    starts_at: str


class EditConsequences(msgspec.Struct, rename="camel"):
    """The consequences of an edit. Numbers count stored dates. Dates that are not stored always follow the series.

    ``stranded`` dates stay as exceptions because they have RSVPs or overrides. ``vanishing`` dates have neither and are
    removed. ``made`` are the new dates of the next two months. ``peopleTold`` is the number of people who are notified.
    ``peopleMailed`` of them also get an e-mail, at once or in a digest, if the time or place changed. A new description
    is not e-mailed. ``peopleOverLimit`` counts people who have a place beyond a lowered limit; they keep their place.
    ``partiesTooLarge`` counts waiting parties that are larger than a lowered limit.
    """

    scope: ScopeName
    dates_changed: int
    dates_unchanged: int
    answers_kept: int
    single_changes_kept: int
    people_told: int
    people_mailed: int
    changes: list[DateChange]
    stranded: list[DateTouched]
    vanishing: list[DateTouched]
    made: list[DateMade]
    sentence_before: str
    sentence_after: str
    makes_new_series: bool
    revision: int
    people_over_limit: int
    parties_too_large: int


class EditDone(msgspec.Struct, rename="camel"):
    """The series of the edited dates, which is a new one after ``following``, and the changes that were applied."""

    series: SeriesOutput
    consequences: EditConsequences


class DatesNamed(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Dates by name. With ``isSilent``, only people who answered one of them are notified of its removal."""

    dates: list[str]
    is_silent: bool = False


class Cancellation(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The dates to cancel, and the reason: single ``dates``, all dates from ``fromDate`` to ``toDate``, or the whole
    series.

    A range includes both ends, which are names of dates or days (``2027-03-30``). Dates that are already cancelled are
    unchanged. With ``isSilent``, only people who answered one of the dates are notified.
    """

    EXAMPLE: ClassVar[dict[str, object]] = {
        "reason": "The library is closed that day.",
        "dates": ["2027-03-02T18:00:00"],
    }

    reason: str = ""
    dates: list[str] | None = None
    from_date: str | None = None
    to_date: str | None = None
    is_silent: bool = False


class Reinstatement(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """What to reinstate. Dates are named as for a cancellation. With ``isSilent``, only people who answered one of them
    are notified.
    """

    EXAMPLE: ClassVar[dict[str, object]] = {"fromDate": "2027-03-02T18:00:00", "toDate": "2027-03-30T18:00:00"}

    dates: list[str] | None = None
    from_date: str | None = None
    to_date: str | None = None
    is_silent: bool = False


class StatusReason(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The reason. Everyone can read it."""

    reason: str = ""
    is_silent: bool = False


class Resumption(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """How to resume a series. Without a body, the people affected are notified. With ``isSilent``, nobody is, except
    people who answered a date that was cancelled with the series.
    """

    is_silent: bool = False


class SeriesAfterEdit(msgspec.Struct, rename="camel"):
    """The series after the edit, and the number of dates that were changed."""

    series: SeriesOutput
    dates_changed: int


class FollowInput(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """With ``notifies``, the caller is notified of new, moved and cancelled dates."""

    notifies: bool = True


class FollowOutput(msgspec.Struct, rename="camel"):
    """How the caller follows the series."""

    is_following: bool
    notifies: bool


class AnswerAll(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """One reply for every upcoming date. ``skipLimited`` leaves out dates with limited capacity."""

    reply: Literal["going", "interested", "declined"]
    skip_limited: bool = False


class AnswerOutcome(msgspec.Struct, rename="camel"):
    """The result for one date: a status, or the name of the error with a sentence."""

    original_date: str
    slug: str
    status: AttendanceStatus | None
    refused: str | None
    why: str | None


class AnswersOutput(msgspec.Struct, rename="camel"):
    """Every date to which the reply was sent, in order."""

    dates: list[AnswerOutcome]


class FollowerOutput(msgspec.Struct, rename="camel"):
    """A follower of the series. ``notifies`` says whether they get notifications."""

    user_id: str
    name: str
    notifies: bool


class FollowerList(msgspec.Struct, rename="camel"):
    """One page of followers, and the total number of followers."""

    followers: list[FollowerOutput]
    count: int
    next_cursor: str | None


class NewTimesConfirmed(msgspec.Struct, rename="camel"):
    """Confirmed new times. ``confirmed`` is the number of dates."""

    confirmed: int


class DeclinedDates(msgspec.Struct, rename="camel"):
    """The number of dates that the caller declined, ``withdrawn``."""

    withdrawn: int


class HeirOutput(msgspec.Struct, rename="camel"):
    """A possible new owner of the series."""

    user_id: str
    name: str


class HeirList(msgspec.Struct, rename="camel"):
    """Possible new owners, ordered by name. ``cursor`` is null on the last page."""

    people: list[HeirOutput]
    cursor: str | None


class OfferInput(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The person to offer the series to."""

    user_id: str


class OfferedSeries(msgspec.Struct, rename="camel"):
    """A series that is offered to the caller, and the person who offers it. The caller can accept the offer
    (``acceptSeries``) or decline it (``dropSeriesOffer``).
    """

    slug: str
    title: str
    host_id: str
    host_name: str
    created_at: str


class OfferedList(msgspec.Struct, rename="camel"):
    """The series that are offered to the caller, oldest offer first. ``cursor`` is null on the last page."""

    offers: list[OfferedSeries]
    cursor: str | None


class OfferOutput(msgspec.Struct, rename="camel"):
    """The user to whom the series is offered, and the time of the offer."""

    user_id: str
    created_at: str
