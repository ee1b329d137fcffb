"""Tenant selection for a request. Several sites share one socket, and each is a separate application. Only this module
selects a tenant.

The tenant follows from ``Host``. For an unknown name, it is the default site. Anyone can send ``x-tenant-id``, so this
header is used in only two cases: if the operator has configured that the proxies in front set it, or if the request has
a bearer token for the JSON API and no cookie, because that tenant then checks the token. Otherwise it is ignored.
"""

from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from groundwork.errors import Failure, NotFound, NotSignedIn
from groundwork.http.faults import fault_of, render_problem
from openmeet.tenants.configured import DEFAULT_TENANT
from openmeet.web.site.live_pages import LivePages
from openmeet.web.site.live_rooms import LiveRooms
from openmeet.web.site.reasons import SiteReason

HEADER = "x-tenant-id"
_API = "/api/"


class Hosts:
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
        streams: Collection[LiveRooms | LivePages] = (),
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
        host_header = headers.get(HEADER, "")
        if host_header and self._proxies_name_tenant:
            if host_header not in self._sites:
                raise NotFound(SiteReason.NO_SUCH_COMMUNITY)
            return self._sites[host_header]
        if host_header and _is_by_program(scope, headers):
            if host_header not in self._sites:
                # The same error as for an unknown token, so that nobody can probe for tenants.
                raise NotSignedIn(SiteReason.INVALID_TOKEN, name="InvalidToken")
            return self._sites[host_header]
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
