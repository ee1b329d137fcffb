"""Whose database a request works on: its site's, chosen when the request came in (``hosts``)."""

from starlette.requests import HTTPConnection

from groundwork.database.transaction import Database
from groundwork.errors import Unavailable
from groundwork.http.addresses import is_public, network_of
from groundwork.http.application import client_address
from groundwork.workers.pool import ChargedPool, WorkerPool
from groundwork.workers.quota import QuotaHolder, person
from openmeet.tenants.configured import Tenant
from openmeet.web.site.services import services

# People behind one address: a household, a school, a company.
_PEOPLE_OF_ADDRESS = 4

_JOINED = "openmeet.joined_database"


def tenant_of(connection: HTTPConnection) -> Tenant:
    """The tenant whose site is being asked."""
    return services(connection).tenant


def database_of(connection: HTTPConnection) -> Database:
    """The database of that tenant; while the request is carried out in one transaction, that."""
    joined: Database | None = connection.scope.get(_JOINED)
    return joined or tenant_of(connection).database


def join(connection: HTTPConnection, database: Database | None) -> None:
    """From now on this request's database is this one; None: its tenant's again."""
    connection.scope[_JOINED] = database


def workers_of(connection: HTTPConnection, user_id: str) -> ChargedPool:
    """The processes that read what this person sent, at their expense and that of the public address they come from.

    Raises Unavailable on a site that was started without.
    """
    return _pool_of(connection).charged_to(person(user_id), *_address_of(connection))


def workers_of_anybody(connection: HTTPConnection) -> ChargedPool:
    """The same for somebody who need not have said who they are."""
    return _pool_of(connection).charged_to(*_address_of(connection))


def _pool_of(connection: HTTPConnection) -> WorkerPool:
    pool = services(connection).workers
    if pool is None:
        raise Unavailable("This site reads no files at the moment.")
    return pool


def _address_of(connection: HTTPConnection) -> tuple[QuotaHolder, ...]:
    address = client_address(connection)
    # A proxy that nobody configured would make one payer of everybody.
    return (QuotaHolder(f"address:{network_of(address)}", _PEOPLE_OF_ADDRESS),) if is_public(address) else ()
