"""Drafts: the form with what was typed, save, publish now, or schedule the publication."""

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import Forbidden, InvalidForm, InvalidInput, NotFound, PreconditionFailed
from openmeet.domain.events import draft_queries, drafts, queries, rules, seeing
from openmeet.domain.events.model import Details, Event, EventSlug
from openmeet.domain.events.submissions import PROBLEM, more_in, submission_of, unpack, values_of
from openmeet.recurrence import wall_time
from openmeet.web.api.etags import revision_in_form
from openmeet.web.events import flash
from openmeet.web.events.new_pages import PAST, form_page, kept_more, must_mean_the_past, publish_first
from openmeet.web.series import create as series
from openmeet.web.series import recurrence_form, recurrence_preview
from openmeet.web.site.asking import answered
from openmeet.web.site.caller import caller_of
from openmeet.web.site.forms import Typed, read_form, typed_again
from openmeet.web.site.layout import go
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

_CHANGED_MEANWHILE = (
    "This draft was changed since you opened it. What you typed is kept; save again to have it your way."
)


def routes() -> list[Route]:
    return [
        Route("/events/{slug}/draft", show, methods=["GET"]),
        Route("/events/{slug}/draft", save, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        event = await _draft(reader, request)
        kept = await draft_queries.fields(reader, event.id)
    if not event.is_draft:
        return go(f"/events/{quote(event.slug)}/edit")
    values = values_of(unpack(kept)) | more_in(kept, (*recurrence_form.FIELDS, PROBLEM))
    values |= {"revision": str(event.revision), "publish_at": _local(event)}
    return await _form(request, Typed(values), event, notice=values.get(PROBLEM, ""))


async def save(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        event = await _draft(reader, request)
    typed = await read_form(request)
    wish = typed.get("save", "publish")
    try:
        if wish == "draft":
            return await _keep(request, event, typed, None, "draft_saved")
        details = _checked(request, typed, event)
        if wish == "later":
            at = _publish_at(request, typed, details)
            return await _keep(request, event, typed, at, "draft_scheduled")
        return await _publish(request, event, typed, details)
    except InvalidForm as wrong:
        shown = {**values_of(submission_of(typed)), **typed, **answered(typed, PAST, wrong)}
        return await _form(request, typed_again(shown, wrong), event, status=400)
    except Forbidden as wrong:
        # The author may no longer publish in the draft's group: show the text for copying.
        shown = {**values_of(submission_of(typed)), **typed}
        return await _form(request, Typed(shown, {"": wrong.why}), event, status=403)
    except PreconditionFailed:
        async with database_of(request).reader() as reader:
            newest = await _draft(reader, request)
        shown = {**values_of(submission_of(typed)), **typed, "revision": str(newest.revision)}
        return await _form(request, Typed(shown, {"": _CHANGED_MEANWHILE}), newest, status=409)


async def _form(request: Request, typed: Typed, event: Event, *, notice: str = "", status: int = 200) -> Response:
    repeats = await recurrence_preview.asked(request, typed.values)
    return form_page(request, typed, event=event, notice=notice, status=status, repeats=repeats)


async def _keep(
    request: Request, event: Event, typed: Mapping[str, str], publish_at: Instant | None, said: str
) -> Response:
    async with database_of(request).transaction() as tx:
        await drafts.keep(
            tx,
            caller_of(request),
            event.slug,
            submission_of(typed),
            kept_more(typed),
            publish_at=publish_at,
            expected_revision=revision_in_form(typed.get("revision", "")),
        )
    path = f"/events/{quote(event.slug)}"
    return go(path if publish_at is not None else f"{path}/draft", said=said)


async def _publish(request: Request, draft: Event, typed: Mapping[str, str], details: Details) -> Response:
    caller = caller_of(request)
    timing = await recurrence_preview.timing_of(request, typed, details)
    revision = revision_in_form(typed.get("revision", ""))
    if timing is not None:
        async with database_of(request).transaction() as tx:
            locked = await drafts.lock_to_publish(tx, caller, draft.slug, expected_revision=revision)
            begun = await series.of_draft(tx, caller, locked, details, timing)
        return go(begun.path, said=begun.said)
    async with database_of(request).transaction() as tx:
        event = await drafts.publish(tx, caller, draft.slug, details, expected_revision=revision)
        said = await flash.said_of_event(tx, event)
    is_shown = not event.is_held or await publish_first(request, event)
    return go(f"/events/{quote(event.slug)}", said=said if is_shown else "event_held")


def _checked(request: Request, typed: Mapping[str, str], event: Event) -> Details:
    details = rules.check(submission_of(typed), event)
    must_mean_the_past(request, typed, details, None)
    return details


def _publish_at(request: Request, typed: Mapping[str, str], details: Details) -> Instant:
    """The scheduled time, as typed in the event's zone. Raises InvalidForm."""
    text = typed.get("publish_at", "")
    if typed.get("repeats"):
        raise InvalidForm({"publish_at": "What comes again is published by hand."})
    if not text:
        raise InvalidForm({"publish_at": "Say when, or publish it now."})
    try:
        local = wall_time.parse_local(text, "publish_at")
    except InvalidInput as wrong:
        raise InvalidForm({"publish_at": wrong.why}) from None
    at = wall_time.instant_of(local, details.time_zone)
    if at <= services(request).clock.now():
        raise InvalidForm({"publish_at": "This moment is over. Publish it now, or choose a later one."})
    if at >= details.starts_at:
        raise InvalidForm({"publish_at": "It would start before anybody sees it. Choose an earlier moment."})
    return at


def _local(event: Event) -> str:
    if event.publish_at is None:
        return ""
    local: datetime = wall_time.local_of(event.publish_at, event.time_zone)
    return local.replace(tzinfo=None).isoformat(timespec="minutes")


async def _draft(reader: Reader, request: Request) -> Event:
    caller = caller_of(request)
    event = await queries.by_slug(reader, EventSlug(request.path_params["slug"]))
    if event is None or event.is_gone or not await seeing.may_see(reader, event, caller.user_id, is_invited=False):
        raise NotFound("There is no such event.")
    await seeing.must_be_editable(reader, event, caller.user_id)
    return event
