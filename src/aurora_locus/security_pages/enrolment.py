"""Set-up of an authenticator app and of passkeys. The first of them comes with recovery codes."""

from collections.abc import Callable

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from at_protocol.syntax.did import Did
from aurora_locus.accounts.registry import Registry
from aurora_locus.accounts.second_factors import checking, passkeys, queries, recovery_codes, totp
from aurora_locus.browser_sessions import authentication
from aurora_locus.browser_sessions.routes import show, take
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.sign_in.factor_step import passkey_context
from aurora_locus.site.forms import posted
from aurora_locus.site.frame import FLASH_MESSAGES, page, redirect_to, site_of
from groundwork.database.transaction import Writer
from groundwork.errors import InvalidForm, InvalidInput, TooMany
from groundwork.http.forms import EMPTY, FormState, form_with_problems

FLASH_MESSAGES |= {
    "app_added": gettext_noop("From now on we ask for a code from your authenticator app."),
    "passkey_added": gettext_noop("Your passkey is ready."),
}


def routes(above: str) -> list[Route]:
    """Routes on which authenticator apps and passkeys are added. ``above`` is the page that links to them."""

    async def show_app(request: Request) -> Response:
        return await _app_page(request, EMPTY, above)

    async def confirm_app(request: Request) -> Response:
        account, form = authentication.proven_account_of(request), posted(request)
        registry, did, code = authentication.registry_of(request), account.did, form.get("code", "")
        try:
            await checking.count_try(registry, did)
            codes = await registry.db.write(lambda w: _confirmed(w, registry, did, code))
        except (InvalidForm, TooMany) as wrong:
            problem = wrong.problems["code"] if isinstance(wrong, InvalidForm) else wrong.why
            return await _app_page(request, FormState(form, {"code": problem}), above, status=400)
        return shown_once(request, codes) if codes else redirect_to(above, flash="app_added")

    async def show_passkey(request: Request) -> Response:
        return await _passkey_page(request, EMPTY)

    async def add_passkey(request: Request) -> Response:
        account, form = authentication.proven_account_of(request), posted(request)
        registry, context, did = authentication.registry_of(request), passkey_context(request), account.did
        passkey_response, name = form.get("passkey", ""), form.get("name", "")

        def work(w: Writer) -> list[str]:
            return first_codes(w, registry, did, lambda: passkeys.add(w, context, did, passkey_response, name))

        try:
            codes = await registry.db.write(work)
        except InvalidInput as wrong:
            return await _passkey_page(request, form_with_problems(form, wrong), status=400)
        return shown_once(request, codes) if codes else redirect_to(above, flash="passkey_added")

    return [
        show(f"{above}/app", show_app),
        take(f"{above}/app", confirm_app),
        show(f"{above}/passkey", show_passkey),
        take(f"{above}/passkey", add_passkey),
    ]


def first_codes(w: Writer, registry: Registry, did: Did, add: Callable[[], None]) -> list[str]:
    """Add a second factor. Return recovery codes with the first one, and none with later ones."""
    had_factor = queries.are_set(w, did)
    add()
    return [] if had_factor else recovery_codes.renew(w, registry.factor_keys, did)


def shown_once(request: Request, codes: list[str]) -> Response:
    """Show new recovery codes. The page is the response to a form and not stored, so it cannot be shown again."""
    return page(request, "security_pages/codes.html", {"codes": codes})


def _confirmed(w: Writer, registry: Registry, did: Did, code: str) -> list[str]:
    had_factor = queries.are_set(w, did)
    if not totp.use_code(w, registry.factor_keys, did, code, confirming=True):
        raise InvalidForm(
            {"code": gettext_noop("This isn’t the code the app should show now. Is your phone’s clock right?")}
        )
    return [] if had_factor else recovery_codes.renew(w, registry.factor_keys, did)


async def _app_page(request: Request, form_state: FormState, above: str, *, status: int = 200) -> Response:
    account, registry, site = (
        authentication.proven_account_of(request),
        authentication.registry_of(request),
        site_of(request),
    )
    async with registry.db.reader() as reader:
        secret = await totp.pending(reader, registry.factor_keys, account.did)
    if secret is None:
        return redirect_to(above)
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
    account, registry = authentication.proven_account_of(request), authentication.registry_of(request)
    async with registry.db.reader() as reader:
        registered = await passkeys.of_account(reader, account.did)
        options = passkeys.creation_options(
            passkey_context(request), account.did, account.handle, registered, reader.now
        )
    return page(request, "security_pages/passkey.html", {"typed": form_state, "options": options}, status=status)
