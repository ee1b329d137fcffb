"""Parse series input from JSON or a form. Errors use the field names that the client sent. Pure functions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from msgspec import UNSET

from groundwork.clock import Instant
from groundwork.errors import InvalidForm, Why
from openmeet.domain.events import rules
from openmeet.domain.events.all_day import end_after
from openmeet.domain.events.content import differing
from openmeet.domain.events.edits import length_of
from openmeet.domain.events.model import Details, Event
from openmeet.domain.events.rules import Submission
from openmeet.domain.events.submissions import values_of_event
from openmeet.domain.series.dates import length_in
from openmeet.domain.series.edits import Edit, NewRule
from openmeet.domain.series.model import EditScope, Timing
from openmeet.domain.series.reasons import SeriesReason
from openmeet.recurrence.errors import FIELD, RuleErrorCode, RuleRefused
from openmeet.recurrence.pattern import MAX_DATES, Pattern, parse_date, pattern
from openmeet.recurrence.reasons import RecurrenceReason
from openmeet.recurrence.rule import Rule, parse_rule
from openmeet.recurrence.structured import from_json
from openmeet.web.series.schemas import EditInput, RuleInput, SeriesInput, TimingInput

# Maps names of form fields to their names in the API.
NAMES = {
    "starts": "startsLocal",
    "ends": "endsLocal",
    "time_zone": "timeZone",
    "online_url": "onlineUrl",
    "online_url_audience": "onlineUrlAudience",
    "venue_name": "venue.name",
    "postal_code": "venue.postalCode",
    **{name: f"venue.{name}" for name in ("street", "locality", "region", "country")},
    "point": "venue.latitude",
}
_TIMES = {"starts_local": "starts", "ends_local": "ends", "time_zone": "time_zone"}


def rule_of(wanted: RuleInput) -> Rule | None:
    """Parse a recurrence rule given as RFC 5545 text or as an object. None if there is none. Raises RuleRefused."""
    match wanted:
        case None:
            return None
        case str():
            return parse_rule(wanted)
        case _:
            return from_json(wanted)


def dates_in(texts: Sequence[str], zone: str, field: str) -> list[datetime]:
    """Dates as wall-clock times in the time zone of the series. Raises RuleRefused, which names ``field``."""
    try:
        if len(set(texts)) > MAX_DATES:
            # Checked before any date is parsed, so that a very long list is refused quickly.
            raise RuleRefused(RuleErrorCode.TOO_MANY_DATES, "", RecurrenceReason.TOO_MANY_DATES, most=MAX_DATES)  # noqa: TRY301  # named below
        return [parse_date(text, zone) for text in texts]
    except RuleRefused as wrong:
        raise _for_field(wrong, field) from None


def timing_of(details: Details, recurrence: RuleInput, rdates: Sequence[str], exdates: Sequence[str]) -> Timing:
    """The timing with this first date. Raises RuleRefused."""
    zone = details.time_zone
    added = dates_in(rdates, zone, "rdates")
    rule = rule_of(recurrence)
    if rule is None and not added:
        raise RuleRefused(RuleErrorCode.MISSING_FREQ, "FREQ", RecurrenceReason.RULE_OR_DATES_NEEDED)
    made = pattern(
        datetime.fromisoformat(details.starts_local),
        zone,
        rule,
        left_out=dates_in(exdates, zone, "exdates"),
        added=added,
        is_all_day=details.is_all_day,
    )
    return Timing(made, length_in(details))


def untitled(wanted: TimingInput) -> SeriesInput:
    """A timing as a series without content, for previews."""
    return SeriesInput(
        title="Preview",
        starts_local=wanted.starts_local,
        ends_local=wanted.ends_local,
        time_zone=wanted.time_zone,
        recurrence=wanted.recurrence,
        rdates=wanted.rdates,
        exdates=wanted.exdates,
    )


def first_of(wanted: SeriesInput) -> Details:
    """The content of the first date, validated by the rules for events. Raises InvalidForm."""
    return _checked(
        Submission(
            starts=wanted.starts_local,
            ends=wanted.ends_local or "",
            time_zone=wanted.time_zone,
            **wanted.typed(),
        ),
        None,
    )


def whole_of(wanted: SeriesInput) -> tuple[Details, Timing]:
    """The content of the first date, and the timing.

    Raises InvalidForm with all errors, or RuleRefused if only the rule or a date is invalid.
    """
    try:
        first = first_of(wanted)
    except InvalidForm as wrong:
        raise InvalidForm(wrong.problems | _wrong_in_dates(wanted, wrong.problems)) from None
    return first, timing_of(first, wanted.recurrence, wanted.rdates, wanted.exdates)


def _wrong_in_dates(wanted: SeriesInput, known: Mapping[str, Why]) -> dict[str, Why]:
    """Errors in the rule and dates, to be reported with the errors of other fields. Dates cannot be parsed without a
    valid time zone. In that case they are skipped.
    """
    found: dict[str, Why] = {}
    reads: list[Callable[[], object]] = [lambda: rule_of(wanted.recurrence)]
    if "timeZone" not in known:
        reads += [
            lambda: dates_in(wanted.rdates, wanted.time_zone, "rdates"),
            lambda: dates_in(wanted.exdates, wanted.time_zone, "exdates"),
        ]
    for read in reads:
        try:
            read()
        except RuleRefused as wrong:
            found[wrong.field] = wrong.why
    return found


def edit_of(wanted: EditInput, before: Details | None, event: Event | None, known: Pattern) -> Edit:
    """The requested edit of a date whose content is ``before``. ``event`` is that date, if it is stored.

    Raises InvalidForm and RuleRefused.
    """
    zone = known.zone_name or "UTC" if wanted.time_zone is UNSET else wanted.time_zone
    rewritten = None
    if not (wanted.recurrence is UNSET and wanted.rdates is UNSET and wanted.exdates is UNSET):
        rewritten = NewRule(
            known.rule if wanted.recurrence is UNSET else rule_of(wanted.recurrence),
            None if wanted.exdates is UNSET else tuple(sorted(set(dates_in(wanted.exdates, zone, "exdates")))),
            None if wanted.rdates is UNSET else tuple(sorted(set(dates_in(wanted.rdates, zone, "rdates")))),
        )
    typed = _typed(wanted)
    details, changed = None, frozenset[str]()
    if typed and before is not None:
        details, changed = changed_details(typed, before, event)
    return Edit(EditScope(wanted.scope), wanted.original_date, details, changed, rewritten, wanted.drop_single_changes)


def changed_details(typed: Mapping[str, str], before: Details, event: Event | None) -> tuple[Details, frozenset[str]]:
    """The content of a date after changes to these form fields, and the names of the fields of ``Content`` and
    ``Details`` that changed.

    A new start also moves the end, unless an end was sent too. Raises InvalidForm.
    """
    keeps_length = "starts" in typed and "ends" not in typed and before.ends_at is not None
    values = {**values_of_event(before), **typed}
    details = _checked(Submission(**{**values, "ends": "" if keeps_length else values["ends"]}), event)
    if keeps_length:
        assert before.ends_at is not None  # noqa: S101  # asked a line above
        length = length_of(before) or 0
        details = replace(
            details, ends_at=end_after(details.starts_at, length, details.time_zone, is_all_day=details.is_all_day)
        )
    # Links and pictures are not form fields, so they are unchanged.
    content = replace(details.content, links=before.content.links, picture=before.content.picture)
    details = replace(details, content=content)
    changed = {*differing(content, before.content), *_times_changed(details, before)}
    if length_in(details) != length_in(before):
        changed.add("ends_at")
    return details, frozenset(changed)


def _times_changed(details: Details, before: Details) -> set[str]:
    return {
        name for name in ("starts_local", "time_zone", "is_all_day") if getattr(details, name) != getattr(before, name)
    }


def check_moved(wanted: EditInput, edit: Edit, before: Details | None, now: Instant) -> None:
    """Raises InvalidForm if upcoming dates would move into the past without confirmation."""
    if edit.details is None or before is None or wanted.allow_past or "starts_local" not in edit.changed:
        return
    is_of_many = edit.scope is not EditScope.THIS
    # A new time for all dates may be entered on the form of a past date.
    if rules.starts_in_the_past(edit.details, before, now) and not (is_of_many and before.starts_at < now):
        raise InvalidForm({"startsLocal": SeriesReason.START_IN_PAST_SEND_AGAIN})


def _typed(wanted: EditInput) -> dict[str, str]:
    """The fields that were sent, by the names of form fields."""
    times = {name: getattr(wanted, field) for field, name in _TIMES.items()}
    return {name: value or "" for name, value in times.items() if value is not UNSET} | wanted.typed()


def _checked(typed: Submission, event: Event | None) -> Details:
    try:
        return rules.check(typed, event)
    except InvalidForm as wrong:
        raise InvalidForm({NAMES.get(name, name): why for name, why in wrong.problems.items()}) from None


def _for_field(wrong: RuleRefused, field: str) -> RuleRefused:
    """The same error, reported under another field."""
    if wrong.field == FIELD:
        wrong.field = field
    return wrong
