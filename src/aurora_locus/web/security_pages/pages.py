"""Second factors: an overview with a switch for each, and the set-up of an authenticator app and of passkeys. The first of
them comes with recovery codes.
"""

from collections.abc import Callable

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from at_protocol.syntax.did import Did
from aurora_locus.accounts.registry import Registry
from aurora_locus.accounts.second_factors import checking, passkeys, queries, recovery_codes, totp
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.web.browser_sessions import authentication
from aurora_locus.web.browser_sessions.routes import show, take
from aurora_locus.web.sign_in.factor_step import passkey_context
from aurora_locus.web.site.forms import posted
from aurora_locus.web.site.frame import FLASH_MESSAGES, page, redirect_to
from aurora_locus.web.site.services import services
from groundwork.database.transaction import Writer
from groundwork.errors import InvalidForm, InvalidInput, TooMany
from groundwork.http.forms import EMPTY, FormState, form_with_problems

PATH = "/account/security"

FLASH_MESSAGES |= {
    "app_off": gettext_noop("The authenticator app is off."),
    "mail_on": gettext_noop("Codes by e-mail are on."),
    "mail_off": gettext_noop("Codes by e-mail are off."),
    "app_added": gettext_noop("From now on we ask for a code from your authenticator app."),
    "passkey_added": gettext_noop("Your passkey is ready."),
    "passkey_removed": gettext_noop("The passkey is removed here. Remove it on your device, too."),
}


def routes() -> list[Route]:
    """Routes of the sign-in security pages: the overview, and the pages that set up a second factor."""
    return [
        show(PATH, overview),
        take(PATH, change),
        show(f"{PATH}/app", show_app),
        take(f"{PATH}/app", confirm_app),
        show(f"{PATH}/passkey", show_passkey),
        take(f"{PATH}/passkey", add_passkey),
    ]


async def overview(request: Request) -> Response:
    """Show every second factor of the account."""
    return await _page(request, EMPTY)


async def change(request: Request) -> Response:
    """Turn one second factor on or off."""
    account, form = authentication.proven_account_of(request), posted(request)
    registry, did = services(request).registry, account.did
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
                lambda w: _first_codes(w, registry, did, lambda: queries.set_mail(w, did, is_on=True))
            )
            return _shown_once(request, codes) if codes else redirect_to(PATH, flash="mail_on")
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
            return _shown_once(request, new_codes)
        case _:
            return redirect_to(PATH)


async def show_app(request: Request) -> Response:
    """Show the secret for an authenticator app."""
    return await _app_page(request, EMPTY)


async def confirm_app(request: Request) -> Response:
    """Turn the app on if it shows the right code."""
    account, form = authentication.proven_account_of(request), posted(request)
    registry, did, code = services(request).registry, account.did, form.get("code", "")
    try:
        await checking.count_try(registry, did)
        codes = await registry.db.write(lambda w: _confirmed(w, registry, did, code))
    except (InvalidForm, TooMany) as wrong:
        problem = wrong.problems["code"] if isinstance(wrong, InvalidForm) else wrong.why
        return await _app_page(request, FormState(form, {"code": problem}), status=400)
    return _shown_once(request, codes) if codes else redirect_to(PATH, flash="app_added")


async def show_passkey(request: Request) -> Response:
    """Show the form for a new passkey."""
    return await _passkey_page(request, EMPTY)


async def add_passkey(request: Request) -> Response:
    """Add a passkey."""
    account, form = authentication.proven_account_of(request), posted(request)
    registry, context, did = services(request).registry, passkey_context(request), account.did
    passkey_response, name = form.get("passkey", ""), form.get("name", "")

    def work(w: Writer) -> list[str]:
        return _first_codes(w, registry, did, lambda: passkeys.add(w, context, did, passkey_response, name))

    try:
        codes = await registry.db.write(work)
    except InvalidInput as wrong:
        return await _passkey_page(request, form_with_problems(form, wrong), status=400)
    return _shown_once(request, codes) if codes else redirect_to(PATH, flash="passkey_added")


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
    account, registry = authentication.proven_account_of(request), services(request).registry
    context = {
        "typed": form_state,
        "account": account,
        "factors": await checking.find(registry, account.did),
        "sends_mail": registry.sends_mail,
        "now": registry.clock.now(),
    }
    return page(request, "security_pages/overview.html", context, status=status)


def _first_codes(w: Writer, registry: Registry, did: Did, add: Callable[[], None]) -> list[str]:
    """Add a second factor. Return recovery codes with the first one, and none with later ones."""
    had_factor = queries.are_set(w, did)
    add()
    return [] if had_factor else recovery_codes.renew(w, registry.factor_keys, did)


def _shown_once(request: Request, codes: list[str]) -> Response:
    """Show new recovery codes. The page is the response to a form and not stored, so it cannot be shown again."""
    return page(request, "security_pages/codes.html", {"codes": codes})


def _confirmed(w: Writer, registry: Registry, did: Did, code: str) -> list[str]:
    had_factor = queries.are_set(w, did)
    if not totp.use_code(w, registry.factor_keys, did, code, confirming=True):
        raise InvalidForm(
            {"code": gettext_noop("This isn’t the code the app should show now. Is your phone’s clock right?")}
        )
    return [] if had_factor else recovery_codes.renew(w, registry.factor_keys, did)


async def _app_page(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    account, registry, site = (
        authentication.proven_account_of(request),
        services(request).registry,
        services(request).site,
    )
    async with registry.db.reader() as reader:
        secret = await totp.pending(reader, registry.factor_keys, account.did)
    if secret is None:
        return redirect_to(PATH)
    issuer = site.branding.name
    context = {
        "typed": form_state,
        # The SVG is safe: segno generates it from our own URL, in which the handle, the only user-supplied part, is
        # percent-encoded.
        "picture": Markup(totp.qr_code(secret, account.handle, issuer)),  # noqa: S704
        "address": totp.uri(secret, account.handle, issuer),
        "secret": " ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
    }
    return page(request, "security_pages/app.html", context, status=status)


async def _passkey_page(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    account, registry = authentication.proven_account_of(request), services(request).registry
    async with registry.db.reader() as reader:
        registered = await passkeys.of_account(reader, account.did)
        options = passkeys.creation_options(
            passkey_context(request), account.did, account.handle, registered, reader.now
        )
    return page(request, "security_pages/passkey.html", {"typed": form_state, "options": options}, status=status)
