"""Rate limits per client network, for attempts and for pages, feeds and pictures.

The limits on pages are high enough for an office but still stop a crawler. Requests are counted before the database is
read, so refused requests cost very little. The JSON API and XRPC have separate limits (``api.authentication``,
``xrpc.call``).
"""

import math
from collections.abc import Collection, Sequence
from typing import Final

from starlette.requests import Request

from groundwork.errors import Why
from groundwork.http.addresses import is_public
from groundwork.http.application import client_address, client_network
from groundwork.rate_limit.contract import Limit, RateLimited, spend
from groundwork.telemetry.logs import log
from openmeet.domain.users.model import UserId
from openmeet.web.site.reasons import SiteReason
from openmeet.web.site.services import services

WINDOW_SECONDS: Final = 60
# A list shows many pictures, and serving one only reads a file.
PICTURES_PER_PAGE: Final = 20
# E-mails per day. Somebody who writes to more people is probably a spammer.
INVITATIONS_BY_PERSON: Final = Limit("invitations_by_person", 200, 86_400)
INVITATIONS_TO_ADDRESS: Final = Limit("invitations_to_address", 10, 86_400)


async def spend_on(request: Request, limit: Limit, key: str = "") -> None:
    """Count one attempt of this client (or of ``key``). Raises TooMany with the time after which to retry."""
    site = services(request)
    # In development all clients share one address.
    if site.settings.is_unlimited:
        return
    await _spend_all(request, [(limit, key or client_network(request))])


async def spend_on_invitations(request: Request, person: UserId, addresses: Collection[str]) -> None:
    """Count the e-mails that invite these addresses to anything. Raises TooMany.

    Events and groups have their own limits, but anyone can create as many events and groups as they like.
    """
    site = services(request)
    if site.settings.is_unlimited or not addresses:
        return
    charges = [(INVITATIONS_BY_PERSON, str(person))] * len(addresses)
    # A keyed digest, so that a shared cache does not reveal who was invited.
    for one in addresses:
        digest = site.code_key.digest(b"invited address\x00" + one.strip().lower().encode(errors="replace"))
        charges.append((INVITATIONS_TO_ADDRESS, digest.hex()))
    await _spend_all(request, charges)


async def _spend_all(request: Request, charges: Sequence[tuple[Limit, str]]) -> None:
    """Count an attempt. If a limit is used up, the failure has a sentence for the form that was sent."""
    site = services(request)
    try:
        await spend(site.counters, charges, now=site.clock.now())
    except RateLimited as limit:
        limit.why = _wait_reason(math.ceil(limit.after_seconds))
        raise


def _wait_reason(seconds: int) -> Why:
    if seconds >= 2 * 3600:
        return SiteReason.WAIT_HOURS(number=-(-seconds // 3600))
    return (
        SiteReason.WAIT_MINUTES(number=-(-seconds // 60)) if seconds >= 120 else SiteReason.WAIT_SECONDS(number=seconds)
    )


async def spend_on_page(request: Request) -> None:
    """Count a page or feed that this client requests. Raises RateLimited with the time after which to retry."""
    await _spend(request, "pages", 1)


async def spend_on_picture(request: Request) -> None:
    """Count a picture that this client requests; a page may have many. Raises RateLimited like ``spend_on_page``."""
    await _spend(request, "pictures", PICTURES_PER_PAGE)


async def _spend(request: Request, name: str, factor: int) -> None:
    site = services(request)
    points = site.settings.pages_per_minute * factor
    if site.settings.is_unlimited or not points:
        return
    address = client_address(request)
    if _is_unconfigured_proxy(request, address):
        return
    await spend(site.counters, [(Limit(name, points, WINDOW_SECONDS), client_network(request))], now=site.clock.now())


def _is_unconfigured_proxy(request: Request, address: str) -> bool:
    """Whether all clients appear to have this address. In that case a limit would stop the whole site instead of one
    client.
    """
    site = services(request)
    if site.settings.trusted_proxy_hops or "x-forwarded-for" not in request.headers or is_public(address):
        return False
    setting = "OPENMEET_TRUSTED_PROXY_HOPS"
    if setting not in site.warned_of:
        site.warned_of.add(setting)
        log.warning("proxy.not_configured", setting=setting, effect="pages have no rate limit")
    return True
