"""Send a code to another address of the user, and check it: changing the address and merging accounts begin like this."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from groundwork.clock import MINUTE
from groundwork.database.transaction import Transaction
from groundwork.errors import InvalidForm
from groundwork.http.forms import EMPTY, FormState, form_with_problems, read_form
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import CODE_LENGTH, CODE_LIFE, ChallengeId, check_email
from openmeet.domain.sign_in.queries import challenge as challenge_by_id
from openmeet.domain.users.model import User
from openmeet.web.account.recent_proof import recent_proof_of
from openmeet.web.sign_in import limits
from openmeet.web.site.caller import caller_of
from openmeet.web.site.cookies import read_cookie, set_cookie
from openmeet.web.site.layout import go, page
from openmeet.web.site.rate_limits import spend_on
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

T = TypeVar("T")

# Cookie with the newest request of this browser.
_ASKED: Final = "openmeet_new_email"


async def send(request: Request, form: Mapping[str, str], me: User | None, *, path: str, own_address: str) -> Response:
    """Send a code to the address in the form, and go to the page on which it is entered, below ``path``.

    Raises InvalidForm, with the sentence ``own_address`` for the address that the user already has, and TooMany.
    """
    email = check_email(form.get("email", ""))
    if me is not None and me.email == email:
        raise InvalidForm({"email": own_address})
    await spend_on(request, limits.CODES)
    async with database_of(request).transaction() as tx:
        challenge = await sign_in.ask_for_code(tx, email, next_path=path)
    response = go(f"{path}/code?" + urlencode({"challenge": challenge.id}))
    set_cookie(request, response, _ASKED, challenge.id)
    return response


async def show(request: Request, *, path: str) -> Response:
    """The page on which the code is entered."""
    caller_of(request)
    return await _code_page(request, EMPTY, request.query_params.get("challenge", ""), path=path)


async def check(request: Request, take: Callable[[Transaction, str], Awaitable[T]], *, path: str) -> T | Response:
    """Check the code, and return the result of ``take`` for the address that it proves.

    A response instead: the code is wrong, or the user has to prove again that they are the owner of the account.
    """
    form = await read_form(request)
    challenge_id = ChallengeId(form.get("challenge", ""))
    await spend_on(request, limits.CODE_TRIES)
    async with database_of(request).transaction() as tx:
        if not (await recent_proof_of(tx, request)).is_enough:
            return go(path)
        email, answered = await sign_in.prove_address(
            tx, services(request).code_key, challenge_id, form.get("code", "")
        )
        if email:
            return await take(tx, email)
    wrong = form_with_problems(form, sign_in.wrong_code(answered))
    return await _code_page(request, wrong, challenge_id, path=path, status=400)


async def _code_page(
    request: Request, form_state: FormState, challenge: str, *, path: str, status: int = 200
) -> Response:
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
        "path": path,
    }
    return page(request, "account/code.html", context, status=status)
