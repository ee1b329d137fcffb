"""Account merge pages: prove ownership of the other account, review its content, confirm.

A stolen session is not enough, because whoever merges an account of theirs can sign in as its user from then on.
"""

from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import Forbidden, InvalidForm, Refused, TooMany, Why
from groundwork.http.forms import EMPTY, FormState, form_with_problems, read_form
from openmeet.domain.account_merge import actions
from openmeet.domain.account_merge.model import MergeProposal, MergeProposalId
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.users.model import User, UserId, UserKind
from openmeet.domain.users.queries import by_id
from openmeet.i18n.catalogue import gettext
from openmeet.web.account import address_code
from openmeet.web.account.recent_proof import RecentProof, recent_proof_of
from openmeet.web.site import session as site_session
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of

PATH: Final = "/settings/join"


def routes() -> list[Route]:
    return [
        Route(PATH, show_start, methods=["GET"]),
        Route(PATH, ask_code, methods=["POST"]),
        Route(f"{PATH}/code", show_code, methods=["GET"]),
        Route(f"{PATH}/code", answer_code, methods=["POST"]),
        Route(f"{PATH}/{{proposal}}", show_proposal, methods=["GET"]),
        Route(f"{PATH}/{{proposal}}", join, methods=["POST"]),
        Route(f"{PATH}/{{proposal}}/not-now", postpone, methods=["POST"]),
    ]


async def show_start(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        me = await by_id(reader, caller.user_id)
        proof = await recent_proof_of(reader, request)
    return _start_page(request, me, proof, EMPTY)


async def ask_code(request: Request) -> Response:
    caller = caller_of(request)
    form = await read_form(request)
    async with database_of(request).reader() as reader:
        me = await by_id(reader, caller.user_id)
        proof = await recent_proof_of(reader, request)
    try:
        await site_session.refuse_app_password(request)
        if not proof.is_enough:
            return go(PATH)
        own = gettext("This is the address that you sign in with. Enter the other one.")
        return await address_code.send(request, form, me, path=PATH, own_address=own)
    except InvalidForm as wrong:
        return _start_page(request, me, proof, form_with_problems(form, wrong), status=400)
    except TooMany as limit:
        return _start_page(request, me, proof, FormState(form, {"email": limit.why}), status=429)
    except Forbidden as weak:
        return _start_page(request, me, proof, FormState(form, {"email": weak.why}), status=403)


async def show_code(request: Request) -> Response:
    return await address_code.show(request, path=PATH)


async def answer_code(request: Request) -> Response:
    caller = caller_of(request)
    await site_session.refuse_app_password(request)
    taken = await address_code.check(
        request, lambda tx, email: actions.prove_email(tx, caller.user_id, email), path=PATH
    )
    if isinstance(taken, Response):
        return taken
    proposal, is_taken = taken
    if proposal:
        return go(f"{PATH}/{proposal}")
    return go("/settings/profile", flash="address_taken" if is_taken else "nothing_to_join")


async def show_proposal(request: Request) -> Response:
    return await _claim_page(request)


async def join(request: Request) -> Response:
    caller = caller_of(request)
    proposal_id = MergeProposalId(request.path_params["proposal"])
    async with database_of(request).reader() as reader:
        if not (await recent_proof_of(reader, request)).is_enough:
            return go(f"{PATH}/{quote(proposal_id)}")
    try:
        # A merge runs many statements and is retried after a conflict.
        await database_of(request).batch(lambda tx: actions.confirm(tx, caller.user_id, proposal_id))
    except Refused as refused:
        return await _claim_page(request, problem=refused.why, status=422)
    return go(f"{PATH}/{proposal_id}", flash="accounts_joined")


async def postpone(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        await actions.decline(tx, caller.user_id, MergeProposalId(request.path_params["proposal"]))
    return go("/settings/profile", flash="not_joined")


async def _claim_page(request: Request, *, problem: Why = "", status: int = 200) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        proposal, holdings = await actions.proposal_and_holdings(
            reader, caller.user_id, MergeProposalId(request.path_params["proposal"])
        )
        context = {
            "proposal": proposal,
            "holdings": holdings,
            "problem": problem,
            "proof": await recent_proof_of(reader, request),
            "name": await _other_account_name(reader, proposal),
            **await _sign_in_methods(reader, proposal),
        }
    return page(request, "account/merge.html", context, status=status)


async def _other_account_name(reader: Reader, proposal: MergeProposal) -> str:
    if proposal.other_id is None:
        return ""
    return (await shown_names(reader, [proposal.other_id]))[proposal.other_id]


async def _sign_in_methods(reader: Reader, proposal: MergeProposal) -> dict[str, object]:
    """The ways to sign in before and after the merge: e-mail addresses and handles. If both accounts have an address,
    only one is kept.
    """
    other: UserId | None = proposal.other_id
    other_user = await by_id(reader, other) if other else None
    me = await by_id(reader, proposal.user_id)
    return {
        "is_account": other_user is not None and other_user.kind is UserKind.PERSON,
        "handles": [one.handle or one.did for one in await identity_queries.of_user(reader, other)] if other else [],
        "my_email": me.email if me else None,
        "lost_email": other_user.email if other_user and me and me.email and other_user.email else None,
    }


def _start_page(
    request: Request, me: User | None, proof: RecentProof, form_state: FormState, *, status: int = 200
) -> Response:
    context = {"typed": form_state, "has_email": me is not None and me.email is not None, "proof": proof}
    return page(request, "account/start.html", context, status=status)
