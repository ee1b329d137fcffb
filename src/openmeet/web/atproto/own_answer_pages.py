"""``/me/atproto/answers``: the caller's RSVP records, written to their PDS and read back from it."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import Conflict, Failure, InvalidInput, NotFound
from groundwork.http.forms import FormState, form_with_problems, read_form
from openmeet.network.own_records import rsvps
from openmeet.web.atproto.own_record_forms import (
    ALLOW_FIRST,
    ALLOWING,
    HERE,
    account_query,
    needs_permission,
    permission_redirect,
    selected_account,
)
from openmeet.web.atproto.reasons import AtprotoReason
from openmeet.web.sign_in.atproto import network_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

ANSWERS = f"{HERE}/answers"


def routes() -> list[Route]:
    """Routes of the pages on which people edit their own RSVP records. ``new`` is registered before the routes with a
    record key.
    """
    return [
        Route(f"{ANSWERS}/new", show_new, methods=["GET"]),
        Route(f"{ANSWERS}/new", write_new, methods=["POST"]),
        Route(f"{ANSWERS}/{{rkey}}", show_one, methods=["GET"]),
        Route(f"{ANSWERS}/{{rkey}}", write_one, methods=["POST"]),
        Route(f"{ANSWERS}/{{rkey}}/delete", delete_one, methods=["POST"]),
    ]


async def show_new(request: Request) -> Response:
    await selected_account(request)
    return await _answer_form_page(
        request, FormState({"event": request.query_params.get("event", ""), "answer": "going"}), rkey=""
    )


async def write_new(request: Request) -> Response:
    identity, _ = await selected_account(request)
    form = await read_form(request)
    db, network = database_of(request), network_of(request)
    try:
        public_url = services(request).settings.public_url
        subject = await rsvps.subject_at(db, network, form.get("event", ""), public_url)
        await rsvps.create(db, network, identity, subject, form.get("answer", ""))
    except Failure as failure:
        return await _form_with_errors(request, form, failure, rkey="")
    return go(HERE + account_query(request), flash="own_written")


async def show_one(request: Request) -> Response:
    identity, _ = await selected_account(request)
    rkey = request.path_params["rkey"]
    try:
        event, answer = await rsvps.read_own(database_of(request), network_of(request), identity, rkey)
    except Failure as failure:
        return await _form_with_errors(request, {}, failure, rkey=rkey)
    return await _answer_form_page(request, FormState({"event": event, "answer": answer}), rkey=rkey)


async def write_one(request: Request) -> Response:
    identity, _ = await selected_account(request)
    rkey = request.path_params["rkey"]
    form = await read_form(request)
    try:
        await rsvps.edit(database_of(request), network_of(request), identity, rkey, form.get("answer", ""))
    except Failure as failure:
        return await _form_with_errors(request, form, failure, rkey=rkey)
    return go(HERE + account_query(request), flash="own_written")


async def delete_one(request: Request) -> Response:
    identity, _ = await selected_account(request)
    rkey = request.path_params["rkey"]
    try:
        await rsvps.delete(database_of(request), network_of(request), identity, rkey)
    except Failure as failure:
        return await _form_with_errors(request, {}, failure, rkey=rkey)
    return go(HERE + account_query(request), flash="own_deleted")


async def _form_with_errors(request: Request, form: dict[str, str], failure: Failure, *, rkey: str) -> Response:
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
