"""OAuth apps of the account, with their scopes and last use. Each can be revoked."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from at_protocol.oauth.client_id import ClientId
from aurora_locus.oauth import authorization
from aurora_locus.oauth.model import ConnectedApp
from aurora_locus.oauth.plain_names import app_name
from aurora_locus.oauth.scope_descriptions import ScopeGroup, describe_scopes, summary_of
from aurora_locus.web.browser_sessions import authentication
from aurora_locus.web.browser_sessions.routes import show, take
from aurora_locus.web.site.forms import posted
from aurora_locus.web.site.frame import page, redirect_to
from aurora_locus.web.site.services import services
from groundwork.clock import Instant

PATH = "/account/apps"


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedApp:
    """An app of the account: a short summary of its permissions, and each of its scopes."""

    id: str
    name: str
    client_id: ClientId
    summary: str
    groups: list[ScopeGroup]
    created_at: Instant
    used_at: Instant


def routes() -> list[Route]:
    """The routes of this module."""
    return [show(PATH, show_apps), take(PATH, revoke_app)]


async def show_apps(request: Request) -> Response:
    """Show the account's OAuth apps, each with its scopes in plain words."""
    registry, account = services(request).registry, authentication.account_of(request)
    async with registry.db.reader() as reader:
        apps = await authorization.list_sessions(services(request).authorization, reader, account.did)
    context = {"apps": [_described(app) for app in apps], "account": account, "now": registry.clock.now()}
    return page(request, "account_pages/apps.html", context)


async def revoke_app(request: Request) -> Response:
    """Revoke the session of one app. A session that no longer exists is not an error."""
    account, form = authentication.account_of(request), posted(request)
    async with services(request).registry.db.transaction() as tx:
        await authorization.revoke_session(services(request).authorization, tx, account.did, form.get("app", ""))
    return redirect_to(PATH, flash="app_shut_out")


def _described(app: ConnectedApp) -> DescribedApp:
    return DescribedApp(
        id=app.id,
        name=app_name(app.client_id, app.client_name),
        client_id=app.client_id,
        summary=summary_of(app.scopes),
        groups=describe_scopes(app.scopes, {}, ()),
        created_at=app.created_at,
        used_at=app.refreshed_at,
    )
