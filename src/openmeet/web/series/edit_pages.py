"""Edit a series: the user first makes the changes, then chooses their scope. The consequences of each scope are shown."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import InvalidForm, InvalidInput, NotFound, Refused, Why
from groundwork.http.forms import FormState, form_with_problems, outdated_form, read_form
from openmeet.domain.events.edits import details_in
from openmeet.domain.events.model import Details, Event
from openmeet.domain.events.submissions import FIELDS, submission_of, values_of, values_of_event
from openmeet.domain.page_paths import event_path, series_path
from openmeet.domain.series import actions, agenda, apply_edits, date_queries, materialize, queries
from openmeet.domain.series.dates import checked_name, original_text
from openmeet.domain.series.edits import Edit, NewRule, plan_of, series_details_at
from openmeet.domain.series.model import EditScope, Series, StoredOccurrence
from openmeet.domain.series.plan import EditPlan
from openmeet.domain.series.reasons import SeriesReason
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import LazyText, gettext, lazy
from openmeet.recurrence.describe import describe
from openmeet.recurrence.expansion import following
from openmeet.recurrence.pattern import Pattern
from openmeet.web.events import form_summaries, place_field
from openmeet.web.events.form_page import (
    CONFIRMED_START,
    SCOPE_LABEL,
    EventForm,
    form_page,
    require_confirmed_past_start,
)
from openmeet.web.events.form_summaries import LABELS, current_value_label
from openmeet.web.events.new_pages import new_page_instead
from openmeet.web.series import json_views, parse, recurrence_form, recurrence_preview, scope_texts
from openmeet.web.series.recurrence_form import RecurrenceFormState
from openmeet.web.site.caller import caller_of
from openmeet.web.site.confirmation import confirmation_field
from openmeet.web.site.layout import go, page
from openmeet.web.site.slugs import series_slug_of
from openmeet.web.site.tenant_routing import database_of

_CHANGED_MEANWHILE = SeriesReason.CHANGED_WHILE_OPEN
_DELETED_MEANWHILE = lazy(
    "This series was deleted after you opened this form. What you typed is still here. To use it, create a new series."
)

# Maximum number of characters shown of an old or new value.
_VALUE_LENGTH = 140


@dataclass(frozen=True, slots=True)
class ScopeOption:
    """One scope ("this", "following", "all") with its counts, or the reason why it is unavailable. ``dates`` is the
    number of stored dates that change, ``has_later`` whether later dates follow. ``notification``: what people are told.
    """

    value: str
    words: str
    counted: str
    refused: Why = ""
    dates: int = 0
    has_later: bool = False
    notification: str = ""


@dataclass(frozen=True, slots=True)
class EditDifference:
    label: LazyText
    before: str
    after: str


def routes() -> list[Route]:
    return [
        Route("/series/{slug}/edit", show_edit, methods=["GET"]),
        Route("/series/{slug}/edit", save, methods=["POST"]),
    ]


async def show_edit(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        series = await agenda.editable(reader, series_slug_of(request), caller.user_id)
        name = await _date(request, reader, series)
        event = await date_queries.date_of(reader, series.id, name)
    details = series_details_at(series, name) if event is None else details_in(event)
    opened = values_of_event(details)
    values = {
        **opened,
        **recurrence_form.values_of(series.timing.pattern),
        recurrence_form.FIRST_START: original_text(series.timing.pattern.start),
        recurrence_form.OPENED_START: opened["starts"],
        "date": name,
        **_versions(series, event),
        # Opened from the page of the series, not of one of its dates.
        "whole": "" if request.query_params.get("date") else "yes",
    }
    repeats = await recurrence_preview.form_state(request, values, may_skip=False)
    return _edit_form_page(request, series, FormState(values), event, repeats)


async def save(request: Request) -> Response:
    """Submit the edit, then submit it again with its scope. The plan is computed from the current state each time."""
    form = place_field.read(request, await read_form(request))
    try:
        return await _save(request, form)
    except NotFound:
        series = await _deleted_series(request)
        if series is None:
            raise
        repeats = {name: form[name] for name in recurrence_form.FIELDS if name in form}
        typed = {**values_of(submission_of(form)), **repeats}
        return await new_page_instead(request, typed, series.group, _DELETED_MEANWHILE)


async def _save(request: Request, form: dict[str, str]) -> Response:
    caller = caller_of(request)
    shown = {**values_of(submission_of(form)), **form}
    if place_field.is_sent_to_fill_in(form):
        filled, place_answer = await place_field.filled_in(request, shown)
        return await _form_again(request, filled, place_answer)
    if form.get("preview") or form.get("back"):
        return await _form_again(request, shown, place_field.NOT_ASKED)
    # Done before the series is locked. Otherwise other requests would wait for the lock while a worker process
    # computes.
    repeats = await recurrence_preview.form_state(request, shown, may_skip=False)
    async with database_of(request).transaction() as tx:
        series = await actions.lock_to_change(tx, caller, series_slug_of(request))
        name = checked_name(form.get("date", ""))
        event = await date_queries.date_of(tx, series.id, name)
        before = series_details_at(series, name) if event is None else details_in(event)
        try:
            edit = _submitted_edit(form, series, before, event)
        except InvalidForm as wrong:
            return _edit_form_page(request, series, form_with_problems(shown, wrong), event, repeats, status=400)
        try:
            if edit.details is not None:
                place_field.require_known_town(request, form, edit.details, before)
            if edit.details is not None and "starts_local" in edit.changed:
                require_confirmed_past_start(request, form, edit.details, before, SCOPE_LABEL)
        except InvalidForm as asks:
            shown |= confirmation_field(form, CONFIRMED_START, asks)
            return _edit_form_page(request, series, form_with_problems(shown, asks), event, repeats, status=400)
        versions = _versions(series, event)
        if any(form.get(name, "") != version for name, version in versions.items()):
            current = {**values_of_event(before), **versions}
            if edit.rewritten is not None:
                current["repeats"] = describe(_rule_alone(series))
            outdated = outdated_form(
                shown, current, _CHANGED_MEANWHILE, versions=tuple(versions), label=current_value_label
            )
            return _edit_form_page(request, series, outdated, event, repeats, status=409)
        if not edit.changed and edit.rewritten is None:
            return go(series_path(series.slug), flash="event_unchanged")
        if form.get("scope") not in set(EditScope):
            return await _ask_scope(request, tx, _CheckedEdit(series, edit, before, form))
        return await _apply(request, tx, _CheckedEdit(series, edit, before, form))


@dataclass(frozen=True, slots=True)
class _CheckedEdit:
    """A valid edit of a locked series, and the form that has it. ``before``: the details of the date that the form
    showed.
    """

    series: Series
    edit: Edit
    before: Details
    form: Mapping[str, str]


def _versions(series: Series, event: Event | None) -> dict[str, str]:
    """Hidden fields that name the versions which the form shows: the series' and the date's. An edit of one date makes no
    new revision of its series. A date that is stored after the form was opened has its first revision.
    """
    return {"revision": str(series.revision), "date_revision": "1" if event is None else str(event.revision)}


async def _deleted_series(request: Request) -> Series | None:
    """The series, if it was deleted and the caller was allowed to edit it."""
    async with database_of(request).reader() as reader:
        series = await queries.by_slug(reader, series_slug_of(request))
        if series is None or series.deleted_at is None or series.is_read_only:
            return None
        return series if await agenda.may_edit(reader, series, caller_of(request).user_id) else None


async def _form_again(request: Request, shown: Mapping[str, str], place_answer: place_field.PlaceField) -> Response:
    """The form with what was typed, for a preview, the answer to a search for a place, or the way back to the form."""
    repeats = await recurrence_preview.form_state(request, shown, may_skip=False)
    async with database_of(request).reader() as reader:
        series = await agenda.editable(reader, series_slug_of(request), caller_of(request).user_id)
        event = await date_queries.date_of(reader, series.id, checked_name(shown.get("date", "")))
    repeats = await recurrence_preview.with_conflicts(request, shown, repeats, edited_series=series.id)
    return _edit_form_page(request, series, FormState(shown), event, repeats, place_answer=place_answer)


async def _apply(request: Request, tx: Transaction, checked: _CheckedEdit) -> Response:
    """Make the edit in the chosen scope. If that is refused, ask for the scope again."""
    series, edit, form = checked.series, checked.edit, checked.form
    scope = EditScope(form["scope"])
    try:
        stored = await date_queries.stored(tx, series.id)
        plan, _ = await _edit_plan(tx, series, edit, scope, stored, drops=bool(form.get("drop_single_changes")))
    except (Refused, InvalidInput) as refused:
        return await _ask_scope(request, tx, checked, problem=refused.why, status=422)
    after = await apply_edits.apply_plan(tx, series, plan, notifies=not form.get("is_silent"))
    date = await date_queries.date_of(tx, after.id, checked_name(form.get("date", "")))
    if scope is EditScope.THIS and date is not None:
        return go(event_path(date.slug), flash="date_saved")
    return go(series_path(after.slug), flash="series_split" if scope is EditScope.FOLLOWING else "series_saved")


async def _ask_scope(
    request: Request, tx: Transaction, checked: _CheckedEdit, *, problem: Why = "", status: int = 200
) -> Response:
    """The page that asks for the scope of an edit, with the consequences of each."""
    series, edit, form = checked.series, checked.edit, checked.form
    reaches, single_changes, notified = [], 0, 0
    # Read once for all scopes, because a long series has thousands of dates.
    stored: Sequence[StoredOccurrence] = await date_queries.stored(tx, series.id)
    when = formatting.short_day(datetime.fromisoformat(checked.before.starts_local))
    labels = {
        EditScope.THIS: gettext("Only %(date)s", date=when),
        EditScope.FOLLOWING: gettext("This and all following dates"),
        EditScope.ALL: gettext("All dates"),
    }
    for scope in EditScope:
        if scope is EditScope.THIS and edit.rewritten is not None:
            continue
        try:
            plan, stored = await _edit_plan(tx, series, edit, scope, stored, drops=False)
        except (Refused, InvalidInput) as refused:
            reaches.append(ScopeOption(scope.value, labels[scope], "", refused.why))
            continue
        counted = await json_views.consequences(tx, series, plan)
        single_changes = max(single_changes, counted.single_changes_kept)
        notified = max(notified, counted.people_told)
        # Dates that are not stored yet follow the series.
        has_later = scope is not EditScope.THIS and bool(following(plan.timing.pattern, series.stored_until, 1))
        sentence = scope_texts.counts_text(counted, has_later=has_later)
        reaches.append(
            ScopeOption(
                scope.value,
                labels[scope],
                sentence,
                dates=counted.dates_changed,
                has_later=has_later,
                notification=scope_texts.notification_of(series, plan, tx.now) if counted.people_told else "",
            )
        )
    possible = [one.value for one in reaches if not one.refused]
    if form.get("whole") and EditScope.ALL.value in possible:
        possible.insert(0, EditScope.ALL.value)
    carried = {name: value for name, value in form.items() if name not in {"scope", "is_silent", "drop_single_changes"}}
    context = {
        "series": series,
        "address": series_path(series.slug),
        "carried": carried,
        "reaches": reaches,
        "chosen": form.get("scope") or (possible[0] if possible else ""),
        "is_silent": bool(form.get("is_silent")),
        "drops_single_changes": bool(form.get("drop_single_changes")),
        "differences": _changed_fields(series, edit, checked.before),
        "single_changes": single_changes,
        "notified": notified,
        "problem": problem,
    }
    return page(request, "series/scope.html", context, status=status)


async def _edit_plan(
    tx: Transaction,
    series: Series,
    edit: Edit,
    scope: EditScope,
    stored: Sequence[StoredOccurrence],
    *,
    drops: bool,
) -> tuple[EditPlan, Sequence[StoredOccurrence]]:
    """The plan and the stored dates. If the edited date was not stored yet, it is stored first."""
    assert edit.date is not None  # noqa: S101  # the form carries it
    if scope is EditScope.THIS and not any(_is_named(held, edit.date) for held in stored):
        await materialize.ensure_stored(tx, series, edit.date)
        stored = await date_queries.stored(tx, series.id)
    reaching = Edit(scope, edit.date, edit.details, edit.changed, edit.rewritten, drops)
    return plan_of(series, reaching, stored, tx.now), stored


def _is_named(occurrence: StoredOccurrence, name: str) -> bool:
    position = occurrence.event.position_in_series
    return position is not None and position.original_date == name


def _submitted_edit(form: Mapping[str, str], series: Series, before: Details, event: Event | None) -> Edit:
    """The edit that the form describes, for all dates; its scope is chosen later. Raises InvalidForm."""
    current_values = values_of_event(before)
    submitted = values_of(submission_of(form))
    typed_changes = {
        name: text for name, text in submitted.items() if name in form and _plain(text) != current_values[name]
    }
    if "starts" in typed_changes:
        # A form always sends both times, so an unchanged end is meant as a time and not as a duration.
        typed_changes.setdefault("ends", submitted["ends"])
    try:
        details, changed = (
            parse.changed_details(typed_changes, before, event) if typed_changes else (None, frozenset[str]())
        )
    except InvalidForm as wrong:
        names = {sent: field for field, sent in parse.NAMES.items()}
        raise InvalidForm({names.get(name, name): why for name, why in wrong.problems.items()}) from None
    rewritten = None
    if recurrence_form.is_changed(form, series.timing.pattern):
        start = datetime.fromisoformat(details.starts_local if details is not None else before.starts_local)
        rewritten = NewRule(recurrence_form.submitted_rule(form, start))
        if rewritten.rule is None:
            raise InvalidForm({"repeats": SeriesReason.RULE_NEEDED})
    return Edit(EditScope.ALL, checked_name(form.get("date", "")), details, changed, rewritten)


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


def _changed_fields(series: Series, edit: Edit, before: Details) -> list[EditDifference]:
    """The changed fields, with their old and new values."""
    differences = []
    if edit.details is not None:
        old, new = values_of_event(before), values_of_event(edit.details)
        differences += [
            EditDifference(LABELS[name], *_value_labels(name, old[name], new[name]))
            for name in FIELDS
            if old[name] != new[name]
        ]
    if edit.rewritten is not None:
        plain = _rule_alone(series)
        after = describe(replace(plain, rule=edit.rewritten.rule))
        differences.append(EditDifference(recurrence_form.LABELS["repeats"], describe(plain), after))
    return differences


def _rule_alone(series: Series) -> Pattern:
    """The rule as the form shows it. Excluded and added dates are not form fields."""
    return replace(series.timing.pattern, left_out=(), added=())


def _value_labels(name: str, before: str, after: str) -> tuple[str, str]:
    """The old and the new value. If only the time of day changes, the day is left out."""
    if name in {"starts", "ends"} and before and after:
        old, new = datetime.fromisoformat(before), datetime.fromisoformat(after)
        if old.date() == new.date():
            return formatting.clock(old), formatting.clock(new)
        return _day_and_time(old), _day_and_time(new)
    return _shortened(form_summaries.value_label(name, before)), _shortened(form_summaries.value_label(name, after))


def _day_and_time(moment: datetime) -> str:
    return formatting.day_and_time(formatting.short_day(moment), moment)


def _shortened(text: str) -> str:
    return textwrap.shorten(text, _VALUE_LENGTH, placeholder=" …") or gettext("empty")


def _edit_form_page(
    request: Request,
    series: Series,
    form_state: FormState,
    event: Event | None,
    repeats: RecurrenceFormState,
    *,
    status: int = 200,
    place_answer: place_field.PlaceField = place_field.NOT_ASKED,
) -> Response:
    form = EventForm(
        typed=form_state,
        event=event,
        series_path=series_path(series.slug),
        repeats=repeats,
        place_answer=place_answer,
    )
    return form_page(request, form, status=status)


async def _date(request: Request, reader: Reader, series: Series) -> str:
    """The date to edit: the one in the URL, or else the next one."""
    name = request.query_params.get("date", "")
    if name:
        return checked_name(name)
    upcoming = await agenda.coming(reader, series, series.owner_id, limit=1)
    return upcoming[0].original_date if upcoming else original_text(series.timing.pattern.start)
