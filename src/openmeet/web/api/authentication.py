"""Authentication, authorization and rate limits of the JSON API. They are checked once per request, before the
operation runs.

A session may do everything that its user may. A token may do what its scopes allow (``api_tokens.scopes``); an error
names the missing scope (RFC 6750, section 3.1). Requests are counted per address and per token or session before the
database is read, so guessing tokens is rate-limited like everything else.
"""

from typing import Final

from starlette.requests import Request

from groundwork.clock import Instant
from groundwork.database.transaction import Database
from groundwork.errors import Forbidden, NotSignedIn
from groundwork.http.application import add_header, client_network
from groundwork.rate_limit.contract import Limit, headers_of, spend
from groundwork.token_hash import hash_token
from openmeet.domain.api_tokens import service_tokens, tokens
from openmeet.domain.api_tokens.scopes import FOR_OPERATORS, FOR_SERVICES
from openmeet.domain.api_tokens.service_tokens import PREFIX as SERVICE_PREFIX
from openmeet.domain.api_tokens.service_tokens import ServiceTokenInfo
from openmeet.domain.api_tokens.tokens import NOTED_EVERY, PREFIX, ApiToken
from openmeet.domain.users.model import Caller
from openmeet.web.api.operations import ApiOperation
from openmeet.web.api.problem import ApiReason
from openmeet.web.site.caller import set_caller
from openmeet.web.site.services import services
from openmeet.web.site.session import bearer_of, identify_by_token, unknown_credential
from openmeet.web.site.tenant_routing import database_of

WINDOW_SECONDS: Final = 60
# Several programs and people may share one address.
ADDRESS_FACTOR: Final = 4

_SERVICE: Final = "openmeet.service"


async def admit(request: Request, operation: ApiOperation) -> None:
    """Count the request, identify its caller and check the scope of the token. Raises TooMany, NotSignedIn and
    Forbidden.
    """
    token = bearer_of(request)
    await _spend_on_request(request, token)
    is_for_services = operation.name in FOR_SERVICES
    if is_for_services and (operation.name not in FOR_OPERATORS or token.startswith(SERVICE_PREFIX)):
        set_caller(request, None)
        request.scope[_SERVICE] = await _service(request, operation, token)
        return
    if token.startswith(SERVICE_PREFIX):
        await _known_service(request, token)
        raise Forbidden(ApiReason.NOT_FOR_SERVICES, name="InsufficientScope")
    if not token.startswith(PREFIX):
        await identify_by_token(request)
        return
    set_caller(request, None)
    caller, api_token, now = await _holder(request, token)
    _check_scope(operation, api_token)
    await _note_use(database_of(request), api_token, now)
    set_caller(request, caller)


async def _holder(request: Request, token: str) -> tuple[Caller, ApiToken, Instant]:
    """The holder of a valid token. Raises NotSignedIn."""
    async with database_of(request).reader() as reader:
        holder = await tokens.holder(reader, hash_token(token))
        now = reader.now
    if holder is None:
        raise unknown_credential(ApiReason.UNKNOWN_TOKEN)
    return *holder, now


def _check_scope(operation: ApiOperation, token: ApiToken) -> None:
    needed = operation.scope
    if needed is None:
        raise Forbidden(ApiReason.SESSION_NEEDED, name="SessionNeeded")
    if needed not in token.scopes:
        raise Forbidden(
            ApiReason.INSUFFICIENT_SCOPE,
            needed=needed,
            name="InsufficientScope",
            headers={"www-authenticate": f'Bearer error="insufficient_scope", scope="{needed}"'},
        )


async def _service(request: Request, operation: ApiOperation, token: str) -> ServiceTokenInfo:
    if not token:
        raise NotSignedIn(ApiReason.SERVICES_ONLY)
    if not token.startswith(SERVICE_PREFIX):
        # A known service gets 403, every other credential 401.
        await (_holder(request, token) if token.startswith(PREFIX) else identify_by_token(request))
        set_caller(request, None)
        raise Forbidden(ApiReason.SERVICES_ONLY)
    service, now = await _known_service(request, token)
    needed = FOR_SERVICES[operation.name]
    if needed not in service.scopes:
        raise Forbidden(
            ApiReason.CREDENTIAL_LACKS_SCOPE,
            needed=needed,
            name="InsufficientScope",
            headers={"www-authenticate": f'Bearer error="insufficient_scope", scope="{needed}"'},
        )
    if not service_tokens.was_used_lately(service, now):
        async with database_of(request).transaction() as tx:
            await service_tokens.note_use(tx, service)
    return service


async def _known_service(request: Request, token: str) -> tuple[ServiceTokenInfo, Instant]:
    """The service that a valid credential belongs to. Raises NotSignedIn."""
    async with database_of(request).reader() as reader:
        service_token_info = await service_tokens.find(reader, token)
        now = reader.now
    if service_token_info is None:
        raise unknown_credential(ApiReason.UNKNOWN_CREDENTIAL)
    return service_token_info, now


def service_of(request: Request) -> ServiceTokenInfo:
    """The authenticated service of a request to a service operation."""
    token: ServiceTokenInfo = request.scope[_SERVICE]
    return token


def is_by_service(request: Request) -> bool:
    """Whether a request was authenticated as a service. Used by operations that both services and operators may call."""
    return _SERVICE in request.scope


async def _spend_on_request(request: Request, token: str) -> None:
    site = services(request)
    points = site.settings.api_requests_per_minute
    # In development all clients share one address.
    if site.settings.is_unlimited or not points:
        return
    charges = [(Limit("api_address", points * ADDRESS_FACTOR, WINDOW_SECONDS), client_network(request))]
    if token:
        charges.append((Limit("api_token", points, WINDOW_SECONDS), hash_token(token).hex()))
    limit_state = await spend(site.counters, charges, now=site.clock.now())
    for name, value in headers_of(limit_state).items():
        add_header(request, name, value)


async def _note_use(db: Database, token: ApiToken, now: Instant) -> None:
    not_since = Instant(now - NOTED_EVERY)
    if token.last_used_at is not None and token.last_used_at > not_since:
        return
    async with db.transaction() as tx:
        await tokens.note_use(tx, token.id, not_since)
