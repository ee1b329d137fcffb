"""``/admin/federation``: subscribers, relays and their lag as JSON. Requires the administrator password."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aurora_locus.accounts.credentials import BASIC, AdministratorCaller, CredentialReader
from groundwork.errors import NotSignedIn
from groundwork.http.json_bodies import json_response

PATH = "/admin/federation"


def routes(credentials: CredentialReader, federation_status: Callable[[], Awaitable[dict[str, Any]]]) -> list[Route]:
    """The route of ``/admin/federation``."""

    async def show(request: Request) -> Response:
        if not isinstance(await credentials.read(dict(request.headers.raw), request), AdministratorCaller):
            raise NotSignedIn("This is for the administration.", name="AuthenticationRequired", headers=BASIC)
        return json_response(await federation_status())

    return [Route(PATH, show)]
