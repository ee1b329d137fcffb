"""The consent page: consent to publishing, or withdraw that consent later. The default is no.

Before consent it shows the record, the handle, and the words "anyone can read this and copies may remain".
"""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import InvalidInput, PreconditionFailed, Refused
from groundwork.http.forms import FormState, form_with_problems, local_path, outdated_form, read_form
from openmeet.domain.identities import actions, publication_consent
from openmeet.domain.identities.model import ConsentPreview
from openmeet.domain.identities.publication_consent import DeclinedAs, PublicationConsent, WaitingAs
from openmeet.domain.users.model import Caller
from openmeet.domain.users.reasons import UserReason
from openmeet.i18n import formatting
from openmeet.i18n.reasons.messages import explain
from openmeet.network.publishing.consent import ConsentState, handle_for, preview, state_of
from openmeet.network.repositories.custodial import suggest_handle, suggested_domain_of
from openmeet.web.api.etags import revision_in_form
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import publishing_of, services
from openmeet.web.site.tenant_routing import database_of


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
            await publication_consent.change(
                tx,
                caller.user_id,
                _submitted_consent(form),
                expected_revision=revision_in_form(form.get("revision", "")),
            )
    except PreconditionFailed:
        state, consent_preview = await _consent_and_preview(request, caller)
        outdated = outdated_form(form, _records_form(state.publication_consent), UserReason.CHANGED_WHILE_OPEN)
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


def _submitted_consent(form: Mapping[str, str]) -> PublicationConsent:
    """The preferences in the form; unknown values become defaults."""
    is_unsaid = form.get("declined_as") == DeclinedAs.NOTHING.value
    shows_waiting = form.get("waiting_as") == WaitingAs.INTERESTED.value
    return PublicationConsent(
        writes_events=form.get("writes_events") == "yes",
        writes_answers=form.get("writes_answers") == "yes",
        declined_as=DeclinedAs.NOTHING if is_unsaid else DeclinedAs.NOT_GOING,
        waiting_as=WaitingAs.INTERESTED if shows_waiting else WaitingAs.NOTHING,
        lets_co_hosts_publish=form.get("lets_co_hosts_publish") == "yes",
    )


def _records_form(consent: PublicationConsent) -> dict[str, str]:
    return {
        "writes_events": "yes" if consent.writes_events else "",
        "writes_answers": "yes" if consent.writes_answers else "",
        "declined_as": consent.declined_as.value,
        "waiting_as": consent.waiting_as.value,
        "lets_co_hosts_publish": "yes" if consent.lets_co_hosts_publish else "",
        "revision": str(consent.revision),
    }


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
        "records": records or FormState(_records_form(state.publication_consent)),
        "uses": [(one, formatting.ago(one.at, state.now)) for one in state.uses],
        "would": consent_preview,
        "domain": domain,
        "next_path": local_path(request.query_params.get("next", form_state.value("next")), ""),
    }
    return page(request, "account/publishing.html", context, status=status)
