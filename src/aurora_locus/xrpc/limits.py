"""Rate limits of the account methods, and the ``RateLimit-*`` headers.

Calls are counted before anything expensive is done, by address, account or identifier. The dispatcher sends the
tightest limit with every response, including errors. The limits themselves are in ``accounts.limits``.
"""

from collections.abc import Callable, Sequence

from aurora_locus.accounts import app_passwords
from aurora_locus.accounts.limits import effective_limit, key_of_identifier, of_address
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.method import Outcome, Run, XrpcCall
from groundwork.http.addresses import network_of
from groundwork.rate_limit.contract import Limit, spend

Charges = Callable[[XrpcCall], Sequence[tuple[Limit, str]]]
Points = Callable[[XrpcCall], int]


def with_limits(registry: Registry, charges: Charges, run: Run, points: Points | None = None) -> Run:
    """Wrap a method so that its calls are counted. ``points`` returns the cost of a call; without it, each call costs
    one. Raises RateLimited.
    """

    async def counted(call: XrpcCall) -> Outcome:
        if call.allowance.is_counted:
            limits_and_keys = [(effective_limit(registry, limit), key) for limit, key in charges(call)]
            cost = 1 if points is None else points(call)
            now = registry.clock.now()
            call.allowance.limit_states.append(await spend(registry.counters, limits_and_keys, now=now, points=cost))
        return await run(call)

    return counted


def per_address(*limits: Limit) -> Charges:
    """Count by address."""

    def charges(call: XrpcCall) -> Sequence[tuple[Limit, str]]:
        is_shared = call.host.settings.shares_private_addresses
        return [(of_address(limit, call.peer, is_shared=is_shared), network_of(call.peer)) for limit in limits]

    return charges


def all_of(*parts: Charges) -> Charges:
    """Combine several ways of counting. A call counts against each."""
    return lambda call: [charge for part in parts for charge in part(call)]


def per_account(*limits: Limit) -> Charges:
    """Count by the caller's account."""
    return lambda call: [(limit, call.did) for limit in limits]


def per_identifier_and_address(*limits: Limit) -> Charges:
    """Count by typed identifier and address together.

    App passwords are counted only by address: they cannot be guessed, and they are used by programs that share an
    address with others.
    """

    def charges(call: XrpcCall) -> Sequence[tuple[Limit, str]]:
        if app_passwords.has_form(call.body["password"]):
            return []
        key = f"{identifier_key(call)} {network_of(call.peer)}"
        return [(limit, key) for limit in limits]

    return charges


def identifier_key(call: XrpcCall, field: str = "identifier") -> str:
    """Return the identifier of a call in the form that the counters use."""
    return key_of_identifier(str(call.body[field]))
