"""E-mail confirmation: an e-mail with a code, and a link to the page on which to enter it."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aurora_locus.accounts import email_changes, queries
from aurora_locus.accounts.email_tokens import TokenPurpose
from aurora_locus.accounts.limits import REQUEST_CONFIRMATION, count_request, effective_limit
from aurora_locus.i18n.catalogue import gettext
from aurora_locus.i18n.sentences import gettext_noop, too_often
from aurora_locus.web.browser_sessions import authentication
from aurora_locus.web.browser_sessions.routes import show, take
from aurora_locus.web.site.forms import posted
from aurora_locus.web.site.frame import page, redirect_to
from aurora_locus.web.site.services import services
from groundwork.errors import InvalidForm, NotSignedIn, Refused, TooMany
from groundwork.http.forms import EMPTY, FormState, local_path


def routes(after: str) -> list[Route]:
    """Routes on which the owner of a new account confirms its e-mail address. ``after`` is the path to which people go
    next if they came without a destination.
    """

    async def show_code(request: Request) -> Response:
        authentication.account_of(request)
        code = request.query_params.get("code", "")
        form_state = FormState({"code": code}) if code else EMPTY
        return await _page(request, form_state, local_path(request.query_params.get("next", ""), after))

    async def take_code(request: Request) -> Response:
        form = posted(request)
        next_path = local_path(form.get("next", ""), after)
        try:
            if form.get("step") == "new-email":
                await send_code(request)
                return redirect_to(f"/confirm-email?{urlencode({'next': next_path, 'sent': ''})}", flash="email_sent")
            await confirm(request, form.get("code", ""))
        except InvalidForm as wrong:
            return await _page(request, FormState(form, wrong.problems), next_path, status=400)
        return redirect_to(next_path, flash="email_confirmed")

    return [show("/confirm-email", show_code), take("/confirm-email", take_code)]


async def confirm(request: Request, code: str) -> None:
    """Check the code that was sent to the chosen account. Raises InvalidForm."""
    account = authentication.account_of(request)
    if not code.strip():
        raise InvalidForm({"code": gettext_noop("Type the code from the e-mail.")})
    try:
        await email_changes.confirm(services(request).registry, account.did, account.email or "", code)
    except NotSignedIn as wrong:
        raise InvalidForm({"code": wrong.why}) from None


async def send_code(request: Request) -> None:
    """Send another e-mail to the chosen account. Raises InvalidForm if none can be sent now."""
    registry, account = services(request).registry, authentication.account_of(request)
    charges = [(effective_limit(registry, limit), account.did) for limit in REQUEST_CONFIRMATION]
    try:
        await count_request(registry, charges)
        full_account = await queries.require_account(registry.db, account.did)
        await email_changes.send_token(registry, full_account, TokenPurpose.CONFIRM_EMAIL)
    except (TooMany, Refused) as refused:
        raise InvalidForm({"code": too_often(refused)}) from None


async def _page(request: Request, form_state: FormState, next_path: str, *, status: int = 200) -> Response:
    account = await queries.require_account(services(request).registry.db, authentication.account_of(request).did)
    context = {
        "typed": form_state,
        "next_path": next_path,
        "email": account.email or gettext("no address"),
        "confirmed": account.email_confirmed_at is not None,
        # The owner of an unconfirmed new account was sent a code when it was created.
        "was_sent": "sent" in request.query_params
        or bool(form_state.values)
        or authentication.account_of(request).is_waiting,
    }
    return page(request, "sign_in/email.html", context, status=status)
