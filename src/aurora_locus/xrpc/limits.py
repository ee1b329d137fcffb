"""Rate limits of methods, and the ``RateLimit-*`` headers.

Calls are counted before anything expensive is done, by address, account or identifier. The dispatcher sends the
tightest limit with every response, including errors. The limits themselves are in ``accounts.limits``.
"""

from collections.abc import Sequence
from dataclasses import replace

from aurora_locus.accounts import app_passwords
from aurora_locus.accounts.limits import effective_limit, key_of_identifier, of_address
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.method import Charges, Method, Outcome, XrpcCall
from groundwork.http.addresses import network_of
from groundwork.rate_limit.contract import Limit, spend


def with_limits(registry: Registry, method: Method) -> Method:
    """Return the method with its calls counted against its own limits. Raises RateLimited when it is called."""
    charges, run = method.charges, method.run
    if charges is None:
        return method

    async def counted(call: XrpcCall) -> Outcome:
        limits_and_keys = charges(call) if call.allowance.is_counted else ()
        if limits_and_keys:
            effective = [(effective_limit(registry, limit), key) for limit, key in limits_and_keys]
            now, points = registry.clock.now(), method.points(call)
            call.allowance.limit_states.append(await spend(registry.counters, effective, now=now, points=points))
        return await run(call)

    return replace(method, run=counted)


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


def identifier_key(call: XrpcCall) -> str:
    """Return the identifier of a call in the form that the counters use."""
    return key_of_identifier(str(call.body["identifier"]))
