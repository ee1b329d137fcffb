"""Password attempts of every sign-in form. They are counted together with ``createSession``, and take as long.

Only the account's own password gives access to the pages, because an app password must not be able to create more app
passwords.
"""

from starlette.requests import HTTPConnection

from aurora_locus.accounts import password_guesses, queries, sessions, sign_in_links
from aurora_locus.accounts.limits import (
    SIGN_IN,
    SIGN_IN_ADDRESS,
    SIGN_IN_DAILY,
    SIGN_IN_LINK,
    address_charge,
    count_request,
    effective_limit,
    key_of_identifier,
)
from aurora_locus.accounts.model import Account
from aurora_locus.accounts.registry import Registry
from aurora_locus.accounts.sign_in_links import SignInLink
from aurora_locus.accounts.sign_in_source import SignInSource
from aurora_locus.i18n.sentences import gettext_noop, too_often
from aurora_locus.web.browser_sessions.authentication import source_here
from aurora_locus.web.site.services import services
from groundwork.errors import InvalidForm, NotSignedIn, Refused, TooMany
from groundwork.http.forms import FormState
from groundwork.rate_limit.contract import spend

WRONG = gettext_noop("Name and password don’t match. Check both and try again.")
USED_UP = gettext_noop(
    "Too many wrong passwords for this account. We can e-mail you a link that lets you sign in here."
)
LATER = gettext_noop("Too many tries from here. Wait a few minutes, or let us e-mail you a link.")

# The hidden field that carries the token of an e-mailed link.
LINK = "link"


async def check_password(
    connection: HTTPConnection, form: dict[str, str], identifier: str, *, allow_takendown: bool = False
) -> Account:
    """Return the account for a form's identifier and password, optionally with an e-mailed link.

    Raises InvalidForm for missing or wrong input. An unknown name and a wrong password give the same message after the
    same time. Also raises TooMany, and NotSignedIn (``AccountTakedown``) for a taken-down account, unless
    ``allow_takendown`` lets it sign in to export its data.
    """
    password = form.get("password", "")
    problems = {}
    if not identifier.strip():
        problems["identifier"] = gettext_noop("Type your name or e-mail address.")
    if not password:
        problems["password"] = gettext_noop("Type your password.")
    if problems:
        raise InvalidForm(problems)
    registry, source = services(connection).registry, source_here(connection)
    link = await find_link(connection, form.get(LINK, ""))
    await _count_try(registry, identifier, source, link)
    try:
        proof = await password_guesses.authenticate(
            registry, identifier, password, source, allow_takendown=allow_takendown, link=link
        )
        if proof.app_password is not None:
            raise sessions.not_proven()
    except NotSignedIn as refused:
        if refused.name == "AccountTakedown":
            raise
        raise InvalidForm({"password": WRONG}) from None
    if link is not None and link.did == proof.account.did:
        await registry.db.write(lambda w: sign_in_links.spend(w, link))
    await sessions.renew_hash(registry.db, registry.passwords, proof, password)
    return proof.account


async def find_link(connection: HTTPConnection, token: str) -> SignInLink | None:
    """Find the e-mailed link with this token; None unless it is valid."""
    if not token:
        return None
    registry = services(connection).registry
    async with registry.db.reader() as reader:
        return await sign_in_links.find(reader, registry.email_tokens, token)


async def send_link(connection: HTTPConnection, identifier: str) -> None:
    """E-mail a sign-in link to the account's owner. Raises InvalidForm if none can be sent."""
    registry = services(connection).registry
    source = source_here(connection)
    charge = address_charge(registry, SIGN_IN_LINK, source.address)
    try:
        await count_request(registry, [charge])
        await sign_in_links.send_link(registry, identifier)
    except (TooMany, Refused) as refused:
        raise InvalidForm({"identifier": too_often(refused)}) from None


def form_after_limit(form: dict[str, str], limit: TooMany) -> FormState:
    """Return the form again, with the options that are left after too many attempts."""
    why = USED_UP if isinstance(limit, password_guesses.GuessesUsedUp) else LATER
    return FormState(form, {"password": why})


async def _count_try(registry: Registry, identifier: str, source: SignInSource, link: SignInLink | None) -> None:
    """Count an attempt by name and address. For a known browser or a link, count by that instead, because many people
    may share the address.
    """
    async with registry.db.reader() as reader:
        account = await queries.find_by_identifier(reader, identifier)
        source_hash = b""
        if account is not None:
            source_hash = await password_guesses.known_source(reader, registry.guess_context, account.did, source)
    if link is not None and account is not None and link.did == account.did:
        source_hash = link.token_hash
    charges = [
        (effective_limit(registry, limit), f"{key_of_identifier(identifier)} {source_hash.hex() or source.network}")
        for limit in (SIGN_IN, SIGN_IN_DAILY)
    ]
    if not source_hash:
        charges.append(address_charge(registry, SIGN_IN_ADDRESS, source.address))
    await spend(registry.counters, charges, now=registry.clock.now())
