"""Pages to change the e-mail address that the user signs in with: prove the identity, prove the new address.

A stolen session alone is not enough: the user must have signed in during the last ten minutes.
"""

from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import MINUTE
from groundwork.errors import InvalidForm, TooMany
from groundwork.http.forms import EMPTY, FormState, form_with_problems, read_form
from openmeet.domain.account_merge import actions as account_merge
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.actions import change_email
from openmeet.domain.sign_in.model import CODE_LENGTH, CODE_LIFE, ChallengeId, check_email
from openmeet.domain.sign_in.queries import challenge as challenge_by_id
from openmeet.domain.users.queries import by_id
from openmeet.i18n.catalogue import gettext
from openmeet.web.account.recent_proof import recent_proof_of
from openmeet.web.sign_in import limits
from openmeet.web.site.caller import caller_of
from openmeet.web.site.cookies import read_cookie, set_cookie
from openmeet.web.site.layout import go, page
from openmeet.web.site.rate_limits import spend_on
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

PATH: Final = "/settings/email"
# Cookie with the newest request of this browser.
_ASKED: Final = "openmeet_new_email"


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
    try:
        email = check_email(form.get("email", ""))
        if me is not None and me.email == email:
            own = {"email": gettext("This is your address already. Enter the new one.")}
            return await _page(request, FormState(form, own), status=400)
        await spend_on(request, limits.CODES)
        async with database_of(request).transaction() as tx:
            challenge = await sign_in.ask_for_code(tx, email, next_path=PATH)
    except InvalidForm as wrong:
        return await _page(request, form_with_problems(form, wrong), status=400)
    except TooMany as limit:
        return await _page(request, FormState(form, {"email": limit.why}), status=429)
    response = go(f"{PATH}/code?" + urlencode({"challenge": challenge.id}))
    set_cookie(request, response, _ASKED, challenge.id)
    return response


async def show_code(request: Request) -> Response:
    caller_of(request)
    return await _code_page(request, EMPTY, request.query_params.get("challenge", ""))


async def answer_code(request: Request) -> Response:
    """Change the address. If it belongs to another account of the user, offer to merge the two instead."""
    caller = caller_of(request)
    form = await read_form(request)
    challenge_id = ChallengeId(form.get("challenge", ""))
    key = services(request).code_key
    await spend_on(request, limits.CODE_TRIES)
    claim, is_saved = None, False
    async with database_of(request).transaction() as tx:
        if not (await recent_proof_of(tx, request)).is_enough:
            return go(PATH)
        email, answered = await sign_in.prove_address(tx, key, challenge_id, form.get("code", ""))
        if email:
            claim, is_saved = await account_merge.prove_email(tx, caller.user_id, email)
            if claim is None and not is_saved:
                is_saved = await change_email(tx, key, caller.user_id, email)
    if not email:
        return await _code_page(
            request, form_with_problems(form, sign_in.wrong_code(answered)), challenge_id, status=400
        )
    if claim is not None:
        return go(f"/settings/join/{claim}", flash="address_of_another_account")
    return go("/settings/profile", flash="email_changed" if is_saved else "nothing_to_join")


async def _page(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        me = await by_id(reader, caller.user_id)
        proof = await recent_proof_of(reader, request)
    context = {"typed": form_state, "email": me.email if me else None, "proof": proof}
    return page(request, "account/email.html", context, status=status)


async def _code_page(request: Request, form_state: FormState, challenge: str, *, status: int = 200) -> Response:
    async with database_of(request).reader() as reader:
        asked = await challenge_by_id(reader, ChallengeId(challenge))
    # Only the browser in which the address was entered shows it.
    is_own = asked is not None and asked.id == read_cookie(request, _ASKED)
    context = {
        "address": asked.email if asked is not None and is_own else "",
        "typed": form_state,
        "challenge": challenge,
        "with_mailbox": services(request).settings.dev_mailbox,
        "code_length": CODE_LENGTH,
        "code_minutes": CODE_LIFE // MINUTE,
        "path": PATH,
    }
    return page(request, "account/code.html", context, status=status)
