"""Deactivate, reactivate and delete the account. Each page first explains what will happen."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aurora_locus.accounts import activation, deletion, email_changes, hosting_status, stored_data
from aurora_locus.accounts.email_tokens import TokenPurpose
from aurora_locus.accounts.limits import DELETE_ACCOUNT, REQUEST_DELETION
from aurora_locus.accounts.model import Account
from aurora_locus.i18n.catalogue import gettext, ngettext
from aurora_locus.i18n.sentences import gettext_noop, localizable
from aurora_locus.oauth import authorization
from aurora_locus.repository.model import HostingStatus
from aurora_locus.web.account_pages.forms import TOKEN, count, kept_for, own_account, page_with_failure
from aurora_locus.web.browser_sessions import authentication
from aurora_locus.web.browser_sessions.routes import show, take
from aurora_locus.web.site.forms import posted
from aurora_locus.web.site.frame import page, redirect_to
from aurora_locus.web.site.services import services
from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Writer
from groundwork.errors import Failure, InvalidInput
from groundwork.http.forms import EMPTY, FormState

HIDE, DELETE = "/account/deactivate", "/account/delete"
_HIDE_TEMPLATE, _DELETE_TEMPLATE = "account_pages/deactivate.html", "account_pages/delete.html"

# Days until a deactivated account may be deleted. An empty value means never.
_TERMS = {"": None, "30": 30, "90": 90, "365": 365}


def routes() -> list[Route]:
    """The routes of this module."""
    return [
        show(HIDE, show_deactivation),
        take(HIDE, change_activation),
        show(DELETE, show_deletion),
        take(DELETE, delete),
    ]


async def show_deactivation(request: Request) -> Response:
    """The form that deactivates or reactivates the account."""
    account = await own_account(request, authentication.proven_account_of(request).did)
    return page(request, _HIDE_TEMPLATE, {**_context(account), "typed": FormState({"after": ""})})


async def change_activation(request: Request) -> Response:
    """Deactivate the account, with or without a deadline, or reactivate it if the identity still names this server."""
    account = await own_account(request, authentication.proven_account_of(request).did)
    form = posted(request)
    try:
        if form.get("act") == "activate":
            await activation.reactivate(services(request).registry, account)
            return redirect_to("/account", flash="activated")
        if form.get("after", "") not in _TERMS:
            raise InvalidInput("after", gettext_noop("Choose one of these."))
        await _deactivate(request, account, _TERMS[form.get("after", "")])
    except Failure as failure:
        return page_with_failure(request, _HIDE_TEMPLATE, _context(account), form, failure, "after")
    return redirect_to(HIDE, flash="deactivated")


async def _deactivate(request: Request, account: Account, days: int | None) -> None:
    registry = services(request).registry
    delete_after = None if days is None else Instant(registry.clock.now() + days * DAY)
    server = services(request).authorization

    def work(w: Writer) -> None:
        # The owner authorized apps for a visible account.
        authorization.revoke_sessions_of(server, w, account.did)
        activation.deactivate(w, registry.repositories, account.did, delete_after)

    await registry.db.write(work)
    # People often deactivate an account right after migrating it, so check now which server the identity names.
    await hosting_status.recheck_identity(registry, account.did)


async def show_deletion(request: Request) -> Response:
    """Show the form, and list the data that will be deleted with the account."""
    account = await own_account(request, authentication.proven_account_of(request).did)
    return page(request, _DELETE_TEMPLATE, {**await _storage_context(request, account), "typed": EMPTY})


async def delete(request: Request) -> Response:
    """Send the deletion token, or delete the account with the token and the password. Deletion ends every session."""
    registry, form = services(request).registry, posted(request)
    account = await own_account(request, authentication.proven_account_of(request).did)
    try:
        if form.get("act") == "ask":
            await count(request, account.did, *REQUEST_DELETION)
            await email_changes.send_token(registry, account, TokenPurpose.DELETE_ACCOUNT)
            return redirect_to(f"{DELETE}#code", flash="mail_sent")
        if form.get("handle", "").strip().lower().removeprefix("@") != account.handle:
            raise InvalidInput(
                "handle", localizable("Type %(handle)s to confirm that it’s this account.", handle=account.handle)
            )
        await count(request, account.did, DELETE_ACCOUNT)
        await deletion.delete_own(
            registry,
            account.did,
            form.get("password", ""),
            form.get(TOKEN, "").strip(),
            authentication.source_here(request),
        )
    except Failure as failure:
        return page_with_failure(
            request, _DELETE_TEMPLATE, await _storage_context(request, account), form, failure, "password"
        )
    await authentication.sign_out(request, account.did)
    return redirect_to("/sign-in", flash="account_deleted")


def _context(account: Account) -> dict[str, object]:
    return {
        "account": account,
        "is_active": account.status is HostingStatus.ACTIVE,
        "terms": [(value, _choice_label(days), "") for value, days in _TERMS.items()],
    }


def _choice_label(days: int | None) -> str:
    if days is None:
        return gettext("Keep everything until I come back")
    if days == 365:
        return gettext("Delete everything if I’m not back within a year")
    return ngettext(
        "Delete everything if I’m not back within %(number)s day",
        "Delete everything if I’m not back within %(number)s days",
        days,
    )


async def _storage_context(request: Request, account: Account) -> dict[str, object]:
    registry = services(request).registry
    async with registry.db.reader() as reader:
        storage = await stored_data.measure(reader, account.did)
    quarantine_text = kept_for(registry.handle_quarantine)
    return {"account": account, "storage": storage, "sends_mail": registry.sends_mail, "kept_for": quarantine_text}
