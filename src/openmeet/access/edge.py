"""Who asks the JSON API, whether they may, and how often: decided once per request, before its room is asked.

A session may do everything that its person may. A token may do what its scopes name (``site.scopes``); a missing scope is told
with its name (RFC 6750, section 3.1). Requests are counted per address and per token, sessions included, before the database is
asked: guessing tokens is as limited as everything else.
"""

from typing import Final

from starlette.requests import Request

from groundwork.clock import Instant
from groundwork.database.transaction import Database
from groundwork.errors import Forbidden, NotSignedIn
from groundwork.http.application import add_header, client_address
from groundwork.rate_limit.contract import Limit, headers_of, spend
from openmeet.access import queries, rules, services
from openmeet.access.model import NOTED_EVERY, PREFIX, ApiToken
from openmeet.access.services import PREFIX as SERVICE_PREFIX
from openmeet.access.services import Service
from openmeet.sign_in.edge import bearer_of, identify_by_token
from openmeet.site.operations import Operation
from openmeet.site.scopes import FOR_OPERATORS, FOR_SERVICES, scope_of
from openmeet.tenants.edge import database_of
from openmeet.users.edge import set_caller

WINDOW_SECONDS: Final = 60
# Several programs and people behind one address are no attack.
ADDRESS_FACTOR: Final = 4


async def admit(request: Request, operation: Operation) -> None:
    """Count the request, note its caller, check its token. Raises TooMany, NotSignedIn and Forbidden."""
    token = bearer_of(request)
    await _count(request, token)
    is_for_services = operation.name in FOR_SERVICES
    if is_for_services and (operation.name not in FOR_OPERATORS or token.startswith(SERVICE_PREFIX)):
        set_caller(request, None)
        request.state.service = await _service(request, operation, token)
        return
    if token.startswith(SERVICE_PREFIX):
        raise Forbidden("A service may not do this.", name="InsufficientScope")
    if not token.startswith(PREFIX):
        await identify_by_token(request)
        return
    set_caller(request, None)
    db = database_of(request)
    async with db.reader() as reader:
        found = await queries.holder(reader, rules.hash_token(token))
        now = reader.now
    if found is None:
        raise NotSignedIn("This token is unknown, has expired or was revoked.", name="InvalidToken")
    caller, kept = found
    _check_scope(operation, kept)
    await _note_use(db, kept, now)
    set_caller(request, caller)


def _check_scope(operation: Operation, token: ApiToken) -> None:
    needed = scope_of(operation)
    if needed is None:
        raise Forbidden("No token may do this; open a session instead.", name="SessionNeeded")
    if needed not in token.scopes:
        raise Forbidden(
            f"This token may not do that: it lacks the scope {needed}.",
            name="InsufficientScope",
            headers={"www-authenticate": f'Bearer error="insufficient_scope", scope="{needed}"'},
        )


async def _service(request: Request, operation: Operation, token: str) -> Service:
    if not token.startswith(SERVICE_PREFIX):
        raise (Forbidden if token else NotSignedIn)("This is for services, with a credential that the operator made.")
    db = database_of(request)
    async with db.reader() as reader:
        found = await services.find(reader, token)
        now = reader.now
    if found is None:
        raise NotSignedIn("This credential is unknown or was revoked.", name="InvalidToken")
    needed = FOR_SERVICES[operation.name]
    if needed not in found.scopes:
        raise Forbidden(
            f"This credential may not do that: it lacks the scope {needed}.",
            name="InsufficientScope",
            headers={"www-authenticate": f'Bearer error="insufficient_scope", scope="{needed}"'},
        )
    if not services.was_used_lately(found, now):
        async with db.transaction() as tx:
            await services.note_use(tx, found)
    return found


def service_of(request: Request) -> Service:
    """The service whose credential came with a request to one of its operations."""
    found: Service = request.state.service
    return found


def is_by_service(request: Request) -> bool:
    """Whether a request that operators may make, too, came with a service's credential, which was looked at."""
    return hasattr(request.state, "service")


async def _count(request: Request, token: str) -> None:
    state = request.app.state
    points = state.settings.api_requests_per_minute
    # In development everybody comes from the same machine, many at a time.
    if state.settings.dev_mode or not points:
        return
    charges = [(Limit("api_address", points * ADDRESS_FACTOR, WINDOW_SECONDS), client_address(request))]
    if token:
        charges.append((Limit("api_token", points, WINDOW_SECONDS), rules.hash_token(token).hex()))
    standing = await spend(state.counters, charges, now=state.clock.now())
    for name, value in headers_of(standing).items():
        add_header(request, name, value)


async def _note_use(db: Database, token: ApiToken, now: Instant) -> None:
    not_since = Instant(now - NOTED_EVERY)
    if token.last_used_at is not None and token.last_used_at > not_since:
        return
    async with db.transaction() as tx:
        await queries.note_use(tx, token.id, not_since)
