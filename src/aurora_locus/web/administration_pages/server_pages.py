"""Server pages: federation, storage, settings, audit log."""

from dataclasses import fields
from typing import get_type_hints
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aurora_locus.accounts import account_details
from aurora_locus.accounts.queries import find_by_handle
from aurora_locus.blobs.sweep import sweep
from aurora_locus.federation.status import subscribers_and_relays
from aurora_locus.i18n.catalogue import gettext
from aurora_locus.i18n.sentences import gettext_noop, too_often
from aurora_locus.moderation import audit_log
from aurora_locus.moderation.roles import OperatorAction
from aurora_locus.settings import PREFIX, PdsSettings
from aurora_locus.web.administration_pages.operator_access import (
    admin_page,
    audit_of,
    operator_get,
    operator_post,
)
from aurora_locus.web.site import formatting
from aurora_locus.web.site.frame import redirect_to
from aurora_locus.web.site.services import services
from groundwork.clock import SECOND
from groundwork.errors import Forbidden, InvalidInput, TooMany
from groundwork.http.forms import EMPTY, FormState, form_with_problems
from groundwork.settings import Secret, as_written, describe

PAGE = 50


def routes() -> list[Route]:
    """Routes of federation, storage, settings and the audit log."""
    return [
        operator_get("/admin/relays", show_relays),
        operator_post("/admin/relays/request-crawl", request_crawl, OperatorAction.REQUEST_CRAWL),
        operator_get("/admin/storage", show_storage),
        operator_post("/admin/storage/sweep", sweep_blobs, OperatorAction.SWEEP_BLOBS),
        operator_get("/admin/settings", show_settings),
        operator_get("/admin/audit", show_audit),
    ]


async def show_relays(request: Request) -> Response:
    """Show relays and subscribers, each with its lag."""
    return await _relays(request, EMPTY)


async def request_crawl(request: Request) -> Response:
    """Request a crawl from every relay that was not sent a request recently."""
    pds = services(request)
    if not pds.settings.announces_when_asked:
        raise Forbidden(gettext_noop("This server isn’t announced (PDS_FEDERATION_CRAWL_ENABLED is off)."))
    try:
        audit = audit_of(request)
        # Written to the audit log first: relays may take their time, and no transaction may wait for them.
        await pds.registry.db.write(
            lambda w: audit_log.append(w, audit, OperatorAction.REQUEST_CRAWL, pds.crawl_requests.hostname)
        )
        await pds.crawl_requests.ask_now()
    except InvalidInput as wrong:
        return await _relays(request, form_with_problems({}, wrong), status=400)
    except TooMany as no:
        return await _relays(request, FormState({}, {"act": too_often(no)}), status=422)
    return redirect_to("/admin/relays", flash="done")


async def _relays(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    pds = services(request)
    context = {
        "federation_status": await subscribers_and_relays(pds.federation),
        "typed": form_state,
        "announces": pds.settings.announces_when_asked,
        "serves": pds.settings.serves_firehose,
    }
    return admin_page(request, "relays.html", context, status=status)


async def show_storage(request: Request) -> Response:
    """Show blob totals, the accounts that use the most space, and unreferenced uploads."""
    return await _storage(request, EMPTY)


async def sweep_blobs(request: Request) -> Response:
    """Delete expired uploads that no record refers to, now instead of at the next scheduled sweep."""
    pds = services(request)
    try:
        audit = audit_of(request)
        await pds.registry.db.write(lambda w: audit_log.append(w, audit, OperatorAction.SWEEP_BLOBS, "uploads"))
        grace = round(pds.settings.blob_grace * SECOND)
        await sweep(pds.registry.repositories.blobs, pds.registry.clock.now(), grace)
        await pds.blob_totals.read(fresh=True)
    except InvalidInput as wrong:
        return await _storage(request, form_with_problems({}, wrong), status=400)
    return redirect_to("/admin/storage", flash="done")


async def _storage(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    pds = services(request)
    context = {
        "blobs": await pds.blob_totals.read(),
        "quota": pds.settings.blob_quota,
        "limit": pds.settings.blob_upload_limit,
        "grace": formatting.span(pds.settings.blob_grace),
        "typed": form_state,
    }
    return admin_page(request, "storage.html", context, status=status)


async def show_settings(request: Request) -> Response:
    """Show the settings in use. For secrets, show only whether they are set."""
    return admin_page(request, "settings.html", {"rows": settings_shown(services(request).settings)})


def settings_shown(settings: PdsSettings) -> list[tuple[str, str, str, bool]]:
    """Return name, value and description of each setting, and whether it differs from the default. Secrets, and passwords
    inside URLs, are left out.
    """
    described = {one.name: one for one in describe(PdsSettings, PREFIX)}
    types = get_type_hints(PdsSettings, include_extras=True)
    rows = []
    for field in fields(settings):
        name = PREFIX + field.name.upper()
        value = getattr(settings, field.name)
        rows.append(
            (name, _setting_text(value, types[field.name]), described[name].description, value != field.default)
        )
    return rows


def _setting_text(value: object, field_type: object) -> str:
    match value:
        case Secret():
            return gettext("(set, not shown)") if value else gettext("(not set)")
        case bool():
            return "true" if value else "false"
        case tuple():
            return ", ".join(map(str, value))
        case str() if "@" in value and "://" in value:
            parts = urlsplit(value)
            return parts._replace(netloc=f"…@{parts.netloc.rpartition('@')[2]}").geturl()
        case _:
            return as_written(value, field_type)


async def show_audit(request: Request) -> Response:
    """Show all operator actions, newest first."""
    query = request.query_params
    subject, actor, act = (query.get(name, "").strip() for name in ("subject", "actor", "action"))
    async with services(request).registry.db.reader() as reader:
        account = await find_by_handle(reader, subject.removeprefix("@").lower()) if subject else None
        entries = await audit_log.page(
            reader,
            subject=account.did if account else subject or None,
            actor=actor or None,
            action=act or None,
            before=query.get("before", "") or audit_log.NEWEST,
            limit=PAGE,
        )
        handles = await account_details.handles(reader, {one.subject for one in entries})
    context = {
        "entries": entries,
        "handles": handles,
        "subject": subject,
        "actor": actor,
        "action": act,
        "actions": [one.value for one in OperatorAction if one is not OperatorAction.SEE],
        "more": entries[-1].id if len(entries) == PAGE else "",
    }
    return admin_page(request, "audit.html", context)
