"""Start page of the account: who is signed in, what needs attention, apps, security, storage, and ways to leave."""

from dataclasses import dataclass

from babel.lists import format_list
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from at_protocol.syntax.did import Did
from aurora_locus.accounts import app_passwords, browser_sessions, record_search, sessions, stored_data
from aurora_locus.accounts.second_factors import checking
from aurora_locus.accounts.second_factors.model import Factors
from aurora_locus.blobs import quotas
from aurora_locus.i18n.catalogue import current, gettext
from aurora_locus.i18n.sentences import capital
from aurora_locus.oauth import authorization
from aurora_locus.oauth.model import ConnectedApp
from aurora_locus.oauth.plain_names import app_name
from aurora_locus.oauth.scope_descriptions import summary_of
from aurora_locus.web.account_pages.forms import own_account
from aurora_locus.web.browser_sessions import authentication
from aurora_locus.web.browser_sessions.routes import show
from aurora_locus.web.site.frame import page
from aurora_locus.web.site.services import services
from groundwork.clock import Instant
from groundwork.database.transaction import Database

# The most recent apps; the others are on a page of their own.
_APPS = 3
# Longer names are not shown, because any app can write the profile.
_MAX_NAME = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class AppRow:
    """An app in the short list. ``summary`` describes its permissions in a few words."""

    id: str
    name: str
    summary: str
    used_at: Instant


@dataclass(frozen=True, slots=True)
class PublicProfile:
    """The content of the account's profile record; fields are empty if the record lacks them. ``avatar`` is a URL on
    this server.
    """

    name: str = ""
    avatar: str = ""


def routes() -> list[Route]:
    """The routes of this module."""
    return [show("/account", show_overview)]


async def show_overview(request: Request) -> Response:
    """Show the start page of the account: name, the one thing that most needs attention, apps, security, storage, and
    ways to leave.
    """
    registry, signed_in = services(request).registry, authentication.account_of(request)
    account = await own_account(request, signed_in.did)
    server = services(request).authorization
    async with registry.db.reader() as reader:
        storage = await stored_data.measure(reader, account.did)
        apps = await authorization.list_sessions(server, reader, account.did)
        browsers = await browser_sessions.of_account(reader, account.did)
        opened = await sessions.list_open(reader, account.did)
        passwords = await app_passwords.list_all(reader, account.did)
        default_quota = registry.repositories.blobs.limits.quota_bytes
        quota, _ = await quotas.quota_and_usage(reader, account.did, default_quota)
    factors = await checking.find(registry, account.did)
    context = {
        "account": account,
        "profile": await _profile(registry.db, account.did),
        "apps": [_row(app) for app in apps[:_APPS]],
        "app_count": len(apps),
        "factors": factors,
        "second_steps": _second_steps(factors),
        "browsers": len(browsers),
        "sessions": len(opened),
        "app_passwords": len(passwords),
        "storage": storage,
        "quota_bytes": quota,
        "is_nearly_full": storage.blob_bytes > quota * 0.9,
        "sends_mail": registry.sends_mail,
        "server": registry.url,
        "now": registry.clock.now(),
    }
    return page(request, "account_pages/overview.html", context)


def _row(app: ConnectedApp) -> AppRow:
    return AppRow(
        id=app.id,
        name=app_name(app.client_id, app.client_name),
        summary=summary_of(app.scopes),
        used_at=app.refreshed_at,
    )


def _second_steps(factors: Factors) -> str:
    kinds = {
        gettext("passkey"): factors.passkeys,
        gettext("authenticator app"): factors.totp_since,
        gettext("code by e-mail"): factors.mail_since,
    }
    active_kinds = [kind for kind, is_set in kinds.items() if is_set]
    words = format_list(active_kinds, "or", locale=current().locale) if active_kinds else ""
    return capital(words)


async def _profile(db: Database, did: Did) -> PublicProfile:
    """Read the profile from the record that apps show. Its fields can have any type, because any app can write it."""
    record = await record_search.read(db, did, "app.bsky.actor.profile", "self")
    value = record.value if record is not None else {}
    name = value.get("displayName")
    picture = value.get("avatar")
    avatar = ""
    if isinstance(picture, dict) and str(picture.get("mimeType", "")).startswith("image/"):
        ref = picture.get("ref")
        cid = ref.get("$link") if isinstance(ref, dict) else None
        avatar = f"/xrpc/com.atproto.sync.getBlob?did={did}&cid={cid}" if isinstance(cid, str) else ""
    plain = " ".join(name.split()) if isinstance(name, str) and name.replace(" ", "x").isprintable() else ""
    return PublicProfile(plain if len(plain) <= _MAX_NAME else "", avatar)
