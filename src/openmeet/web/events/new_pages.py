"""Create an event, even before signing in: the form is stored as a draft and shown again after sign-in."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import SECOND, Instant
from groundwork.errors import InvalidForm
from groundwork.http.forms import FormState, form_with_problems
from groundwork.token_hash import hash_token
from openmeet.domain.attendance import registration
from openmeet.domain.events import actions, draft_queries, drafts, queries, rules
from openmeet.domain.events.group_of_event import group_for, group_of_copy, groups_offered
from openmeet.domain.events.model import MAX_KEY, Details, Event, GroupOfEvent
from openmeet.domain.events.publication import is_held_at_first
from openmeet.domain.events.submissions import pack, selected_fields, submission_of, unpack, values_of, values_of_event
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups import rules as group_rules
from openmeet.domain.groups.model import Group
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.media.pictures import Picture
from openmeet.domain.page_paths import event_path
from openmeet.domain.series.actions import SeriesAlreadyCreated
from openmeet.domain.series.model import Timing
from openmeet.domain.users.model import Caller
from openmeet.domain.users.queries import by_id
from openmeet.i18n import countries
from openmeet.i18n.catalogue import LazyText, gettext, lazy
from openmeet.network.publishing.delivery import deliver_now
from openmeet.outbox.publications import PublicationKind
from openmeet.recurrence import wall_time
from openmeet.web.events import author_name, flash, form_summaries, group_audience, picture_pages, place_field
from openmeet.web.events.form_page import (
    CONFIRMED_START,
    EventForm,
    create_label,
    form_page,
    require_confirmed_past_start,
)
from openmeet.web.series import create as series
from openmeet.web.series import recurrence_form, recurrence_preview
from openmeet.web.site.caller import caller_of, caller_or_none
from openmeet.web.site.confirmation import confirmation_field
from openmeet.web.site.layout import go
from openmeet.web.site.services import services
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of

_DRAFT_COOKIE = "openmeet_draft"

# How long to wait for the author's PDS. After that, the event stays a draft, and the publication is retried.
_PUBLISH_FIRST_SECONDS = 5.0

# Form fields that a draft stores in addition to those of the event.
_FURTHER_FIELDS = (*recurrence_form.FIELDS, form_summaries.NEEDS_APPROVAL)
_DRAFT_NOTICE = lazy("Here’s the event you started. Check it, then create it.")

# If the user goes back in the browser and changes fields, they may want a second event or an edit of the first.
_MADE_ALREADY = lazy(
    'You already created <a href="/events/%(slug)s">an event</a> with this form. Edit that one, or send this '
    "again to create another."
)
_DRAFT_CHANGED_SINCE = lazy(
    'You saved this form as <a href="/events/%(slug)s/draft">a draft</a> and changed the draft later. Edit that '
    "one, or send this again to keep both."
)
_SERIES_MADE_ALREADY = lazy(
    'You already created <a href="/series/%(slug)s">a series</a> with this form. Edit that one, or send this '
    "again to create another."
)


def routes() -> list[Route]:
    return [
        Route("/events/new", show_new, methods=["GET"]),
        Route("/events/new", create, methods=["POST"]),
        Route("/events/{slug}/duplicate", show_copy, methods=["GET"]),
    ]


async def show_new(request: Request) -> Response:
    caller = caller_or_none(request)
    draft_token = request.cookies.get(_DRAFT_COOKIE, "")
    zone = services(request).settings.time_zone
    country = ""
    draft = None
    group = request.query_params.get("group", "")
    async with database_of(request).reader() as reader:
        if group and caller is not None:
            await group_for(reader, group, caller.user_id)
        if draft_token and not group:
            draft = await draft_queries.find(reader, hash_token(draft_token))
        if caller is not None:
            user = await by_id(reader, caller.user_id)
            zone = (user and user.time_zone) or zone
            country = countries.name_of(await queries.latest_country(reader, caller.user_id))
    values = values_of(unpack(draft) if draft else rules.Submission(time_zone=zone, country=country))
    if draft:
        values |= selected_fields(draft, _FURTHER_FIELDS)
    # One form creates one event, however often it is submitted.
    values["submission"] = secrets.token_urlsafe(16)
    values["group"] = group
    if draft is None:
        values["starts"] = _first_start(services(request).clock.now(), zone)
    values[place_field.SUGGESTED_ZONE] = values["time_zone"]
    # The user's zone may differ from the event's, but it is a far better default than UTC.
    asks_zone = zone == "UTC" and draft is None
    notice = "" if draft is None else str(_DRAFT_NOTICE)
    return await _new_page(
        request,
        EventForm(typed=FormState(values), notice=notice, was_draft=draft is not None, asks_zone=asks_zone),
    )


def _first_start(now: Instant, zone: str) -> str:
    """The start that the form suggests: an evening one week from now. It stays 19:00 if the browser sets another time
    zone.
    """
    soon = wall_time.local_of(now, zone).replace(tzinfo=None) + timedelta(days=7)
    return soon.replace(hour=19, minute=0, second=0, microsecond=0).isoformat(timespec="minutes")


async def create(request: Request) -> Response:
    form, body = await picture_pages.read_form_with_picture(request)
    form = place_field.read(request, form)
    submission = submission_of(form)
    caller = caller_or_none(request)
    sent_picture = (
        await picture_pages.store_picture(request, caller, form, body)
        if caller is not None
        else picture_pages.SentPicture()
    )
    form[picture_pages.KEPT] = sent_picture.kept_key
    values = {**values_of(submission), **form}
    if recurrence_form.is_preview_pressed(form):
        repeats = await recurrence_preview.form_state(request, values)
        repeats = await recurrence_preview.with_conflicts(request, values, repeats)
        return await _new_page(request, EventForm(typed=FormState(values, sent_picture.problems), repeats=repeats))
    if place_field.is_sent_to_fill_in(form):
        filled, place_answer = await place_field.filled_in(request, values)
        form_filled_in = EventForm(typed=FormState(filled, sent_picture.problems), place_answer=place_answer)
        return await _new_page(request, form_filled_in)
    if form.get("save") == "draft" and caller is not None and not sent_picture.problems:
        return await _begin_draft(request, submission, form, sent_picture.picture)
    try:
        details = _checked_details(submission, sent_picture)
        details = replace(details, content=replace(details.content, picture=sent_picture.picture))
        timing = await recurrence_preview.timing_of(request, form, details)
        place_field.require_known_town(request, form, details)
        place_field.require_known_zone(request, form, details)
        require_confirmed_past_start(request, form, details, None, create_label(request))
        await author_name.store_if_missing(request, caller, form)
    except InvalidForm as wrong:
        confirmed = confirmation_field(form, CONFIRMED_START, wrong) | confirmation_field(
            form, place_field.CONFIRMED_ZONE, wrong
        )
        problems = form_with_problems({**values, **confirmed}, wrong)
        return await _new_page(request, EventForm(typed=problems), status=400)
    if caller is None:
        return await _save_visitor_draft(request, submission, form)
    if timing is not None:
        return await _create_series(request, form, details, timing)
    return await _create_event(request, caller, submission, form, details)


async def _create_series(request: Request, form: Mapping[str, str], details: Details, timing: Timing) -> Response:
    try:
        return _forget_draft(await series.create_series(request, form, details, timing))
    except SeriesAlreadyCreated as existing:
        renewed = {**form, "submission": secrets.token_urlsafe(16)}
        problem = Markup(_SERIES_MADE_ALREADY.filled(slug=quote(existing.slug)))  # noqa: S704  # a message of ours, with a quoted slug
        return _forget_draft(await _new_page(request, EventForm(typed=FormState(renewed, {"": problem})), status=422))


async def _create_event(
    request: Request, caller: Caller, submission: rules.Submission, form: Mapping[str, str], details: Details
) -> Response:
    draft_token = request.cookies.get(_DRAFT_COOKIE, "")
    try:
        async with database_of(request).transaction() as tx:
            group = await group_for(tx, form.get("group", ""), caller.user_id)
            original = await drafts.original_of(tx, form.get("copy_of", ""), caller)
            details = drafts.with_untyped_fields(details, original)
            event = await actions.create(
                tx,
                caller,
                details,
                submission_key=form.get("submission", "")[:MAX_KEY] or None,
                is_held=await is_held_at_first(tx, caller.user_id, details, group),
                group=group,
            )
            await registration.initialize(tx, original, event.id, form_summaries.approval_in(form))
            if draft_token:
                await draft_queries.drop(tx, hash_token(draft_token))
            arrived = await flash.flash_of_event(tx, event)
    except actions.EventAlreadyCreated as existing:
        renewed = {**values_of(submission), "submission": secrets.token_urlsafe(16), "group": form.get("group", "")}
        problem = Markup(_MADE_ALREADY.filled(slug=quote(existing.slug)))  # noqa: S704  # a message of ours, with a quoted slug
        return await _new_page(request, EventForm(typed=FormState(renewed, {"": problem})), status=422)
    is_shown = not event.is_held or await publish_first(request, event)
    message_key = "event_held" if not is_shown else arrived if event.revision == 1 else "made_before"
    return _forget_draft(go(event_path(event.slug), flash=message_key))


def _checked_details(submission: rules.Submission, sent_picture: picture_pages.SentPicture) -> Details:
    """Validate the form and the picture together, so that InvalidForm contains all errors."""
    try:
        details = rules.check(submission)
    except InvalidForm as wrong:
        raise InvalidForm({**wrong.problems, **sent_picture.problems}) from None
    if sent_picture.problems:
        raise InvalidForm(sent_picture.problems)
    return details


def _forget_draft(response: Response) -> Response:
    response.delete_cookie(_DRAFT_COOKIE, path="/", httponly=True, samesite="lax")
    return response


async def publish_first(request: Request, event: Event) -> bool:
    """Publish the record of an event that stays hidden until its author's PDS has the record. True if the PDS gets it
    in time.
    """
    dependencies = services(request).publishing_dependencies
    if dependencies is None:
        return False
    return await deliver_now(dependencies, PublicationKind.EVENT, event.id, deadline_seconds=_PUBLISH_FIRST_SECONDS)


async def _begin_draft(
    request: Request, submission: rules.Submission, form: Mapping[str, str], picture: Picture | None
) -> Response:
    """Store the form as a draft, whether valid or not, and redirect to it."""
    caller = caller_of(request)
    token = request.cookies.get(_DRAFT_COOKIE, "")
    try:
        async with database_of(request).transaction() as tx:
            original = await drafts.original_of(tx, form.get("copy_of", ""), caller)
            event = await drafts.begin(
                tx,
                caller,
                submission,
                further_fields_in(form),
                submission_key=form.get("submission", "")[:MAX_KEY] or None,
                group=await group_for(tx, form.get("group", ""), caller.user_id),
                copy_of=original,
                picture=picture,
            )
            await registration.initialize(tx, original, event.id, form_summaries.approval_in(form))
            if token:
                await draft_queries.drop(tx, hash_token(token))
    except drafts.DraftChangedSince as existing:
        renewed = {**values_of(submission), **form, "submission": secrets.token_urlsafe(16)}
        problem = Markup(_DRAFT_CHANGED_SINCE.filled(slug=quote(existing.slug)))  # noqa: S704  # a message of ours, with a quoted slug
        return await _new_page(request, EventForm(typed=FormState(renewed, {"": problem})), status=409)
    return _forget_draft(go(f"{event_path(event.slug)}/draft", flash="draft_saved"))


def further_fields_in(form: Mapping[str, str]) -> dict[str, str]:
    """Form fields that a draft stores in addition to those of the event: the recurrence and the tick for approval."""
    return {name: form[name] for name in _FURTHER_FIELDS if name in form}


async def show_copy(request: Request) -> Response:
    """The form for a new event, filled in from another event except for the dates."""
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        event = await drafts.event_to_copy(reader, event_slug_of(request), caller)
        registration_settings = await registration.settings_of(reader, event)
        group_of_event = await group_of_copy(reader, event, caller.user_id)
        group = None if group_of_event is None else await group_queries.by_id(reader, group_of_event.id)
        groups = await groups_offered(reader, caller.user_id)
        audience = await group_audience.line_for(reader, group_of_event, event.content.visibility, caller.user_id)
    values = values_of_event(event) | form_summaries.approval_values(registration_settings) | {"starts": "", "ends": ""}
    values |= {
        "submission": secrets.token_urlsafe(16),
        "group": "" if group is None else group.slug,
        "copy_of": event.slug,
    }
    notice = gettext("A copy of “%(title)s”. When does it start?", title=event.title)
    repeats = await recurrence_preview.form_state(request, values)
    form = EventForm(
        typed=FormState(values),
        notice=notice,
        repeats=repeats,
        groups=groups,
        asks_name=await author_name.is_missing(request, caller),
        group_audience=audience,
    )
    return form_page(request, form)


async def _save_visitor_draft(request: Request, submission: rules.Submission, form: Mapping[str, str]) -> Response:
    token = request.cookies.get(_DRAFT_COOKIE) or secrets.token_urlsafe(32)
    async with database_of(request).transaction() as tx:
        await actions.keep_draft(tx, hash_token(token), pack(submission, further_fields_in(form)))
    response = go("/sign-in?next=/events/new", flash="draft_kept")
    settings = services(request).settings
    response.set_cookie(
        _DRAFT_COOKIE,
        token,
        max_age=actions.DRAFT_LIFE // SECOND,
        path="/",
        secure=settings.is_https,
        httponly=True,
        samesite="lax",
    )
    return response


async def _new_page(request: Request, form: EventForm, *, status: int = 200) -> Response:
    """The form for a new event, with what depends on the viewer and on what was typed."""
    caller = caller_or_none(request)
    groups: Sequence[Group] = ()
    audience = ""
    if caller is not None:
        group, visibility = form.typed.value("group"), form.typed.value("visibility")
        async with database_of(request).reader() as reader:
            groups = await groups_offered(reader, caller.user_id)
            audience = await group_audience.line_of_form(reader, group, visibility, caller.user_id)
    form = replace(
        form,
        group_audience=audience,
        repeats=form.repeats or await recurrence_preview.form_state(request, form.typed.values),
        groups=groups,
        asks_name=await author_name.is_missing(request, caller),
    )
    return form_page(request, form, status=status)


async def new_page_instead(
    request: Request, typed: Mapping[str, str], group_before: GroupOfEvent | None, why: LazyText
) -> Response:
    """The form for a new event, filled in with what was typed into the form of one that is deleted. It is in the same
    group if the caller can create events there.
    """
    caller = caller_of(request)
    group_id = group_before.id if group_before else None
    async with database_of(request).reader() as reader:
        group = await group_queries.by_id(reader, group_id) if group_id else None
        role = await group_queries.role_in(reader, group_id, caller.user_id)
    slug = group.slug if group is not None and group_rules.may(role, GroupPermission.CREATE_EVENT) else ""
    values = {**typed, "submission": secrets.token_urlsafe(16), "group": slug}
    return await _new_page(request, EventForm(typed=FormState(values, {"": str(why)})), status=410)
