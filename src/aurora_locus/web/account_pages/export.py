"""Data export in one file. It is also available to the owner of an account that the host has taken down."""

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from aurora_locus.accounts import archive, stored_data
from aurora_locus.accounts.limits import EXPORT
from aurora_locus.repository.model import OF_THE_HOST
from aurora_locus.web.account_pages.forms import count, own_account
from aurora_locus.web.browser_sessions import authentication
from aurora_locus.web.browser_sessions.routes import show, take
from aurora_locus.web.site.frame import page
from aurora_locus.web.site.services import services

PATH = "/account/export"


def routes() -> list[Route]:
    """The routes of this module."""
    return [show(PATH, show_export), take(PATH, send_export)]


async def show_export(request: Request) -> Response:
    """Show what the export contains, and its approximate size."""
    registry, account = (
        services(request).registry,
        authentication.proven_account_of(request, allow_takendown=True),
    )
    is_closed = account.status in OF_THE_HOST
    async with registry.db.reader() as reader:
        storage = await stored_data.measure(reader, account.did)
    return page(request, "account_pages/export.html", {"account": account, "storage": storage, "is_closed": is_closed})


async def send_export(request: Request) -> Response:
    """Stream the export while it is produced. Its length is not known in advance."""
    registry = services(request).registry
    account = await own_account(request, authentication.proven_account_of(request, allow_takendown=True).did)
    await count(request, account.did, EXPORT)
    name = archive.file_name(account, registry.clock.now())
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return StreamingResponse(archive.chunks(registry, account), media_type=archive.MEDIA_TYPE, headers=headers)
