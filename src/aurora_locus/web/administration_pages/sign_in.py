"""Operator sign-in: with name and password, or as the linked account."""

import hmac

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aurora_locus.accounts import password_guesses
from aurora_locus.accounts.operator_guesses import OperatorGuesses
from aurora_locus.i18n.sentences import gettext_noop, localizable, too_often
from aurora_locus.moderation import operators
from aurora_locus.moderation.roles import ADMINISTRATION, PdsOperator
from aurora_locus.web.administration_pages import operator_access
from aurora_locus.web.browser_sessions import authentication
from aurora_locus.web.browser_sessions.routes import show, take
from aurora_locus.web.site.forms import posted
from aurora_locus.web.site.frame import page, redirect_to
from aurora_locus.web.site.services import services
from groundwork.errors import NotSignedIn, TooMany
from groundwork.http.forms import EMPTY, FormState, local_path

_WRONG = gettext_noop("Wrong name or password.")


def routes() -> list[Route]:
    """Routes on which operators sign in and out."""
    return [
        show(operator_access.SIGN_IN, show_form),
        take(operator_access.SIGN_IN, sign_in),
        take("/admin/sign-out", sign_out),
    ]


async def show_form(request: Request) -> Response:
    """Show the form with which an operator signs in."""
    return await _form(request, EMPTY, local_path(request.query_params.get("next", ""), "/admin"))


async def sign_in(request: Request) -> Response:
    """Check the operator's name and password, or the linked account, and start a session."""
    form = posted(request)
    next_path = local_path(form.get("next", ""), "/admin")
    if "as_account" in form:
        return await _as_account(request, next_path)
    try:
        operator = await _prove(request, form.get("name", "").strip().lower(), form.get("password", ""))
    except NotSignedIn as wrong:
        return await _form(request, FormState(form, {"password": wrong.why}), next_path, status=400)
    except TooMany as limit:
        return await _form(request, FormState(form, {"password": too_often(limit)}), next_path, status=429)
    await operator_access.begin(request, operator)
    return redirect_to(next_path, flash="signed_in")


async def sign_out(request: Request) -> Response:
    """End the operator's session."""
    await operator_access.end(request)
    return redirect_to(operator_access.SIGN_IN, flash="signed_out")


async def _prove(request: Request, name: str, password: str) -> PdsOperator:
    pds = services(request)
    registry = pds.registry
    guesses = OperatorGuesses(registry.guess_context, registry.counters, registry.clock)
    guess = await guesses.count(name, authentication.source_here(request))
    if name == ADMINISTRATION.name:
        expected = pds.settings.admin_password.reveal()
        if not expected or not hmac.compare_digest(password.encode(), expected.encode()):
            raise NotSignedIn(_WRONG)
        operator = ADMINISTRATION
    else:
        operator = await operators.verify_password(registry.db, registry.passwords, name, password)
    await password_guesses.give_back(registry.guess_context, guess)
    await guesses.note(name, authentication.lasting_source(request))
    return operator


async def _as_account(request: Request, next_path: str) -> Response:
    # The account's password must have been entered recently: somebody else might use a browser that was left open.
    account = authentication.proven_account_of(request)
    async with services(request).registry.db.reader() as reader:
        operator = await operators.find_by_did(reader, account.did)
    if operator is None:
        form_state = FormState(
            {}, {"name": localizable("@%(handle)s isn’t an operator of this server.", handle=account.handle)}
        )
        return await _form(request, form_state, next_path, status=403)
    await operator_access.begin(request, operator)
    return redirect_to(next_path, flash="signed_in")


async def _form(request: Request, form_state: FormState, next_path: str, *, status: int = 200) -> Response:
    account = authentication.account_or_none(request)
    context = {"typed": form_state, "next_path": next_path, "account": account}
    return page(request, "administration_pages/sign_in.html", context, status=status)
