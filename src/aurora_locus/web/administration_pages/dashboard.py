"""Dashboard: overall status, problems that need attention, and the state of the server."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aurora_locus.administration import queries
from aurora_locus.administration.queries import Dashboard
from aurora_locus.federation.crawl_requests import Relay
from aurora_locus.federation.status import lags, worst
from aurora_locus.web.administration_pages.operator_access import admin_page, operator_get
from aurora_locus.web.site.services import PdsServices, services
from groundwork.clock import DAY, MINUTE

# A reader with more lag than this cannot keep up.
_SLOW_SECONDS = 60
# If backups are configured, they are made daily.
_OLD = 2 * DAY
# An unsent e-mail that is older than this is reported; a newer one may just be waiting for its second attempt.
_LATE = 10 * MINUTE


def routes() -> list[Route]:
    """The route of the dashboard, ``/admin``."""
    return [operator_get("/admin", show_dashboard)]


@dataclass(frozen=True, slots=True)
class ServerTrouble:
    """Problems that need an operator. A field is empty or False if there is no such problem."""

    has_reports: bool
    backup: str
    email: str
    readers_are_slow: bool
    relays: list[Relay]
    disk_is_full: bool

    @property
    def number(self) -> int:
        warnings = (self.has_reports, self.backup, self.email, self.readers_are_slow, self.relays, self.disk_is_full)
        return sum(bool(one) for one in warnings)


async def show_dashboard(request: Request) -> Response:
    """Show the operator's start page: state of the server, problems that need attention, figures, events of the last
    day.
    """
    pds = services(request)
    registry = pds.registry
    behind = await lags(registry.db, registry.repositories.live, registry.clock)
    lag_events, lag_seconds = worst(behind)
    dashboard = await queries.dashboard(registry, await pds.blob_totals.read(), pds.settings.data_directory)
    context = {
        "dashboard": dashboard,
        "trouble": _server_trouble(pds, dashboard, lag_seconds),
        "subscribers": len(behind),
        "lag_events": lag_events,
        "lag_seconds": round(lag_seconds, 1),
        "relays": pds.crawl_requests.relays,
        "serves": pds.settings.serves_firehose,
        "sends_mail": registry.sends_mail,
        "version": pds.version,
        "started_at": pds.started_at,
        "bars": _column_heights(dashboard.hours),
        "peak": max(dashboard.hours),
    }
    return admin_page(request, "dashboard.html", context)


def _server_trouble(pds: PdsServices, dashboard: Dashboard, lag_seconds: float) -> ServerTrouble:
    now = pds.registry.clock.now()
    last = dashboard.last_backup_at
    backup = "none" if last is None else "old" if last < now - _OLD else ""
    late = dashboard.emails_since is not None and dashboard.emails_since < now - _LATE
    return ServerTrouble(
        has_reports=dashboard.unresolved > 0,
        backup=backup,
        email="failed" if dashboard.emails_failed else "late" if late else "",
        readers_are_slow=lag_seconds > _SLOW_SECONDS,
        relays=[relay for relay in pds.crawl_requests.relays if relay.problem],
        disk_is_full=dashboard.disk_is_full,
    )


def _column_heights(hours: list[int]) -> list[int]:
    """Return the heights of the columns, 0 to 100. An hour with any event has a visible column."""
    highest = max(hours)
    return [0 if not number else max(4, round(100 * number / highest)) for number in hours]
