"""The one place that looks at a request to find its community: several sites behind one socket, each an application of its own.

The ``Host`` decides; a name that is nobody's is the default site's. ``x-tenant-id`` is anybody's to write, so it counts
in two cases only: where the operator says that proxies in front write it, and with a bearer token for the JSON API and no
cookie, where the named community's own look at the token then decides. Otherwise it is passed over.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from groundwork.errors import Failure, NotFound, NotSignedIn
from groundwork.http.faults import fault_of, render_problem
from openmeet.tenants.configured import DEFAULT_TENANT

HEADER = "x-tenant-id"
_API = "/api/"


class Hosts:
    """The sites of an installation as one ASGI application.

    ``sites``: by the tenant's name, the default one among them. ``names``: the tenant's name by host name, lower-cased.
    """

    def __init__(
        self, sites: Mapping[str, ASGIApp], names: Mapping[str, str], *, proxies_name_tenant: bool = False
    ) -> None:
        self._sites = sites
        self._names = names
        self._proxies_name_tenant = proxies_name_tenant

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            site = self._site_of(scope)
        except Failure as failure:
            response = render_problem(HTTPConnection(scope), fault_of(failure, "", {}))
            await response(scope, receive, send)
            return
        await site(scope, receive, send)

    def _site_of(self, scope: Scope) -> ASGIApp:
        """Raises NotFound for what a proxy calls a community, NotSignedIn for what somebody with a token does, and is none."""
        headers = Headers(scope=scope)
        named = headers.get(HEADER, "")
        if named and self._proxies_name_tenant:
            if named not in self._sites:
                raise NotFound("There is no such community here.")
            return self._sites[named]
        if named and _is_by_program(scope, headers):
            if named not in self._sites:
                # As where the token is unknown: who has none of that community learns no more.
                raise NotSignedIn("This token is unknown or has expired. Open a new session.", name="InvalidToken")
            return self._sites[named]
        return self._sites[self._names.get(host_name(headers.get("host", "")), DEFAULT_TENANT)]


def host_name(host: str) -> str:
    """The name in a ``Host`` header, whatever its port and spelling; empty where there is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_by_program(scope: Scope, headers: Headers) -> bool:
    """Whether a token comes along that the API of whichever community looks at, and nothing that a browser sends by itself."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    has_token = kind.lower() == "bearer" and bool(token.strip())
    return scope["type"] == "http" and scope["path"].startswith(_API) and has_token and "cookie" not in headers
