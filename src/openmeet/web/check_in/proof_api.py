"""Proofs of attendance, as JSON."""

from typing import ClassVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.errors import NotFound
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.attendance import proof_keys, proofs
from openmeet.domain.attendance.proofs import AttendanceProof, ListedProof, ShownAs
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.i18n.formatting import iso, iso_or_none
from openmeet.web.api.operations import ApiOperation
from openmeet.web.api.pagination import CURSOR, LIMIT, paging
from openmeet.web.check_in.proof_pages import (
    API_PATH,
    HEADERS,
    claims_of,
    proof_url,
    public_event_url,
    shown_name,
    spend_on_proof,
)
from openmeet.web.site.caller import caller_of
from openmeet.web.site.services import services
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of

_OWN = "/api/events/{slug}/attendance-proof"


class MakeProofInput(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """What the proof shows of the caller: their display name, or their network account. ``replaces`` is the ``proofId``
    of the proof that the new one replaces.
    """

    EXAMPLE: ClassVar[dict[str, object]] = {"shownAs": "name"}

    shown_as: ShownAs = ShownAs.NAME
    replaces: str = ""


class OwnProofOutput(msgspec.Struct, rename="camel"):
    """The caller’s proof. Anyone with ``url`` can see it; it is null if it can no longer be shown, but still works.

    ``isConfirmed`` is false while there is no confirmed check-in behind it; then ``url`` says only that.
    """

    proof_id: str
    url: str | None
    shown_as: ShownAs
    made_at: str
    is_confirmed: bool


class EventOfOwnProof(msgspec.Struct, rename="camel"):
    """``title`` and ``startsAt`` are null if the caller can no longer see the event."""

    slug: str
    title: str | None
    starts_at: str | None


class ListedProofOutput(OwnProofOutput, rename="camel"):
    """A proof in the list of the caller’s."""

    event: EventOfOwnProof


class ProofList(msgspec.Struct, rename="camel"):
    """The caller’s proofs that were not withdrawn, newest first. ``cursor`` is null on the last page."""

    proofs: list[ListedProofOutput]
    cursor: str | None


class ProvenEvent(msgspec.Struct, rename="camel"):
    """The event of a proof. ``url`` is null unless the event is public."""

    title: str
    starts_at: str | None
    ends_at: str | None
    host_name: str
    url: str | None


class AttendanceProofOutput(msgspec.Struct, rename="camel"):
    """A valid proof: this person was checked in at this event. ``shownName`` is the handle of the account
    ``did``, or, if that is null, a display name that nobody has checked. ``token`` says the same as a signed JSON Web
    Token.
    """

    shown_name: str
    did: str | None
    event: ProvenEvent
    token: str


async def show_own(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        options = await proofs.options_of(reader, services(request).code_key, caller, event_slug_of(request))
    if options.proof is None:
        raise NotFound(AttendanceReason.NO_SUCH_PROOF)
    return json_response(_own(request, options.proof, is_confirmed=options.is_confirmed), headers=HEADERS)


async def make(request: Request) -> Response:
    caller, body = caller_of(request), await read_json(request, MakeProofInput)
    await spend_on_proof(request, caller.user_id)
    key, slug = services(request).code_key, event_slug_of(request)
    async with database_of(request).transaction() as tx:
        proof = await proofs.make(tx, key, caller, slug, body.shown_as, replaces=body.replaces)
        # An earlier proof may show an account that is gone.
        options = await proofs.options_of(tx, key, caller, slug)
    return json_response(_own(request, proof, is_confirmed=options.is_confirmed), headers=HEADERS)


async def withdraw(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await proofs.withdraw(tx, caller_of(request), event_slug_of(request), request.path_params["proofId"])
    return Response(status_code=204)


async def list_own(request: Request) -> Response:
    page = paging(request)
    async with database_of(request).reader() as reader:
        listed = await proofs.of_person(reader, services(request).code_key, caller_of(request), page)
    shown, cursor = page.cut(listed, lambda one: (one.proof.made_at, one.proof.id))
    return json_response(ProofList([_listed(request, one) for one in shown], cursor), headers=HEADERS)


async def show(request: Request) -> Response:
    token, public_url = request.path_params["token"], services(request).settings.public_url
    async with database_of(request).reader() as reader:
        proof_content = await proofs.content_of(reader, token)
        claims = claims_of(proof_content, public_url, token, reader.now)
        signed = await proof_keys.sign(reader, services(request).code_key, claims)
    event = proof_content.event
    shown = AttendanceProofOutput(
        shown_name(proof_content),
        proof_content.account.did if proof_content.account else None,
        ProvenEvent(
            event.title,
            iso_or_none(event.starts_at),
            iso_or_none(event.ends_at),
            proof_content.host,
            public_event_url(event, public_url) or None,
        ),
        signed,
    )
    return json_response(shown, headers=HEADERS)


def _own(request: Request, proof: AttendanceProof, *, is_confirmed: bool) -> OwnProofOutput:
    address = proof_url(services(request).settings.public_url, proof.token)
    return OwnProofOutput(proof.id, address or None, proof.shown_as, iso(proof.made_at), is_confirmed)


def _listed(request: Request, one: ListedProof) -> ListedProofOutput:
    starts_at = one.event.starts_at if one.is_named else None
    event = EventOfOwnProof(one.event.slug, one.event.title if one.is_named else None, iso_or_none(starts_at))
    own = _own(request, one.proof, is_confirmed=one.why_not is None)
    return ListedProofOutput(own.proof_id, own.url, own.shown_as, own.made_at, own.is_confirmed, event)


OPERATIONS = (
    ApiOperation(
        "GET",
        _OWN,
        "showOwnAttendanceProof",
        "Your proof of attendance, with its secret address",
        show_own,
        {200: OwnProofOutput},
        failures=(404,),
    ),
    ApiOperation(
        "POST",
        _OWN,
        "makeAttendanceProof",
        "Make a proof of attendance, once a host has checked you in and the event has started. If there is one, "
        "it is returned unchanged unless it is named in `replaces`",
        make,
        {200: OwnProofOutput},
        MakeProofInput,
        failures=(404, 409, 422, 503),
    ),
    ApiOperation(
        "DELETE",
        f"{_OWN}/{{proofId}}",
        "withdrawAttendanceProof",
        "Withdraw your proof of attendance for good",
        withdraw,
        {204: None},
        failures=(404,),
    ),
    ApiOperation(
        "GET",
        "/api/my/attendance-proofs",
        "listOwnAttendanceProofs",
        "Your proofs of attendance, with their secret addresses",
        list_own,
        {200: ProofList},
        parameters=(CURSOR, LIMIT),
    ),
    ApiOperation(
        "GET",
        f"{API_PATH}/{{token}}",
        "showAttendanceProof",
        "A proof of attendance, for anyone with its address. 410 if it was withdrawn or is no longer confirmed",
        show,
        {200: AttendanceProofOutput},
        needs_session=False,
        failures=(404, 410, 503),
    ),
)
