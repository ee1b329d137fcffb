"""Pages to sign in or sign up, enter a code, enter a first name, and sign out."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import MINUTE, Instant
from groundwork.errors import InvalidForm, InvalidInput, NotFound, NotSignedIn, RemoteFailed, RemoteSlow, TooMany
from groundwork.http.forms import EMPTY, FormState, form_with_problems, local_path, read_form
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.sign_in import actions, model, queries
from openmeet.domain.sign_in.actions import CodeResult
from openmeet.domain.sign_in.model import (
    CODE_LENGTH,
    CODE_LIFE,
    ChallengeId,
    OpenedSession,
    SessionStrength,
    SessionTransport,
    SignInReason,
)
from openmeet.domain.users import actions as user_actions
from openmeet.domain.users.model import Caller, UserId
from openmeet.domain.users.queries import by_id
from openmeet.emails.account import LINK_PATH
from openmeet.i18n import formatting
from openmeet.i18n.formatting import ZONES
from openmeet.network.repositories.sign_in import FIELD
from openmeet.web.attendance.resume_click import RedirectAfterSignIn, finish_click
from openmeet.web.sign_in import limits
from openmeet.web.sign_in import sign_out as signing_out
from openmeet.web.sign_in.atproto import (
    browser_secret,
    is_offered,
    keep_browser_secret,
    known_browser,
    sign_in_by_password,
)
from openmeet.web.sign_in.atproto_pages import (
    PASSWORD_PATH,
    own_handle,
    own_name,
    password_page,
    send_to_server,
    signed_in,
    start_page,
)
from openmeet.web.site import session as site_session
from openmeet.web.site.caller import caller_of, caller_or_none
from openmeet.web.site.layout import go, page
from openmeet.web.site.rate_limits import spend_on
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

# Its form asks for the name if it is missing.
_NEW_EVENT_PATH: Final = "/events/new"


def routes() -> list[Route]:
    return [
        Route("/sign-in", show_sign_in, methods=["GET"]),
        Route("/sign-in", begin, methods=["POST"]),
        Route("/sign-up", redirect_sign_up, methods=["GET"]),
        Route("/sign-in/code", show_code, methods=["GET"]),
        Route("/sign-in/code", answer_code, methods=["POST"]),
        Route(f"{LINK_PATH}/{{token}}", show_link, methods=["GET"]),
        Route(f"{LINK_PATH}/{{token}}", follow_link, methods=["POST"]),
        Route(PASSWORD_PATH, show_password, methods=["GET"]),
        Route(PASSWORD_PATH, sign_in_with_handle, methods=["POST"]),
        Route("/sign-in/done", show_done, methods=["GET"]),
        Route("/welcome", show_welcome, methods=["GET"]),
        Route("/welcome", choose_name, methods=["POST"]),
        Route("/sign-out", sign_out, methods=["POST"]),
    ]


async def show_sign_in(request: Request) -> Response:
    next_path = local_path(request.query_params.get("next", "/"))
    # Some pages need a recent sign-in, so a user who is signed in can sign in again.
    if caller_or_none(request) and not request.query_params.get("again"):
        return go(next_path)
    name = request.query_params.get(FIELD, "") or await own_name(request)
    return await start_page(request, FormState({FIELD: name}), next_path)


async def redirect_sign_up(request: Request) -> Response:
    """Redirect to the sign-in page, which is also for signing up."""
    return go("/sign-in?" + urlencode({"next": local_path(request.query_params.get("next", "/"))}))


async def begin(request: Request) -> Response:
    """Start a sign-in. For an e-mail address, a code is sent. For a handle, the browser is redirected to the server of
    its account.
    """
    form = await read_form(request)
    next_path = local_path(form.get("next", "/"))
    name = form.get(FIELD, "").strip()
    if not name or "@" in name[1:] or services(request).network is None:
        return await _send_code(request, form, next_path)
    if "." not in name and not name.startswith("did:"):
        shown = FormState(form, {FIELD: SignInReason.EMAIL_OR_HANDLE_NEEDED()})
        return await start_page(request, shown, next_path, status=400)
    if is_offered(request):
        return await send_to_server(request, form, next_path)
    return await password_page(request, FormState({"handle": name.removeprefix("@")}), next_path)


async def show_password(request: Request) -> Response:
    if services(request).network is None:
        raise NotFound(SignInReason.NO_PASSWORD_SIGN_IN)
    next_path = local_path(request.query_params.get("next", "/"))
    name = request.query_params.get("handle", "") or await own_handle(request)
    return await password_page(request, FormState({"handle": name}), next_path)


async def show_code(request: Request) -> Response:
    return await _code_page(request, EMPTY, request.query_params.get("challenge", ""))


async def answer_code(request: Request) -> Response:
    form = await read_form(request)
    challenge_id = ChallengeId(form.get("challenge", ""))
    await spend_on(request, limits.CODE_TRIES)
    async with database_of(request).transaction() as tx:
        answered = await actions.answer_code(
            tx,
            services(request).code_key,
            challenge_id,
            form.get("code", ""),
            SessionTransport.BROWSER,
            # A script sent the time zone, so an unknown one is not the user's mistake.
            time_zone=zone if (zone := form.get("time_zone", "")) in ZONES else None,
        )
    if answered.session is None:
        status = 429 if answered.is_used_up else 400
        return await _code_page(
            request, form_with_problems(form, actions.wrong_code(answered, has_link=True)), challenge_id, status=status
        )
    return await _enter(request, answered, answered.session)


async def show_link(request: Request) -> Response:
    """The page that a sign-in link opens. It asks for confirmation, because mail scanners open links too."""
    return await _link_page(request)


async def follow_link(request: Request) -> Response:
    """Sign in the browser that requested the e-mail."""
    form = await read_form(request)
    await spend_on(request, limits.CODE_TRIES)
    async with database_of(request).transaction() as tx:
        answered = await actions.follow_link(
            tx,
            services(request).code_key,
            request.path_params["token"],
            known_browser(request),
            time_zone=zone if (zone := form.get("time_zone", "")) in ZONES else None,
        )
    if answered.session is None:
        return await _link_page(request, status=400)
    return await _enter(request, answered, answered.session)


async def _enter(request: Request, answered: CodeResult, session: OpenedSession) -> Response:
    """Carry out the stored click and redirect into the site. New users enter their name first, unless the page that they
    came for asks for it.
    """
    following = await _finished(request, session.user_id, answered.next_path)
    if answered.is_new and urlsplit(following.path).path != _NEW_EVENT_PATH:
        finished = RedirectAfterSignIn("/welcome?" + urlencode({"next": following.path}), flash="")
        return await signed_in(request, session, finished)
    return await signed_in(request, session, following)


async def sign_in_with_handle(request: Request) -> Response:
    form = await read_form(request)
    next_path = local_path(form.get("next", "/"))
    handle = form.get("handle", "").strip().removeprefix("@")
    password = form.get("password", "")
    shown = {"handle": handle}
    problems = {}
    if not handle:
        problems["handle"] = SignInReason.HANDLE_NEEDED
    if not password:
        problems["password"] = SignInReason.PASSWORD_NEEDED  # a message, not a secret
    if problems or services(request).network is None:
        return await password_page(request, FormState(shown, problems), next_path, status=400)
    try:
        sign_in = await sign_in_by_password(request, handle, password)
    except NotSignedIn as refused:
        return await password_page(request, FormState(shown, {"password": refused.why}), next_path, status=401)
    except (InvalidInput, NotFound) as wrong:
        return await password_page(request, FormState(shown, {"handle": wrong.why}), next_path, status=400)
    except TooMany as limit:
        return await password_page(request, FormState(shown, {"password": limit.why}), next_path, status=429)
    except (RemoteFailed, RemoteSlow) as away:
        return await password_page(request, FormState(shown, {"handle": away.why}), next_path, status=502)
    async with database_of(request).transaction() as tx:
        session = await actions.open_session(
            tx,
            sign_in.user_id,
            SessionTransport.BROWSER,
            strength=SessionStrength.APP_PASSWORD if sign_in.may_be_app_password else SessionStrength.FULL,
        )
    return await signed_in(request, session, await _finished(request, sign_in.user_id, next_path))


async def show_done(request: Request) -> Response:
    """Shown after signing in while another tab still has an unsaved form (``site/kept_forms.py``)."""
    caller_of(request)
    return page(request, "sign_in/done.html")


async def show_welcome(request: Request) -> Response:
    caller_of(request)
    return page(
        request,
        "sign_in/welcome.html",
        {"typed": EMPTY, "next_path": local_path(request.query_params.get("next", "/"))},
    )


async def choose_name(request: Request) -> Response:
    caller = caller_of(request)
    form = await read_form(request)
    next_path = local_path(form.get("next", "/"))
    try:
        async with database_of(request).transaction() as tx:
            own_handles = await identity_queries.own_handles(tx, caller.user_id)
            await user_actions.choose_name(tx, caller.user_id, form.get("display_name", ""), own_handles)
    except InvalidForm as wrong:
        context = {"typed": form_with_problems(form, wrong), "next_path": next_path}
        return page(request, "sign_in/welcome.html", context, status=400)
    # People who came for a certain page are redirected there. Everyone else is asked about their interests.
    if next_path in {"/", "/home"}:
        return go("/welcome/start", flash="welcome")
    return go(next_path, flash="welcome")


async def sign_out(request: Request) -> Response:
    """End this browser's session. Sessions at the PDS continue, for publications that are waiting (decision 0075),
    unless the user chooses to end them too.
    """
    # Signing out must always work, even without a valid form.
    form = await read_form(request) if "content-type" in request.headers else {}
    at_servers = form.get("revoke") == "true"
    flash = await signing_out.end_browser(request, caller_or_none(request), at_servers=at_servers)
    response = go("/", flash=flash)
    site_session.clear_cookie(request, response)
    return response


async def _send_code(request: Request, form: Mapping[str, str], next_path: str) -> Response:
    try:
        email = model.check_email(form.get(FIELD, ""))
    except InvalidForm as wrong:
        return await start_page(request, FormState(form, {FIELD: wrong.problems["email"]}), next_path, status=400)
    try:
        await spend_on(request, limits.CODES)
    except TooMany as limit:
        return await start_page(request, FormState(form, {FIELD: limit.why}), next_path, status=429)
    browser = browser_secret(request)
    async with database_of(request).transaction() as tx:
        challenge = await actions.ask_for_code(tx, email, next_path=next_path, browser=browser)
    earlier = {} if challenge.is_mailed else {"earlier": "yes"}
    response = go("/sign-in/code?" + urlencode({"challenge": challenge.id, **earlier}))
    keep_browser_secret(request, response, browser)
    return response


async def _finished(request: Request, user_id: UserId, next_path: str) -> RedirectAfterSignIn:
    """Carry out what was clicked before sign-in. Returns where to redirect."""
    async with database_of(request).reader() as reader:
        user = await by_id(reader, user_id)
    caller = Caller(user_id, user.display_name if user else "")
    return await finish_click(request, database_of(request), caller, next_path)


async def _code_page(request: Request, form_state: FormState, challenge: str, *, status: int = 200) -> Response:
    """The form for the code; if the code is unknown, used or expired, a page that offers a new one."""
    async with database_of(request).reader() as reader:
        asked = await queries.challenge(reader, ChallengeId(challenge))
        is_over = asked is None or asked.used_at is not None or asked.expires_at <= reader.now
        next_email_at = Instant(0) if asked is None else await actions.next_email_at(reader, asked.email)
        now = reader.now
    again = {"next": asked.next_path} if asked is not None and asked.next_path != "/" else {}
    if caller_or_none(request):
        again["again"] = "yes"
    another_code = "/sign-in" + (f"?{urlencode(again)}" if again else "")
    if is_over:
        next_path = "/home" if asked is None else asked.next_path
        over = {"another_code": another_code, "next_path": next_path}
        return page(request, "sign_in/code_over.html", over, status=410)
    context = {
        "another_code": another_code,
        "typed": form_state,
        "challenge": challenge,
        "with_mailbox": services(request).settings.dev_mailbox,
        "is_earlier": "earlier" in request.query_params,
        "next_code": _wait_label(next_email_at - now, now) if next_email_at > now else "",
        "code_length": CODE_LENGTH,
        "code_minutes": CODE_LIFE // MINUTE,
        # Only the browser in which the address was entered shows it.
        "address": asked.email if asked is not None and asked.is_from_browser(known_browser(request)) else "",
    }
    return page(request, "sign_in/code.html", context, status=status)


def _wait_label(wait: int, now: Instant) -> str:
    """``in 12 minutes``. Rounded up, so that nobody comes back a few seconds early. ``wait`` is in microseconds."""
    return formatting.ago(Instant(now - -wait // MINUTE * MINUTE), now)


async def _link_page(request: Request, *, status: int = 200) -> Response:
    """The options for this sign-in link: sign in, switch to the browser that requested it, or request another e-mail."""
    key, token = services(request).code_key, request.path_params["token"]
    async with database_of(request).reader() as reader:
        works = await actions.find_link(reader, key, token) is not None
        outcome = await actions.link_and_request(reader, key, token, known_browser(request))
    context = {"works": works, "is_here": outcome is not None, "path": request.url.path}
    return page(request, "sign_in/link.html", context, status=status if works else 410)
