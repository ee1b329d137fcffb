"""Rate limit of recurrence previews, the only expensive computation that anonymous clients may request."""

from typing import Final

from starlette.requests import Request

from groundwork.http.application import client_address
from groundwork.rate_limit.contract import Limit, spend
from openmeet.web.site.services import services

WINDOW_SECONDS: Final = 60
# A form asks while somebody types, at most twice a second; one response costs up to a hundred times a page view.
SHARE: Final = 5


async def spend_on_preview(request: Request) -> None:
    """Count one preview of this address. Raises TooMany with the time at which to retry."""
    site = services(request)
    points = site.settings.api_requests_per_minute
    # In development all clients share one address; without an API limit there is none here either.
    if site.settings.is_unlimited or not points:
        return
    limit = Limit("series_previews", max(1, points // SHARE), WINDOW_SECONDS)
    await spend(site.counters, [(limit, client_address(request))], now=site.clock.now())
