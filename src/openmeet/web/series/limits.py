"""How often one address may have a rule explained: the one thing that anybody may have computed without saying who they are."""

from typing import Final

from starlette.requests import Request

from groundwork.http.application import client_address
from groundwork.rate_limit.contract import Limit, spend
from openmeet.web.site.services import services

WINDOW_SECONDS: Final = 60
# A form asks while somebody types, at most twice a second; one answer costs a hundred times what reading a page does at worst.
SHARE: Final = 5


async def spend_on_preview(request: Request) -> None:
    """Count one preview of this address. Raises TooMany with the time at which to come back."""
    site = services(request)
    points = site.settings.api_requests_per_minute
    # In development everybody comes from the same machine; without a limit of the API there is none here either.
    if site.settings.is_unlimited or not points:
        return
    limit = Limit("series_previews", max(1, points // SHARE), WINDOW_SECONDS)
    await spend(site.counters, [(limit, client_address(request))], now=site.clock.now())
