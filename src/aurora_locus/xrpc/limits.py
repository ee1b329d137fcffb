"""Rate limits of the account methods, and the ``RateLimit-*`` headers.

Counted before anything costly is done, per address, account or identifier. The dispatcher sends the tightest limit with every
response, refusals included. The limits are those of ``accounts.limits``.
"""

from collections.abc import Callable, Sequence

from aurora_locus.accounts import app_passwords
from aurora_locus.accounts.limits import effective, key_of_identifier, of_address
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.method import Outcome, Run, XrpcCall
from groundwork.http.addresses import network_of
from groundwork.rate_limit.contract import Limit, spend

Charges = Callable[[XrpcCall], Sequence[tuple[Limit, str]]]
Points = Callable[[XrpcCall], int]


def limited(registry: Registry, charges: Charges, run: Run, points: Points | None = None) -> Run:
    """Wrap a method so that its calls are counted; ``points`` gives the cost of a call, if not one. Raises RateLimited."""

    async def counted(call: XrpcCall) -> Outcome:
        if call.allowance.is_counted:
            wanted = [(effective(registry, limit), key) for limit, key in charges(call)]
            cost = 1 if points is None else points(call)
            now = registry.clock.now()
            call.allowance.limit_states.append(await spend(registry.counters, wanted, now=now, points=cost))
        return await run(call)

    return counted


def per_address(*limits: Limit) -> Charges:
    """Count by address."""

    def charges(call: XrpcCall) -> Sequence[tuple[Limit, str]]:
        is_shared = call.host.settings.shares_private_addresses
        return [(of_address(limit, call.peer, is_shared=is_shared), network_of(call.peer)) for limit in limits]

    return charges


def all_of(*parts: Charges) -> Charges:
    """Combine several ways of counting: a call counts against each."""
    return lambda call: [charge for part in parts for charge in part(call)]


def per_account(*limits: Limit) -> Charges:
    """Count by the calling account."""
    return lambda call: [(limit, call.did) for limit in limits]


def per_identifier_and_address(*limits: Limit) -> Charges:
    """Count by typed identifier and address together.

    App passwords cannot be guessed, and are used by programs that share an address with strangers: they are counted by
    address alone.
    """

    def charges(call: XrpcCall) -> Sequence[tuple[Limit, str]]:
        if app_passwords.has_form(call.body["password"]):
            return []
        key = f"{identifier_key(call)} {network_of(call.peer)}"
        return [(limit, key) for limit in limits]

    return charges


def identifier_key(call: XrpcCall, field: str = "identifier") -> str:
    """The identifier of a call in the counters' form."""
    return key_of_identifier(str(call.body[field]))
