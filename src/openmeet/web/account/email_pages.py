"""Pages to change the e-mail address that the user signs in with: prove the identity, prove the new address.

A stolen session alone is not enough: the user must have signed in during the last ten minutes.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Transaction
from groundwork.errors import InvalidForm, TooMany
from groundwork.http.forms import EMPTY, FormState, form_with_problems, read_form
from openmeet.domain.account_merge import actions as account_merge
from openmeet.domain.account_merge.model import MergeProposalId
from openmeet.domain.sign_in.actions import change_email
from openmeet.domain.users.queries import by_id
from openmeet.i18n.catalogue import gettext
from openmeet.web.account import address_code
from openmeet.web.account.recent_proof import recent_proof_of
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

PATH: Final = "/settings/email"


def routes() -> list[Route]:
    return [
        Route(PATH, show, methods=["GET"]),
        Route(PATH, ask_code, methods=["POST"]),
        Route(f"{PATH}/code", show_code, methods=["GET"]),
        Route(f"{PATH}/code", answer_code, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    return await _page(request, EMPTY)


async def ask_code(request: Request) -> Response:
    """Send a code to the new address."""
    caller = caller_of(request)
    form = await read_form(request)
    async with database_of(request).reader() as reader:
        me = await by_id(reader, caller.user_id)
        is_proven = (await recent_proof_of(reader, request)).is_enough
    if not is_proven:
        return go(PATH)
    own = gettext("This is your address already. Enter the new one.")
    try:
        return await address_code.send(request, form, me, path=PATH, own_address=own)
    except InvalidForm as wrong:
        return await _page(request, form_with_problems(form, wrong), status=400)
    except TooMany as limit:
        return await _page(request, FormState(form, {"email": limit.why}), status=429)


async def show_code(request: Request) -> Response:
    return await address_code.show(request, path=PATH)


async def answer_code(request: Request) -> Response:
    """Change the address. If it belongs to another account of the user, offer to merge the two instead."""
    user_id, key = caller_of(request).user_id, services(request).code_key

    async def take(tx: Transaction, email: str) -> tuple[MergeProposalId | None, bool]:
        proposal, is_saved = await account_merge.prove_email(tx, user_id, email)
        if proposal is None and not is_saved:
            is_saved = await change_email(tx, key, user_id, email)
        return proposal, is_saved

    taken = await address_code.check(request, take, path=PATH)
    if isinstance(taken, Response):
        return taken
    proposal, is_saved = taken
    if proposal is not None:
        return go(f"/settings/join/{proposal}", flash="address_of_another_account")
    return go("/settings/profile", flash="email_changed" if is_saved else "nothing_to_join")


async def _page(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        me = await by_id(reader, caller.user_id)
        proof = await recent_proof_of(reader, request)
    context = {"typed": form_state, "email": me.email if me else None, "proof": proof}
    return page(request, "account/email.html", context, status=status)
