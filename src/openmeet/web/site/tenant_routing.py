"""Tenant of a request: its selection when the request arrives, and then its database and worker processes. Several sites
share one socket, and each is a separate application. Only this module selects a tenant.

The tenant follows from ``Host``. For an unknown name, it is the default site. Anyone can send ``x-tenant-id``, so this
header is used in only two cases: if the operator has configured that the proxies in front set it, or if the request has
a bearer token for the JSON API and no cookie, because that tenant then checks the token. Otherwise it is ignored.
"""

from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from groundwork.database.transaction import Database
from groundwork.errors import Failure, NotFound, NotSignedIn, Unavailable
from groundwork.http.addresses import is_public
from groundwork.http.application import client_address, client_network
from groundwork.http.faults import fault_of, render_problem
from groundwork.workers.pool import ChargedPool, WorkerPool
from groundwork.workers.quota import QuotaHolder, person
from openmeet.tenants.configured import Tenant
from openmeet.tenants.names import DEFAULT_TENANT
from openmeet.web.site.chat_stream_feed import ChatStreamFeed
from openmeet.web.site.page_streams import PageStreams
from openmeet.web.site.reasons import SiteReason
from openmeet.web.site.services import services

TENANT_HEADER = "x-tenant-id"
_API = "/api/"

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


def set_database(connection: HTTPConnection, database: Database | None) -> None:
    """Make ``database_of`` return this database for the rest of the request. None restores the tenant's."""
    connection.scope[_JOINED] = database


def workers_of(connection: HTTPConnection, user_id: str) -> ChargedPool:
    """Worker processes for data that this user sent, with quotas for the user and for their public address.

    Raises Unavailable if the site was started without workers.
    """
    return _pool_of(connection).charged_to(person(user_id), *_quota_of_address(connection))


def workers_of_anybody(connection: HTTPConnection) -> ChargedPool:
    """``workers_of`` for clients that may be anonymous."""
    return _pool_of(connection).charged_to(*_quota_of_address(connection))


def _pool_of(connection: HTTPConnection) -> WorkerPool:
    pool = services(connection).workers
    if pool is None:
        raise Unavailable(SiteReason.READS_NO_FILES)
    return pool


def _quota_of_address(connection: HTTPConnection) -> tuple[QuotaHolder, ...]:
    address = client_address(connection)
    # Behind a proxy that is not configured, everyone would share one quota.
    return (QuotaHolder(f"address:{client_network(connection)}", _PEOPLE_OF_ADDRESS),) if is_public(address) else ()


class SitesByHost:
    """The sites of an installation as one ASGI application.

    ``sites`` maps tenant names, including that of the default site, to applications. ``names`` maps lower-case host
    names to tenant names. ``streams`` are the live streams of these sites.
    """

    def __init__(
        self,
        sites: Mapping[str, ASGIApp],
        names: Mapping[str, str],
        *,
        proxies_name_tenant: bool = False,
        streams: Collection[ChatStreamFeed | PageStreams] = (),
    ) -> None:
        self._streams = streams
        self._sites = sites
        self._names = names
        self._proxies_name_tenant = proxies_name_tenant

    def end_streams(self) -> None:
        """End the live streams of all sites. Without this, a server that waits for open streams would never stop."""
        for one in self._streams:
            one.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            site = self._site_of(scope)
        except Failure as failure:
            response = render_problem(HTTPConnection(scope), fault_of(failure, "", {}))
            await response(scope, receive, send)
            return
        await site(scope, receive, send)

    def _site_of(self, scope: Scope) -> ASGIApp:
        """The site for a request. For an unknown tenant, raises NotFound if a proxy named it, and NotSignedIn if a
        client with a token did.
        """
        headers = Headers(scope=scope)
        named_tenant = headers.get(TENANT_HEADER, "")
        if named_tenant and self._proxies_name_tenant:
            if named_tenant not in self._sites:
                raise NotFound(SiteReason.NO_SUCH_COMMUNITY)
            return self._sites[named_tenant]
        if named_tenant and _is_by_program(scope, headers):
            if named_tenant not in self._sites:
                # The same error as for an unknown token, so that nobody can probe for tenants.
                raise NotSignedIn(SiteReason.INVALID_TOKEN, name="InvalidToken")
            return self._sites[named_tenant]
        return self._sites[self._names.get(host_name(headers.get("host", "")), DEFAULT_TENANT)]


def host_name(host: str) -> str:
    """The name in a ``Host`` header, in lower case and without the port. Empty if there is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_by_program(scope: Scope, headers: Headers) -> bool:
    """Whether the request has a bearer token, which the tenant's API will check, and no credential that browsers send
    automatically.
    """
    kind, _, token = headers.get("authorization", "").partition(" ")
    has_token = kind.lower() == "bearer" and bool(token.strip())
    return scope["type"] == "http" and scope["path"].startswith(_API) and has_token and "cookie" not in headers
