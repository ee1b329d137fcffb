"""One try to sign in with a password, wherever the form stands: counted together with ``createSession``, and as slow.

Only the account's own password opens pages: whoever holds an app password must not be able to make more of them.
"""

from starlette.requests import HTTPConnection

from aurora_locus.accounts import queries, sessions
from aurora_locus.accounts.limits import (
    SIGN_IN,
    SIGN_IN_ADDRESS,
    SIGN_IN_DAILY,
    WRONG_PASSWORDS,
    effective,
    key_of_identifier,
    network_of,
)
from aurora_locus.accounts.model import Account
from aurora_locus.accounts.registry import Registry
from aurora_locus.browser_sessions import cookies
from aurora_locus.browser_sessions.edge import has_signed_in_here, registry_of
from groundwork.clock import SECOND
from groundwork.errors import InvalidForm, NotSignedIn
from groundwork.http.application import client_address
from groundwork.rate_limit.contract import RateLimited, spend

WRONG = "This name and password do not belong together."


async def check_password(
    connection: HTTPConnection, identifier: str, password: str, *, even_if_closed: bool = False
) -> Account:
    """The account that identifier and password open.

    Raises InvalidForm for what is missing or wrong (the same for an unknown name and a wrong password, and after the same
    time), RateLimited, and NotSignedIn (``AccountTakedown``) for an account that its host has closed, unless it may be let in to
    take its things (``even_if_closed``).
    """
    problems = {}
    if not identifier.strip():
        problems["identifier"] = "Write your handle or e-mail address."
    if not password:
        problems["password"] = "Write your password."  # noqa: S105 - a sentence
    if problems:
        raise InvalidForm(problems)
    registry = registry_of(connection)
    key = key_of_identifier(identifier)
    # Guesses from elsewhere must not lock out the owner: a browser on which the account was signed in before has a count of its own.
    guesses = f"{key} known" if await _is_known(connection, identifier) else key
    await _count_try(registry, key, guesses, client_address(connection))
    try:
        proof = await sessions.authenticate(
            registry.db, registry.passwords, identifier, password, allow_takendown=even_if_closed
        )
        if proof.app_password is not None:
            raise sessions.not_proven()
    except NotSignedIn as refused:
        await registry.counters.add(effective(registry, WRONG_PASSWORDS), guesses, 1, registry.clock.now())
        if refused.name == "AccountTakedown":
            raise
        raise InvalidForm({"password": WRONG}) from None
    await sessions.renew_hash(registry.db, registry.passwords, proof, password)
    return proof.account


async def _is_known(connection: HTTPConnection, identifier: str) -> bool:
    if not cookies.read(connection, cookies.KNOWN):
        return False
    async with registry_of(connection).db.reader() as reader:
        account = await queries.find_by_identifier(reader, identifier)
    return account is not None and has_signed_in_here(connection, account.did)


async def _count_try(registry: Registry, key: str, guesses: str, address: str) -> None:
    now, network = registry.clock.now(), network_of(address)
    wrong = await registry.counters.add(effective(registry, WRONG_PASSWORDS), guesses, 0, now)
    if wrong.remaining == 0:
        raise RateLimited(wrong, (wrong.resets_at - now) / SECOND)
    charges = [(limit, f"{key} {network}") for limit in (SIGN_IN, SIGN_IN_DAILY)] + [(SIGN_IN_ADDRESS, network)]
    await spend(registry.counters, [(effective(registry, limit), one) for limit, one in charges], now=now)
