"""Drafts: edit and save a draft, publish it now, or schedule its publication."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import (
    Explanation,
    Forbidden,
    InvalidForm,
    InvalidInput,
    PreconditionFailed,
    Reason,
    Why,
    decode_explanation,
)
from groundwork.http.forms import FormState, form_with_problems, outdated_form, read_form
from openmeet.domain.attendance import registration
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.events import draft_queries, drafts, event_access, permissions, queries, rules
from openmeet.domain.events.model import Details, Event
from openmeet.domain.events.permissions import EventPermission
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.events.submissions import PROBLEM, selected_fields, submission_of, unpack, values_of
from openmeet.domain.page_paths import event_path
from openmeet.domain.users.model import UserReason
from openmeet.recurrence import wall_time
from openmeet.web.api.etags import revision_in_form
from openmeet.web.events import author_name, flash, form_summaries, group_audience, place_field
from openmeet.web.events.form_page import (
    CONFIRMED_START,
    PUBLISH_LABEL,
    SCHEDULE_LABEL,
    EventForm,
    form_page,
    require_confirmed_past_start,
)
from openmeet.web.events.form_summaries import current_value_label
from openmeet.web.events.new_pages import further_fields_in, publish_first
from openmeet.web.series import create as series
from openmeet.web.series import recurrence_form, recurrence_preview
from openmeet.web.site.caller import caller_of
from openmeet.web.site.confirmation import confirmation_field
from openmeet.web.site.layout import go
from openmeet.web.site.services import services
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of

_CHANGED_MEANWHILE = EventReason.DRAFT_CHANGED_WHILE_OPEN
# What only the author can fix, as a co-host reads it. Co-hosts are not told who is blocked or is deleting their account.
_FOR_CO_HOSTS: Final[Mapping[str, Reason]] = {
    UserReason.HOST_NEEDS_NAME: UserReason.AUTHOR_NEEDS_NAME,
    EventReason.NOT_IN_ITS_GROUP: EventReason.AUTHOR_NOT_IN_ITS_GROUP,
    EventReason.HOST_WAS_BLOCKED: EventReason.AUTHOR_COULD_NOT_PUBLISH,
    EventReason.HOST_WAS_LEAVING: EventReason.AUTHOR_COULD_NOT_PUBLISH,
}


def routes() -> list[Route]:
    return [
        Route("/events/{slug}/draft", show, methods=["GET"]),
        Route("/events/{slug}/draft", save, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        event = await _draft(reader, request)
        stored_fields = await draft_queries.fields(reader, event.id)
        registration_settings = await registration.settings_of(reader, event)
    if not event.is_draft:
        return go(f"{event_path(event.slug)}/edit")
    values = _form_values(event, stored_fields, registration_settings)
    return await _draft_form_page(request, FormState(values), event, notice=_notice(request, event, stored_fields))


async def save(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        event = await _draft(reader, request)
    form = place_field.read(request, await read_form(request))
    if place_field.is_sent_to_fill_in(form):
        filled, place_answer = await place_field.filled_in(request, {**values_of(submission_of(form)), **form})
        return await _draft_form_page(request, FormState(filled), event, place_answer=place_answer)
    if recurrence_form.is_preview_pressed(form):
        return await _draft_form_page(request, FormState({**values_of(submission_of(form)), **form}), event)
    action = form.get("save", "publish")
    try:
        if action == "draft":
            return await _save_draft(request, event, form, None, "draft_saved")
        details = _checked_details(request, form, event)
        if _is_author(request, event):
            await author_name.store_if_missing(request, caller_of(request), form)
        if action == "later":
            at = _publish_at(request, form, details)
            return await _save_draft(request, event, form, at, "draft_scheduled")
        return await _publish_draft(request, event, form, details)
    except InvalidForm as wrong:
        shown = {**values_of(submission_of(form)), **form, **confirmation_field(form, CONFIRMED_START, wrong)}
        shown |= confirmation_field(form, place_field.CONFIRMED_ZONE, wrong)
        return await _draft_form_page(request, form_with_problems(shown, wrong), event, status=400)
    except Forbidden as wrong:
        # The author may no longer publish in the draft's group. Show the text so that it can be copied.
        shown = {**values_of(submission_of(form)), **form}
        return await _draft_form_page(request, FormState(shown, {"": wrong.why}), event, status=403)
    except PreconditionFailed:
        async with database_of(request).reader() as reader:
            newest = await _draft(reader, request)
            stored_fields = await draft_queries.fields(reader, newest.id)
            registration_settings = await registration.settings_of(reader, newest)
        shown = {**values_of(submission_of(form)), **form}
        # If it was published in the meantime, its form is gone.
        current = {"revision": str(newest.revision)}
        if newest.is_draft:
            current |= _comparable(_form_values(newest, stored_fields, registration_settings), shown)
        outdated = outdated_form(shown, current, _CHANGED_MEANWHILE, label=_value_label)
        return await _draft_form_page(request, outdated, newest, status=409)


def _is_author(request: Request, draft: Event) -> bool:
    return draft.author_id == caller_of(request).user_id


def _notice(request: Request, draft: Event, stored_fields: str) -> Why:
    """Why the draft was not published at its time. Empty if there is nothing to say."""
    problem = decode_explanation(selected_fields(stored_fields, (PROBLEM,)).get(PROBLEM, ""))
    if problem is None or _is_author(request, draft):
        return problem or ""
    why = problem.params["reason"]
    return EventReason.NOT_PUBLISHED(reason=_FOR_CO_HOSTS.get(why.code, why) if isinstance(why, Explanation) else why)


def _form_values(event: Event, stored_fields: str, registration_settings: RegistrationSettings) -> dict[str, str]:
    return {
        **values_of(unpack(stored_fields)),
        **selected_fields(stored_fields, recurrence_form.FIELDS),
        "revision": str(event.revision),
        "publish_at": _local(event),
        **form_summaries.approval_values(registration_settings),
    }


def _comparable(stored: Mapping[str, str], typed: Mapping[str, str]) -> dict[str, str]:
    """The stored values to compare with the typed ones. A rule that differs is described in words."""
    values = {name: text for name, text in stored.items() if name not in recurrence_form.FIELDS}
    rule = recurrence_form.description(stored)
    return values if rule == recurrence_form.description(typed) else {**values, "repeats": rule}


def _value_label(name: str, text: str) -> str:
    """A draft also keeps times that cannot be parsed."""
    try:
        return current_value_label("starts" if name == "publish_at" else name, text)
    except ValueError:
        return text


async def _draft_form_page(
    request: Request,
    form_state: FormState,
    event: Event,
    *,
    notice: Why = "",
    status: int = 200,
    place_answer: place_field.PlaceField = place_field.NOT_ASKED,
) -> Response:
    repeats = await recurrence_preview.form_state(request, form_state.values)
    async with database_of(request).reader() as reader:
        role = await event_access.role_of(reader, event, caller_of(request).user_id)
        audience = await group_audience.line_for(reader, event.group, form_state.value("visibility"), event.author_id)
    form = EventForm(
        typed=form_state,
        event=event,
        notice=notice,
        repeats=repeats,
        place_answer=place_answer,
        may_remove=permissions.may(role, EventPermission.DELETE),
        may_publish=permissions.may(role, EventPermission.PUBLISH_DRAFT),
        asks_name=_is_author(request, event) and await author_name.is_missing(request, caller_of(request)),
        group_audience=audience,
    )
    return form_page(request, form, status=status)


async def _save_draft(
    request: Request, event: Event, form: Mapping[str, str], publish_at: Instant | None, message_key: str
) -> Response:
    async with database_of(request).transaction() as tx:
        await drafts.keep(
            tx,
            caller_of(request),
            event.slug,
            submission_of(form),
            further_fields_in(form),
            publish_at=publish_at,
            expected_revision=revision_in_form(form.get("revision", "")),
        )
        await registration.set_approval(tx, event.id, form_summaries.approval_in(form))
    path = event_path(event.slug)
    return go(path if publish_at is not None else f"{path}/draft", flash=message_key)


async def _publish_draft(request: Request, draft: Event, form: Mapping[str, str], details: Details) -> Response:
    caller = caller_of(request)
    timing = await recurrence_preview.timing_of(request, form, details)
    revision = revision_in_form(form.get("revision", ""))
    if timing is not None:
        checked_timing = await series.check_timing(request, timing)
        async with database_of(request).transaction() as tx:
            locked = await drafts.lock_to_publish(tx, caller, draft.slug, expected_revision=revision)
            await registration.set_approval(tx, locked.id, form_summaries.approval_in(form))
            new_series = await series.of_draft(tx, caller, locked, details, checked_timing)
        return go(new_series.path, flash=new_series.flash)
    async with database_of(request).transaction() as tx:
        event = await drafts.publish(tx, caller, draft.slug, details, expected_revision=revision)
        await registration.set_approval(tx, event.id, form_summaries.approval_in(form))
        message_key = await flash.flash_of_event(tx, event)
    is_shown = not event.is_held or await publish_first(request, event)
    return go(event_path(event.slug), flash=message_key if is_shown else "event_held")


def _checked_details(request: Request, form: Mapping[str, str], event: Event) -> Details:
    details = rules.check(submission_of(form), event)
    place_field.require_known_town(request, form, details)
    place_field.require_known_zone(request, form, details)
    button = SCHEDULE_LABEL if form.get("save") == "later" else PUBLISH_LABEL
    require_confirmed_past_start(request, form, details, None, button)
    return details


def _publish_at(request: Request, form: Mapping[str, str], details: Details) -> Instant:
    """The scheduled time, which was typed in the event's time zone. Raises InvalidForm."""
    text = form.get("publish_at", "")
    if form.get("repeats"):
        raise InvalidForm({"publish_at": EventReason.SERIES_NOT_SCHEDULED})
    if not text:
        raise InvalidForm({"publish_at": EventReason.MOMENT_NEEDED})
    try:
        local = wall_time.parse_local(text, "publish_at")
    except InvalidInput as wrong:
        raise InvalidForm({"publish_at": wrong.why}) from None
    at = wall_time.instant_of(local, details.time_zone)
    if at <= services(request).clock.now():
        raise InvalidForm({"publish_at": EventReason.MOMENT_OVER})
    if at >= details.starts_at:
        raise InvalidForm({"publish_at": EventReason.MOMENT_AFTER_START})
    return at


def _local(event: Event) -> str:
    if event.publish_at is None:
        return ""
    local: datetime = wall_time.local_of(event.publish_at, event.time_zone)
    return local.replace(tzinfo=None).isoformat(timespec="minutes")


async def _draft(reader: Reader, request: Request) -> Event:
    caller = caller_of(request)
    event = await event_access.require_visible(
        reader, await queries.by_slug(reader, event_slug_of(request)), caller.user_id
    )
    await event_access.require_editable(reader, event, caller.user_id)
    return event
