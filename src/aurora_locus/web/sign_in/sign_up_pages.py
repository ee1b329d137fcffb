"""The sign-up form, and creating an account from it. Errors are shown next to their fields."""

from collections.abc import Sequence
from urllib.parse import urlencode

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route

from aurora_locus.accounts import creation, queries, sessions
from aurora_locus.accounts.account_requests import AccountRequest
from aurora_locus.accounts.browser_sessions import SignedInAccount
from aurora_locus.accounts.limits import CREATE_ACCOUNT, address_charge, count_request
from aurora_locus.accounts.model import Account
from aurora_locus.i18n.sentences import gettext_noop, too_often
from aurora_locus.identity.handles import MAX_LABEL, MIN_LABEL
from aurora_locus.web.browser_sessions import authentication
from aurora_locus.web.browser_sessions.routes import show, take
from aurora_locus.web.site.forms import posted
from aurora_locus.web.site.frame import page, redirect_to
from aurora_locus.web.site.services import services
from groundwork.errors import Failure, InvalidForm, InvalidInput, NotFound, Refused, TooMany
from groundwork.http.application import client_address
from groundwork.http.forms import FormState, form_with_problems, local_path

# The form field for each error. The error names are those of the Lexicon.
_FIELDS = {
    "InvalidHandle": "name",
    "HandleNotAvailable": "name",
    "UnsupportedDomain": "name",
    "InvalidPassword": "password",
    "InvalidInviteCode": "invite_code",
    "InvalidRequest": "email",
}
_MISSING = {
    "name": gettext_noop("Choose a name."),
    "email": gettext_noop("Type your e-mail address."),
    "password": gettext_noop("Choose a password."),
    "invite_code": gettext_noop("Type the code you were given."),
}


def routes(after: str) -> list[Route]:
    """Routes of the sign-up form. ``after`` is the path to which people go next if they came without a destination."""

    async def show_form(request: Request) -> Response:
        form_state = FormState({"invite_code": request.query_params.get("invite", "")})
        return _form(request, form_state, local_path(request.query_params.get("next", ""), after))

    async def create(request: Request) -> Response:
        form = posted(request)
        next_path = local_path(form.get("next", ""), after)
        try:
            account = await sign_up(request, form)
        except InvalidForm as wrong:
            return _form(request, form_with_problems(form, wrong), next_path, status=400)
        except TooMany as limit:
            return _form(request, FormState(form, {"name": too_often(limit)}), next_path, status=429)
        if account.is_waiting:
            return redirect_to(f"/confirm-email?{urlencode({'next': next_path})}")
        return redirect_to(next_path, flash="welcome")

    return [show("/sign-up", show_form), take("/sign-up", create)]


def _form(request: Request, form_state: FormState, next_path: str, *, status: int = 200) -> Response:
    registry = services(request).registry
    context = {
        "typed": form_state,
        "next_path": next_path,
        "domains": registry.handle_domains,
        "needs_invite": registry.needs_invite,
        "min_label": MIN_LABEL,
        "max_label": MAX_LABEL,
    }
    return page(request, "sign_in/new.html", context, status=status)


async def sign_up(connection: HTTPConnection, form: dict[str, str]) -> SignedInAccount:
    """Create the account and sign it in on this browser.

    ``form`` has name, domain, email, password and optionally invite_code. Raises InvalidForm for invalid input,
    RateLimited, and the errors of the directory.
    """
    registry = services(connection).registry
    needed = ("invite_code", "email", "name", "password") if registry.needs_invite else ("email", "name", "password")
    missing = {name: _MISSING[name] for name in needed if not form.get(name, "").strip()}
    if missing:
        raise InvalidForm(missing)
    await count_request(registry, [address_charge(registry, CREATE_ACCOUNT, client_address(connection))])
    account_request = AccountRequest(
        handle=_handle(form, registry.handle_domains),
        email=form["email"].strip(),
        password=form["password"],
        invite_code=form.get("invite_code", "").strip() or None,
    )
    try:
        new_account = await creation.create(registry, account_request)
    except (InvalidInput, Refused) as wrong:
        raise InvalidForm({_field_of(wrong): wrong.why}) from None
    # Creating an account also opens an app session, which a browser does not need.
    await registry.db.write(lambda w: sessions.end_all(w, new_account.did))
    async with registry.db.reader() as reader:
        account = await queries.find(reader, new_account.did)
    if account is None:
        raise NotFound(gettext_noop("The account was deleted right after it was created. Create it again."))
    return await _enter(connection, account, remember="remember" in form)


async def _enter(connection: HTTPConnection, account: Account, *, remember: bool) -> SignedInAccount:
    return await authentication.sign_in(connection, account.did, account.tokens_valid_after, remember=remember)


def _handle(form: dict[str, str], domains: Sequence[str]) -> str:
    """Return the full handle. People may type either the full handle or only the name."""
    name = form["name"].strip().lower().removeprefix("@")
    domain = form.get("domain", "")
    if domain not in domains:
        domain = domains[0] if domains else ""
    return name if name.endswith(tuple(domains)) else f"{name}{domain}"


def _field_of(failure: Failure) -> str:
    if isinstance(failure, InvalidInput) and failure.field in _MISSING:
        return failure.field
    return _FIELDS.get(failure.name or "", "name")
