"""Publishing, on its page and as JSON: what a person publishes, and their consent to it, which they can withdraw. The
default is no. Without consent, nothing is published.

Before consent, the page shows an event as others would see it, its record, the handle, and the words "anyone can read
this and copies may remain". The JSON response contains the same: the record, the handle, and ``NOTICE``. A request that
gives consent names the revision that it is based on (``If-Match``) and repeats the notice. This ensures that the program
has read both.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import InvalidInput, PreconditionFailed, Refused, Unavailable
from groundwork.http.forms import FormState, form_with_problems, local_path, outdated_form, read_form
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.events import time_and_place
from openmeet.domain.events.content import Content
from openmeet.domain.events.model import Details
from openmeet.domain.events.values import Mode
from openmeet.domain.identities import actions, publishing_preferences
from openmeet.domain.identities.publishing_preferences import DeclinedAs, PublishingPreferences, WaitingAs
from openmeet.domain.users.model import Caller, UserReason
from openmeet.i18n import formatting
from openmeet.i18n.formatting import iso_or_none
from openmeet.i18n.markdown import summary_of
from openmeet.i18n.reasons.messages import explain
from openmeet.network.publishing.consent import (
    ConsentDependencies,
    ConsentPreview,
    ConsentState,
    handle_for,
    preview,
    state_of,
)
from openmeet.network.records.event_writer import Publishable
from openmeet.network.repositories.custodial import suggest_handle, suggested_domain_of
from openmeet.web.api.etags import IF_MATCH, etag_of, expected_revision, revision_in_form
from openmeet.web.api.operations import ApiOperation
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import publishing_of, services
from openmeet.web.site.tenant_routing import database_of

PREFERENCES_API = "/api/me/publishing"
CONSENT_API: Final = "/api/me/publishing/consent"
NOTICE: Final = "Anyone can read this and copies may remain."


def routes() -> list[Route]:
    return [
        Route("/settings/publishing", show, methods=["GET"]),
        Route("/settings/publishing", save_consent, methods=["POST"]),
        Route("/settings/publishing/records", save_records, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    publishing, caller = publishing_of(request), caller_of(request)
    state, consent_preview = await _consent_and_preview(request, caller)
    domain = await suggested_domain_of(publishing.network, publishing.custodial_pds)
    return _consent_page(request, domain, state, consent_preview, _consent_form(domain, caller, state))


def _consent_form(domain: str, caller: Caller, state: ConsentState) -> FormState:
    handle = state.consent.handle or suggest_handle(caller.display_name, caller.user_id, domain)
    return FormState({"handle": handle, "publish": "no"})


async def save_consent(request: Request) -> Response:
    publishing, caller = publishing_of(request), caller_of(request)
    form = await read_form(request)
    state, consent_preview = await _consent_and_preview(request, caller)
    following = local_path(form.get("next", ""), "/settings/publishing")
    if form.get("publish") != "yes":
        async with database_of(request).transaction() as tx:
            await actions.withdraw(tx, caller.user_id)
        return go(following, flash="publishing_off")
    try:
        handle = await handle_for(publishing.network, publishing.custodial_pds, state, form.get("handle", ""))
    except (InvalidInput, Refused) as wrong:
        problem = InvalidInput("handle", wrong.why)
        domain = await suggested_domain_of(publishing.network, publishing.custodial_pds)
        return _consent_page(request, domain, state, consent_preview, form_with_problems(form, problem), status=400)
    async with database_of(request).transaction() as tx:
        await actions.grant_consent(tx, caller.user_id, handle=handle)
    return go(following, flash="publishing_on")


async def save_records(request: Request) -> Response:
    publishing, caller = publishing_of(request), caller_of(request)
    form = await read_form(request)
    try:
        async with database_of(request).transaction() as tx:
            await publishing_preferences.change(
                tx,
                caller.user_id,
                _submitted_preferences(form),
                expected_revision=revision_in_form(form.get("revision", "")),
            )
    except PreconditionFailed:
        state, consent_preview = await _consent_and_preview(request, caller)
        outdated = outdated_form(form, _records_form(state.preferences), UserReason.CHANGED_WHILE_OPEN)
        domain = await suggested_domain_of(publishing.network, publishing.custodial_pds)
        consent_form = _consent_form(domain, caller, state)
        return _consent_page(request, domain, state, consent_preview, consent_form, records=outdated, status=409)
    return go("/settings/publishing", flash="record_preferences_saved")


async def _consent_and_preview(request: Request, caller: Caller) -> tuple[ConsentState, ConsentPreview]:
    """The caller's consent, and what it would publish."""
    async with database_of(request).reader() as reader:
        state = await state_of(reader, caller.user_id)
        consent_preview = await preview(reader, caller.user_id, instance=services(request).settings.public_url)
    return state, consent_preview


def _submitted_preferences(form: Mapping[str, str]) -> PublishingPreferences:
    """The preferences in the form; unknown values become defaults."""
    is_unsaid = form.get("declined_as") == DeclinedAs.NOTHING.value
    shows_waiting = form.get("waiting_as") == WaitingAs.INTERESTED.value
    return PublishingPreferences(
        writes_events=form.get("writes_events") == "yes",
        writes_answers=form.get("writes_answers") == "yes",
        declined_as=DeclinedAs.NOTHING if is_unsaid else DeclinedAs.NOT_GOING,
        waiting_as=WaitingAs.INTERESTED if shows_waiting else WaitingAs.NOTHING,
        lets_co_hosts_publish=form.get("lets_co_hosts_publish") == "yes",
    )


def _records_form(preferences: PublishingPreferences) -> dict[str, str]:
    return {
        "writes_events": "yes" if preferences.writes_events else "",
        "writes_answers": "yes" if preferences.writes_answers else "",
        "declined_as": preferences.declined_as.value,
        "waiting_as": preferences.waiting_as.value,
        "lets_co_hosts_publish": "yes" if preferences.lets_co_hosts_publish else "",
        "revision": str(preferences.revision),
    }


@dataclass(frozen=True, slots=True)
class ExampleEvent:
    """The public part of an event, as other apps show it. ``where`` is empty if the place is not public."""

    title: str
    when: str
    where: str
    text: str


def _example_event(event: Publishable, now: Instant) -> ExampleEvent:
    when = str(time_and_place.TO_BE_ANNOUNCED)
    if event.starts_at is not None:
        zone = event.time_zone or "UTC"
        is_all_day = event.details.is_all_day
        details = Details(Content(event.title), "", zone, event.starts_at, event.ends_at, is_all_day)
        when = time_and_place.span_label(details, now)
    is_placeless = event.mode is Mode.IN_PERSON and event.venue.is_empty
    where = "" if is_placeless else time_and_place.venue_label(event.mode, event.venue)
    return ExampleEvent(event.title, when, where, summary_of(event.description))


# The fraction of a second in an RFC 3339 time. Nobody who reads the example needs it.
_FRACTION: Final = re.compile(r'(?<="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d+(?=Z")')


def _consent_page(
    request: Request,
    domain: str,
    state: ConsentState,
    consent_preview: ConsentPreview,
    form_state: FormState,
    *,
    records: FormState | None = None,
    status: int = 200,
) -> Response:
    context = {
        "typed": form_state,
        "consent": state.consent,
        "identity": state.identity,
        "is_being_made": state.is_repository_being_created,
        "problem": explain(state.problem),
        "records": records or FormState(_records_form(state.preferences)),
        "co_host_edits": [(one, formatting.ago(one.at, state.now)) for one in state.co_host_edits],
        "would": consent_preview,
        "example": _example_event(consent_preview.event, state.now),
        "record": _FRACTION.sub("", consent_preview.record),
        "domain": domain,
        "next_path": local_path(request.query_params.get("next", form_state.value("next")), ""),
    }
    return page(request, "account/publishing.html", context, status=status)


class RecordPreferences(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Publishing preferences. Fields left out get their default value. ``declinedAs`` says how a declined RSVP is
    recorded. ``waitingAs`` does the same for an RSVP on the waitlist.

    If ``letsCoHostsPublish`` is true, edits that co-hosts make to an event are written to the caller's record too.
    """

    writes_events: bool = True
    writes_answers: bool = True
    declined_as: Literal["notgoing", "nothing"] = "notgoing"
    waiting_as: Literal["nothing", "interested"] = "nothing"
    lets_co_hosts_publish: bool = False


class ConsentOutput(msgspec.Struct, rename="camel"):
    """Whether the caller consented to publishing, and what consent means.

    Show ``notice``, ``record`` and ``handle`` before asking for consent. ``record`` is one of the caller's records, or
    an example. ``events`` and ``answers`` are the numbers of events and RSVPs that consent would publish. ``did`` is
    null until the caller has an account. ``published`` is the number of records that are published now, including those
    being retracted. ``problem`` says why the account could not be created.
    """

    is_given: bool
    notice: str
    handle: str
    handle_domain: str
    record: dict[str, Any]
    events: int
    answers: int
    published: int
    answered_at: str | None
    did: str | None
    account_server: str | None
    is_being_made: bool
    problem: str


class ConsentInput(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """If ``isGiven`` is true, publish the caller's public events and RSVPs. If false, publish nothing and retract the
    published records.

    To give consent, repeat ``notice`` exactly. If the caller has no account yet, ``handle`` becomes the handle of the
    new account. Leave it empty to use the suggested handle.
    """

    EXAMPLE: ClassVar[dict[str, object]] = {"isGiven": True, "notice": NOTICE, "handle": "ana.town.example"}

    is_given: bool = False
    notice: str = ""
    handle: str = ""


async def show_record_preferences(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        return _settings_response(await publishing_preferences.of_user(reader, caller_of(request).user_id))


async def save_record_preferences(request: Request) -> Response:
    body = await read_json(request, RecordPreferences)
    async with database_of(request).transaction() as tx:
        saved = await publishing_preferences.change(
            tx,
            caller_of(request).user_id,
            PublishingPreferences(
                body.writes_events,
                body.writes_answers,
                DeclinedAs(body.declined_as),
                WaitingAs(body.waiting_as),
                body.lets_co_hosts_publish,
            ),
            expected_revision=expected_revision(request),
        )
    return _settings_response(saved)


def _settings_response(preferences: PublishingPreferences) -> Response:
    shown = RecordPreferences(
        preferences.writes_events,
        preferences.writes_answers,
        preferences.declined_as.value,
        preferences.waiting_as.value,
        preferences.lets_co_hosts_publish,
    )
    return json_response(shown, headers=etag_of(preferences.revision))


async def show_publishing_consent(request: Request) -> Response:
    caller, publishing = caller_of(request), _publishing_for_json(request)
    domain = await suggested_domain_of(publishing.network, publishing.custodial_pds)
    async with database_of(request).reader() as reader:
        return await _consent_response(reader, domain, caller, services(request).settings.public_url)


async def answer_publishing_consent(request: Request) -> Response:
    caller, publishing = caller_of(request), _publishing_for_json(request)
    body = await read_json(request, ConsentInput)
    expected = expected_revision(request)
    async with database_of(request).reader() as reader:
        state = await state_of(reader, caller.user_id)
    _require_revision(expected, state)
    domain = await suggested_domain_of(publishing.network, publishing.custodial_pds)
    if not body.is_given:
        async with database_of(request).transaction() as tx:
            _require_revision(expected, await state_of(tx, caller.user_id))
            await actions.withdraw(tx, caller.user_id)
            return await _consent_response(tx, domain, caller, services(request).settings.public_url)
    if body.notice != NOTICE:
        raise Refused(
            UserReason.NOTICE_NEEDED,
            name="NoticeNotRead",
        )
    if expected is None:
        raise InvalidInput("If-Match", UserReason.VERSION_NEEDED)
    suggested = state.consent.handle or suggest_handle(caller.display_name, caller.user_id, domain)
    handle = await handle_for(publishing.network, publishing.custodial_pds, state, body.handle or suggested)
    async with database_of(request).transaction() as tx:
        # The caller may have withdrawn consent during the request to the PDS about the handle. Do not override that.
        _require_revision(expected, await state_of(tx, caller.user_id))
        await actions.grant_consent(tx, caller.user_id, handle=handle)
        return await _consent_response(tx, domain, caller, services(request).settings.public_url)


def _require_revision(expected: int | None, state: ConsentState) -> None:
    """Raises PreconditionFailed unless the consent has the expected revision. None accepts any revision."""
    if expected is not None and expected != state.consent.revision:
        raise PreconditionFailed(UserReason.CHOICE_CHANGED_SINCE_READ)


def _publishing_for_json(request: Request) -> ConsentDependencies:
    """Like ``publishing_of``, but raises Unavailable: each site has the operation, and the reason tells why it fails."""
    publishing = services(request).publishing
    if publishing is None:
        raise Unavailable(UserReason.PUBLISHES_NOTHING)
    return publishing


async def _consent_response(reader: Reader, domain: str, caller: Caller, public_url: str) -> Response:
    state = await state_of(reader, caller.user_id)
    consent_preview = await preview(reader, caller.user_id, instance=public_url)
    suggested = state.consent.handle or suggest_handle(caller.display_name, caller.user_id, domain)
    return json_response(
        _consent_output(state, consent_preview, suggested, domain), headers=etag_of(state.consent.revision)
    )


def _consent_output(state: ConsentState, consent_preview: ConsentPreview, suggested: str, domain: str) -> ConsentOutput:
    consent, identity = state.consent, state.identity
    return ConsentOutput(
        is_given=consent.is_given,
        notice=NOTICE,
        handle=suggested if identity is None else identity.handle or identity.did,
        handle_domain=domain,
        record=msgspec.json.decode(consent_preview.record, type=dict[str, Any]),
        events=consent_preview.events,
        answers=consent_preview.answers,
        published=consent_preview.published,
        answered_at=iso_or_none(consent.answered_at),
        did=None if identity is None else identity.did,
        account_server=None if identity is None else identity.pds_url,
        is_being_made=state.is_repository_being_created,
        problem=explain(state.problem),
    )


OPERATIONS = (
    ApiOperation(
        "GET",
        PREFERENCES_API,
        "showRecordPreferences",
        "Your settings for your records",
        show_record_preferences,
        {200: RecordPreferences},
    ),
    ApiOperation(
        "PUT",
        PREFERENCES_API,
        "saveRecordPreferences",
        "Replace your settings for your records",
        save_record_preferences,
        {200: RecordPreferences},
        RecordPreferences,
        (IF_MATCH,),
        failures=(412,),
    ),
    ApiOperation(
        "GET",
        CONSENT_API,
        "showPublishingConsent",
        "Whether you have consented to publishing, and the records and the handle that would be published",
        show_publishing_consent,
        {200: ConsentOutput},
        failures=(503,),
    ),
    ApiOperation(
        "PUT",
        CONSENT_API,
        "answerPublishingConsent",
        "Give or withdraw consent to publish. Withdrawing it retracts the published records",
        answer_publishing_consent,
        {200: ConsentOutput},
        ConsentInput,
        (IF_MATCH,),
        failures=(412, 422, 502, 503, 504),
        is_idempotent=True,
    ),
)
