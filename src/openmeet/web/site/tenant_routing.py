"""The tenant's database for a request. The tenant was selected when the request arrived (``hosts``)."""

from starlette.requests import HTTPConnection

from groundwork.database.transaction import Database
from groundwork.errors import Unavailable
from groundwork.http.addresses import is_public
from groundwork.http.application import client_address, client_network
from groundwork.workers.pool import ChargedPool, WorkerPool
from groundwork.workers.quota import QuotaHolder, person
from openmeet.tenants.configured import Tenant
from openmeet.web.site.reasons import SiteReason
from openmeet.web.site.services import services

# For all clients behind one address: a household, a school, a company.
_PEOPLE_OF_ADDRESS = 4

_JOINED = "openmeet.joined_database"


def tenant_of(connection: HTTPConnection) -> Tenant:
    """The tenant of the requested site."""
    return services(connection).tenant


def database_of(connection: HTTPConnection) -> Database:
    """The tenant's database or, inside an idempotent request, its one open transaction."""
    joined: Database | None = connection.scope.get(_JOINED)
    return joined or tenant_of(connection).database


def join(connection: HTTPConnection, database: Database | None) -> None:
    """Make this the request's database. None restores the tenant's."""
    connection.scope[_JOINED] = database


def workers_of(connection: HTTPConnection, user_id: str) -> ChargedPool:
    """Worker processes for data that this user sent, with quotas for the user and for their public address.

    Raises Unavailable if the site was started without workers.
    """
    return _pool_of(connection).charged_to(person(user_id), *_address_of(connection))


def workers_of_anybody(connection: HTTPConnection) -> ChargedPool:
    """``workers_of`` for clients that may be anonymous."""
    return _pool_of(connection).charged_to(*_address_of(connection))


def _pool_of(connection: HTTPConnection) -> WorkerPool:
    pool = services(connection).workers
    if pool is None:
        raise Unavailable(SiteReason.READS_NO_FILES)
    return pool


def _address_of(connection: HTTPConnection) -> tuple[QuotaHolder, ...]:
    address = client_address(connection)
    # Behind a proxy that is not configured, everyone would share one quota.
    return (QuotaHolder(f"address:{client_network(connection)}", _PEOPLE_OF_ADDRESS),) if is_public(address) else ()
