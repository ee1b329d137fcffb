"""ASGI application of one community: pages that identify their user by a cookie, a JSON API that identifies its caller
by a token.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Scope

from groundwork.errors import InvalidInput, NotFound
from groundwork.http.application import ANYWHERE, JSON_BODY_BYTES, Application, allowed_methods
from groundwork.http.cors import XRPC_EXPOSED, Cors
from groundwork.http.faults import by_path, render_problem, render_xrpc
from groundwork.http.operations import operations_routes
from groundwork.http.security_headers import page_headers
from groundwork.telemetry.metrics import Metrics
from openmeet.domain.icalendar.components import MAX_BYTES
from openmeet.domain.media.pictures import MAX_UPLOAD_BYTES
from openmeet.tenants.configured import ProgramHealth, ready
from openmeet.web.account import consent_api, consent_pages, custodial_pages, identity_pages, taking_over_pages
from openmeet.web.account import export_pages as takeout_pages
from openmeet.web.account import merge_pages as claiming_pages
from openmeet.web.account import profile_api as users_api
from openmeet.web.account import profile_pages as users_pages
from openmeet.web.account import publishing_api as identities_api
from openmeet.web.account import tokens_api as access_api
from openmeet.web.account import tokens_pages as access_pages
from openmeet.web.admin import api as administration_api
from openmeet.web.admin import flags_api, flags_pages
from openmeet.web.admin import pages as administration_pages
from openmeet.web.api import openapi
from openmeet.web.api.authentication import admit
from openmeet.web.api.etags import answer_unless_known
from openmeet.web.api.idempotency import once
from openmeet.web.api.operations import ApiOperation
from openmeet.web.atproto import (
    backfill_progress,
    merges_api,
    merges_pages,
    move_records_api,
    move_records_pages,
    record_pictures,
    record_settings_api,
    record_settings_pages,
)
from openmeet.web.atproto import ingest_api as ingestion_api
from openmeet.web.atproto import own_record_pages as own_records_pages
from openmeet.web.atproto.ingest_api import HANDED_IN_BYTES, HANDED_IN_PATHS
from openmeet.web.attendance import api as attendance_api
from openmeet.web.attendance import (
    attendees_api,
    attendees_pages,
    guests_api,
    guests_pages,
    registration_api,
    registration_pages,
)
from openmeet.web.attendance import pages as attendance_pages
from openmeet.web.calendar import api as calendar_api
from openmeet.web.calendar import pages as calendar_pages
from openmeet.web.check_in import api as check_in_api
from openmeet.web.check_in import pages as check_in_pages
from openmeet.web.email_links import never_pages
from openmeet.web.email_links import pages as letters_pages
from openmeet.web.events import api as browsing_api
from openmeet.web.events import (
    calendar_file,
    co_hosts_api,
    co_hosts_pages,
    draft_pages,
    drafts_api,
    hosting_api,
    hosting_pages,
    new_links,
    new_links_api,
    picture_api,
    picture_pages,
)
from openmeet.web.events import create_api as events_api
from openmeet.web.events import new_pages as events_pages
from openmeet.web.events import pages as browsing_pages
from openmeet.web.groups import (
    activity_api,
    activity_pages,
    api,
    atproto_api,
    group_picture_api,
    invitations_api,
    invitations_pages,
    members_api,
    members_pages,
    ownership_api,
    ownership_pages,
    picture,
    settings_pages,
)
from openmeet.web.groups import atproto_pages as groups_atproto_pages
from openmeet.web.groups import (
    calendar_api as group_calendar_api,
)
from openmeet.web.groups import calendar_pages as groups_calendar_pages
from openmeet.web.groups import (
    pages as group_pages,
)
from openmeet.web.host_messages import api as messages_api
from openmeet.web.host_messages import pages as messages_pages
from openmeet.web.imports import api as arriving_api
from openmeet.web.imports import invitation_api
from openmeet.web.imports import pages as arriving_pages
from openmeet.web.media import pages as media_pages
from openmeet.web.moderation import api as desk_api
from openmeet.web.moderation import pages as desk_pages
from openmeet.web.notifications import list_api
from openmeet.web.notifications import preferences_api as notifications_api
from openmeet.web.notifications import preferences_pages as notifications_pages
from openmeet.web.profiles import api as people_api
from openmeet.web.profiles import pages as people_pages
from openmeet.web.safety import api as safety_api
from openmeet.web.safety import pages as safety_pages
from openmeet.web.search import feeds, sitemap
from openmeet.web.search import saved_api as alerts_api
from openmeet.web.search import saved_pages as alerts_pages
from openmeet.web.series import api as series_api
from openmeet.web.series import dates_pages as series_dates_pages
from openmeet.web.series import detection_api as series_detection_api
from openmeet.web.series import detection_pages as series_detection_pages
from openmeet.web.series import edit_pages as series_edit_pages
from openmeet.web.series import gather_pages as series_gathering_pages
from openmeet.web.series import host_pages as series_pages
from openmeet.web.series import hosting_api as series_hosting_api
from openmeet.web.series import impact_api as series_plans_api
from openmeet.web.series import list_pages
from openmeet.web.series import pages as series_browsing_pages
from openmeet.web.series import people_api as series_people_api
from openmeet.web.series import people_pages as series_people_pages
from openmeet.web.series import picture_api as series_picture_api
from openmeet.web.series import picture_pages as series_picture_pages
from openmeet.web.sign_in import api as sign_in_api
from openmeet.web.sign_in import atproto_api as network_api
from openmeet.web.sign_in import atproto_pages
from openmeet.web.sign_in import pages as sign_in_pages
from openmeet.web.site import dev_mailbox, static_files
from openmeet.web.site.errors import render_page
from openmeet.web.site.forms import must_be_ours
from openmeet.web.site.merged_caller import answered
from openmeet.web.site.page_limits import spend_on_page, spend_on_picture
from openmeet.web.site.services import Services, services
from openmeet.web.site.session import identify_by_cookie
from openmeet.web.webhooks import api as webhooks_api
from openmeet.web.webhooks import pages as webhooks_pages
from openmeet.web.xrpc import dispatch as xrpc
from openmeet.web.xrpc import service as xrpc_service

Endpoint = Callable[[Request], Awaitable[Response]]

API_PREFIX = "/api/"

# Limits of uploads: a calendar file, and the form or JSON around it.
FILE_PATHS = frozenset({"/api/me/calendars", "/api/imports", "/import"})
FILE_BYTES = MAX_BYTES + 1_000_000

_UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})

# The API ignores cookies, so pages of other sites may call it: anonymously, or with a token from their user.
API_CORS = Cors((API_PREFIX,), exposed=("Location", *XRPC_EXPOSED))


def create_app(site: Services, metrics: Metrics, *, health: ProgramHealth | None = None) -> Application:
    """The whole site of one community.

    ``health``: of every community that this program serves; without it only whether this one's database answers.
    """
    settings, tenant = site.settings, site.tenant
    known = health or ProgramHealth({"database": ready(tenant)}, None, ())
    routes: list[BaseRoute] = [
        *operations_routes(
            metrics,
            known.checks,
            probes=known.probes,
            serving=known.serving,
            metrics_token=settings.metrics_token.reveal(),
        ),
        *static_files.routes(),
        *(_counted(route, spend_on_picture) for route in media_pages.routes()),
        *atproto_pages.document_routes(),
        *xrpc_service.routes(),
        *xrpc.routes(settings.lexicon_authority),
        *(_api(operation) for operation in operations()),
        Route(f"{API_PREFIX}openapi.json", openapi.serve(settings.site_name, settings.public_url, operations())),
        *(_counted(route, spend_on_page) for route in open_pages()),
        *(_page(route) for route in pages()),
        _counted(Route(ANYWHERE, absent, methods=["GET", *_UNSAFE]), spend_on_page),
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
    )
    app.state.services = site
    return app


def open_pages() -> list[Route]:
    """Pages, feeds and files that are the same for everybody, or whose address itself grants access."""
    return [
        *letters_pages.routes(),
        *never_pages.routes(),
        *arriving_pages.open_routes(),
        *invitations_pages.open_routes(),
        *calendar_pages.open_routes(),
        *groups_calendar_pages.open_routes(),
        *sitemap.routes(),
    ]


def pages() -> list[Route]:
    """Every page route. ``/events/new`` stands before ``/events/{slug}``; the same holds for groups."""
    return [
        *sign_in_pages.routes(),
        *atproto_pages.routes(),
        *identity_pages.routes(),
        *own_records_pages.routes(),
        *users_pages.routes(),
        *access_pages.routes(),
        *notifications_pages.routes(),
        *events_pages.routes(),
        *draft_pages.routes(),
        *picture_pages.routes(),
        *hosting_pages.routes(),
        *new_links.routes(),
        *attendance_pages.routes(),
        *co_hosts_pages.routes(),
        *messages_pages.routes(),
        *registration_pages.routes(),
        *attendees_pages.routes(),
        *check_in_pages.routes(),
        *guests_pages.routes(),
        *calendar_file.routes(),
        *browsing_pages.routes(),
        *backfill_progress.routes(),
        *alerts_pages.routes(),
        *people_pages.routes(),
        *series_detection_pages.routes(),
        *record_settings_pages.routes(),
        *record_pictures.routes(),
        *list_pages.routes(),
        *series_pages.routes(),
        *series_dates_pages.routes(),
        *series_people_pages.routes(),
        *series_gathering_pages.routes(),
        *series_edit_pages.routes(),
        *series_picture_pages.routes(),
        *series_browsing_pages.routes(),
        *merges_pages.routes(),
        *webhooks_pages.routes(),
        *calendar_pages.routes(),
        *invitations_pages.routes(),
        *settings_pages.routes(),
        *picture.routes(),
        *members_pages.routes(),
        *activity_pages.routes(),
        *groups_atproto_pages.routes(),
        *move_records_pages.routes(),
        *ownership_pages.routes(),
        *feeds.routes(),
        *groups_calendar_pages.routes(),
        *group_pages.routes(),
        *arriving_pages.routes(),
        *takeout_pages.routes(),
        *safety_pages.routes(),
        *desk_pages.routes(),
        *administration_pages.routes(),
        *flags_pages.routes(),
        *claiming_pages.routes(),
        *consent_pages.routes(),
        *taking_over_pages.routes(),
        *custodial_pages.routes(),
        *dev_mailbox.routes(),
    ]


def operations() -> list[ApiOperation]:
    """Every operation of the JSON API, in the order of its documentation."""
    return [
        *sign_in_api.OPERATIONS,
        *network_api.OPERATIONS,
        *access_api.OPERATIONS,
        *users_api.OPERATIONS,
        *identities_api.OPERATIONS,
        *consent_api.OPERATIONS,
        *notifications_api.OPERATIONS,
        *list_api.OPERATIONS,
        *browsing_api.OPERATIONS,
        *events_api.OPERATIONS,
        *hosting_api.OPERATIONS,
        *new_links_api.OPERATIONS,
        *drafts_api.OPERATIONS,
        *picture_api.OPERATIONS,
        *attendance_api.OPERATIONS,
        *co_hosts_api.OPERATIONS,
        *messages_api.OPERATIONS,
        *registration_api.OPERATIONS,
        *attendees_api.OPERATIONS,
        *check_in_api.OPERATIONS,
        *guests_api.OPERATIONS,
        *record_settings_api.OPERATIONS,
        *series_detection_api.OPERATIONS,
        *backfill_progress.OPERATIONS,
        *alerts_api.OPERATIONS,
        *people_api.OPERATIONS,
        *list_pages.OPERATIONS,  # before the routes with a slug in this place
        *series_api.OPERATIONS,
        *series_hosting_api.OPERATIONS,
        *series_plans_api.OPERATIONS,
        *series_picture_api.OPERATIONS,
        *series_people_api.OPERATIONS,
        *api.OPERATIONS,
        *group_calendar_api.OPERATIONS,
        *group_picture_api.OPERATIONS,
        *members_api.OPERATIONS,
        *invitations_api.OPERATIONS,
        *activity_api.OPERATIONS,
        *ownership_api.OPERATIONS,
        *atproto_api.OPERATIONS,
        *move_records_api.OPERATIONS,
        *merges_api.OPERATIONS,
        *webhooks_api.OPERATIONS,
        *calendar_api.OPERATIONS,
        *arriving_api.OPERATIONS,
        *invitation_api.OPERATIONS,
        *ingestion_api.OPERATIONS,
        *administration_api.OPERATIONS,
        *flags_api.OPERATIONS,
        *takeout_pages.OPERATIONS,
        *safety_api.OPERATIONS,
        *desk_api.OPERATIONS,
    ]


_WITH_PICTURES = ("/events/", "/api/events/", "/groups/", "/api/groups/", "/series/", "/api/series/")


def _body_limit(scope: Scope) -> int:
    """Whole calendars, pictures and batches of records are larger than typed input."""
    path = scope["path"]
    if path in HANDED_IN_PATHS:
        return HANDED_IN_BYTES
    takes_picture = path.endswith("/picture") and path.startswith(_WITH_PICTURES)
    if takes_picture or path == "/events/new":
        # Base64 adds a third, the form or JSON around it a little.
        return MAX_UPLOAD_BYTES * 4 // 3 + 100_000
    return FILE_BYTES if path in FILE_PATHS else JSON_BODY_BYTES


async def absent(request: Request) -> Response:
    """Any other address or method: unlike the router's own 404, this page knows its user."""
    if not request.url.path.startswith(API_PREFIX):
        await identify_by_cookie(request)
    if allowed_methods(request.app.routes, request.scope):
        raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED)
    raise NotFound("There is nothing at this address.")


def _counted(route: Route, spend_on: Callable[[Request], Awaitable[None]]) -> Route:
    endpoint: Endpoint = route.endpoint

    async def answer(request: Request) -> Response:
        await spend_on(request)
        return await endpoint(request)

    return Route(route.path, answer, methods=list(route.methods or ()))


def _page(route: Route) -> Route:
    endpoint: Endpoint = route.endpoint

    async def answer(request: Request) -> Response:
        await spend_on_page(request)
        await identify_by_cookie(request)
        if request.method in _UNSAFE:
            must_be_ours(request, services(request).settings.public_url)
        return await answered(request, endpoint(request))

    return Route(route.path, answer, methods=list(route.methods or ()))


def _api(operation: ApiOperation) -> Route:
    known = [parameter.name for parameter in operation.parameters if parameter.where == "query"]

    async def answer(request: Request) -> Response:
        await admit(request, operation)
        # A misspelt filter that is ignored would return more than was asked for.
        for name in request.query_params:
            if name not in known:
                takes = f"; this takes {', '.join(known)}." if known else "; this takes none."
                raise InvalidInput("", f"There is no parameter {name[:50]!r}" + takes)
        if operation.method == "GET":
            return answer_unless_known(request, await operation.answer(request))
        answering = once(request, operation.answer) if operation.takes_key else operation.answer(request)
        found = await answered(request, answering)
        return await operation.afterwards(request, found) if operation.afterwards else found

    return Route(operation.path, answer, methods=[operation.method])
