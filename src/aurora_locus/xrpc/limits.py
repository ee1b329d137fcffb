"""How often the methods about accounts may be called, and the ``RateLimit-*`` headers.

Counted before anything costly is done, per address, account or identifier. The dispatcher tells the tightest standing
with every answer, refusals included. The limits are those of ``accounts.limits``.
"""

from collections.abc import Callable, Sequence

from aurora_locus.accounts.limits import WRONG_PASSWORDS, effective, key_of_identifier, network_of
from aurora_locus.accounts.registry import Registry
from aurora_locus.accounts.second_factors.checking import FACTOR_WANTED
from aurora_locus.xrpc.method import Call, Outcome, Run
from groundwork.clock import SECOND
from groundwork.errors import NotSignedIn
from groundwork.rate_limit.contract import Limit, RateLimited, Standing, spend

Charges = Callable[[Call], Sequence[tuple[Limit, str]]]
Points = Callable[[Call], int]


def limited(registry: Registry, charges: Charges, run: Run, points: Points | None = None) -> Run:
    """The same method, counted; ``points`` says what a call costs, if not one. Raises RateLimited."""

    async def counted(call: Call) -> Outcome:
        if call.allowance.is_counted:
            wanted = [(effective(registry, limit), key) for limit, key in charges(call)]
            cost = 1 if points is None else points(call)
            now = registry.clock.now()
            call.allowance.standings.append(await spend(registry.counters, wanted, now=now, points=cost))
        return await run(call)

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
        if not call.allowance.is_counted:
            return await run(call)
        limit, key = effective(registry, WRONG_PASSWORDS), identifier_key(call, field)
        standing = await registry.counters.add(limit, key, 0, registry.clock.now())
        if standing.remaining == 0:
            raise _refused(registry, standing)
        try:
            return await run(call)
        except NotSignedIn as refused:
            # Asked for the code that goes with it: the password was right, and codes have a count of their own.
            if refused.name != FACTOR_WANTED:
                await registry.counters.add(limit, key, 1, registry.clock.now())
            raise

    return counted


def identifier_key(call: Call, field: str = "identifier") -> str:
    """The identifier of a call as counters know it."""
    return key_of_identifier(str(call.body[field]))


def _refused(registry: Registry, standing: Standing) -> RateLimited:
    return RateLimited(standing, (standing.resets_at - registry.clock.now()) / SECOND)
