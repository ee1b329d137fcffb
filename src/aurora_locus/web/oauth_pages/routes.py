"""``/oauth/authorize``: the pages of an authorization request (RFC 6749 section 3.1, RFC 9126 section 4).

Nothing is sent to the app before client and redirect URI are verified; after that, every page has a way to decline.
``oauth.authorization`` checks every decision again and is the only code that writes.
"""

import hmac

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from at_protocol.syntax.did import Did
from aurora_locus.accounts import queries
from aurora_locus.accounts.browser_sessions import SignedInAccount
from aurora_locus.i18n.language import requested_by_app
from aurora_locus.i18n.sentences import too_often
from aurora_locus.oauth import authorization
from aurora_locus.oauth.model import RequestUnusable
from aurora_locus.repository.model import HostingStatus
from aurora_locus.web.browser_sessions import authentication
from aurora_locus.web.browser_sessions.routes import show, take
from aurora_locus.web.oauth_pages import views
from aurora_locus.web.oauth_pages.flow import (
    PATH,
    Flow,
    device_of,
    fits_hint,
    names_in,
    open_flow,
    proof_of,
)
from aurora_locus.web.sign_in import email_pages, factor_step
from aurora_locus.web.sign_in.attempts import check_password, form_after_limit
from aurora_locus.web.sign_in.sign_up_pages import sign_up
from aurora_locus.web.site.forms import posted
from aurora_locus.web.site.frame import redirect_to
from aurora_locus.web.site.services import services
from groundwork.clock import Instant
from groundwork.errors import Forbidden, InvalidForm, InvalidInput, NotSignedIn, Refused, TooMany
from groundwork.http.forms import EMPTY, FormState, form_with_problems

# A request with many permissions has a field for each of them.
_MAX_FIELDS = 1000


def routes() -> list[Route]:
    """The route of ``/oauth/authorize``."""
    return [show(PATH, show_request), take(PATH, answer_request, max_fields=_MAX_FIELDS)]


async def show_request(request: Request) -> Response:
    """Show the next step: sign in, choose, confirm or decide. Redirect to the app if nothing needs to be asked."""
    try:
        client_id, request_uri = names_in(request)
        flow = await _open(request, client_id, request_uri)
    except InvalidInput as unusable:
        return views.unusable(request, unusable)
    with requested_by_app(request, flow.oauth_request.ui_locales):
        try:
            return await _show_next_step(request, flow)
        except RequestUnusable as unusable:
            return views.unusable(request, unusable)


async def answer_request(request: Request) -> Response:
    """Handle a form of the flow."""
    form = posted(request)
    try:
        flow = await _open(request, form.get("client_id", ""), form.get("request_uri", ""))
    except RequestUnusable as unusable:
        return views.unusable(request, unusable)
    with requested_by_app(request, flow.oauth_request.ui_locales):
        try:
            return await _take_step(request, flow, form)
        except RequestUnusable as unusable:
            return views.unusable(request, unusable)


async def _take_step(request: Request, flow: Flow, form: dict[str, str]) -> Response:
    if "ticket" in form:
        return await _take_factor(request, flow, form)
    if form.get("passkey"):
        return await _sign_in(request, flow, form)
    match form.get("step"):
        case "sign-in":
            return await _sign_in(request, flow, form)
        case "sign-up":
            return await _sign_up(request, flow, form)
        case "confirm-email" | "new-email" as step:
            return await _confirm(request, flow, form, again=step == "new-email")
        case "approve":
            return await _approve(request, flow, form)
        case "deny":
            return await _deny(request, flow)
        case _:
            return redirect_to(flow.url())


async def _open(request: Request, client_id: str, request_uri: str) -> Flow:
    async with services(request).registry.db.transaction() as tx:
        return await open_flow(tx, request, client_id, request_uri)


async def _show_next_step(request: Request, flow: Flow) -> Response:
    oauth_request, query = flow.oauth_request, request.query_params
    if oauth_request.prompt == "none":
        return await _answer_silently(request, flow)
    if "ticket" in query:
        return await _ask_factor(request, flow, EMPTY, query["ticket"])
    accounts = [
        account for account in authentication.accounts_of(request) if fits_hint(account, oauth_request.login_hint)
    ]
    selected = next((account for account in accounts if account.did == query.get("account")), None)
    view = query.get("view", "")
    if selected is None and (view or not accounts):
        if oauth_request.login_hint is None and (view or oauth_request.prompt) in ("sign-up", "create"):
            return views.sign_up(request, flow, EMPTY)
        return await _ask_password(request, flow, EMPTY, accounts)
    if selected is None and (len(accounts) > 1 or oauth_request.prompt in ("select_account", "create")):
        return views.choose(request, flow, accounts)
    selected = selected or accounts[0]
    if oauth_request.prompt == "login" and not _is_proven(request, flow, selected, query.get("proof", "")):
        return await _ask_password(request, flow, FormState({"identifier": selected.handle}), accounts)
    return await _decide(request, flow, selected)


async def _decide(request: Request, flow: Flow, account: SignedInAccount) -> Response:
    """Continue with a known account: confirm its e-mail address, or ask for consent unless it was given before."""
    if account.is_waiting:
        return views.confirm_email(request, flow, account, EMPTY)
    if account.status is not HostingStatus.ACTIVE:
        return views.cannot(request, flow, account)
    async with services(request).registry.db.reader() as reader:
        remembered_scopes = await authorization.remembered_grant(reader, flow.oauth_request, account.did)
    if remembered_scopes is not None:
        return await _grant(request, flow, account, remembered_scopes)
    return views.consent(request, flow, account, request.query_params.get("proof", ""))


async def _answer_silently(request: Request, flow: Flow) -> Response:
    """Answer ``prompt=none`` without showing a page (OpenID Connect Core 3.1.2.1 defines the errors)."""
    accounts = [
        account for account in authentication.accounts_of(request) if fits_hint(account, flow.oauth_request.login_hint)
    ]
    active = [account for account in accounts if account.status is HostingStatus.ACTIVE]
    if not active:
        return await _refuse(request, flow, "login_required", "No account that could approve is signed in.")
    if len(active) > 1:
        return await _refuse(request, flow, "account_selection_required", "Several accounts are signed in.")
    async with services(request).registry.db.reader() as reader:
        remembered_scopes = await authorization.remembered_grant(reader, flow.oauth_request, active[0].did)
    if remembered_scopes is None:
        return await _refuse(request, flow, "consent_required", "The user must be asked for consent.")
    return await _grant(request, flow, active[0], remembered_scopes)


async def _ask_password(
    request: Request, flow: Flow, form_state: FormState, accounts: list[SignedInAccount], *, status: int = 200
) -> Response:
    """Show the sign-in form. With a login hint the name cannot be changed; if this server has no account with that
    name, the page says so.
    """
    locked = ""
    if flow.oauth_request.login_hint is not None:
        async with services(request).registry.db.reader() as reader:
            account = await queries.find_by_identifier(reader, flow.oauth_request.login_hint)
        if account is None:
            return views.unknown_account(request, flow)
        locked = account.handle
        form_state = FormState({**form_state.values, "identifier": locked}, form_state.problems)
    return views.sign_in(request, flow, form_state, locked, accounts, status=status)


async def _sign_in(request: Request, flow: Flow, form: dict[str, str]) -> Response:
    identifier = form.get("identifier", "")
    if flow.oauth_request.login_hint is not None:
        identifier = flow.oauth_request.login_hint
    accounts = [
        account for account in authentication.accounts_of(request) if fits_hint(account, flow.oauth_request.login_hint)
    ]
    remember = "remember" in form
    try:
        if form.get("passkey"):
            signed_in = await factor_step.enter_by_passkey(request, form["passkey"], remember=remember)
            return _signed_in(request, flow, signed_in)
        account = await check_password(request, form, identifier)
    except InvalidForm as wrong:
        return await _ask_password(request, flow, form_with_problems(form, wrong), accounts, status=400)
    except NotSignedIn as refused:
        return await _ask_password(
            request, flow, FormState(form, {"identifier": too_often(refused)}), accounts, status=403
        )
    except TooMany as limit:
        return await _ask_password(request, flow, form_after_limit(form, limit), accounts, status=429)
    result = await factor_step.enter(request, account, remember=remember)
    return redirect_to(flow.url(ticket=result)) if isinstance(result, str) else _signed_in(request, flow, result)


async def _ask_factor(request: Request, flow: Flow, form_state: FormState, text: str, *, status: int = 200) -> Response:
    """Ask for the second factor. If the ticket has expired, the password is requested again."""
    try:
        ticket = factor_step.read_ticket(request, text)
    except NotSignedIn:
        return redirect_to(flow.url())
    view = await factor_step.view_of(request, Did(ticket.did))
    return views.factor(request, flow, form_state, {"ticket": text, **view}, status=status)


async def _take_factor(request: Request, flow: Flow, form: dict[str, str]) -> Response:
    text = form["ticket"]
    try:
        ticket = factor_step.read_ticket(request, text)
    except NotSignedIn:
        return redirect_to(flow.url())
    did = Did(ticket.did)
    try:
        if form.get("step") == "factor-email":
            await factor_step.send_code(request, did)
            return redirect_to(flow.url(ticket=text), flash="email_sent")
        await factor_step.take_factor(request, did, form)
    except InvalidForm as wrong:
        return await _ask_factor(request, flow, form_with_problems(form, wrong), text, status=400)
    account = await authentication.sign_in(request, did, Instant(ticket.valid_after), remember=ticket.remember)
    return _signed_in(request, flow, account)


def _signed_in(request: Request, flow: Flow, account: SignedInAccount) -> Response:
    """Continue the flow with proof that the password was entered for this request."""
    return redirect_to(flow.url(account=account.did, proof=proof_of(request, flow, account.did)))


async def _sign_up(request: Request, flow: Flow, form: dict[str, str]) -> Response:
    if flow.oauth_request.login_hint is not None:
        return redirect_to(flow.url())
    try:
        account = await sign_up(request, form)
    except InvalidForm as wrong:
        return views.sign_up(request, flow, form_with_problems(form, wrong), status=400)
    except TooMany as limit:
        return views.sign_up(request, flow, FormState(form, {"name": too_often(limit)}), status=429)
    return _signed_in(request, flow, account)


async def _confirm(request: Request, flow: Flow, form: dict[str, str], *, again: bool) -> Response:
    account = await authentication.choose(request, form.get("account", ""))
    try:
        if again:
            await email_pages.send_code(request)
        else:
            await email_pages.confirm(request, form.get("code", ""))
    except InvalidForm as wrong:
        return views.confirm_email(request, flow, account, form_with_problems(form, wrong), status=400)
    flash = "email_sent" if again else "email_confirmed"
    return redirect_to(flow.url(account=account.did, proof=form.get("proof", "")), flash=flash)


async def _approve(request: Request, flow: Flow, form: dict[str, str]) -> Response:
    account = await authentication.choose(request, form.get("account", ""))
    if flow.oauth_request.prompt == "login" and not _is_proven(request, flow, account, form.get("proof", "")):
        return redirect_to(flow.url(account=account.did))
    return await _grant(request, flow, account, views.selected_scopes(flow.oauth_request, form))


async def _grant(request: Request, flow: Flow, account: SignedInAccount, scopes: tuple[str, ...]) -> Response:
    server, device_id = services(request).authorization, device_of(request)
    try:
        async with services(request).registry.db.transaction() as tx:
            # Loaded again in this transaction, because the request may have changed since the page was rendered.
            now = await open_flow(tx, request, flow.client_id, flow.request_uri)
            address = await authorization.approve(server, tx, now.oauth_request, account.did, scopes, device_id)
    except RequestUnusable:
        raise
    except (Forbidden, Refused, InvalidInput) as refused:
        return views.cannot(request, flow, account, too_often(refused))
    return redirect_to(address)


async def _deny(request: Request, flow: Flow) -> Response:
    async with services(request).registry.db.transaction() as tx:
        return redirect_to(await authorization.deny(services(request).authorization, tx, flow.oauth_request))


async def _refuse(request: Request, flow: Flow, error: str, why: str) -> Response:
    async with services(request).registry.db.transaction() as tx:
        return redirect_to(
            await authorization.refuse(services(request).authorization, tx, flow.oauth_request, error, why)
        )


def _is_proven(request: Request, flow: Flow, account: SignedInAccount, proof: str) -> bool:
    return hmac.compare_digest(proof.encode(), proof_of(request, flow, account.did).encode())
