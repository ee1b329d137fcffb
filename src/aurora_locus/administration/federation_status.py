"""``/admin/federation``: subscribers, relays and their lag as JSON. Requires the administrator password."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aurora_locus.accounts.credentials import BASIC, AdministratorCaller, CredentialReader
from aurora_locus.federation.status import FederationSources, subscribers_and_relays
from groundwork.errors import NotSignedIn
from groundwork.http.json_bodies import json_response

PATH = "/admin/federation"


def routes(credentials: CredentialReader, sources: FederationSources) -> list[Route]:
    """The route of ``/admin/federation``."""

    async def show(request: Request) -> Response:
        if not isinstance(await credentials.read(dict(request.headers.raw), request), AdministratorCaller):
            raise NotSignedIn("This is for the administration.", name="AuthenticationRequired", headers=BASIC)
        return json_response(await subscribers_and_relays(sources))

    return [Route(PATH, show)]
