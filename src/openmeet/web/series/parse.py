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
from openmeet.domain.events.inputs import text_of
from openmeet.domain.events.model import Details, Event
from openmeet.domain.events.rules import Submission
from openmeet.domain.events.submissions import values_of_event
from openmeet.domain.series.dates import length_in
from openmeet.domain.series.edits import Edit, NewRule
from openmeet.domain.series.model import EditScope, Timing
from openmeet.domain.series.reasons import SeriesReason
from openmeet.recurrence.errors import FIELD, RecurrenceReason, RuleErrorCode, RuleRefused
from openmeet.recurrence.pattern import MAX_DATES, Pattern, parse_date, pattern
from openmeet.recurrence.rule import Rule, parse_rule
from openmeet.recurrence.structured import from_json
from openmeet.web.series.schemas import EditInput, RuleInput, SeriesInput, TimingInput

# Maps names of form fields to their names in the API.
NAMES = {
    "starts": "startsLocal",
    "ends": "endsLocal",
    "all_day": "isAllDay",
    "time_zone": "timeZone",
    "online_url": "onlineUrl",
    "online_url_audience": "onlineUrlAudience",
    "venue_name": "venue.name",
    "postal_code": "venue.postalCode",
    **{name: f"venue.{name}" for name in ("street", "locality", "region", "country")},
    "point": "venue.latitude",
}
_TIMES = {"starts_local": "starts", "ends_local": "ends", "time_zone": "time_zone"}


def rule_of(body: RuleInput) -> Rule | None:
    """Parse a recurrence rule given as RFC 5545 text or as an object. None if there is none. Raises RuleRefused."""
    match body:
        case None:
            return None
        case str():
            return parse_rule(body)
        case _:
            return from_json(body)


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
    new_pattern = pattern(
        datetime.fromisoformat(details.starts_local),
        zone,
        rule,
        left_out=dates_in(exdates, zone, "exdates"),
        added=added,
        is_all_day=details.is_all_day,
    )
    return Timing(new_pattern, length_in(details))


def untitled_series(body: TimingInput) -> SeriesInput:
    """A timing as a series without content, for previews."""
    return SeriesInput(
        title="Preview",
        starts_local=body.starts_local,
        ends_local=body.ends_local,
        time_zone=body.time_zone,
        recurrence=body.recurrence,
        rdates=body.rdates,
        exdates=body.exdates,
    )


def first_of(body: SeriesInput) -> Details:
    """The content of the first date, validated by the rules for events. Raises InvalidForm."""
    return _checked_details(
        Submission(
            starts=body.starts_local,
            ends=body.ends_local or "",
            time_zone=body.time_zone,
            **body.form_fields(),
        ),
        None,
    )


def whole_of(body: SeriesInput) -> tuple[Details, Timing]:
    """The content of the first date, and the timing.

    Raises InvalidForm with all errors, or RuleRefused if only the rule or a date is invalid.
    """
    try:
        first = first_of(body)
    except InvalidForm as wrong:
        raise InvalidForm(wrong.problems | _wrong_in_dates(body, wrong.problems)) from None
    return first, timing_of(first, body.recurrence, body.rdates, body.exdates)


def _wrong_in_dates(body: SeriesInput, problems: Mapping[str, Why]) -> dict[str, Why]:
    """Errors in the rule and dates, to be reported with the errors of other fields. Dates cannot be parsed without a
    valid time zone. In that case they are skipped.
    """
    reasons: dict[str, Why] = {}
    reads: list[Callable[[], object]] = [lambda: rule_of(body.recurrence)]
    if "timeZone" not in problems:
        reads += [
            lambda: dates_in(body.rdates, body.time_zone, "rdates"),
            lambda: dates_in(body.exdates, body.time_zone, "exdates"),
        ]
    for read in reads:
        try:
            read()
        except RuleRefused as wrong:
            reasons[wrong.field] = wrong.why
    return reasons


def edit_of(body: EditInput, before: Details | None, event: Event | None, current_pattern: Pattern) -> Edit:
    """The requested edit of a date whose content is ``before``. ``event`` is that date, if it is stored.

    Raises InvalidForm and RuleRefused.
    """
    zone = current_pattern.zone_or_utc if body.time_zone is UNSET else body.time_zone
    rewritten = None
    if not (body.recurrence is UNSET and body.rdates is UNSET and body.exdates is UNSET):
        rule = current_pattern.rule if body.recurrence is UNSET else rule_of(body.recurrence)
        rewritten = NewRule(
            rule,
            None if body.exdates is UNSET else tuple(sorted(set(dates_in(body.exdates, zone, "exdates")))),
            None if body.rdates is UNSET else tuple(sorted(set(dates_in(body.rdates, zone, "rdates")))),
            # A rule that is sent as it was read has not changed, so its count does not start again.
            keeps_rule=rule == current_pattern.rule,
        )
    fields = _form_fields(body)
    details, changed = None, frozenset[str]()
    if fields and before is not None:
        details, changed = changed_details(fields, before, event)
    return Edit(EditScope(body.scope), body.original_date, details, changed, rewritten, body.drop_single_changes)


def changed_details(form: Mapping[str, str], before: Details, event: Event | None) -> tuple[Details, frozenset[str]]:
    """The content of a date after changes to these form fields, and the names of the fields of ``Content`` and
    ``Details`` that changed.

    A new start also moves the end, unless an end was sent too. Raises InvalidForm.
    """
    keeps_length = "starts" in form and "ends" not in form and before.ends_at is not None
    values = {**values_of_event(before), **form}
    details = _checked_details(Submission(**{**values, "ends": "" if keeps_length else values["ends"]}), event)
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


def check_moved(body: EditInput, edit: Edit, before: Details | None, now: Instant) -> None:
    """Raises InvalidForm if upcoming dates would move into the past without confirmation."""
    if edit.details is None or before is None or body.allow_past or "starts_local" not in edit.changed:
        return
    is_of_many = edit.scope is not EditScope.THIS
    # A new time for all dates may be entered on the form of a past date.
    if rules.starts_in_the_past(edit.details, before, now) and not (is_of_many and before.starts_at < now):
        raise InvalidForm({"startsLocal": SeriesReason.START_IN_PAST_SEND_AGAIN})


def _form_fields(body: EditInput) -> dict[str, str]:
    """The fields that were sent, by the names of form fields."""
    times = {name: getattr(body, field) for field, name in _TIMES.items()}
    if body.is_all_day is not UNSET:
        times["all_day"] = text_of(body.is_all_day)
    return {name: value or "" for name, value in times.items() if value is not UNSET} | body.form_fields()


def _checked_details(submission: Submission, event: Event | None) -> Details:
    try:
        return rules.check(submission, event)
    except InvalidForm as wrong:
        raise InvalidForm({NAMES.get(name, name): why for name, why in wrong.problems.items()}) from None


def _for_field(wrong: RuleRefused, field: str) -> RuleRefused:
    """The same error, reported under another field."""
    if wrong.field == FIELD:
        wrong.field = field
    return wrong
