"""Setting up an authenticator app and passkeys; the recovery codes that come with the first of them."""

from collections.abc import Callable

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from at_protocol.syntax.did import Did
from aurora_locus.accounts.registry import Registry
from aurora_locus.accounts.second_factors import checking, passkeys, queries, recovery_codes, totp
from aurora_locus.browser_sessions import edge
from aurora_locus.browser_sessions.routes import show, take
from aurora_locus.sign_in.factor_step import party_of
from aurora_locus.site.forms import posted
from aurora_locus.site.frame import SAID, go, page, site_of
from groundwork.database.transaction import Writer
from groundwork.errors import InvalidForm, InvalidInput, TooMany
from groundwork.http.forms import EMPTY, Typed, typed_again

SAID |= {
    "app_added": "From now on a code of your authenticator app is asked for.",
    "passkey_added": "Your passkey works from now on.",
}


def routes(above: str) -> list[Route]:
    """``above``: the page that leads here."""

    async def show_app(request: Request) -> Response:
        return await _app_page(request, EMPTY, above)

    async def confirm_app(request: Request) -> Response:
        account, form = edge.proven_account_of(request), posted(request)
        registry, did, typed = edge.registry_of(request), account.did, form.get("code", "")
        try:
            await checking.count_try(registry, did)
            codes = await registry.db.write(lambda w: _confirmed(w, registry, did, typed))
        except (InvalidForm, TooMany) as wrong:
            problem = wrong.problems["code"] if isinstance(wrong, InvalidForm) else wrong.why
            return await _app_page(request, Typed(form, {"code": problem}), above, status=400)
        return shown_once(request, codes) if codes else go(above, said="app_added")

    async def show_passkey(request: Request) -> Response:
        return await _passkey_page(request, EMPTY)

    async def add_passkey(request: Request) -> Response:
        account, form = edge.proven_account_of(request), posted(request)
        registry, party, did = edge.registry_of(request), party_of(request), account.did
        answer, name = form.get("passkey", ""), form.get("name", "")

        def work(w: Writer) -> list[str]:
            return first_codes(w, registry, did, lambda: passkeys.add(w, party, did, answer, name))

        try:
            codes = await registry.db.write(work)
        except InvalidInput as wrong:
            return await _passkey_page(request, typed_again(form, wrong), status=400)
        return shown_once(request, codes) if codes else go(above, said="passkey_added")

    return [
        show(f"{above}/app", show_app),
        take(f"{above}/app", confirm_app),
        show(f"{above}/passkey", show_passkey),
        take(f"{above}/passkey", add_passkey),
    ]


def first_codes(w: Writer, registry: Registry, did: Did, add: Callable[[], None]) -> list[str]:
    """Add a second factor; recovery codes with the first one, none with others."""
    had_one = queries.are_set(w, did)
    add()
    return [] if had_one else recovery_codes.renew(w, registry.factor_keys, did)


def shown_once(request: Request, codes: list[str]) -> Response:
    """The page with new recovery codes. It is the answer to a form and kept nowhere: nobody sees it a second time."""
    return page(request, "security_pages/codes.html", {"codes": codes})


def _confirmed(w: Writer, registry: Registry, did: Did, typed: str) -> list[str]:
    had_one = queries.are_set(w, did)
    if not totp.take(w, registry.factor_keys, did, typed, confirming=True):
        raise InvalidForm(
            {"code": "This is not the code that the app should show now. Is the clock of your phone right?"}
        )
    return [] if had_one else recovery_codes.renew(w, registry.factor_keys, did)


async def _app_page(request: Request, typed: Typed, above: str, *, status: int = 200) -> Response:
    account, registry, site = edge.proven_account_of(request), edge.registry_of(request), site_of(request)
    async with registry.db.reader() as reader:
        secret = await totp.pending(reader, registry.factor_keys, account.did)
    if secret is None:
        return go(above)
    issuer = site.branding.name
    context = {
        "typed": typed,
        # Made by segno from an address of ours: the only part that anybody else chose, the handle, is percent-encoded.
        "picture": Markup(totp.picture(secret, account.handle, issuer)),  # noqa: S704
        "address": totp.address(secret, account.handle, issuer),
        "secret": " ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
    }
    return page(request, "security_pages/app.html", context, status=status)


async def _passkey_page(request: Request, typed: Typed, *, status: int = 200) -> Response:
    account, registry = edge.proven_account_of(request), edge.registry_of(request)
    async with registry.db.reader() as reader:
        have = await passkeys.of_account(reader, account.did)
        options = passkeys.creation_options(party_of(request), account.did, account.handle, have, reader.now)
    return page(request, "security_pages/passkey.html", {"typed": typed, "options": options}, status=status)
