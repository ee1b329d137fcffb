"""The second factor between password and session, for accounts that have one.

A signed ticket, valid for ten minutes and only in this browser, proves that the password was entered. By itself it
gives no access.
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import asdict, dataclass
from hashlib import sha256

from starlette.requests import HTTPConnection

from at_protocol.syntax.did import Did
from aurora_locus.accounts import queries
from aurora_locus.accounts.browser_sessions import SignedInAccount
from aurora_locus.accounts.model import Account
from aurora_locus.accounts.second_factors import checking, passkeys
from aurora_locus.accounts.second_factors.passkeys import PasskeyContext
from aurora_locus.i18n.sentences import gettext_noop, too_often
from aurora_locus.repository.model import OF_THE_HOST
from aurora_locus.web.browser_sessions import authentication
from aurora_locus.web.site.services import services
from groundwork.clock import MINUTE, Instant
from groundwork.errors import InvalidForm, NotSignedIn, Refused, TooMany

TICKET_LASTS = 10 * MINUTE

_NOT_PROVEN = gettext_noop("This passkey doesn’t belong to this account, or it took too long. Try again.")


@dataclass(frozen=True, slots=True)
class Ticket:
    """Proof that the password was right. ``valid_after`` is the account's value at that time."""

    did: str
    valid_after: int
    remember: bool
    until: int


def passkey_context(connection: HTTPConnection) -> PasskeyContext:
    """Return the relying party and the browser for passkeys."""
    site = services(connection).site
    keys = services(connection).registry.factor_keys
    return PasskeyContext(
        keys=keys, url=site.url, name=site.branding.name, browser_id=authentication.browser_of(connection)
    )


async def enter(connection: HTTPConnection, account: Account, *, remember: bool) -> SignedInAccount | str:
    """Sign in. If the account requires a second factor, return the ticket for it instead."""
    if not (await checking.find(services(connection).registry, account.did)).are_set:
        return await authentication.sign_in(connection, account.did, account.tokens_valid_after, remember=remember)
    return ticket_for(connection, account.did, account.tokens_valid_after, remember=remember)


def ticket_for(connection: HTTPConnection, did: Did, valid_after: Instant, *, remember: bool) -> str:
    """Make the signed ticket that carries the proof of the password to the next form."""
    until = services(connection).registry.clock.now() + TICKET_LASTS
    body = urlsafe_b64encode(json.dumps(asdict(Ticket(did, valid_after, remember, until))).encode()).decode()
    return f"{body}.{_mac(connection, body)}"


def read_ticket(connection: HTTPConnection, text: str) -> Ticket:
    """Read a ticket. Raises NotSignedIn if it is invalid or has expired."""
    body, _, mac = text.rpartition(".")
    if not hmac.compare_digest(mac.encode(), _mac(connection, body).encode()):
        raise _step_expired()
    ticket = Ticket(**json.loads(urlsafe_b64decode(body)))
    if ticket.until <= services(connection).registry.clock.now():
        raise _step_expired()
    return ticket


async def take_factor(connection: HTTPConnection, did: Did, form: dict[str, str]) -> None:
    """Check the code, or the passkey's response. Raises InvalidForm, also after too many attempts."""
    registry = services(connection).registry
    code, passkey_response = form.get("code", ""), form.get("passkey", "")
    try:
        if passkey_response:
            if not await checking.take_passkey(registry, did, passkey_context(connection), passkey_response):
                raise InvalidForm({"code": _NOT_PROVEN})
            return
        if not code.strip():
            raise InvalidForm({"code": gettext_noop("Type the code.")})
        if not await checking.take_code(registry, did, code):
            raise InvalidForm({"code": checking.WRONG})
    except TooMany as limit:
        raise InvalidForm({"code": too_often(limit)}) from None


async def send_code(connection: HTTPConnection, did: Did) -> None:
    """Send a code by e-mail. Raises InvalidForm if none can be sent now."""
    try:
        await checking.send_code(services(connection).registry, did)
    except (TooMany, Refused) as refused:
        raise InvalidForm({"code": too_often(refused)}) from None


async def view_of(connection: HTTPConnection, did: Did) -> dict[str, object]:
    """Return the template values: the available factors, and a challenge for a passkey."""
    registry = services(connection).registry
    factors = await checking.find(registry, did)
    options = ""
    if factors.passkeys:
        options = passkeys.request_options(passkey_context(connection), factors.passkeys, registry.clock.now())
    return {"factors": factors, "passkey_options": options}


def any_passkey(connection: HTTPConnection) -> str:
    """Return the challenge for signing in with only a passkey, of any account."""
    return passkeys.request_options(passkey_context(connection), (), services(connection).registry.clock.now())


async def enter_by_passkey(
    connection: HTTPConnection, passkey_response: str, *, remember: bool, allow_takendown: bool = False
) -> SignedInAccount:
    """Sign in with only a passkey. The device verifies its user, so this counts as two factors.

    Raises InvalidForm, and NotSignedIn (``AccountTakedown``) for a taken-down account.
    """
    registry = services(connection).registry
    did = await registry.db.write(lambda w: passkeys.take(w, passkey_context(connection), passkey_response))
    async with registry.db.reader() as reader:
        account = None if did is None else await queries.find(reader, did)
    if account is None:
        raise InvalidForm({"identifier": gettext_noop("We don’t know this passkey, or it took too long. Try again.")})
    if account.status in OF_THE_HOST and not allow_takendown:
        raise NotSignedIn(gettext_noop("This account has been taken down."), name="AccountTakedown")
    return await authentication.sign_in(connection, account.did, account.tokens_valid_after, remember=remember)


def _mac(connection: HTTPConnection, body: str) -> str:
    key = services(connection).site.csrf_key
    return hmac.digest(
        key, f"ticket\n{authentication.browser_of(connection)}\n{body}".encode(errors="replace"), sha256
    ).hex()


def _step_expired() -> NotSignedIn:
    return NotSignedIn(
        gettext_noop("That took too long, or you started in another browser. Sign in again."), name="AuthMissing"
    )
