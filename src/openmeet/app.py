"""ASGI application of one community: pages that identify their user by a cookie, and a JSON API that identifies its
caller by a token.
"""

import contextlib
import functools
import re
from collections.abc import Awaitable, Callable, Iterator
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Scope

from groundwork.errors import NotFound
from groundwork.http.application import ANYWHERE, JSON_BODY_BYTES, Application, allowed_methods, omit_header
from groundwork.http.cors import XRPC_EXPOSED, Cors
from groundwork.http.faults import by_path, render_problem, render_xrpc
from groundwork.http.forms import require_same_origin
from groundwork.http.operations import operations_routes
from groundwork.http.security_headers import page_headers
from groundwork.telemetry.metrics import Metrics
from openmeet.domain.icalendar.components import MAX_BYTES
from openmeet.domain.media.pictures import MAX_UPLOAD_BYTES
from openmeet.i18n.reasons.messages import explain
from openmeet.routes import CACHED_FOR_VISITORS, embeds, open_pages, operations, pages, pictures
from openmeet.tenants.health import ProgramHealth, ready
from openmeet.web.api import openapi
from openmeet.web.api.authentication import admit
from openmeet.web.api.etags import answer_unless_known
from openmeet.web.api.idempotency import once
from openmeet.web.api.operations import ApiOperation, check_parameters
from openmeet.web.atproto.ingest_api import HANDED_IN_BYTES, HANDED_IN_PATHS
from openmeet.web.chat import pictures as chat_pictures
from openmeet.web.help import pages as help_pages
from openmeet.web.photos.pages import FORM_BYTES as PHOTO_FORM_BYTES
from openmeet.web.sign_in import atproto_pages
from openmeet.web.site import caller, static_files
from openmeet.web.site.caller import caller_or_none
from openmeet.web.site.errors import render_page
from openmeet.web.site.rate_limits import spend_on_page, spend_on_picture
from openmeet.web.site.reasons import SiteReason
from openmeet.web.site.services import Services, services
from openmeet.web.site.session import identify_by_cookie, respond_for_merged
from openmeet.web.xrpc import dispatch as xrpc
from openmeet.web.xrpc import service as xrpc_service

Endpoint = Callable[[Request], Awaitable[Response]]

API_PREFIX = "/api/"

# Upload limits: the calendar file alone, and the form or JSON around it.
FILE_PATHS = frozenset({"/api/me/calendars", "/api/imports", "/import"})
FILE_BYTES = MAX_BYTES + 1_000_000

_UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})

# The API ignores cookies, so pages of other sites may call it, either anonymously or with a token that their user gave
# them.
API_CORS = Cors((API_PREFIX,), exposed=("Location", *XRPC_EXPOSED))


def create_app(site: Services, metrics: Metrics, *, health: ProgramHealth | None = None) -> Application:
    """Return the application that serves the whole site of one community.

    ``health``: the health checks of all communities that this program serves. Without it, the check is only whether
    this community's database answers.
    """
    settings, tenant = site.settings, site.tenant
    spoken = caller.language_by_request(settings.language)

    @contextlib.contextmanager
    def around(scope: Scope) -> Iterator[None]:
        with spoken(scope), caller.reduced_data_by_request(scope):
            yield

    openapi_document = functools.partial(openapi.document, settings.site_name, settings.public_url, operations())
    program_health = health or ProgramHealth({"database": ready(tenant)}, None, ())
    routes: list[BaseRoute] = [
        *operations_routes(
            metrics,
            program_health.checks,
            probes=program_health.probes,
            serving=program_health.serving,
            metrics_token=settings.metrics_token.reveal(),
        ),
        *static_files.routes(),
        *xrpc.routes(settings.lexicon_authority),
        Route(f"{API_PREFIX}openapi.json", openapi.serve(openapi_document)),
        _page_route(Route("/api", help_pages.serve_api_page(openapi_document), methods=["GET"])),
        *_routes_of_every_site(),
    ]
    app = Application(
        routes,
        metrics,
        render=by_path(
            {
                API_PREFIX: render_problem,
                "/health/": render_problem,
                "/metrics": render_problem,
                xrpc.PREFIX: render_xrpc,
                xrpc_service.DOCUMENT_PATH: render_problem,
            },
            render_page,
        ),
        headers=page_headers(is_https=settings.is_https),
        cors=[xrpc.CORS, API_CORS],
        body_limit=_body_limit,
        trusted_proxy_hops=settings.trusted_proxy_hops,
        compresses=True,
        explain=explain,
        around=around,
    )
    app.state.services = site
    return app


@functools.cache
def _routes_of_every_site() -> tuple[Route, ...]:
    """Routes that depend on nothing but the request. Compiling their 600 paths takes 30 ms, so all sites share them."""
    return (
        *(_rate_limited(route, spend_on_picture) for route in pictures()),
        *atproto_pages.document_routes(),
        *xrpc_service.routes(),
        *(_api(operation) for operation in operations()),
        *(_rate_limited(route, spend_on_page) for route in open_pages()),
        *(_embed(route) for route in embeds()),
        *(_page_route(route) for route in pages()),
        _rate_limited(Route(ANYWHERE, absent, methods=["GET", *_UNSAFE]), spend_on_page),
    )


_WITH_PICTURES = (
    *("/events/", "/api/events/", "/groups/", "/api/groups/", "/series/", "/api/series/", "/settings/", "/api/me/"),
)

_PHOTO_FORM = re.compile(r"/events/[^/]+/photos")
# Pages with a chat form accept pictures.
_CONVERSATION = re.compile(
    r"/(?:(?:events|series)/[^/]+/chat(?:/date)?|groups/[^/]+/chat/[^/]+|chat/(?:hosts|direct)/[^/]+/[^/]+)"
)


def _body_limit(scope: Scope) -> int:
    """The maximum body size of a route: calendars, pictures and batches of records are larger than typed input."""
    path = scope["path"]
    if path in HANDED_IN_PATHS:
        return HANDED_IN_BYTES
    takes_picture = path.endswith("/picture") and path.startswith(_WITH_PICTURES)
    if takes_picture or path == "/events/new":
        # Base64 adds a third, and the form or JSON around the file a little more.
        return MAX_UPLOAD_BYTES * 4 // 3 + 100_000
    if path.startswith("/api/chat/") and path.endswith("/pictures"):
        return MAX_UPLOAD_BYTES * 4 // 3 + 100_000
    if path.startswith("/api/events/") and path.endswith("/photos"):
        return MAX_UPLOAD_BYTES * 4 // 3 + 100_000
    if _PHOTO_FORM.fullmatch(path):
        return PHOTO_FORM_BYTES
    if _CONVERSATION.fullmatch(path):
        return chat_pictures.FORM_BYTES
    return FILE_BYTES if path in FILE_PATHS else JSON_BODY_BYTES


async def absent(request: Request) -> Response:
    """Answer an unknown path or method. Unlike the router's own 404, this page shows the signed-in user."""
    if not request.url.path.startswith(API_PREFIX):
        await identify_by_cookie(request)
    if allowed_methods(request.app.routes, request.scope):
        raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED)
    raise NotFound(SiteReason.NOTHING_HERE)


def _rate_limited(route: Route, spend_on: Callable[[Request], Awaitable[None]]) -> Route:
    endpoint: Endpoint = route.endpoint

    async def answer(request: Request) -> Response:
        await spend_on(request)
        return await endpoint(request)

    return Route(route.path, answer, methods=list(route.methods or ()))


def _page_route(route: Route) -> Route:
    endpoint: Endpoint = route.endpoint
    is_cached = route.path in CACHED_FOR_VISITORS

    async def answer(request: Request) -> Response:
        await spend_on_page(request)
        await identify_by_cookie(request)
        if request.method in _UNSAFE:
            require_same_origin(request, services(request).settings.public_url)
        if is_cached and caller_or_none(request) is None:
            site = services(request)
            return await site.page_cache.answer(request, site.tenant.database, site.clock, endpoint)
        return await respond_for_merged(request, endpoint(request))

    return Route(route.path, answer, methods=list(route.methods or ()))


def _embed(route: Route) -> Route:
    """A page that other sites may show in a frame. It ignores the session, so it is the same for everybody and can be
    cached.
    """
    endpoint: Endpoint = route.endpoint

    async def answer(request: Request) -> Response:
        await spend_on_page(request)
        # The content security policy lists the sites that may frame the page. This header cannot list other sites.
        omit_header(request, "x-frame-options")
        site = services(request)
        return await site.page_cache.answer(request, site.tenant.database, site.clock, endpoint)

    return Route(route.path, answer, methods=list(route.methods or ()))


def _api(operation: ApiOperation) -> Route:
    async def answer(request: Request) -> Response:
        await admit(request, operation)
        check_parameters(operation, request.query_params)
        if operation.method == "GET":
            response = await operation.answer(request)
            return response if operation.is_streamed else answer_unless_known(request, response)
        answering = once(request, operation.answer) if operation.takes_key else operation.answer(request)
        response = await respond_for_merged(request, answering)
        return await operation.afterwards(request, response) if operation.afterwards else response

    return Route(operation.path, answer, methods=[operation.method])
