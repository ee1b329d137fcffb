"""Create an event, even before signing in: the form is stored as a draft and shown again after sign-in."""

import json
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
from groundwork.errors import InvalidForm, Why
from groundwork.http.forms import FormState, form_with_problems
from groundwork.token_hash import hash_token
from openmeet.domain.attendance import registration
from openmeet.domain.covers.model import MOTIFS, cover_of
from openmeet.domain.events import actions, draft_queries, drafts, queries, rules
from openmeet.domain.events.group_of_event import group_for, group_of_copy, groups_offered
from openmeet.domain.events.model import MAX_KEY, Details, Event, GroupOfEvent
from openmeet.domain.events.publication import is_held_at_first
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.events.submissions import pack, selected_fields, submission_of, unpack, values_of, values_of_event
from openmeet.domain.events.vocabulary import ACCESS_LABELS, CATEGORY_LABELS, Category
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
from openmeet.i18n.formatting import OFFERED_ZONES
from openmeet.network.publishing.deliver_publication import deliver_now
from openmeet.outbox.publications import PublicationKind
from openmeet.recurrence import wall_time
from openmeet.web.events import author_name, flash, form_summaries, picture_pages, place_field
from openmeet.web.events.form_summaries import KEPT_FOR, LABELS, LENGTHS, LINK_TIMES, section_summaries, zone_words
from openmeet.web.series import create as series
from openmeet.web.series import recurrence_form, recurrence_preview
from openmeet.web.series.recurrence_form import RecurrenceFormState
from openmeet.web.site.caller import caller_of, caller_or_none
from openmeet.web.site.confirmation import NeedsConfirmation, confirmation_field
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of

_DRAFT_COOKIE = "openmeet_draft"

# How long to wait for the author's PDS. After that, the event stays a draft, and the publication is retried.
_PUBLISH_FIRST_SECONDS = 5.0

# Hidden field with the start in the past that the person was asked to confirm.
CONFIRMED_START = "past"
# Form fields that a draft stores in addition to those of the event.
_FURTHER_FIELDS = (*recurrence_form.FIELDS, form_summaries.NEEDS_APPROVAL)
# Labels of the form's buttons. Questions about the input name the button that confirms it.
SAVE_LABEL = lazy("Save changes")
SCOPE_LABEL = lazy("Select the dates")
PUBLISH_LABEL = lazy("Publish")
SCHEDULE_LABEL = lazy("Publish at this time")
_DRAFT_NOTICE = lazy("Here’s the event you started. Check it, then create it.")

# If the user goes back in the browser and changes fields, they may want a second event or an edit of the first.
_MADE_ALREADY = lazy(
    'You already created <a href="/events/%(slug)s">an event</a> with this form. Edit that one, or send this again to create another.'
)
_DRAFT_CHANGED_SINCE = lazy(
    'You saved this form as <a href="/events/%(slug)s/draft">a draft</a> and changed the draft later. Edit that one, or send this again to keep both.'
)
_SERIES_MADE_ALREADY = lazy(
    'You already created <a href="/series/%(slug)s">a series</a> with this form. Edit that one, or send this again to create another.'
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
    return await new_page(request, FormState(values), was_draft=draft is not None, asks_zone=asks_zone)


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
        clashes = await recurrence_preview.conflicts_in_form(request, values, repeats.meaning)
        return await new_page(request, FormState(values, sent_picture.problems), repeats=repeats, clashes=clashes)
    if place_field.is_sent_to_fill_in(form):
        filled, place_answer = await place_field.filled_in(request, values)
        return await new_page(request, FormState(filled, sent_picture.problems), place_answer=place_answer)
    if form.get("save") == "draft" and caller is not None and not sent_picture.problems:
        return await _begin_draft(request, submission, form, sent_picture.picture)
    try:
        details = _checked_details(submission, sent_picture)
        details = replace(details, content=replace(details.content, picture=sent_picture.picture))
        timing = await recurrence_preview.timing_of(request, form, details)
        require_confirmed_past_start(request, form, details, None, _submit_label(request, None))
        await author_name.store_if_missing(request, caller, form)
    except InvalidForm as wrong:
        problems = form_with_problems({**values, **confirmation_field(form, CONFIRMED_START, wrong)}, wrong)
        return await new_page(request, problems, status=400)
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
        return _forget_draft(await new_page(request, FormState(renewed, {"": problem}), status=422))


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
        return await new_page(request, FormState(renewed, {"": problem}), status=422)
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


def require_confirmed_past_start(
    request: Request, form: Mapping[str, str], details: Details, before: Event | Details | None, button: LazyText
) -> None:
    """Raises NeedsConfirmation for a start in the past that was not confirmed. ``button`` is the label of the button that
    submitted the form, and that confirms the start when it is pressed again.
    """
    submission = submission_of(form)
    start = f"{submission.starts} {submission.time_zone}"
    if form.get(CONFIRMED_START) != start and rules.starts_in_the_past(details, before, services(request).clock.now()):
        raise NeedsConfirmation(
            "starts", EventReason.START_IN_PAST_SAVE_AGAIN(button=button), name=CONFIRMED_START, key=start
        )


async def publish_first(request: Request, event: Event) -> bool:
    """Publish the record of an event that stays hidden until its author's PDS has the record. True if the PDS gets it
    in time.
    """
    publisher = services(request).publisher
    if publisher is None:
        return False
    return await deliver_now(publisher, PublicationKind.EVENT, event.id, deadline_seconds=_PUBLISH_FIRST_SECONDS)


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
        return await new_page(request, FormState(renewed, {"": problem}), status=409)
    return _forget_draft(go(f"{event_path(event.slug)}/draft", flash="draft_saved"))


def further_fields_in(form: Mapping[str, str]) -> dict[str, str]:
    """Form fields that a draft stores in addition to those of the event: the recurrence and the tick for approval."""
    return {name: form[name] for name in _FURTHER_FIELDS if name in form}


async def show_copy(request: Request) -> Response:
    """The form for a new event, filled in from another event except for the dates."""
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        event = await drafts.event_to_copy(reader, event_slug_of(request), caller)
        registration_settings = await registration.of_event(reader, event)
        group_of_event = await group_of_copy(reader, event, caller.user_id)
        group = None if group_of_event is None else await group_queries.by_id(reader, group_of_event.id)
        groups = await groups_offered(reader, caller.user_id)
    values = values_of_event(event) | form_summaries.approval_values(registration_settings) | {"starts": "", "ends": ""}
    values |= {
        "submission": secrets.token_urlsafe(16),
        "group": "" if group is None else group.slug,
        "copy_of": event.slug,
    }
    notice = gettext("A copy of “%(title)s”. When does it start?", title=event.title)
    repeats = await recurrence_preview.form_state(request, values)
    return form_page(
        request,
        FormState(values),
        event=None,
        notice=notice,
        repeats=repeats,
        groups=groups,
        asks_name=await author_name.is_missing(request, caller),
    )


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


async def new_page(
    request: Request,
    form_state: FormState,
    *,
    was_draft: bool = False,
    status: int = 200,
    repeats: RecurrenceFormState | None = None,
    clashes: Sequence[str] = (),
    asks_zone: bool = False,
    place_answer: place_field.PlaceField = place_field.NOT_ASKED,
) -> Response:
    """The form for a new event."""
    notice = str(_DRAFT_NOTICE) if was_draft else ""
    caller = caller_or_none(request)
    groups: Sequence[Group] = ()
    if caller is not None:
        async with database_of(request).reader() as reader:
            groups = await groups_offered(reader, caller.user_id)
    return form_page(
        request,
        form_state,
        event=None,
        notice=notice,
        was_draft=was_draft,
        status=status,
        repeats=repeats or await recurrence_preview.form_state(request, form_state.values),
        clashes=clashes,
        asks_zone=asks_zone,
        place_answer=place_answer,
        groups=groups,
        asks_name=await author_name.is_missing(request, caller),
    )


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
    return await new_page(request, FormState(values, {"": str(why)}), status=410)


def form_page(
    request: Request,
    form_state: FormState,
    *,
    event: Event | None,
    notice: Why = "",
    was_draft: bool = False,
    status: int = 200,
    series_path: str = "",
    repeats: RecurrenceFormState | None = None,
    clashes: Sequence[str] = (),
    asks_zone: bool = False,
    place_answer: place_field.PlaceField = place_field.NOT_ASKED,
    groups: Sequence[Group] = (),
    may_remove: bool = True,
    asks_name: bool = False,
) -> Response:
    """The form for new and edited events. ``asks_zone``: the time zone is not known yet. ``series_path`` is set if a
    series is edited through one of its dates. ``repeats`` has the recurrence options, if they are offered. ``clashes``
    has the viewer's conflicts at each previewed date. ``place_answer`` is the message next to the place field.
    ``groups`` are those that a new event can be in. ``may_remove``: the viewer may choose when it is removed.
    ``asks_name``: the viewer has no name yet.
    """
    is_new = event is None or event.is_draft
    form_state = replace(form_state, values={**form_state.values, **place_field.field_values(form_state.values)})
    context = {
        "typed": form_state,
        "event": event,
        "labels": {
            **LABELS,
            **picture_pages.LABELS,
            **author_name.LABELS,
            **(recurrence_form.LABELS if repeats is not None else {}),
        },
        "lengths": LENGTHS,
        "zones": OFFERED_ZONES,
        "countries": countries.offered(),
        "in_group": bool(event.group if event else form_state.value("group")),
        "groups": [("", gettext("No group")), *((one.slug, one.details.name) for one in groups)] if groups else [],
        "notice": notice,
        "was_draft": was_draft,
        "is_new": is_new and not series_path,
        "is_draft": event is not None and event.is_draft,
        "action": _action_path(event, series_path),
        "submit_label": _submit_label(request, event, series_path),
        "schedule_label": SCHEDULE_LABEL,
        "series_path": series_path,
        "repeats": repeats,
        "clashes": clashes,
        "dates_from": recurrence_preview.path_for(
            event="" if event is None or series_path else event.slug, series=series_path.rpartition("/")[2]
        ),
        "access_words": [(one.value, words) for one, words in ACCESS_LABELS.items()],
        "category_words": [(one.value, words) for one, words in CATEGORY_LABELS.items()],
        "link_times": list(LINK_TIMES.items()),
        "kept_for": list(KEPT_FOR.items()),
        "may_remove": may_remove,
        "summaries": section_summaries(form_state.values),
        "asks_zone": asks_zone,
        "asks_name": asks_name,
        "zone_words": zone_words,
        "place": place_answer,
        "finds_places": services(request).places is not None,
        "takes_picture": event is None
        and not series_path
        and caller_or_none(request) is not None
        and services(request).pictures is not None,
        "cover": _cover_path(event, form_state),
        "draws_cover": (event is None or event.content.picture is None) and not form_state.value("picture_key"),
        "motifs": json.dumps(MOTIFS),
        "has_picture": event is not None and event.content.picture is not None,
    }
    return page(request, "events/form.html", context, status=status)


def _cover_path(event: Event | None, form_state: FormState) -> str:
    """The path of the picture next to the form: an upload, or the cover generated from the title."""
    if form_state.value("picture_key"):
        return f"/media/{form_state.value('picture_key')}/large"
    if event is not None and event.content.picture is not None:
        return f"/media/{event.content.picture.key}/large"
    checked_categories = [one for one in Category if form_state.value(f"categories.{one.value}")]
    listed_categories = [Category(one) for one in form_state.value("categories").split(",") if one in set(Category)]
    shuffle = form_state.value("cover_shuffle")
    return cover_of(
        form_state.value("title"),
        checked_categories or listed_categories,
        int(shuffle) if shuffle.isascii() and shuffle.isdigit() and len(shuffle) < 10 else 0,
    ).path


def _submit_label(request: Request, event: Event | None, series_path: str = "") -> LazyText:
    """The label of the form's main button."""
    if series_path:
        return SCOPE_LABEL
    if event is not None:
        return PUBLISH_LABEL if event.is_draft else SAVE_LABEL
    return lazy("Create event") if caller_or_none(request) else lazy("Continue")


def _action_path(event: Event | None, series_path: str) -> str:
    if series_path:
        return f"{series_path}/edit"
    if event is None:
        return "/events/new"
    return f"{event_path(event.slug)}/{'draft' if event.is_draft else 'edit'}"
