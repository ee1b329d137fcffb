"""Create an account from a form. Errors are shown next to their fields."""

from collections.abc import Sequence

from starlette.requests import HTTPConnection

from aurora_locus.accounts import creation, queries, sessions
from aurora_locus.accounts.account_requests import AccountRequest
from aurora_locus.accounts.browser_sessions import SignedInAccount
from aurora_locus.accounts.limits import CREATE_ACCOUNT, address_charge, count_request
from aurora_locus.accounts.model import Account
from aurora_locus.browser_sessions import authentication
from aurora_locus.browser_sessions.authentication import registry_of
from aurora_locus.i18n.sentences import gettext_noop
from groundwork.errors import Failure, InvalidForm, InvalidInput, NotFound, Refused
from groundwork.http.application import client_address

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


async def sign_up(connection: HTTPConnection, form: dict[str, str]) -> SignedInAccount:
    """Create the account and sign it in on this browser.

    ``form`` has name, domain, email, password and optionally invite_code. Raises InvalidForm for invalid input,
    RateLimited, and the errors of the directory.
    """
    registry = registry_of(connection)
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
