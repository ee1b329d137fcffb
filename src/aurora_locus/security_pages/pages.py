"""Overview of second factors, with a switch for each."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from at_protocol.syntax.did import Did
from aurora_locus.accounts.second_factors import checking, passkeys, queries, recovery_codes, totp
from aurora_locus.browser_sessions import authentication
from aurora_locus.browser_sessions.routes import show, take
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.security_pages import enrolment
from aurora_locus.site.forms import posted
from aurora_locus.site.frame import FLASH_MESSAGES, page, redirect_to
from groundwork.database.transaction import Writer
from groundwork.http.forms import EMPTY, FormState

PATH = "/account/security"

FLASH_MESSAGES |= {
    "app_off": gettext_noop("The authenticator app is off."),
    "mail_on": gettext_noop("Codes by e-mail are on."),
    "mail_off": gettext_noop("Codes by e-mail are off."),
    "passkey_removed": gettext_noop("The passkey is removed here. Remove it on your device, too."),
}


def routes() -> list[Route]:
    """Routes of the sign-in security pages: the overview, and the pages that set up a second factor."""
    return [show(PATH, overview), take(PATH, change), *enrolment.routes(PATH)]


async def overview(request: Request) -> Response:
    """Show every second factor of the account."""
    return await _page(request, EMPTY)


async def change(request: Request) -> Response:
    """Turn one second factor on or off."""
    account, form = authentication.proven_account_of(request), posted(request)
    registry, did = authentication.registry_of(request), account.did
    match form.get("change"):
        case "app-on":
            await registry.db.write(lambda w: totp.begin(w, registry.factor_keys, did))
            return redirect_to(f"{PATH}/app")
        case "app-off":
            await registry.db.write(lambda w: _remove_factor(w, did, lambda: totp.remove(w, did)))
            return redirect_to(PATH, flash="app_off")
        case "mail-on":
            if not account.email_is_confirmed:
                return await _page(
                    request, FormState({}, {"mail": gettext_noop("Confirm your e-mail address first.")}), status=400
                )
            codes = await registry.db.write(
                lambda w: enrolment.first_codes(w, registry, did, lambda: queries.set_mail(w, did, is_on=True))
            )
            return enrolment.shown_once(request, codes) if codes else redirect_to(PATH, flash="mail_on")
        case "mail-off":
            await registry.db.write(lambda w: checking.end_mail(w, did))
            return redirect_to(PATH, flash="mail_off")
        case "remove-passkey":
            credential_id = _bytes_of(form.get("passkey", ""))
            await registry.db.write(lambda w: _remove_factor(w, did, lambda: passkeys.remove(w, did, credential_id)))
            return redirect_to(PATH, flash="passkey_removed")
        case "new-codes":
            if not (await checking.find(registry, did)).are_set:
                return redirect_to(PATH)
            new_codes = await registry.db.write(lambda w: recovery_codes.renew(w, registry.factor_keys, did))
            return enrolment.shown_once(request, new_codes)
        case _:
            return redirect_to(PATH)


def _remove_factor(w: Writer, did: Did, remove: Callable[[], object]) -> None:
    """Remove one factor. If it was the last one, also remove the recovery codes."""
    remove()
    if not queries.are_set(w, did):
        recovery_codes.remove(w, did)


def _bytes_of(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


async def _page(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    account, registry = authentication.proven_account_of(request), authentication.registry_of(request)
    context = {
        "typed": form_state,
        "account": account,
        "factors": await checking.find(registry, account.did),
        "sends_mail": registry.sends_mail,
        "now": registry.clock.now(),
    }
    return page(request, "security_pages/overview.html", context, status=status)
