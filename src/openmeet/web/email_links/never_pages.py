"""Unsubscribe from e-mails caused by somebody else, without an account.

The token is the only credential (RFC 8058). Showing the page changes nothing, because mail servers open links before
people do.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import NotFound
from openmeet.domain.failure_names import INVALID_LINK
from openmeet.outbox import emails
from openmeet.outbox.emails import AddressHash
from openmeet.web.site.layout import page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

# The URL is a secret: no cache and no search engine may keep it.
_HEADERS = {"cache-control": "no-store", "x-robots-tag": "noindex, nofollow"}


def routes() -> list[Route]:
    """Routes without a viewer and without an origin check."""
    return [
        Route("/mail/never/{token}", show, methods=["GET"]),
        Route("/mail/never/{token}", leave_alone, methods=["POST"]),
        Route("/mail/never/{token}/again", write_again, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    address = _address(request)
    async with database_of(request).reader() as reader:
        is_left_alone = await emails.is_left_alone(reader, address)
    return _page(request, is_left_alone=is_left_alone)


async def leave_alone(request: Request) -> Response:
    """One-click unsubscribe: the body is ignored, and the response is no redirect (RFC 8058, section 3.1)."""
    async with database_of(request).transaction() as tx:
        await emails.leave_alone(tx, _address(request))
    return _page(request, is_left_alone=True)


async def write_again(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await emails.write_again(tx, _address(request))
    return _page(request, is_left_alone=False, is_new=True)


def _address(request: Request) -> AddressHash:
    found = emails.address_in(services(request).code_key, request.path_params["token"])
    if found is None:
        raise NotFound("It was cut off on its way. Open it from the mail once more.", name=INVALID_LINK)
    return found


def _page(request: Request, *, is_left_alone: bool, is_new: bool = False) -> Response:
    context = {
        "is_left_alone": is_left_alone,
        "is_new": is_new,
        "path": f"/mail/never/{request.path_params['token']}",
    }
    return page(request, "emails/never.html", context, headers=_HEADERS)
