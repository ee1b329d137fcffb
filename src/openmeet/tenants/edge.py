"""Whose database a request works on: its site's, chosen when the request came in (``hosts``)."""

from starlette.requests import HTTPConnection

from groundwork.database.transaction import Database
from openmeet.tenants.model import Tenant

_JOINED = "openmeet.joined_database"


def tenant_of(connection: HTTPConnection) -> Tenant:
    """The tenant whose site is being asked."""
    tenant: Tenant = connection.app.state.tenant
    return tenant


def database_of(connection: HTTPConnection) -> Database:
    """The database of that tenant; while the request is carried out in one transaction, that."""
    joined: Database | None = connection.scope.get(_JOINED)
    return joined or tenant_of(connection).database


def join(connection: HTTPConnection, database: Database | None) -> None:
    """From now on this request's database is this one; None: its tenant's again."""
    connection.scope[_JOINED] = database
