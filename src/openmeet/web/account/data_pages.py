"""Settings pages about all of the user's data: export it, and delete the account.

The page for deletion first shows the consequences. The user must have proved their identity in the last ten minutes.
"""

from typing import Any, ClassVar, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import SECOND
from groundwork.database.transaction import Reader
from groundwork.errors import Failure, Forbidden, InvalidInput
from groundwork.http.forms import EMPTY, FormState, read_form
from groundwork.http.json_bodies import json_response, read_json
from groundwork.token_hash import hash_token
from openmeet.domain.data_export.person import export_document
from openmeet.domain.erasure import actions
from openmeet.domain.erasure.actions import preview_deletion
from openmeet.domain.erasure.model import MAX_LISTED, ErasurePreview
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.sign_in import queries as sign_in
from openmeet.domain.sign_in.model import SessionStrength
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.model import UserId, UserReason
from openmeet.i18n.catalogue import lazy
from openmeet.i18n.formatting import iso, iso_or_none
from openmeet.recurrence.wall_time import local_of
from openmeet.web.account.recent_proof import PROOF_LASTS, recent_proof_of
from openmeet.web.api.operations import ApiOperation
from openmeet.web.site import session as site_session
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

PATH: Final = "/settings/delete"
# Label of the confirmation field. Keys: whether the user has an e-mail address, and whether they have an AT Protocol
# account.
_NAMED: Final = {
    (True, True): lazy("Your e-mail address or account name"),
    (True, False): lazy("Your e-mail address"),
    (False, True): lazy("Your account name, like @ana.example.org"),
    (False, False): lazy("Your e-mail address or account name"),
}


class HostedEventOutput(msgspec.Struct, rename="camel"):
    """An event that the caller hosts. ``heir`` is the person who takes the event over. If it is null, the event is
    cancelled. If ``isSoon`` is true, this happens at once, because the event starts before the account is deleted.
    """

    slug: str
    title: str
    starts_at: str | None
    heir: str | None
    is_soon: bool


class DeletionPreview(msgspec.Struct, rename="camel"):
    """What happens if the caller deletes their account. ``moreEvents`` is the number of events that are not listed.
    ``recordsOutOfReach`` lists the at-uris of records that this site cannot delete, because the account server no
    longer accepts its session.
    """

    due_at: str
    events: list[HostedEventOutput]
    more_events: int
    groups_passed_on: int
    groups_deleted: int
    answers: int
    memberships: int
    records: int
    records_out_of_reach: list[str]
    deletes_account_server_account: bool


class DeletionInput(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A request to delete the caller's account. ``confirm`` is their e-mail address or handle. It is not checked if
    left out.
    """

    EXAMPLE: ClassVar[dict[str, object]] = {"confirm": "ana@example.org"}

    confirm: str | None = None


class DeletionRequested(msgspec.Struct, rename="camel"):
    """The account will be deleted at ``dueAt``. Signing in before then cancels the deletion."""

    due_at: str


def routes() -> list[Route]:
    return [
        Route("/settings/data", show_export, methods=["GET"]),
        Route("/settings/data/download", download, methods=["GET"]),
        Route(PATH, show, methods=["GET"]),
        Route(PATH, delete, methods=["POST"]),
    ]


async def show_export(request: Request) -> Response:
    caller_of(request)
    return page(request, "account/data.html")


async def download(request: Request) -> Response:
    """The export as one file, never cached."""
    caller = caller_of(request)
    document = await export_document(database_of(request), caller.user_id, services(request).settings.public_url)
    day = local_of(services(request).clock.now(), "UTC").date().isoformat()
    headers = {"content-disposition": f'attachment; filename="my-data-{day}.json"', "cache-control": "no-store"}
    return Response(
        msgspec.json.format(msgspec.json.encode(document), indent=1), media_type="application/json", headers=headers
    )


async def export(request: Request) -> Response:
    caller = caller_of(request)
    document = await export_document(database_of(request), caller.user_id, services(request).settings.public_url)
    return Response(msgspec.json.encode(document), media_type="application/json", headers={"cache-control": "no-store"})


async def show(request: Request) -> Response:
    return await _deletion_page(request, EMPTY)


async def delete(request: Request) -> Response:
    caller = caller_of(request)
    form = await read_form(request)
    try:
        async with database_of(request).reader() as reader:
            await _require_recent_proof(reader, request, site_session.cookie_token(request))
            await _require_typed_name(reader, caller.user_id, form.get("confirm", ""))
    except Failure as failure:
        shown = FormState({"confirm": form.get("confirm", "")}, {"confirm": failure.why})
        return await _deletion_page(request, shown, status=400)
    await actions.begin(database_of(request), caller.user_id, _grace_seconds(request))
    response = go("/", flash="account_deletion_requested")
    site_session.clear_cookie(request, response)
    return response


async def preview(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        erasure_preview = await preview_deletion(reader, caller.user_id, _grace_seconds(request))
    return json_response(_deletion_preview(erasure_preview))


async def delete_me(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, DeletionInput, is_optional=True)
    async with database_of(request).reader() as reader:
        await _require_recent_proof(reader, request, site_session.bearer_of(request))
        if body.confirm is not None:
            await _require_typed_name(reader, caller.user_id, body.confirm)
    deletion_request = await actions.begin(database_of(request), caller.user_id, _grace_seconds(request))
    return json_response(DeletionRequested(iso(deletion_request.due_at)), 202)


def _grace_seconds(request: Request) -> int:
    return int(services(request).settings.erasure_grace * SECOND)


async def _require_recent_proof(reader: Reader, request: Request, token: str) -> None:
    """Raises Forbidden (``ProofExpired``, ``ProofTooWeak``) unless the person proved their identity a few minutes ago
    in this session. An app password or a silent sign-in does not count as proof.
    """
    proof = await sign_in.proof_of(reader, hash_token(token)) if token else None
    if proof is None:
        raise Forbidden(UserReason.SIGN_IN_TO_DELETE, name="ProofExpired")
    if proof.strength is SessionStrength.APP_PASSWORD:
        raise Forbidden(UserReason.APP_PASSWORD_IS_NO_PROOF, name="ProofTooWeak")
    if proof.strength is SessionStrength.SILENT:
        raise Forbidden(UserReason.SILENT_SIGN_IN_IS_NO_PROOF, name="ProofTooWeak")
    if proof.proven_at < services(request).clock.now() - PROOF_LASTS:
        raise Forbidden(UserReason.PROOF_EXPIRED, name="ProofExpired")


async def _require_typed_name(reader: Reader, user_id: UserId, typed_name: str) -> None:
    """Raises InvalidInput unless the text is the person's e-mail address, or one of their handles or DIDs."""
    person = await user_queries.by_id(reader, user_id)
    identities_of_user = await identity_queries.of_user(reader, user_id)
    names = {one.handle.lower() for one in identities_of_user} | {one.did for one in identities_of_user}
    if person is not None and person.email is not None:
        names.add(person.email.lower())
    account_name = typed_name.strip().lower().removeprefix("@")
    if not account_name or account_name not in names:
        raise InvalidInput("confirm", UserReason.WRONG_CONFIRMATION)


def _deletion_preview(erasure_preview: ErasurePreview) -> DeletionPreview:
    return DeletionPreview(
        due_at=iso(erasure_preview.due_at),
        events=[
            HostedEventOutput(one.slug, one.title, iso_or_none(one.starts_at), one.heir, one.is_soon)
            for one in erasure_preview.events
        ],
        more_events=erasure_preview.more_events,
        groups_passed_on=erasure_preview.groups_passed,
        groups_deleted=erasure_preview.groups_deleted,
        answers=erasure_preview.answers,
        memberships=erasure_preview.memberships,
        records=erasure_preview.records,
        records_out_of_reach=list(erasure_preview.out_of_reach[:MAX_LISTED]),
        deletes_account_server_account=erasure_preview.has_custodial_account,
    )


async def _deletion_page(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        erasure_preview = await preview_deletion(reader, caller.user_id, _grace_seconds(request))
        proof = await recent_proof_of(reader, request)
        person = await user_queries.by_id(reader, caller.user_id)
        has_names = bool(await identity_queries.of_user(reader, caller.user_id))
    context: dict[str, Any] = {
        "named": _NAMED[person is not None and person.email is not None, has_names],
        "most_listed": MAX_LISTED,
        "typed": form_state,
        "found": erasure_preview,
        "proof": proof,
    }
    return page(request, "account/deletion.html", context, status=status, headers={"cache-control": "no-store"})


OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/takeout",
        "exportMyData",
        "All your data as one document, described in docs/importing.md",
        export,
        {200: dict[str, msgspec.Raw]},
    ),
    ApiOperation(
        "GET",
        "/api/me/deletion",
        "previewMyDeletion",
        "What happens if you delete your account",
        preview,
        {200: DeletionPreview},
    ),
    ApiOperation(
        "DELETE",
        "/api/me",
        "deleteMe",
        "Hide your account now, and delete it after the grace period",
        delete_me,
        {202: DeletionRequested},
        DeletionInput,
        failures=(403,),
        is_idempotent=True,
        body_is_optional=True,
    ),
)
