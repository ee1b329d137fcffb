"""Pages to sign in, choose an account, enter the password again, and sign out."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from at_protocol.syntax.did import Did
from aurora_locus.accounts.second_factors import checking
from aurora_locus.i18n.sentences import too_often
from aurora_locus.repository.model import OF_THE_HOST
from aurora_locus.web.browser_sessions import authentication
from aurora_locus.web.browser_sessions.routes import show, take
from aurora_locus.web.sign_in import email_pages, factor_step, reset_pages, sign_up_pages
from aurora_locus.web.sign_in.attempts import LINK, check_password, find_link, form_after_limit, send_link
from aurora_locus.web.site.faults import EXPORT
from aurora_locus.web.site.forms import posted
from aurora_locus.web.site.frame import page, redirect_to
from aurora_locus.web.site.services import services
from groundwork.clock import Instant
from groundwork.errors import InvalidForm, NotSignedIn, TooMany
from groundwork.http.forms import EMPTY, FormState, form_with_problems, local_path

AFTER = "/account"

# Value of the button that requests a sign-in link.
MAIL_LINK = "mail-link"


def routes() -> list[Route]:
    """Routes of signing in, choosing an account, entering the password again, and signing out."""
    return [
        show("/sign-in", show_sign_in),
        take("/sign-in", sign_in),
        show("/sign-in/factor", show_factor),
        take("/sign-in/factor", take_factor),
        show("/sign-in/accounts", show_accounts),
        take("/sign-in/accounts", choose_account),
        show("/sign-in/again", show_proof),
        take("/sign-in/again", check_proof),
        take("/sign-out", sign_out),
        *sign_up_pages.routes(AFTER),
        *email_pages.routes(AFTER),
        *reset_pages.routes(),
    ]


async def show_sign_in(request: Request) -> Response:
    """Show the sign-in form. People who are already signed in are redirected, unless they want to use another account
    or followed a sign-in link.
    """
    next_path = local_path(request.query_params.get("next", ""), AFTER)
    if authentication.account_or_none(request) is not None and not {"another", LINK} & set(request.query_params):
        return redirect_to(next_path)
    form_state = FormState({"identifier": request.query_params.get("identifier", "")})
    return await _form(request, form_state, next_path, link=request.query_params.get(LINK, ""))


async def sign_in(request: Request) -> Response:
    """Check the password and start a session, or e-mail a sign-in link."""
    form = posted(request)
    next_path, link = local_path(form.get("next", ""), AFTER), form.get(LINK, "")
    try:
        if form.get("step") == MAIL_LINK:
            await send_link(request, form.get("identifier", ""))
            return page(request, "sign_in/link_sent.html", {"next_path": next_path})
        if form.get("passkey"):
            await factor_step.enter_by_passkey(
                request, form["passkey"], remember="remember" in form, allow_takendown=True
            )
            return _signed_in(request, next_path)
        account = await check_password(request, form, form.get("identifier", ""), allow_takendown=True)
    except InvalidForm as wrong:
        return await _form(request, form_with_problems(form, wrong), next_path, status=400, link=link)
    except NotSignedIn as closed:
        return await _form(request, FormState(form, {"identifier": closed.why}), next_path, status=403, link=link)
    except TooMany as limit:
        return await _form(
            request, form_after_limit(form, limit), next_path, status=429, headers=limit.headers, offers_link=True
        )
    result = await factor_step.enter(request, account, remember="remember" in form)
    if isinstance(result, str):
        return redirect_to(f"/sign-in/factor?{urlencode({'ticket': result, 'next': next_path})}")
    return _signed_in(request, next_path)


async def show_factor(request: Request) -> Response:
    """Ask for the second factor after a right password."""
    ticket = request.query_params.get("ticket", "")
    return await _factor(request, EMPTY, ticket, local_path(request.query_params.get("next", ""), AFTER))


async def take_factor(request: Request) -> Response:
    """Check the second factor and start the session, or send a code by e-mail."""
    form = posted(request)
    text, next_path = form.get("ticket", ""), local_path(form.get("next", ""), AFTER)
    ticket = factor_step.read_ticket(request, text)
    did = Did(ticket.did)
    try:
        if form.get("step") == "factor-email":
            await factor_step.send_code(request, did)
            return redirect_to(f"/sign-in/factor?{urlencode({'ticket': text, 'next': next_path})}", flash="email_sent")
        await factor_step.take_factor(request, did, form)
    except InvalidForm as wrong:
        return await _factor(request, form_with_problems(form, wrong), text, next_path, status=400)
    await authentication.sign_in(request, did, Instant(ticket.valid_after), remember=ticket.remember)
    return _signed_in(request, next_path)


async def show_accounts(request: Request) -> Response:
    """Show the accounts that are signed in on this browser."""
    account = authentication.account_of(request, allow_takendown=True)
    next_path = local_path(request.query_params.get("next", ""), AFTER)
    context = {"accounts": authentication.accounts_of(request), "chosen": account, "next_path": next_path}
    return page(request, "sign_in/accounts.html", context)


async def choose_account(request: Request) -> Response:
    """Continue with another account, or sign one out."""
    form = posted(request)
    if "leave" in form:
        await authentication.sign_out(request, form["leave"])
        return redirect_to(
            "/sign-in/accounts" if authentication.accounts_of(request) else "/sign-in", flash="signed_out"
        )
    await authentication.choose(request, form.get("account", ""))
    return redirect_to(local_path(form.get("next", ""), AFTER))


async def show_proof(request: Request) -> Response:
    """Ask a signed-in person for the password and the second factor."""
    authentication.account_of(request, allow_takendown=True)
    return await _proof(request, EMPTY, local_path(request.query_params.get("next", ""), AFTER))


async def check_proof(request: Request) -> Response:
    """Check the password and the second factor that a signed-in person has entered again."""
    account, form = authentication.account_of(request, allow_takendown=True), posted(request)
    next_path = local_path(form.get("next", ""), AFTER)
    factors = await checking.find(services(request).registry, account.did)
    try:
        if form.get("step") == "factor-email":
            await factor_step.send_code(request, account.did)
            return redirect_to(f"/sign-in/again?{urlencode({'next': next_path})}", flash="email_sent")
        # A passkey of a signed-in person counts as two factors.
        if not (factors.passkeys and form.get("passkey")):
            await check_password(request, form, account.did, allow_takendown=True)
        if factors.are_set:
            await factor_step.take_factor(request, account.did, form)
    except InvalidForm as wrong:
        return await _proof(request, form_with_problems(form, wrong), next_path, status=400)
    except TooMany as limit:
        return await _proof(request, FormState(form, {"password": too_often(limit)}), next_path, status=429)
    await authentication.note_proof(request)
    return redirect_to(next_path)


async def sign_out(request: Request) -> Response:
    """Sign out the chosen account, or all accounts of this browser."""
    account = authentication.account_or_none(request)
    everybody = account is None or "everybody" in posted(request)
    await authentication.sign_out(request, None if everybody or account is None else account.did)
    return redirect_to("/sign-in/accounts" if authentication.accounts_of(request) else "/sign-in", flash="signed_out")


def _signed_in(request: Request, next_path: str) -> Response:
    """Redirect to the requested page; for the owner of a taken-down account, to the export, the only page that is left."""
    is_closed = authentication.account_of(request, allow_takendown=True).status in OF_THE_HOST
    return redirect_to(EXPORT if is_closed else next_path, flash="signed_in")


async def _form(
    request: Request,
    form_state: FormState,
    next_path: str,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    link: str = "",
    offers_link: bool = False,
) -> Response:
    """Show the sign-in form. ``link`` is the token of an e-mailed link; ``offers_link`` is True if a new one can be
    requested.
    """
    context = {
        LINK: link,
        "link_is_good": bool(link) and await find_link(request, link) is not None,
        "offers_link": offers_link and services(request).registry.sends_mail,
        "typed": form_state,
        "next_path": next_path,
        "others": authentication.accounts_of(request),
        "any_passkey": factor_step.any_passkey(request),
    }
    return page(request, "sign_in/start.html", context, status=status, headers=headers)


async def _factor(request: Request, form_state: FormState, text: str, next_path: str, *, status: int = 200) -> Response:
    ticket = factor_step.read_ticket(request, text)
    view = await factor_step.view_of(request, Did(ticket.did))
    context = {"typed": form_state, "fields": {"ticket": text, "next": next_path}, **view}
    return page(request, "sign_in/factor.html", context, status=status)


async def _proof(request: Request, form_state: FormState, next_path: str, *, status: int = 200) -> Response:
    account = authentication.account_of(request, allow_takendown=True)
    view = await factor_step.view_of(request, account.did)
    context = {"typed": form_state, "fields": {"next": next_path}, "account": account, **view}
    return page(request, "sign_in/again.html", context, status=status)
