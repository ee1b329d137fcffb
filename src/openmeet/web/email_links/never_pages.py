"""Opt out of e-mails that are triggered by other people, without an account.

The token is the only credential (RFC 8058). Showing the page changes nothing, because mail servers open links before
people do.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import NotFound
from openmeet.domain.failure_names import INVALID_LINK
from openmeet.outbox import email_suppressions
from openmeet.web.email_links.reasons import EmailLinkReason
from openmeet.web.site.layout import page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

# The URL is a secret, so caches must not store it and search engines must not index it.
_HEADERS = {"cache-control": "no-store", "x-robots-tag": "noindex, nofollow"}


def routes() -> list[Route]:
    """Routes that need no sign-in and no origin check."""
    return [
        Route("/mail/never/{token}", show, methods=["GET"]),
        Route("/mail/never/{token}", unsubscribe, methods=["POST"]),
        Route("/mail/never/{token}/again", opt_in, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    address = _address_from_link(request)
    async with database_of(request).reader() as reader:
        is_left_alone = await email_suppressions.is_suppressed(reader, services(request).code_key, address)
    return _never_page(request, is_left_alone=is_left_alone)


async def unsubscribe(request: Request) -> Response:
    """One-click unsubscribe. The body is ignored, and the response is not a redirect (RFC 8058, section 3.1)."""
    async with database_of(request).transaction() as tx:
        await email_suppressions.opt_out(tx, services(request).code_key, _address_from_link(request))
    return _never_page(request, is_left_alone=True)


async def opt_in(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await email_suppressions.opt_in(tx, services(request).code_key, _address_from_link(request))
    return _never_page(request, is_left_alone=False, is_new=True)


def _address_from_link(request: Request) -> str:
    address = email_suppressions.address_in(services(request).code_key, request.path_params["token"])
    if address is None:
        raise NotFound(EmailLinkReason.CUT_OFF, name=INVALID_LINK)
    return address


def _never_page(request: Request, *, is_left_alone: bool, is_new: bool = False) -> Response:
    context = {
        "is_left_alone": is_left_alone,
        "is_new": is_new,
        "path": f"/mail/never/{request.path_params['token']}",
    }
    return page(request, "email_links/never.html", context, headers=_HEADERS)
