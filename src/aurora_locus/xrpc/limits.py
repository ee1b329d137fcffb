"""How often the methods about accounts may be called, and the ``RateLimit-*`` headers.

Counted before anything costly is done, per address, account or identifier. Every answer of a limited method tells the
tightest standing, refusals included. In development everything comes from one address and tests make thousands of
accounts: the same limits, a thousand times as wide.
"""

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import blake2b

from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.method import Answer, Call, Outcome, Run
from groundwork.clock import SECOND
from groundwork.errors import Failure, NotSignedIn
from groundwork.rate_limit.contract import Limit, RateLimited, Standing, headers_of, spend

CREATE_ACCOUNT = Limit("create_account", 100, 5 * 60)
SIGN_IN = Limit("create_session", 30, 5 * 60)
SIGN_IN_DAILY = Limit("create_session_daily", 300, 86400)
# The whole server's limit per address; each sign-in costs a hash, so here it matters most.
SIGN_IN_ADDRESS = Limit("create_session_address", 3000, 5 * 60)
WRONG_PASSWORDS = Limit("wrong_passwords", 100, 86400)
# Anybody may reserve a key, and each is kept for a month.
RESERVE_KEY = Limit("reserve_signing_key", 20, 5 * 60)
RESET_PASSWORD = Limit("reset_password", 50, 5 * 60)
DELETE_ACCOUNT = Limit("delete_account", 50, 5 * 60)
# Each call is a letter to somebody who may not have asked for it.
REQUEST_PASSWORD_RESET = (Limit("request_password_reset", 15, 3600), Limit("request_password_reset_daily", 50, 86400))
REQUEST_CONFIRMATION = (Limit("request_confirmation", 5, 3600), Limit("request_confirmation_daily", 15, 86400))
REQUEST_EMAIL_UPDATE = (Limit("request_email_update", 5, 3600), Limit("request_email_update_daily", 15, 86400))
REQUEST_DELETION = (Limit("request_deletion", 5, 3600), Limit("request_deletion_daily", 15, 86400))
UPDATE_HANDLE = Limit("update_handle", 10, 5 * 60)
UPDATE_HANDLE_DAILY = Limit("update_handle_daily", 50, 86400)

_DEVELOPMENT_FACTOR = 1000

Charges = Callable[[Call], Sequence[tuple[Limit, str]]]


def limited(registry: Registry, charges: Charges, run: Run) -> Run:
    """The same method, counted. Raises RateLimited."""

    async def counted(call: Call) -> Outcome:
        wanted = [(effective(registry, limit), key) for limit, key in charges(call)]
        standing = await spend(registry.counters, wanted, now=registry.clock.now())
        headers = headers_of(standing)
        try:
            outcome = await run(call)
        except Failure as failure:
            failure.headers = {**headers, **failure.headers}
            raise
        answer = outcome if isinstance(outcome, Answer) else Answer(outcome)
        return replace(answer, headers={**headers, **answer.headers})

    return counted


def per_address(*limits: Limit) -> Charges:
    """Each address has its own count."""
    return lambda call: [(limit, network_of(call.peer)) for limit in limits]


def all_of(*parts: Charges) -> Charges:
    """Every one of them."""
    return lambda call: [charge for part in parts for charge in part(call)]


def per_account(*limits: Limit) -> Charges:
    """Each account has its own count."""
    return lambda call: [(limit, call.did) for limit in limits]


def per_identifier_and_address(*limits: Limit) -> Charges:
    """Each pair of a typed identifier and an address has its own count."""

    def charges(call: Call) -> Sequence[tuple[Limit, str]]:
        key = f"{identifier_key(call)} {network_of(call.peer)}"
        return [(limit, key) for limit in limits]

    return charges


def counting_wrong_passwords(registry: Registry, run: Run, field: str = "identifier") -> Run:
    """Failed sign-ins count per identifier from wherever they come, so that many addresses do not try more passwords.

    ``field`` of the body has the identifier.
    """

    async def counted(call: Call) -> Outcome:
        limit, key = effective(registry, WRONG_PASSWORDS), identifier_key(call, field)
        standing = await registry.counters.add(limit, key, 0, registry.clock.now())
        if standing.remaining == 0:
            raise _refused(registry, standing)
        try:
            return await run(call)
        except NotSignedIn:
            await registry.counters.add(limit, key, 1, registry.clock.now())
            raise

    return counted


def identifier_key(call: Call, field: str = "identifier") -> str:
    """The identifier as typed, case apart, in a fixed size: what strangers send must not fill the counters' memory."""
    typed = str(call.body[field]).strip().lower()
    return blake2b(typed.encode(), digest_size=16).hexdigest()


def network_of(address: str) -> str:
    """What one customer of a provider has: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def effective(registry: Registry, limit: Limit) -> Limit:
    """The limit as it holds on this server."""
    return replace(limit, points=limit.points * _DEVELOPMENT_FACTOR) if registry.is_development else limit


def _refused(registry: Registry, standing: Standing) -> RateLimited:
    return RateLimited(standing, (standing.resets_at - registry.clock.now()) / SECOND)
