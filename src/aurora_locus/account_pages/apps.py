"""OAuth apps of the account: which they are, their scopes, their last use; each can be revoked."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aurora_locus.browser_sessions import edge
from aurora_locus.browser_sessions.routes import show, take
from aurora_locus.oauth import authorization
from aurora_locus.oauth.describing import describe_scopes
from aurora_locus.oauth.server import AuthorizationServer
from aurora_locus.site.forms import posted
from aurora_locus.site.frame import go, page

PATH = "/account/apps"


def routes() -> list[Route]:
    """Every page of this file."""
    return [show(PATH, show_apps), take(PATH, shut_out)]


async def show_apps(request: Request) -> Response:
    """The apps, each with its scopes in words."""
    registry, account = edge.registry_of(request), edge.account_of(request)
    async with registry.db.reader() as reader:
        apps = await authorization.list_sessions(_server(request), reader, account.did)
    described = [(app, describe_scopes(app.scopes, {}, ())) for app in apps]
    return page(request, "account_pages/apps.html", {"apps": described, "now": registry.clock.now()})


async def shut_out(request: Request) -> Response:
    """Revoke one app's session; no error if it no longer exists."""
    account, form = edge.account_of(request), posted(request)
    async with edge.registry_of(request).db.transaction() as tx:
        await authorization.revoke_session(_server(request), tx, account.did, form.get("app", ""))
    return go(PATH, said="app_shut_out")


def _server(request: Request) -> AuthorizationServer:
    server: AuthorizationServer = request.app.state.authorization
    return server
