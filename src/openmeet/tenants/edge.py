"""The one place that looks at a request to find its tenant."""

from starlette.requests import HTTPConnection

from groundwork.database.transaction import Database
from openmeet.tenants.model import Tenant, Tenants


def tenant_of(connection: HTTPConnection) -> Tenant:
    """The tenant whose site is being asked."""
    tenants: Tenants = connection.app.state.tenants
    return tenants.for_host(connection.headers.get("host", ""))


def database_of(connection: HTTPConnection) -> Database:
    """The database of that tenant."""
    return tenant_of(connection).database
