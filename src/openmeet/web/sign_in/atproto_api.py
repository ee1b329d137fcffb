"""Start a sign-in at the user's own PDS, for pages and programs: ``/api/auth/login-bsky``.

A browser is redirected to the PDS. A client that asks for JSON gets the URL and opens the user's browser itself. In
both cases the response sets the cookie that identifies the browser when it returns.
"""

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from groundwork.errors import InvalidInput
from groundwork.http.forms import local_path, read_form, require_same_origin
from groundwork.http.json_bodies import json_response, read_json
from openmeet.network.repositories.authorize import AuthorizationOptions, AuthorizationPurpose
from openmeet.network.repositories.sign_in import read_name
from openmeet.web.api.operations import FORM, ApiOperation, Parameter
from openmeet.web.sign_in.atproto import browser_secret, keep_browser_secret, needs_proof
from openmeet.web.sign_in.atproto_pages import begin
from openmeet.web.site.services import services


class Departure(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A handle, a DID, or the URL of a PDS, and the page to open afterwards."""

    handle: str
    next: str = "/"


class AuthorizationUrl(msgspec.Struct, rename="camel"):
    """The URL to open in the browser."""

    url: str


async def ask(request: Request) -> Response:
    query_params = request.query_params
    return await _authorization_response(request, query_params.get("handle", ""), query_params.get("next", "/"))


async def send(request: Request) -> Response:
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared == FORM:
        # A form on another site could send this body, but it cannot send JSON.
        require_same_origin(request, services(request).settings.public_url)
        form = await read_form(request)
        return await _authorization_response(request, form.get("handle", ""), form.get("next", "/"))
    body = await read_json(request, Departure)
    return await _authorization_response(request, body.handle, body.next)


async def _authorization_response(request: Request, account_name: str, next_path: str) -> Response:
    secret = browser_secret(request)
    try:
        url = await begin(
            request,
            AuthorizationOptions(
                AuthorizationPurpose.SIGN_IN,
                read_name(account_name),
                local_path(next_path),
                secret,
                asks_login=needs_proof(local_path(next_path)),
            ),
        )
    except InvalidInput as wrong:
        raise InvalidInput("handle", wrong.why) from None
    is_browser = "text/html" in request.headers.get("accept", "")
    response: Response = RedirectResponse(url, 303) if is_browser else json_response(AuthorizationUrl(url))
    keep_browser_secret(request, response, secret)
    return response


_FAILURES = (400, 404, 422, 429, 502, 504)

OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/auth/login-bsky",
        "beginNetworkSignIn",
        "Start signing in with an AT Protocol account. Browsers are redirected to its server",
        ask,
        {200: AuthorizationUrl, 303: None},
        parameters=(
            Parameter("handle", "A handle, a DID, or the URL of a PDS", is_required=True),
            Parameter("next", "The path on this site to open afterwards"),
        ),
        needs_session=False,
        failures=_FAILURES,
    ),
    ApiOperation(
        "POST",
        "/api/auth/login-bsky",
        "sendToNetworkSignIn",
        "Start signing in with an AT Protocol account, with the handle in the body as JSON or a form",
        send,
        {200: AuthorizationUrl, 303: None},
        Departure,
        takes_forms=True,
        needs_session=False,
        failures=_FAILURES,
    ),
)
