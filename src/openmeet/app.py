"""The server as a list of rooms: pages that know their viewer by a cookie, an API that knows its caller by a token."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Scope

from at_network.service_callers import ServiceCallers
from at_protocol.syntax.did import Did
from groundwork.blobstore.contract import BlobStore
from groundwork.clock import Clock, SystemClock
from groundwork.database.transaction import Transaction
from groundwork.errors import InvalidInput, NotFound
from groundwork.http.application import JSON_BODY_BYTES, Application
from groundwork.http.faults import by_path, render_problem, render_xrpc
from groundwork.http.operations import operations_routes
from groundwork.http.security_headers import page_headers
from groundwork.rate_limit.contract import Counters
from groundwork.rate_limit.in_process import InProcessCounters
from groundwork.signing_key import SigningKey
from groundwork.telemetry.health import Check
from groundwork.telemetry.metrics import Metrics
from openmeet.access import api as access_api
from openmeet.access import pages as access_pages
from openmeet.access.edge import admit
from openmeet.access.repeating import once
from openmeet.administration import api as administration_api
from openmeet.administration import flags_api, flags_pages
from openmeet.administration import pages as administration_pages
from openmeet.alerts import api as alerts_api
from openmeet.alerts import pages as alerts_pages
from openmeet.arriving import answering_api
from openmeet.arriving import api as arriving_api
from openmeet.arriving import pages as arriving_pages
from openmeet.attendance import api as attendance_api
from openmeet.attendance import (
    attendees_pages,
    draft_api,
    hosting_api,
    hosting_pages,
    joining_api,
    joining_pages,
    joining_queries,
    managing_api,
)
from openmeet.attendance import pages as attendance_pages
from openmeet.attendance.clicks import finish_answer
from openmeet.browsing import api as browsing_api
from openmeet.browsing import (
    co_hosts_api,
    co_hosts_pages,
    event_file,
    group_calendar_api,
    group_calendar_pages,
    group_door_pages,
    group_doors_api,
    group_life_api,
    group_members_pages,
    group_network_api,
    group_network_pages,
    group_pages,
    group_picture_api,
    group_picture_pages,
    group_settings_pages,
    group_talk_pages,
    groups_api,
    members_api,
    merged_api,
    merged_pages,
    moving_records_api,
    moving_records_pages,
    news_api,
    ownership_api,
    ownership_pages,
    reading_api,
    reading_pages,
    record_picture_pages,
    search_feeds,
    sitemap,
    webhooks_api,
    webhooks_pages,
)
from openmeet.browsing import pages as browsing_pages
from openmeet.browsing import series_pages as series_browsing_pages
from openmeet.calendars.components import MAX_BYTES
from openmeet.check_in import api as check_in_api
from openmeet.check_in import pages as check_in_pages
from openmeet.claiming import pages as claiming_pages
from openmeet.claiming.actions import sign_in_with_did
from openmeet.desk import api as desk_api
from openmeet.desk import pages as desk_pages
from openmeet.events import api as events_api
from openmeet.events import draft_pages, picture_api, picture_pages
from openmeet.events import pages as events_pages
from openmeet.events.publishing import CONSENT_PATH, PublishFirst
from openmeet.guests import api as guests_api
from openmeet.guests import pages as guests_pages
from openmeet.identities import api as identities_api
from openmeet.identities.network import Network
from openmeet.ingestion import api as ingestion_api
from openmeet.ingestion.api import HANDED_IN_BYTES, HANDED_IN_PATHS, Engines
from openmeet.ingestion.record_pictures import RecordPictures
from openmeet.letters import never_pages
from openmeet.letters import pages as letters_pages
from openmeet.letters.previewing import message_mail
from openmeet.media import pages as media_pages
from openmeet.media.model import MAX_UPLOAD_BYTES
from openmeet.messages import api as messages_api
from openmeet.messages import pages as messages_pages
from openmeet.notifications import api as notifications_api
from openmeet.notifications import pages as notifications_pages
from openmeet.people import api as people_api
from openmeet.people import pages as people_pages
from openmeet.personal_calendar import api as calendar_api
from openmeet.personal_calendar import pages as calendar_pages
from openmeet.personal_calendar.conflicts import conflicts
from openmeet.personal_calendar.fetching import Outgoing
from openmeet.publication import own_pages as own_records_pages
from openmeet.safety import api as safety_api
from openmeet.safety import pages as safety_pages
from openmeet.series import api as series_api
from openmeet.series import dates_pages as series_dates_pages
from openmeet.series import detection_api as series_detection_api
from openmeet.series import detection_pages as series_detection_pages
from openmeet.series import edit_pages as series_edit_pages
from openmeet.series import gathering_pages as series_gathering_pages
from openmeet.series import hosting_api as series_hosting_api
from openmeet.series import pages as series_pages
from openmeet.series import people_api as series_people_api
from openmeet.series import people_pages as series_people_pages
from openmeet.series import picture_api as series_picture_api
from openmeet.series import picture_pages as series_picture_pages
from openmeet.series import plans_api as series_plans_api
from openmeet.series import record_pages, syncing_api
from openmeet.series.making import REPEATING
from openmeet.settings import Settings
from openmeet.sign_in import api as sign_in_api
from openmeet.sign_in import identity_pages, network_api, network_pages
from openmeet.sign_in import pages as sign_in_pages
from openmeet.sign_in.edge import identify_by_cookie
from openmeet.sign_in.network import NetworkSignIn, Whose
from openmeet.sign_in.passwords import PasswordSignIn
from openmeet.site import openapi, static_files
from openmeet.site.etags import answer_unless_known
from openmeet.site.faults import render_page
from openmeet.site.forms import must_be_ours
from openmeet.site.frame import environment
from openmeet.site.operations import Operation
from openmeet.takeout import pages as takeout_pages
from openmeet.tenants.health import ready
from openmeet.tenants.model import Tenant
from openmeet.users import api as users_api
from openmeet.users import pages as users_pages
from openmeet.users.meanwhile import answered
from openmeet.users.model import UserId
from openmeet.xrpc import dispatch as xrpc
from openmeet.xrpc import service as xrpc_service

Endpoint = Callable[[Request], Awaitable[Response]]

API_PREFIX = "/api/"

# Where files arrive: what a calendar may have, and the form or JSON around it.
FILE_PATHS = frozenset({"/api/me/calendars", "/api/imports", "/import"})
FILE_BYTES = MAX_BYTES + 1_000_000

_UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def create_app(
    settings: Settings,
    tenant: Tenant,
    metrics: Metrics,
    *,
    code_key: SigningKey,
    password_sign_in: PasswordSignIn | None = None,
    network: Network | None = None,
    publish_first: PublishFirst | None = None,
    counters: Counters | None = None,
    clock: Clock | None = None,
    more_pages: Sequence[Route] = (),
    outgoing: Outgoing | None = None,
    pictures: BlobStore | None = None,
    checks: dict[str, Check] | None = None,
    engines: Engines | None = None,
    service_callers: ServiceCallers | None = None,
) -> Application:
    """The whole site. ``code_key``: e-mail codes, tickets and the tokens in links are derived from it.

    ``network``: what reaches other servers; without it nobody signs in by theirs.
    ``pictures``: where pictures are kept; without it none can be put up.
    ``outgoing``: what fetches addresses that people give; without it nothing is fetched.
    ``engines``: what the synchronisation runs on; without it services are told that it is away.
    ``service_callers``: what reads the tokens of other apps' callers; without it all of them are strangers.
    ``checks``: of every community that this program serves, each working without the others; without them of this one.
    ``more_pages`` are pages of the same kind that need more than a database (``programs/`` makes them).
    """
    routes: list[BaseRoute] = [
        *operations_routes(
            metrics,
            checks or {"database": ready(tenant)},
            metrics_token=settings.metrics_token.reveal(),
            each_serves_alone=True,
        ),
        *static_files.routes(),
        *media_pages.routes(),
        *network_pages.document_routes(),
        *xrpc_service.routes(),
        *xrpc.routes(settings.lexicon_authority),
        *(_api(operation) for operation in operations()),
        Route(f"{API_PREFIX}openapi.json", openapi.serve(settings.site_name, settings.public_url, operations())),
        *letters_pages.routes(),
        *never_pages.routes(),
        *arriving_pages.open_routes(),
        *group_door_pages.open_routes(),
        *calendar_pages.open_routes(),
        *group_calendar_pages.open_routes(),
        *sitemap.routes(),
        *(_page(route) for route in (*pages(), *more_pages, Route("/{path:path}", absent, methods=["GET"]))),
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
        cors=[xrpc.CORS],
        body_limit=_body_limit,
        trusted_proxy_hops=settings.trusted_proxy_hops,
    )
    app.state.settings = settings
    app.state.tenant = tenant
    app.state.templates = environment(settings.site_name)
    app.state.code_key = code_key
    app.state.pictures = pictures
    app.state.password_sign_in = password_sign_in
    app.state.network_sign_in = None if network is None else NetworkSignIn(network, whose_did)
    app.state.finish_click = finish_answer
    app.state.publish_first = publish_first
    app.state.repeating = REPEATING
    app.state.message_mail = message_mail
    app.state.copy_joining = joining_queries.copy_of_event
    app.state.conflicts = conflicts
    app.state.record_pictures = None if network is None or pictures is None else RecordPictures(network, pictures)
    app.state.outgoing = outgoing
    app.state.engines = engines
    app.state.service_callers = service_callers
    app.state.counters = counters or InProcessCounters()
    app.state.clock = clock or SystemClock()
    app.state.asks_to_publish = any(route.path == CONSENT_PATH for route in more_pages)
    return app


def pages() -> list[Route]:
    """Every page of the rooms. ``/events/new`` stands before ``/events/{slug}``, and so it is with groups."""
    return [
        *sign_in_pages.routes(),
        *network_pages.routes(),
        *identity_pages.routes(),
        *own_records_pages.routes(),
        *users_pages.routes(),
        *access_pages.routes(),
        *notifications_pages.routes(),
        *events_pages.routes(),
        *draft_pages.routes(),
        *picture_pages.routes(),
        *hosting_pages.routes(),
        *attendance_pages.routes(),
        *co_hosts_pages.routes(),
        *messages_pages.routes(),
        *joining_pages.routes(),
        *attendees_pages.routes(),
        *check_in_pages.routes(),
        *guests_pages.routes(),
        *event_file.routes(),
        *browsing_pages.routes(),
        *reading_pages.routes(),
        *alerts_pages.routes(),
        *people_pages.routes(),
        *series_detection_pages.routes(),
        *record_pages.routes(),
        *record_picture_pages.routes(),
        *series_pages.routes(),
        *series_dates_pages.routes(),
        *series_people_pages.routes(),
        *series_gathering_pages.routes(),
        *series_edit_pages.routes(),
        *series_picture_pages.routes(),
        *series_browsing_pages.routes(),
        *merged_pages.routes(),
        *webhooks_pages.routes(),
        *calendar_pages.routes(),
        *group_door_pages.routes(),
        *group_settings_pages.routes(),
        *group_picture_pages.routes(),
        *group_members_pages.routes(),
        *group_talk_pages.routes(),
        *group_network_pages.routes(),
        *moving_records_pages.routes(),
        *ownership_pages.routes(),
        *search_feeds.routes(),
        *group_calendar_pages.routes(),
        *group_pages.routes(),
        *arriving_pages.routes(),
        *takeout_pages.routes(),
        *safety_pages.routes(),
        *desk_pages.routes(),
        *administration_pages.routes(),
        *flags_pages.routes(),
        *claiming_pages.routes(),
    ]


def operations() -> list[Operation]:
    """Every operation of the JSON API, in the order of its documentation."""
    return [
        *sign_in_api.OPERATIONS,
        *network_api.OPERATIONS,
        *access_api.OPERATIONS,
        *users_api.OPERATIONS,
        *identities_api.OPERATIONS,
        *notifications_api.OPERATIONS,
        *news_api.OPERATIONS,
        *browsing_api.OPERATIONS,
        *events_api.OPERATIONS,
        *hosting_api.OPERATIONS,
        *draft_api.OPERATIONS,
        *picture_api.OPERATIONS,
        *attendance_api.OPERATIONS,
        *co_hosts_api.OPERATIONS,
        *messages_api.OPERATIONS,
        *joining_api.OPERATIONS,
        *managing_api.OPERATIONS,
        *check_in_api.OPERATIONS,
        *guests_api.OPERATIONS,
        *syncing_api.OPERATIONS,
        *series_detection_api.OPERATIONS,
        *reading_api.OPERATIONS,
        *alerts_api.OPERATIONS,
        *people_api.OPERATIONS,
        *series_api.OPERATIONS,
        *series_hosting_api.OPERATIONS,
        *series_plans_api.OPERATIONS,
        *series_picture_api.OPERATIONS,
        *series_people_api.OPERATIONS,
        *groups_api.OPERATIONS,
        *group_calendar_api.OPERATIONS,
        *group_picture_api.OPERATIONS,
        *members_api.OPERATIONS,
        *group_doors_api.OPERATIONS,
        *group_life_api.OPERATIONS,
        *ownership_api.OPERATIONS,
        *group_network_api.OPERATIONS,
        *moving_records_api.OPERATIONS,
        *merged_api.OPERATIONS,
        *webhooks_api.OPERATIONS,
        *calendar_api.OPERATIONS,
        *arriving_api.OPERATIONS,
        *answering_api.OPERATIONS,
        *ingestion_api.OPERATIONS,
        *administration_api.OPERATIONS,
        *flags_api.OPERATIONS,
        *takeout_pages.OPERATIONS,
        *safety_api.OPERATIONS,
        *desk_api.OPERATIONS,
    ]


async def whose_did(tx: Transaction, did: Did, handle: str, pds_url: str, caller: UserId | None) -> Whose:
    """Whose session somebody gets who proved that they hold a DID; a claim waits for their yes first."""
    signed_in = await sign_in_with_did(tx, did, handle=handle, pds_url=pds_url, caller=caller)
    return Whose(signed_in.user_id, f"/settings/join/{signed_in.claim}" if signed_in.claim else "")


_WITH_PICTURES = ("/events/", "/api/events/", "/groups/", "/api/groups/", "/series/", "/api/series/")


def _body_limit(scope: Scope) -> int:
    """Whole calendars, pictures and batches of records are larger than what anybody writes by hand."""
    path = scope["path"]
    if path in HANDED_IN_PATHS:
        return HANDED_IN_BYTES
    takes_picture = path.endswith("/picture") and path.startswith(_WITH_PICTURES)
    if takes_picture or path == "/events/new":
        # Base64 adds a third, the form or JSON around it a little.
        return MAX_UPLOAD_BYTES * 4 // 3 + 100_000
    return FILE_BYTES if path in FILE_PATHS else JSON_BODY_BYTES


async def absent(_request: Request) -> Response:
    """Any other address: the page that says so knows its viewer, unlike the router."""
    raise NotFound("There is nothing at this address.")


def _page(route: Route) -> Route:
    endpoint: Endpoint = route.endpoint

    async def answer(request: Request) -> Response:
        await identify_by_cookie(request)
        if request.method in _UNSAFE:
            must_be_ours(request, request.app.state.settings.public_url)
        return await answered(request, endpoint(request))

    return Route(route.path, answer, methods=list(route.methods or ()))


def _api(operation: Operation) -> Route:
    known = [parameter.name for parameter in operation.parameters if parameter.where == "query"]

    async def answer(request: Request) -> Response:
        await admit(request, operation)
        # A misspelt filter that is passed over answers more than was asked for.
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
