"""``/me/atproto``: the caller's records of events and RSVPs, written to their PDS and read back from it."""

import secrets
from dataclasses import asdict
from typing import Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from at_protocol.syntax.tid import TidClock
from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import Conflict, Failure, InvalidInput, NotFound, NotSignedIn, Refused
from groundwork.http.forms import FormState, form_with_problems, read_form
from openmeet.domain.identities import queries
from openmeet.domain.identities.model import Identity
from openmeet.domain.users.model import UserId
from openmeet.domain.users.queries import by_id
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext, lazy
from openmeet.network.own_records import repository, rsvps
from openmeet.network.own_records.edits import MODES, STATUSES, EventRecordForm
from openmeet.network.own_records.repository import list_page
from openmeet.network.records.collections import EVENT, RSVP
from openmeet.network.repositories.agents import is_not_allowed
from openmeet.recurrence import wall_time
from openmeet.web.atproto.reasons import AtprotoReason
from openmeet.web.sign_in.atproto import network_of
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

HERE: Final = "/me/atproto"
ALLOWING: Final = "/settings/identity"
ALLOW_FIRST: Final = lazy(
    "Your account server doesn’t let us write for you right now. Nothing was saved, and what you typed is still "
    "below. Sign in or allow it in a new window, then press the button here again."
)
ANSWERS = f"{HERE}/answers"

# The lists of the page, each with the name of its cursor parameter.
_SECTIONS: Final = {"events": EVENT, "answers": RSVP}

_tids = TidClock(secrets.randbelow(1024))


def routes() -> list[Route]:
    """Routes of a person’s own records. ``new`` and ``answers`` come before record keys, which would match them."""
    return [
        Route(f"{ANSWERS}/new", show_new_answer, methods=["GET"]),
        Route(f"{ANSWERS}/new", write_new_answer, methods=["POST"]),
        Route(f"{ANSWERS}/{{rkey}}", show_answer, methods=["GET"]),
        Route(f"{ANSWERS}/{{rkey}}", write_answer, methods=["POST"]),
        Route(f"{ANSWERS}/{{rkey}}/delete", delete_answer, methods=["POST"]),
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


async def selected_account(request: Request) -> tuple[Identity, str]:
    """The selected account (``account``, a DID) or the default one, and the caller's time zone.

    Raises NotFound if the user has no account, or if the account belongs to somebody else.
    """
    caller, account = caller_of(request), request.query_params.get("account", "")
    async with database_of(request).reader() as reader:
        accounts = await accounts_of(reader, caller.user_id)
        person = await by_id(reader, caller.user_id)
    if not accounts:
        raise NotFound(AtprotoReason.ACCOUNT_NEEDED)
    identity = next((one for one in accounts if account in {"", one.did}), None)
    if identity is None:
        raise NotFound(AtprotoReason.NOT_YOUR_ACCOUNT)
    settings = services(request).settings
    return identity, (person.time_zone if person else None) or settings.time_zone


def account_query(request: Request) -> str:
    """The query string that selects the account on other pages. Empty for the default account."""
    account = request.query_params.get("account", "")
    return "?" + urlencode({"account": account}) if account else ""


def needs_permission(failure: Failure) -> bool:
    """Whether the write failed because the user must first sign in or grant a permission at the PDS."""
    return isinstance(failure, NotSignedIn) or is_not_allowed(failure)


def permission_redirect(request: Request) -> Response:
    """Redirect to the page that requests permissions, which then returns to the record. Only used before the user has
    typed anything, because typed values would be lost.
    """
    return go(f"{ALLOWING}?" + urlencode({"next": request.url.path.removesuffix("/delete") + account_query(request)}))


async def accounts_of(reader: Reader, user_id: UserId) -> list[Identity]:
    """The accounts whose repositories can be shown, the default one first."""
    return [one for one in await queries.writable_of_user(reader, user_id) if one.pds_url]


async def show_new_answer(request: Request) -> Response:
    await selected_account(request)
    return await _answer_form_page(
        request, FormState({"event": request.query_params.get("event", ""), "answer": "going"}), rkey=""
    )


async def write_new_answer(request: Request) -> Response:
    identity, _ = await selected_account(request)
    form = await read_form(request)
    db, network = database_of(request), network_of(request)
    try:
        public_url = services(request).settings.public_url
        subject = await rsvps.subject_at(db, network, form.get("event", ""), public_url)
        await rsvps.create(db, network, identity, subject, form.get("answer", ""))
    except Failure as failure:
        return await _answer_form_with_errors(request, form, failure, rkey="")
    return go(HERE + account_query(request), flash="own_written")


async def show_answer(request: Request) -> Response:
    identity, _ = await selected_account(request)
    rkey = request.path_params["rkey"]
    try:
        event, answer = await rsvps.read_own(database_of(request), network_of(request), identity, rkey)
    except Failure as failure:
        return await _answer_form_with_errors(request, {}, failure, rkey=rkey)
    return await _answer_form_page(request, FormState({"event": event, "answer": answer}), rkey=rkey)


async def write_answer(request: Request) -> Response:
    identity, _ = await selected_account(request)
    rkey = request.path_params["rkey"]
    form = await read_form(request)
    try:
        await rsvps.edit(database_of(request), network_of(request), identity, rkey, form.get("answer", ""))
    except Failure as failure:
        return await _answer_form_with_errors(request, form, failure, rkey=rkey)
    return go(HERE + account_query(request), flash="own_written")


async def delete_answer(request: Request) -> Response:
    identity, _ = await selected_account(request)
    rkey = request.path_params["rkey"]
    try:
        await rsvps.delete(database_of(request), network_of(request), identity, rkey)
    except Failure as failure:
        return await _answer_form_with_errors(request, {}, failure, rkey=rkey)
    return go(HERE + account_query(request), flash="own_deleted")


async def _answer_form_with_errors(request: Request, form: dict[str, str], failure: Failure, *, rkey: str) -> Response:
    """Show the form again, with the submitted values and the errors."""
    match failure:
        case _ if needs_permission(failure):
            if not form:
                return permission_redirect(request)
            return await _answer_form_page(
                request, FormState(form, {"": str(ALLOW_FIRST)}), rkey=rkey, status=403, allow_at=ALLOWING
            )
        case InvalidInput():
            return await _answer_form_page(request, form_with_problems(form, failure), rkey=rkey, status=400)
        case Conflict():
            problem = {"": AtprotoReason.CHANGED_ELSEWHERE()}
            return await _answer_form_page(request, FormState(form, problem), rkey=rkey, status=409)
        case NotFound():
            raise failure
        case _:
            problem = {"": AtprotoReason.ANSWER_NOT_WRITTEN(problem=failure.quoted)}
            return await _answer_form_page(request, FormState(form, problem), rkey=rkey, status=502)


async def _answer_form_page(
    request: Request, form_state: FormState, *, rkey: str, status: int = 200, allow_at: str = ""
) -> Response:
    identity, _ = await selected_account(request)
    context = {
        "typed": form_state,
        "allow_at": allow_at,
        "identity": identity,
        "rkey": rkey,
        "path_of": quote(rkey),
        "of_account": account_query(request),
    }
    return page(request, "atproto/own_answer.html", context, status=status)
