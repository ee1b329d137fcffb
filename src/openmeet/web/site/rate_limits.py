"""Rate limits per client network, for attempts and for pages, feeds and pictures.

The limits on pages are high enough for an office but still stop a crawler. Requests are counted before the database is
read, so refused requests cost very little. The JSON API and XRPC have separate limits (``api.authentication``,
``xrpc.call``).
"""

import math
from collections.abc import Collection, Sequence
from typing import Final

from starlette.requests import Request

from groundwork.errors import Explanation
from groundwork.http.addresses import is_public
from groundwork.http.application import client_address, client_network
from groundwork.rate_limit.contract import Limit, RateLimited, spend
from groundwork.telemetry.logs import log
from openmeet.domain.imports.people import MAX_INVITED
from openmeet.domain.users.model import UserId
from openmeet.web.site.reasons import SiteReason
from openmeet.web.site.services import services

WINDOW_SECONDS: Final = 60
# A list shows many pictures, and serving one only reads a file.
PICTURES_PER_PAGE: Final = 20
# E-mails per day. Somebody who writes to more people is probably a spammer.
INVITATIONS_BY_PERSON: Final = Limit("invitations_by_person", 200, 86_400)
# More than by hand, because people check a list before its e-mails are sent. The largest list fits once a day.
LIST_INVITATIONS_BY_PERSON: Final = Limit("list_invitations_by_person", MAX_INVITED, 86_400)
INVITATIONS_TO_ADDRESS: Final = Limit("invitations_to_address", 10, 86_400)


async def spend_on(request: Request, limit: Limit, key: str = "") -> None:
    """Count one attempt of this client (or of ``key``). Raises TooMany with the time after which to retry."""
    site = services(request)
    # In development all clients share one address.
    if site.settings.is_unlimited:
        return
    await _spend_all(request, [(limit, key or client_network(request))])


async def refund(request: Request, limit: Limit, key: str = "") -> None:
    """Undo ``spend_on``, for limits that count failures only. Attempts are counted before their result is known, so that
    many at once gain nothing.
    """
    site = services(request)
    if not site.settings.is_unlimited:
        await site.counters.add(limit, key or client_network(request), -1, site.clock.now())


async def spend_on_invitations(request: Request, person: UserId, addresses: Collection[str]) -> None:
    """Count the e-mails that invite these addresses to anything. Raises TooMany.

    Events and groups have their own limits, but anyone can create as many events and groups as they like.
    """
    site = services(request)
    if site.settings.is_unlimited or not addresses:
        return
    by_person = [(INVITATIONS_BY_PERSON, str(person))] * len(addresses)
    await _spend_all(request, by_person + _charges_of_addresses(request, addresses))


async def spend_on_list_invitations(request: Request, person: UserId, addresses: Sequence[str]) -> set[str]:
    """Like ``spend_on_invitations``, for the e-mails to everybody on an imported list. Returns the addresses that get no
    more invitations today: they are left out, so that they do not keep the others from being invited.
    """
    site = services(request)
    if site.settings.is_unlimited or not addresses:
        return set()
    await _spend_all(request, [(LIST_INVITATIONS_BY_PERSON, str(person))], points=len(addresses))
    states = await site.counters.add_each(_charges_of_addresses(request, addresses), 1, site.clock.now())
    return {address for address, state in zip(addresses, states, strict=True) if state.is_refused}


def _charges_of_addresses(request: Request, addresses: Collection[str]) -> list[tuple[Limit, str]]:
    # A keyed digest, so that a shared cache does not reveal who was invited.
    key = services(request).code_key
    digests = [
        key.digest(b"invited address\x00" + one.strip().lower().encode(errors="replace")).hex() for one in addresses
    ]
    return [(INVITATIONS_TO_ADDRESS, digest) for digest in digests]


async def _spend_all(request: Request, charges: Sequence[tuple[Limit, str]], *, points: int = 1) -> None:
    """Count an attempt. If a limit is used up, the failure has a sentence for the form that was sent."""
    site = services(request)
    try:
        await spend(site.counters, charges, now=site.clock.now(), points=points)
    except RateLimited as limit:
        limit.why = SiteReason.TOO_MANY_ATTEMPTS(wait=duration(math.ceil(limit.after_seconds)))
        raise


def duration(seconds: int) -> Explanation:
    """A time to wait, such as “3 minutes”, in the largest unit of which there are at least two. It is rounded up, so that
    nobody comes back too early.
    """
    if seconds >= 2 * 3600:
        return SiteReason.HOURS(number=-(-seconds // 3600))
    if seconds >= 2 * 60:
        return SiteReason.MINUTES(number=-(-seconds // 60))
    return SiteReason.SECONDS(number=seconds)


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
