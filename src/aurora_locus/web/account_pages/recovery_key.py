"""The owner's recovery key, ranked above the server's: with it, the account can leave even if the server is lost.

The key pair is generated in the browser (``site/static/recovery-key.js``) or on the person's own machine, so this
server sees only the public key. The operation is signed with the server's rotation key, after the owner enters an
e-mailed token.
"""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from at_protocol.crypto.did_key import format_did_key, parse_did_key
from at_protocol.failures import Malformed
from at_protocol.identity.plc_operation import MAX_OWN_ROTATION_KEYS
from at_protocol.syntax.did import is_plc
from aurora_locus.accounts import email_changes, own_identity
from aurora_locus.accounts.email_tokens import TokenPurpose
from aurora_locus.accounts.limits import REQUEST_SIGNATURE, UPDATE_HANDLE, UPDATE_HANDLE_DAILY
from aurora_locus.accounts.model import Account
from aurora_locus.i18n.sentences import explain, gettext_noop, localizable
from aurora_locus.identity.plc_updates import newest_operation
from aurora_locus.web.account_pages.forms import TOKEN, count, own_account, page_with_failure
from aurora_locus.web.browser_sessions import authentication
from aurora_locus.web.browser_sessions.routes import show, take
from aurora_locus.web.site.forms import posted
from aurora_locus.web.site.frame import page, redirect_to
from aurora_locus.web.site.services import services
from groundwork.errors import Failure, InvalidInput, Refused, Why
from groundwork.http.forms import EMPTY

PATH = "/account/recovery-key"
_TEMPLATE = "account_pages/recovery_key.html"


@dataclass(frozen=True, slots=True)
class RotationKey:
    """A row of the list of rotation keys, which may change the identity. A key can override those below it."""

    text: str
    is_servers: bool


def routes() -> list[Route]:
    """The routes of this module."""
    return [show(PATH, show_recovery_key), take(PATH, change_keys)]


async def show_recovery_key(request: Request) -> Response:
    """Show the identity's rotation keys, and the form to add one's own."""
    account = await own_account(request, authentication.proven_account_of(request).did)
    return page(request, _TEMPLATE, {**await _context(request, account), "typed": EMPTY})


async def change_keys(request: Request) -> Response:
    """Send the token for the change, or sign the change with the token and the new public key."""
    account = await own_account(request, authentication.proven_account_of(request).did)
    form = posted(request)
    try:
        own_identity.require_plc(account.did)
        if form.get("act") == "ask":
            await count(request, account.did, *REQUEST_SIGNATURE)
            await email_changes.send_token(services(request).registry, account, TokenPurpose.PLC_OPERATION)
            return redirect_to(f"{PATH}#key", flash="mail_sent")
        await _set(request, account, form)
    except Failure as failure:
        return page_with_failure(request, _TEMPLATE, await _context(request, account), form, failure)
    return redirect_to(PATH, flash="recovery_key_set")


async def _set(request: Request, account: Account, form: dict[str, str]) -> None:
    registry = services(request).registry
    await count(request, account.did, UPDATE_HANDLE, UPDATE_HANDLE_DAILY)
    present = (await newest_operation(registry.directory, account.did)).operation.rotation_keys
    servers = format_did_key(registry.rotation_key.public)
    removed_keys = {key for key in present if form.get(f"remove-{key}") and key != servers}
    typed_key = form.get("public_key", "").strip()
    if not typed_key and not removed_keys:
        raise InvalidInput("public_key", gettext_noop("Create a key first, or paste the public part of one."))
    first = [_checked(typed_key)] if typed_key else []
    keys = [*first, *(key for key in present if key not in removed_keys and key not in first)]
    if len(keys) > MAX_OWN_ROTATION_KEYS:
        raise Refused(
            localizable(
                "An identity can have up to %(max_own_rotation_keys)s keys. Use this form to remove one first.",
                max_own_rotation_keys=MAX_OWN_ROTATION_KEYS,
            )
        )
    operation = await own_identity.signed(
        registry, account.did, {"rotationKeys": keys}, form.get(TOKEN, "").strip() or None
    )
    await own_identity.submit(registry, registry.network, account.did, operation)


def _checked(text: str) -> str:
    try:
        return format_did_key(parse_did_key(text))
    except Malformed as error:
        why: Why = localizable("This isn’t a public key: %(why)s. It begins with did:key:.", why=error.why)
        if text.startswith("z"):
            why = gettext_noop(
                "This looks like a private key. Never share it. Paste only the public part (did:key:…) here."
            )
        raise InvalidInput("public_key", why) from None


async def _context(request: Request, account: Account) -> dict[str, object]:
    """Build the template values. ``keys`` is None if the directory does not respond or has no operations for this
    identity.
    """
    registry = services(request).registry
    servers = format_did_key(registry.rotation_key.public)
    keys: list[RotationKey] | None = None
    problem = ""
    if is_plc(account.did):
        try:
            newest = await newest_operation(registry.directory, account.did)
            keys = [RotationKey(key, key == servers) for key in newest.operation.rotation_keys]
        except Failure as failure:
            problem = explain(failure.why)
    return {
        "account": account,
        "is_plc": is_plc(account.did),
        "keys": keys,
        "directory_problem": problem,
        "has_recovery_key": bool(keys) and keys is not None and not keys[0].is_servers,
        "sends_mail": registry.sends_mail,
    }
