"""``/me/atproto``: the caller's calendar records, written to their PDS and read back from it."""

import secrets
from dataclasses import asdict
from typing import Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from at_protocol.syntax.tid import TidClock
from groundwork.clock import Instant
from groundwork.errors import Conflict, Failure, InvalidInput, NotFound, Refused
from groundwork.http.forms import FormState, form_with_problems, read_form
from openmeet.domain.identities.model import Identity
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext
from openmeet.network.own_records import repository
from openmeet.network.own_records.edits import MODES, STATUSES, EventRecordForm
from openmeet.network.own_records.repository import list_page
from openmeet.network.records.collections import EVENT, RSVP
from openmeet.recurrence import wall_time
from openmeet.web.atproto import own_answer_pages
from openmeet.web.atproto.own_record_forms import (
    ALLOW_FIRST,
    ALLOWING,
    HERE,
    account_query,
    accounts_of,
    needs_permission,
    permission_redirect,
    selected_account,
)
from openmeet.web.atproto.reasons import AtprotoReason
from openmeet.web.sign_in.atproto import network_of
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of

# The lists of the page, each with the name of its cursor parameter.
_SECTIONS: Final = {"events": EVENT, "answers": RSVP}

_tids = TidClock(secrets.randbelow(1024))


def routes() -> list[Route]:
    """``new`` and ``answers`` are registered before the routes with a record key."""
    return [
        *own_answer_pages.routes(),
        Route(HERE, show, methods=["GET"]),
        Route(f"{HERE}/new", show_new, methods=["GET"]),
        Route(f"{HERE}/new", write_new, methods=["POST"]),
        Route(f"{HERE}/{{rkey}}", show_one, methods=["GET"]),
        Route(f"{HERE}/{{rkey}}", write_one, methods=["POST"]),
        Route(f"{HERE}/{{rkey}}/delete", delete_one, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    """The records in the repository, and new records that have not been read back yet."""
    identity, zone = await selected_account(request)
    db, network = database_of(request), network_of(request)
    async with db.reader() as reader:
        accounts = await accounts_of(reader, caller_of(request).user_id)
    after = {collection: request.query_params.get(name, "") for name, collection in _SECTIONS.items()}
    pages = {
        name: await list_page(db, network, identity, collection, after[collection])
        for name, collection in _SECTIONS.items()
    }
    records = [one for some in pages.values() for one in some.records]
    context = {
        "identity": identity,
        "accounts": accounts,
        "of_account": account_query(request),
        "pages": pages,
        "older": {name: some.older and _next_page_path(request, {name: some.older}) for name, some in pages.items()},
        "newest": {
            name: _next_page_path(request, {name: ""}) if request.query_params.get(name) else "" for name in pages
        },
        "when": {one.uri: _start_label(one.starts_at, zone) for one in records if one.starts_at},
        "waits": any(one.state is not repository.OwnRecordState.HERE for one in records),
        "again": _next_page_path(request, {}),
    }
    return page(request, "atproto/own_records.html", context)


async def show_new(request: Request) -> Response:
    identity, zone = await selected_account(request)
    return _record_form_page(request, identity, FormState({"key": _fresh_key(request)}), zone, rkey="")


async def write_new(request: Request) -> Response:
    identity, zone = await selected_account(request)
    form = await read_form(request)
    network, key = network_of(request), form.get("key", "")
    try:
        await repository.create(database_of(request), network, _tids, identity, _submitted_form(form), zone, key)
    except Conflict:
        # The form contains a record key, so a repeated submission writes the same record.
        problem = {"": AtprotoReason.SENT_BEFORE()}
        shown = FormState({**form, "key": _fresh_key(request)}, problem)
        return _record_form_page(request, identity, shown, zone, rkey="", status=409)
    except Failure as failure:
        return _form_with_errors(request, identity, form, zone, failure, rkey="")
    return go(HERE + account_query(request), flash="own_written")


async def show_one(request: Request) -> Response:
    identity, zone = await selected_account(request)
    rkey = request.path_params["rkey"]
    try:
        current = await repository.read_own(network_of(request), identity, rkey, zone)
    except Refused as refused:
        problem = {"": AtprotoReason.CANNOT_CHANGE_RECORD(problem=refused.quoted)}
        return _record_form_page(request, identity, FormState({}, problem), zone, rkey=rkey)
    values = {**asdict(current.form), "version": current.cid}
    return _record_form_page(request, identity, FormState(values), zone, rkey=rkey)


async def write_one(request: Request) -> Response:
    identity, zone = await selected_account(request)
    rkey = request.path_params["rkey"]
    form = await read_form(request)
    network, version = network_of(request), form.get("version", "")
    try:
        await repository.edit(database_of(request), network, identity, rkey, _submitted_form(form), zone, version)
    except Failure as failure:
        return _form_with_errors(request, identity, form, zone, failure, rkey=rkey)
    return go(HERE + account_query(request), flash="own_written")


async def delete_one(request: Request) -> Response:
    identity, zone = await selected_account(request)
    rkey = request.path_params["rkey"]
    try:
        await repository.delete(database_of(request), network_of(request), identity, rkey)
    except Failure as failure:
        return _form_with_errors(request, identity, {}, zone, failure, rkey=rkey)
    return go(HERE + account_query(request), flash="own_deleted")


def _fresh_key(request: Request) -> str:
    """A new record key for the record that a form creates."""
    return str(_tids.next(network_of(request).clock.now()))


def _next_page_path(request: Request, changed: dict[str, str]) -> str:
    """The URL of the next page of one of the lists."""
    parameters = {name: request.query_params.get(name, "") for name in ("account", *_SECTIONS)} | changed
    filled_parameters = {name: value for name, value in parameters.items() if value}
    return f"{HERE}?{urlencode(filled_parameters)}" if filled_parameters else HERE


def _form_with_errors(
    request: Request, identity: Identity, form: dict[str, str], zone: str, failure: Failure, *, rkey: str
) -> Response:
    """Show the form again, with the submitted values and the errors."""
    match failure:
        case _ if needs_permission(failure):
            if not form:
                return permission_redirect(request)
            return _record_form_page(
                request,
                identity,
                FormState(form, {"": str(ALLOW_FIRST)}),
                zone,
                rkey=rkey,
                status=403,
                allow_at=ALLOWING,
            )
        case InvalidInput():
            return _record_form_page(request, identity, form_with_problems(form, failure), zone, rkey=rkey, status=400)
        case Conflict():
            problem = {"": AtprotoReason.CHANGED_ELSEWHERE()}
            return _record_form_page(request, identity, FormState(form, problem), zone, rkey=rkey, status=409)
        case NotFound():
            raise failure
        case _:
            problem = {"": AtprotoReason.NOTHING_WRITTEN(problem=failure.quoted)}
            return _record_form_page(request, identity, FormState(form, problem), zone, rkey=rkey, status=502)


def _record_form_page(
    request: Request,
    identity: Identity,
    form_state: FormState,
    zone: str,
    *,
    rkey: str,
    status: int = 200,
    allow_at: str = "",
) -> Response:
    context = {
        "typed": form_state,
        "allow_at": allow_at,
        "identity": identity,
        "zone": zone,
        "rkey": rkey,
        "path_of": quote(rkey),
        "of_account": account_query(request),
        "modes": [("", gettext("Not specified")), *MODES.items()],
        "statuses": [("", gettext("Not specified")), *STATUSES.items()],
    }
    return page(request, "atproto/own_record.html", context, status=status)


def _submitted_form(form: dict[str, str]) -> EventRecordForm:
    return EventRecordForm(
        form.get("name", ""),
        form.get("description", ""),
        form.get("starts", "").strip(),
        form.get("ends", "").strip(),
        form.get("mode"),
        form.get("status"),
    )


def _start_label(starts_at: Instant, zone: str) -> str:
    local = wall_time.local_of(starts_at, zone)
    return f"{formatting.span(local, None)} {formatting.zone_label(local, zone)}"
