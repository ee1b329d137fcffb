"""Dashboard: open tasks and the state of the server."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aurora_locus.administration import figures
from aurora_locus.administration.office import office_of
from aurora_locus.administration.pages.edge import admin_page, registry_of, see
from aurora_locus.federation.standing import lags, worst


def routes() -> list[Route]:
    """The one page."""
    return [see("/admin", show_dashboard)]


async def show_dashboard(request: Request) -> Response:
    """The overview; each number links to its page."""
    registry = registry_of(request)
    live = registry.repositories.live
    behind = await lags(registry.db, live, registry.clock)
    lag_events, lag_seconds = worst(behind)
    context = {
        "figures": await figures.dashboard(registry, await office_of(request).blobs.read()),
        "subscribers": len(behind),
        "lag_events": lag_events,
        "lag_seconds": round(lag_seconds, 1),
        "relays": office_of(request).crawling.relays,
    }
    return admin_page(request, "dashboard.html", context)
