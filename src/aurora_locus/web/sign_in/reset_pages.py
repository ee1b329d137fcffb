"""Password reset. The response is the same whether an account has the address or not."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aurora_locus.accounts import password_reset
from aurora_locus.accounts.limits import REQUEST_PASSWORD_RESET, RESET_PASSWORD, address_charge, count_request
from aurora_locus.accounts.registry import Registry
from aurora_locus.i18n.sentences import gettext_noop, too_often
from aurora_locus.web.browser_sessions.authentication import lasting_source
from aurora_locus.web.browser_sessions.routes import show, take
from aurora_locus.web.site.forms import posted
from aurora_locus.web.site.frame import page, redirect_to
from aurora_locus.web.site.services import services
from groundwork.errors import InvalidInput, NotSignedIn, Refused, TooMany
from groundwork.http.application import client_address
from groundwork.http.forms import EMPTY, FormState
from groundwork.mail.address import parse_address
from groundwork.rate_limit.contract import Limit


def routes() -> list[Route]:
    """Routes of the password reset: the page that asks for the address, and the one on which the code is entered."""
    return [
        show("/reset-password", show_address),
        take("/reset-password", send_code),
        show("/reset-password/code", show_code),
        take("/reset-password/code", choose_password),
    ]


async def show_address(request: Request) -> Response:
    """Show the form that asks for the e-mail address."""
    return _address(request, EMPTY)


async def send_code(request: Request) -> Response:
    """E-mail a reset code if an account has the address."""
    form, registry = posted(request), services(request).registry
    email = form.get("email", "").strip()
    try:
        parse_address(email)
    except ValueError as error:
        return _address(request, FormState(form, {"email": str(error)}), status=400)
    try:
        await _count(registry, request, *REQUEST_PASSWORD_RESET)
        await password_reset.send_token(registry, email)
    except (TooMany, Refused) as refused:
        status = 429 if isinstance(refused, TooMany) else 422
        return _address(request, FormState(form, {"email": too_often(refused)}), status=status)
    return redirect_to("/reset-password/code?sent")


async def show_code(request: Request) -> Response:
    """Show the form for the code and the new password. The link in the e-mail contains the code."""
    return _code(request, FormState({"code": request.query_params.get("code", "")}))


async def choose_password(request: Request) -> Response:
    """Set the new password with the code. Every session ends."""
    form, registry = posted(request), services(request).registry
    code, password = form.get("code", ""), form.get("password", "")
    problems = {}
    if not code.strip():
        problems["code"] = gettext_noop("Type the code from the e-mail.")
    if not password:
        problems["password"] = gettext_noop("Choose a password.")
    if problems:
        return _code(request, FormState(form, problems), status=400)
    try:
        await _count(registry, request, RESET_PASSWORD)
        await password_reset.reset(registry, code, password, lasting_source(request))
    except InvalidInput as wrong:
        return _code(request, FormState(form, {"password": wrong.why}), status=400)
    except NotSignedIn as wrong:
        return _code(request, FormState(form, {"code": wrong.why}), status=400)
    except TooMany as limit:
        return _code(request, FormState(form, {"code": too_often(limit)}), status=429)
    return redirect_to("/sign-in?another", flash="password_changed")


async def _count(registry: Registry, request: Request, *limits: Limit) -> None:
    charges = [address_charge(registry, limit, client_address(request)) for limit in limits]
    await count_request(registry, charges)


def _address(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    return page(request, "sign_in/forgotten.html", {"typed": form_state}, status=status)


def _code(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    return page(
        request, "sign_in/reset.html", {"typed": form_state, "sent": "sent" in request.query_params}, status=status
    )
