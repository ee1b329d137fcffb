"""Start page of the account: who is signed in, storage use, and links to everything else."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aurora_locus.account_pages.answering import own_account
from aurora_locus.accounts import holdings
from aurora_locus.browser_sessions import edge
from aurora_locus.browser_sessions.routes import show
from aurora_locus.site.frame import page


def routes() -> list[Route]:
    """Every page of this file."""
    return [show("/account", show_overview)]


async def show_overview(request: Request) -> Response:
    """Handle, DID, address, status, storage, and links."""
    registry, signed_in = edge.registry_of(request), edge.account_of(request)
    account = await own_account(request, signed_in.did)
    async with registry.db.reader() as reader:
        storage = await holdings.measure(reader, account.did)
    context = {
        "account": account,
        "storage": storage,
        "quota_bytes": registry.repositories.blobs.limits.quota_bytes,
        "server": registry.url,
    }
    return page(request, "account_pages/overview.html", context)
