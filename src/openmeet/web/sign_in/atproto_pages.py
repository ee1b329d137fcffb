"""OAuth sign-in at the user's own PDS, in a browser: departure and callback.

The content security policy forbids forms that lead to another site, even through a redirect. So departure is a separate
page that names the destination and redirects to it automatically. The callback always redirects. This keeps the URL
with the code from being displayed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from groundwork.errors import (
    Failure,
    InvalidInput,
    NotFound,
    NotSignedIn,
    Refused,
    RemoteFailed,
    RemoteSlow,
    TooMany,
    Why,
)
from groundwork.http.devices import device_of
from groundwork.http.forms import FormState, local_path, read_form
from groundwork.token_hash import hash_token
from openmeet.domain.account_merge.actions import sign_in_with_did
from openmeet.domain.attendance import registration
from openmeet.domain.covers.model import tone_for
from openmeet.domain.events import event_access, time_and_place
from openmeet.domain.events.model import EventSlug
from openmeet.domain.events.queries import by_slug
from openmeet.domain.events.values import Visibility
from openmeet.domain.identities import queries, session_queries
from openmeet.domain.identities.model import SealedSession
from openmeet.domain.media.pictures import Size
from openmeet.domain.page_paths import event_path
from openmeet.domain.sign_in import actions
from openmeet.domain.sign_in import queries as sign_in_queries
from openmeet.domain.sign_in.model import OpenedSession, SessionStrength, SessionTransport, SignInReason
from openmeet.domain.users.model import Caller
from openmeet.domain.users.queries import by_id
from openmeet.i18n.catalogue import lazy
from openmeet.network.repositories import authorize, oauth_client_keys
from openmeet.network.repositories.authorize import (
    AuthorizationOptions,
    AuthorizationPurpose,
    AuthorizedAccount,
    CallbackParameters,
    CallbackProblem,
    CallbackRefused,
)
from openmeet.network.repositories.clients import CALLBACK_PATH, DOCUMENT_PATH, KEYS_PATH, NetworkClients, OAuthApp
from openmeet.network.repositories.reasons import RepositoryReason
from openmeet.network.repositories.sessions import revoke_later
from openmeet.network.repositories.sign_in import FIELD, read_name
from openmeet.web.attendance.resume_click import RedirectAfterSignIn, finish_click, forget_click
from openmeet.web.media.drawings import thumbnail
from openmeet.web.sign_in import limits
from openmeet.web.sign_in.atproto import browser_secret, is_offered, keep_browser_secret, needs_proof, network_of
from openmeet.web.site import session as site_session
from openmeet.web.site.caller import caller_or_none
from openmeet.web.site.layout import go, page
from openmeet.web.site.rate_limits import spend_on
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

# Public and the same for everyone. Servers cache the documents for about as long.
_DOCUMENT_HEADERS = {"cache-control": "public, max-age=300", "access-control-allow-origin": "*"}

HEADINGS = {
    CallbackProblem.UNKNOWN: lazy("This sign-in has ended"),
    CallbackProblem.EXPIRED: lazy("That took too long"),
    CallbackProblem.OTHER_BROWSER: lazy("This was started in another browser"),
    CallbackProblem.MIXED_UP: lazy("We stopped this sign-in"),
    CallbackProblem.DENIED: lazy("You said no, and that’s fine"),
    CallbackProblem.SERVER_REFUSED: lazy("Your server didn’t let us in"),
    CallbackProblem.OTHER_ACCOUNT: lazy("That was a different account"),
    CallbackProblem.NOT_THEIRS: lazy("We stopped this sign-in"),
}


ACCOUNTS_PATH: Final = "/sign-in/network"
PASSWORD_PATH: Final = "/sign-in/handle"  # noqa: S105  # a path
# The server of the account asks for the user's name, so the user does not have to type a handle on this page.
_BLUESKY: Final = "https://bsky.social"

# Matches /events/{slug} and the pages below it, but not the form for a new event.
_EVENT_PATH: Final = re.compile(r"/events/(?!new(?:[?#]|$))([^/?#]+)")


@dataclass(frozen=True, slots=True)
class ShownEvent:
    """The event that somebody signs in for."""

    title: str
    when: str
    picture: str
    tone: int
    path: str
    takes_guests: bool


def routes() -> list[Route]:
    return [
        Route(ACCOUNTS_PATH, show_accounts, methods=["GET"]),
        Route(ACCOUNTS_PATH, begin_sign_in, methods=["POST"]),
        Route(CALLBACK_PATH, come_back, methods=["GET"]),
    ]


def document_routes() -> list[Route]:
    """The client metadata documents that authorization servers fetch. They need no sign-in."""
    return [
        Route(DOCUMENT_PATH, show_document, methods=["GET"]),
        Route(KEYS_PATH, show_keys, methods=["GET"]),
    ]


async def show_accounts(request: Request) -> Response:
    """The page for people with an AT Protocol account."""
    if not is_offered(request):
        raise NotFound(SignInReason.NO_NETWORK_SIGN_IN)
    next_path = local_path(request.query_params.get("next", "/"))
    name = request.query_params.get(FIELD, "") or await own_handle(request)
    return await accounts_page(request, FormState({FIELD: name}), next_path)


async def begin_sign_in(request: Request) -> Response:
    form = await read_form(request)
    return await send_to_server(request, form, local_path(form.get("next", "/")))


async def send_to_server(request: Request, form: Mapping[str, str], next_path: str) -> Response:
    """Send the browser to the server of the account that was typed, or show the form again with the error."""
    try:
        account_name = read_name(form.get("identifier", ""))
        return await authorization_page(
            request,
            AuthorizationOptions(
                AuthorizationPurpose.SIGN_IN,
                account_name,
                next_path,
                browser_secret(request),
                asks_login=needs_proof(next_path),
            ),
        )
    except Failure as wrong:
        status, problem = problem_of(wrong)
        return await accounts_page(
            request, FormState({FIELD: form.get(FIELD, "").strip()}, problem), next_path, status=status
        )


def problem_of(wrong: Failure) -> tuple[int, dict[str, Why]]:
    """The form error for a sign-in that could not start. Re-raises errors that the input did not cause."""
    match wrong:
        case InvalidInput():
            # Every problem with the name is shown next to this field.
            return 400, {FIELD: wrong.why}
        case NotFound():
            return 400, {FIELD: wrong.why}
        case TooMany():
            return 429, {FIELD: wrong.why}
        case RemoteFailed() | RemoteSlow():
            return 502, {FIELD: SignInReason.TRY_AGAIN_LATER(problem=wrong.quoted)}
        case Refused() | NotSignedIn():
            return 502, {FIELD: SignInReason.SERVER_REFUSES_US(problem=wrong.quoted)}
        case _:
            raise wrong


async def authorization_page(request: Request, options: AuthorizationOptions) -> Response:
    """The page that sends the browser to the user's PDS. Raises the errors of ``authorize.begin``, and TooMany."""
    where = await begin(request, options)
    context = {"where": where, "host": urlsplit(where).netloc}
    response = page(request, "sign_in/leaving.html", context)
    keep_browser_secret(request, response, options.browser)
    return response


async def begin(request: Request, options: AuthorizationOptions) -> str:
    """Begin an authorization at a user’s account server. Returns the URL to send their browser to. Raises TooMany."""
    await spend_on(request, limits.DEPARTURES)
    return await authorize.begin(database_of(request), network_of(request), options)


async def come_back(request: Request) -> Response:
    """Complete the authorization: sign in, link an account, or store the granted permissions."""
    network = network_of(request)
    await spend_on(request, limits.RETURNS)
    query_params = request.query_params
    back = CallbackParameters(
        query_params.get("state", ""),
        query_params.get("iss", ""),
        query_params.get("code", ""),
        query_params.get("error", ""),
        browser_secret(request),
    )
    try:
        account = await authorize.finish(database_of(request), network, back)
        if account.user_id is not None:
            return await _finish_for(request, network, account, caller_or_none(request))
        return await _finish_sign_in(request, network, account)
    except CallbackRefused as refused:
        return await _show_refused_callback(request, refused)
    except (RemoteFailed, RemoteSlow) as away:
        refusal = CallbackRefused(CallbackProblem.SERVER_REFUSED, SignInReason.BEGIN_AGAIN_LATER(problem=away.quoted))
        return await _show_refused_callback(request, refusal, status=502)


async def show_document(request: Request) -> Response:
    _, app = _confidential(request)
    return JSONResponse(app.document(), headers=_DOCUMENT_HEADERS)


async def show_keys(request: Request) -> Response:
    network, _ = _confidential(request)
    return JSONResponse(await oauth_client_keys.key_set(database_of(request), network), headers=_DOCUMENT_HEADERS)


def _confidential(request: Request) -> tuple[NetworkClients, OAuthApp]:
    """The confidential client of this site. Raises NotFound if it has none."""
    network = network_of(request) if is_offered(request) else None
    if network is None or network.app is None or not network.app.is_confidential:
        raise NotFound(SignInReason.NO_SUCH_DOCUMENT)
    return network, network.app


async def own_name(request: Request) -> str:
    """What a user who is signed in can enter to sign in again: their e-mail address, otherwise a handle. Empty if nobody
    is signed in.
    """
    caller = caller_or_none(request)
    if caller is None:
        return ""
    async with database_of(request).reader() as reader:
        user = await by_id(reader, caller.user_id)
    return user.email if user is not None and user.email else await own_handle(request)


async def own_handle(request: Request) -> str:
    """The handle of a user who is signed in, of their default account first. Empty if there is none."""
    caller = caller_or_none(request)
    if caller is None:
        return ""
    async with database_of(request).reader() as reader:
        identities = await queries.of_user(reader, caller.user_id)
    return next((one.handle for one in identities if one.handle), "")


async def start_page(request: Request, form_state: FormState, next_path: str, *, status: int = 200) -> Response:
    """The sign-in page. If the visitor came from a public event, the page mentions that event. To somebody who is
    signed in, it is the page to sign in again.
    """
    context = {
        "is_again": caller_or_none(request) is not None,
        "typed": form_state,
        "next_path": next_path,
        "with_accounts": services(request).network is not None,
        "accounts_path": ACCOUNTS_PATH if is_offered(request) else PASSWORD_PATH,
        "event": await _event_of(request, next_path),
    }
    return page(request, "sign_in/start.html", context, status=status)


async def accounts_page(request: Request, form_state: FormState, next_path: str, *, status: int = 200) -> Response:
    """The page that asks for a handle or a server."""
    event = await _event_of(request, next_path)
    context = {"typed": form_state, "next_path": next_path, "bluesky": _BLUESKY, "event": event}
    return page(request, "sign_in/account.html", context, status=status)


async def password_page(request: Request, form_state: FormState, next_path: str, *, status: int = 200) -> Response:
    """The sign-in page for accounts whose server supports only passwords."""
    context = {"typed": form_state, "next_path": next_path, "event": await _event_of(request, next_path)}
    return page(request, "sign_in/password.html", context, status=status)


async def _event_of(request: Request, next_path: str) -> ShownEvent | None:
    """The event that this path is about, if everyone may see it."""
    match = _EVENT_PATH.match(next_path)
    if match is None:
        return None
    async with database_of(request).reader() as reader:
        event = await by_slug(reader, EventSlug(unquote(match[1])))
        if (
            event is None
            or event.is_gone
            or event.is_hidden
            or not await event_access.may_see(reader, event, None, has_rsvp_access=False)
        ):
            return None
        settings = await registration.settings_of(reader, event)
    return ShownEvent(
        event.title,
        time_and_place.short_start_label(event),
        thumbnail(event.content, Size.SMALL_SQUARE),
        tone_for(event.content),
        event_path(event.slug),
        settings.takes_guests and event.content.visibility is Visibility.PUBLIC and not event.is_cancelled,
    )


async def _finish_sign_in(request: Request, network: NetworkClients, account: AuthorizedAccount) -> Response:
    db = database_of(request)
    async with db.transaction() as tx:
        replaced = None if account.session is None else await session_queries.find(tx, account.did)
        whose = await sign_in_with_did(tx, account.did, handle=account.handle, pds_url=account.pds_url)
        if account.session is not None:
            await session_queries.put(tx, account.session)
        session = await actions.open_session(
            tx,
            whose.user_id,
            SessionTransport.BROWSER,
            strength=SessionStrength.FULL if account.asked_login else SessionStrength.SILENT,
        )
        user = await by_id(tx, whose.user_id)
    _revoke_replaced(request, network, replaced)
    caller = Caller(whose.user_id, user.display_name if user else "")
    finished = await finish_click(request, db, caller, account.next_path)
    return await signed_in(
        request, session, RedirectAfterSignIn(_proposal_page(whose.proposal)) if whose.proposal else finished
    )


async def signed_in(request: Request, session: OpenedSession, finished: RedirectAfterSignIn) -> Response:
    """Carry out the stored click and redirect into the site with a new session, which replaces the one of the browser."""
    earlier = site_session.cookie_token(request)
    device = device_of(request.headers.get("user-agent", ""))
    async with database_of(request).transaction() as tx:
        await sign_in_queries.store_device(tx, hash_token(session.token), device)
        if earlier:
            await actions.close_session(tx, earlier)
    response = go(finished.path, flash="account_kept" if session.keeps_account else finished.flash)
    site_session.set_cookie(request, response, session)
    forget_click(request, response)
    return response


async def _finish_for(
    request: Request, network: NetworkClients, account: AuthorizedAccount, caller: Caller | None
) -> Response:
    """Complete an authorization that a signed-in user started. The same user must still be signed in."""
    if caller is None or caller.user_id != account.user_id:
        raise CallbackRefused(CallbackProblem.OTHER_BROWSER, RepositoryReason.SIGNED_IN_AS_ANOTHER)
    async with database_of(request).transaction() as tx:
        replaced = None if account.session is None else await session_queries.find(tx, account.did)
        # Newly granted permissions also release waiting publications.
        whose = await sign_in_with_did(
            tx, account.did, handle=account.handle, pds_url=account.pds_url, caller=caller.user_id
        )
        if account.session is not None:
            await session_queries.put(tx, account.session)
        if account.purpose is AuthorizationPurpose.LINK and not whose.proposal:
            # New records go to this account from now on, because people link an account in order to publish with it.
            await queries.make_default(tx, caller.user_id, account.did)
    _revoke_replaced(request, network, replaced)
    flash = "identity_linked" if account.purpose is AuthorizationPurpose.LINK else "identity_permitted"
    return go(_proposal_page(whose.proposal)) if whose.proposal else go(account.next_path, flash=flash)


def _proposal_page(proposal: str) -> str:
    """The page on which the user decides about an account merge."""
    return f"/settings/join/{proposal}"


def _revoke_replaced(request: Request, network: NetworkClients, replaced: SealedSession | None) -> None:
    if replaced is not None and not replaced.needs_login:
        revoke_later(database_of(request), network, replaced)


async def _show_refused_callback(request: Request, refused: CallbackRefused, *, status: int = 400) -> Response:
    begin_again = "/sign-in?" + urlencode({"next": refused.next_path, "identifier": refused.typed})
    context = {
        "heading": HEADINGS[refused.problem],
        "why": refused.why,
        "begin_again": begin_again,
        "event": await _event_of(request, refused.next_path),
    }
    return page(request, "sign_in/not_let_in.html", context, status=status)
