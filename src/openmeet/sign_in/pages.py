"""Sign in, sign up, the code, the first name, sign out."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import InvalidForm, InvalidInput, NotFound, NotSignedIn, RemoteFailed, RemoteSlow, TooMany
from openmeet.identities.naming import FIELD
from openmeet.sign_in import actions, edge, limits, rules, signing_out
from openmeet.sign_in.model import ChallengeId, SessionKind
from openmeet.sign_in.network import Finished, finish_click
from openmeet.sign_in.network_pages import signed_in, start_page
from openmeet.sign_in.passwords import PasswordSignIn
from openmeet.site.forms import EMPTY, Typed, local_path, read_form, typed_again
from openmeet.site.frame import go, page
from openmeet.site.zones import ZONES
from openmeet.tenants.edge import database_of
from openmeet.users import actions as users
from openmeet.users.edge import caller_of, caller_or_none
from openmeet.users.model import Caller, UserId
from openmeet.users.queries import by_id
from openmeet.users.rules import Profile, check_name


def routes() -> list[Route]:
    return [
        Route("/sign-in", show_sign_in, methods=["GET"]),
        Route("/sign-in", ask_code, methods=["POST"]),
        Route("/sign-up", show_sign_up, methods=["GET"]),
        Route("/sign-up", ask_code_as_newcomer, methods=["POST"]),
        Route("/sign-in/code", show_code, methods=["GET"]),
        Route("/sign-in/code", answer_code, methods=["POST"]),
        Route("/sign-in/handle", sign_in_with_handle, methods=["POST"]),
        Route("/welcome", show_welcome, methods=["GET"]),
        Route("/welcome", choose_name, methods=["POST"]),
        Route("/sign-out", sign_out, methods=["POST"]),
    ]


async def show_sign_in(request: Request) -> Response:
    next_path = local_path(request.query_params.get("next", "/"))
    # Whoever is signed in may have to show their handle's password once more, for their repository.
    if caller_or_none(request) and not request.query_params.get("again"):
        return go(next_path)
    return start_page(request, Typed({FIELD: request.query_params.get(FIELD, "")}), next_path, is_new=False)


async def show_sign_up(request: Request) -> Response:
    next_path = local_path(request.query_params.get("next", "/"))
    if caller_or_none(request):
        return go(next_path)
    return start_page(request, EMPTY, next_path, is_new=True)


async def ask_code(request: Request) -> Response:
    return await _ask(request, is_new=False)


async def ask_code_as_newcomer(request: Request) -> Response:
    return await _ask(request, is_new=True)


async def show_code(request: Request) -> Response:
    return _code_page(request, EMPTY, request.query_params.get("challenge", ""))


async def answer_code(request: Request) -> Response:
    typed = await read_form(request)
    challenge_id = ChallengeId(typed.get("challenge", ""))
    await limits.spend_on(request, limits.CODE_TRIES)
    async with database_of(request).transaction() as tx:
        answered = await actions.answer_code(
            tx,
            request.app.state.code_key,
            challenge_id,
            typed.get("code", ""),
            SessionKind.BROWSER,
            # Nobody typed it: one that is not known is no mistake of theirs.
            time_zone=zone if (zone := typed.get("time_zone", "")) in ZONES else None,
        )
    if answered.session is None:
        return _code_page(request, typed_again(typed, actions.wrong_code(answered)), challenge_id, status=400)
    following = await _finished(request, answered.session.user_id, answered.next_path)
    if answered.is_new:
        finished = Finished("/welcome?" + urlencode({"next": following.path}), said="")
        return signed_in(request, answered.session, finished)
    return signed_in(request, answered.session, following)


async def sign_in_with_handle(request: Request) -> Response:
    typed = await read_form(request)
    next_path = local_path(typed.get("next", "/"))
    handle = typed.get("handle", "").strip().removeprefix("@")
    password = typed.get("password", "")
    shown = {"handle": handle}
    problems = {}
    if not handle:
        problems["handle"] = "Write your handle."
    if not password:
        problems["password"] = "Write your password."  # noqa: S105  # a sentence
    sign_in: PasswordSignIn | None = request.app.state.password_sign_in
    if problems or sign_in is None:
        return start_page(request, Typed(shown, problems), next_path, is_new=False, status=400)
    await limits.spend_on(request, limits.PASSWORDS)
    await limits.spend_on(request, limits.PASSWORDS_OF_ONE, handle.lower())
    try:
        user_id = await sign_in(database_of(request), handle, password)
    except NotSignedIn as refused:
        return start_page(request, Typed(shown, {"password": refused.why}), next_path, is_new=False, status=401)
    except (InvalidInput, NotFound) as wrong:
        return start_page(request, Typed(shown, {"handle": wrong.why}), next_path, is_new=False, status=400)
    except (RemoteFailed, RemoteSlow) as away:
        return start_page(request, Typed(shown, {"handle": away.why}), next_path, is_new=False, status=502)
    async with database_of(request).transaction() as tx:
        session = await actions.open_session(tx, user_id, SessionKind.BROWSER)
    return signed_in(request, session, await _finished(request, user_id, next_path))


async def show_welcome(request: Request) -> Response:
    caller_of(request)
    return page(
        request,
        "sign_in/welcome.html",
        {"typed": EMPTY, "next_path": local_path(request.query_params.get("next", "/"))},
    )


async def choose_name(request: Request) -> Response:
    caller = caller_of(request)
    typed = await read_form(request)
    next_path = local_path(typed.get("next", "/"))
    try:
        name = check_name(typed.get("display_name", ""))
    except InvalidForm as wrong:
        again = {"typed": typed_again(typed, wrong), "next_path": next_path}
        return page(request, "sign_in/welcome.html", again, status=400)
    async with database_of(request).transaction() as tx:
        user = await by_id(tx, caller.user_id)
        if user is not None:
            await users.edit_profile(
                tx, caller.user_id, Profile(name, user.bio, user.time_zone, user.shows_about, user.shows_groups)
            )
    return go(next_path, said="welcome")


async def sign_out(request: Request) -> Response:
    """End the session of this browser. Ours at their servers last, for what is still to be published (decision 0075), unless they choose."""
    # Whoever wants out gets out, also with no form at all.
    typed = await read_form(request) if "content-type" in request.headers else {}
    at_servers = typed.get("revoke") == "true"
    said = await signing_out.end_browser(request, caller_or_none(request), at_servers=at_servers)
    response = go("/", said=said)
    edge.clear_cookie(request, response)
    return response


async def _ask(request: Request, *, is_new: bool) -> Response:
    typed = await read_form(request)
    next_path = local_path(typed.get("next", "/"))
    problems: dict[str, str] = {}
    email = name = ""
    try:
        email = rules.check_email(typed.get("email", ""))
    except InvalidForm as wrong:
        problems |= wrong.problems
    if is_new:
        try:
            name = check_name(typed.get("display_name", ""))
        except InvalidForm as wrong:
            problems |= wrong.problems
    if problems:
        return start_page(request, Typed(typed, problems), next_path, is_new=is_new, status=400)
    try:
        await limits.spend_on(request, limits.CODES)
        async with database_of(request).transaction() as tx:
            challenge = await actions.ask_for_code(tx, email, display_name=name, next_path=next_path)
    except TooMany as limit:
        return start_page(request, Typed(typed, {"email": limit.why}), next_path, is_new=is_new, status=429)
    return go("/sign-in/code?" + urlencode({"challenge": challenge.id}))


async def _finished(request: Request, user_id: UserId, next_path: str) -> Finished:
    """What was clicked before signing in is done; where to go now."""
    async with database_of(request).reader() as reader:
        user = await by_id(reader, user_id)
    caller = Caller(user_id, user.display_name if user else "")
    return await finish_click(request, database_of(request), caller, next_path)


def _code_page(request: Request, typed: Typed, challenge: str, *, status: int = 200) -> Response:
    context = {"typed": typed, "challenge": challenge, "with_mailbox": request.app.state.settings.dev_mailbox}
    return page(request, "sign_in/code.html", context, status=status)
