"""The pages on which a user takes over their custodial repository, and then saves and confirms its recovery key."""

from dataclasses import dataclass, field
from enum import StrEnum

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import Failure, InvalidInput, NotFound, Refused, RemoteFailed, RemoteSlow
from groundwork.http.forms import EMPTY, FormState, read_form
from groundwork.sealing import CannotUnseal
from groundwork.telemetry.logs import log
from openmeet.domain.identities import queries, recovery_key_queries
from openmeet.domain.identities.model import Identity
from openmeet.domain.identities.recovery_key_queries import WaitingKey
from openmeet.domain.users.model import UserReason
from openmeet.domain.users.queries import by_id
from openmeet.i18n.catalogue import gettext
from openmeet.network.publishing.consent import ConsentDependencies
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.custodial import check_password, custodial_identity_of, take_over
from openmeet.network.repositories.recovery_keys import KEPT_FOR, file_of, unseal
from openmeet.web.account.recent_proof import RecentProof, recent_proof_of
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import publishing_of, services
from openmeet.web.site.tenant_routing import database_of

PATH = "/settings/identity/recovery-key"
FILE = f"{PATH}/file"
TAKE_OVER_PATH = "/settings/identity/take-over"


# Shown if there is no key, for any reason.


class RecoveryKeyCheck(StrEnum):
    """Whether the recovery key still works. UNCHECKED means that the PLC directory did not answer, GONE that the DID
    document no longer lists the key.
    """

    GOOD = "good"
    UNCHECKED = "unchecked"
    GONE = "gone"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class _CustodialView:
    waiting: WaitingKey
    identity: Identity | None
    private: str = field(repr=False)
    key_check: RecoveryKeyCheck
    proof: RecentProof


def routes() -> list[Route]:
    """Routes of the recovery key. The pages are shown to the owner only and never cached."""
    return [
        Route(PATH, show, methods=["GET"]),
        Route(FILE, save, methods=["GET"]),
        Route(PATH, erase, methods=["POST"]),
        Route(TAKE_OVER_PATH, show_take_over, methods=["GET"]),
        Route(TAKE_OVER_PATH, take, methods=["POST"]),
    ]


async def show_take_over(request: Request) -> Response:
    return await _take_over_page(request, EMPTY)


async def take(request: Request) -> Response:
    """Set the password of the account. A stolen session is not enough, because the password also signs in here."""
    publishing, caller = publishing_of(request), caller_of(request)
    form = await read_form(request)
    async with database_of(request).reader() as reader:
        if not (await recent_proof_of(reader, request)).is_enough:
            return go(TAKE_OVER_PATH)
    try:
        password = check_password(form.get("password", ""), form.get("again", ""))
        await take_over(database_of(request), publishing.network, publishing.custodial_pds, caller.user_id, password)
    except InvalidInput as wrong:
        field = wrong.field if wrong.field in {"password", "again"} else "password"
        return await _take_over_page(request, FormState({}, {field: wrong.why}), status=400)
    except Refused as refused:
        return await _take_over_page(request, FormState({}, {"": refused.why}), status=422)
    except (RemoteFailed, RemoteSlow) as away:
        reason = UserReason.NOTHING_LOST(problem=away.quoted)
        return await _take_over_page(request, FormState({}, {"": reason}), status=502)
    async with database_of(request).reader() as reader:
        waits = await recovery_key_queries.unsaved_key(reader, caller.user_id) is not None
    return go(PATH if waits else "/settings/identity", flash="identity_taken_over")


async def _take_over_page(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    custodial_pds, caller = publishing_of(request).custodial_pds, caller_of(request)
    async with database_of(request).reader() as reader:
        identity = await custodial_identity_of(reader, caller.user_id)
        person = await by_id(reader, caller.user_id)
        has_key = identity is not None and await recovery_key_queries.has_key(reader, identity.did)
        proof = await recent_proof_of(reader, request)
    if identity is None:
        raise NotFound(UserReason.NO_ACCOUNT_KEPT)
    context = {
        "typed": form_state,
        "identity": identity,
        "email": person.email if person else None,
        "has_key": has_key,
        "proof": proof,
        "account_page": f"{custodial_pds.pds_url}/account",
    }
    return page(request, "account/take_over.html", context, status=status)


async def show(request: Request) -> Response:
    return await _custodial_page(request, EMPTY)


async def save(request: Request) -> Response:
    publishing = publishing_of(request)
    shown = await _custodial_view(request, publishing.network)
    if not shown.proof.is_enough:
        return go(PATH)
    if not shown.private:
        raise NotFound(UserReason.NO_RECOVERY_KEY)
    site = services(request).settings.site_name
    account_page = _account_page(publishing)
    text = file_of(shown.waiting, shown.private, shown.identity, site=site, account_page=account_page)
    name = (shown.identity.handle if shown.identity else "") or shown.waiting.did.replace(":", "-")
    headers = {
        "content-disposition": f'attachment; filename="recovery-key-{name}.txt"',
        "cache-control": "no-store",
    }
    return Response(text, media_type="text/plain; charset=utf-8", headers=headers)


async def erase(request: Request) -> Response:
    publishing_of(request)
    caller = caller_of(request)
    form = await read_form(request)
    if form.get("kept") != "yes":
        problem = FormState(
            {}, {"kept": gettext("Save the key first, then select the checkbox. We can’t show it again.")}
        )
        return await _custodial_page(request, problem, status=400)
    async with database_of(request).transaction() as tx:
        is_erased = await recovery_key_queries.erase_unsaved(tx, caller.user_id, form.get("public_key", ""))
        left = await recovery_key_queries.unsaved_key(tx, caller.user_id)
    if is_erased:
        log.info("recovery_key.erased")
    return go("/settings/identity" if left is None else PATH, flash="recovery_key_kept" if is_erased else "")


def _account_page(publishing: ConsentDependencies) -> str:
    """The account page on the PDS that held the repository."""
    return f"{publishing.custodial_pds.pds_url}/account"


async def _custodial_view(request: Request, network: NetworkClients) -> _CustodialView:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        waiting = await recovery_key_queries.unsaved_key(reader, caller.user_id)
        identity = await queries.find(reader, waiting.did) if waiting is not None else None
        proof = await recent_proof_of(reader, request)
    if waiting is None:
        raise NotFound(UserReason.NO_RECOVERY_KEY)
    try:
        private = unseal(network, waiting)
    except CannotUnseal:
        log.warning("recovery_key.sealed_with_lost_key", did=waiting.did)
        return _CustodialView(waiting, identity, "", RecoveryKeyCheck.LOST, proof)
    try:
        listed = await network.dids.rotation_keys(waiting.did)
    except Failure as failure:
        log.warning("recovery_key.not_checked", did=waiting.did, why=failure.why)
        return _CustodialView(waiting, identity, private, RecoveryKeyCheck.UNCHECKED, proof)
    key_check = RecoveryKeyCheck.GOOD if waiting.public_key in listed else RecoveryKeyCheck.GONE
    return _CustodialView(waiting, identity, private if key_check is RecoveryKeyCheck.GOOD else "", key_check, proof)


async def _custodial_page(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    publishing = publishing_of(request)
    shown = await _custodial_view(request, publishing.network)
    context = {
        "typed": form_state,
        "waiting": shown.waiting,
        "name": (shown.identity.handle if shown.identity else "") or shown.waiting.did,
        "private": shown.private,
        "proof": shown.proof,
        "key_check": shown.key_check.value,
        "until": shown.waiting.taken_over_at + KEPT_FOR,
        "file": FILE,
        "account_page": _account_page(publishing),
    }
    headers = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
    return page(request, "account/recovery_key.html", context, status=status, headers=headers)
