"""Sessions: find the caller by cookie or bearer token, once per request, and manage the session cookie.

Over https the cookie's name begins with ``__Host-``. Browsers then accept it only from this host, for all paths, and
only if it is Secure (RFC 6265bis, section 4.1.3.2). Pages accept only cookies, and the API only bearer tokens. So a
form on another site cannot use the API, and a stolen API token does not open any page.
"""

from collections.abc import Awaitable

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from groundwork.clock import DAY, SECOND, Instant
from groundwork.database.transaction import ForeignKeyViolated, Reader, TransactionConflict
from groundwork.errors import Forbidden, NotSignedIn, Why
from groundwork.token_hash import hash_token
from groundwork.ui.tones import tone_of
from openmeet.domain.account_merge.merge import is_there
from openmeet.domain.chat.readers import UnreadCounts, unread_counts
from openmeet.domain.identities.queries import setting_entry_of
from openmeet.domain.moderation.moderators import is_moderator
from openmeet.domain.notifications.queries import count_unread
from openmeet.domain.sign_in import queries
from openmeet.domain.sign_in.model import SESSION_LIFE, OpenedSession, SessionStrength, SessionTransport
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.model import UserId, UserReason
from openmeet.settings import Settings
from openmeet.web.site.caller import caller_or_none, saves_data, set_caller
from openmeet.web.site.reasons import SiteReason
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of
from openmeet.web.site.viewer import Viewer, set_viewer

_COOKIE = "openmeet_session"


def cookie_name(settings: Settings) -> str:
    return f"__Host-{_COOKIE}" if settings.is_https else _COOKIE


async def identify_by_cookie(connection: HTTPConnection) -> None:
    """Set the caller of a page, and the viewer for its layout."""
    token = connection.cookies.get(cookie_name(services(connection).settings), "")
    set_caller(connection, None)
    if not token:
        return
    async with database_of(connection).reader() as reader:
        session_holder = await queries.holder(reader, hash_token(token), SessionTransport.BROWSER)
        if session_holder is not None:
            caller = session_holder.caller
            set_caller(connection, caller)
            unread = await count_unread(reader, caller.user_id)
            in_chats = UnreadCounts(0, 0, 0)
            if _is_for_a_page(connection):
                in_chats = await unread_counts(reader, caller.user_id)
            settings = services(connection).settings
            moderates = await is_moderator(reader, caller.user_id, settings.moderators)
            operates = await setting_entry_of(reader, caller.user_id, settings.operators) is not None
            viewer = Viewer(
                caller.display_name,
                tone_of(caller.user_id),
                unread,
                in_chats.messages,
                is_mentioned=in_chats.mentions > 0,
                moderates=moderates,
                operates=operates,
                is_at_servers=session_holder.is_at_servers,
                person=caller.user_id,
                picture="" if saves_data() else session_holder.portrait or "",
            )
            set_viewer(connection, viewer)
    await _note_presence(connection, session_holder)


async def person_of_cookie(connection: HTTPConnection, reader: Reader) -> UserId | None:
    """The viewer of a picture. A page has dozens of pictures, so this does not load the data that the layout of a page
    needs.
    """
    token = cookie_token(connection)
    session_holder = await queries.holder(reader, hash_token(token), SessionTransport.BROWSER) if token else None
    return session_holder.caller.user_id if session_holder else None


def _is_for_a_page(connection: HTTPConnection) -> bool:
    """Whether the response will probably be a page with the layout. Forms respond with a redirect, and pictures and
    streams request their own media types.
    """
    accepted = connection.headers.get("accept", "*/*")
    return connection.scope.get("method") == "GET" and (accepted.startswith("*/*") or "text/html" in accepted)


async def identify_by_token(connection: HTTPConnection) -> None:
    """Set the caller of an API request. An invalid token is an error. It does not make the caller anonymous."""
    set_caller(connection, None)
    token = bearer_of(connection)
    if not token:
        return
    async with database_of(connection).reader() as reader:
        session_holder = await queries.holder(reader, hash_token(token), SessionTransport.API)
    await _note_presence(connection, session_holder)
    if session_holder is None:
        raise unknown_credential(SiteReason.INVALID_TOKEN)
    set_caller(connection, session_holder.caller)


async def refuse_app_password(connection: HTTPConnection) -> None:
    """Raises Forbidden if this page's session was opened with an app password. Somebody who has an app password must
    not be able to add a way to sign in that grants more.
    """
    async with database_of(connection).reader() as reader:
        proof = await queries.proof_of(reader, hash_token(cookie_token(connection)))
    if proof is not None and proof.strength is SessionStrength.APP_PASSWORD:
        raise Forbidden(UserReason.APP_PASSWORD_ADDS_NOTHING, name="ProofTooWeak")


def unknown_credential(why: Why) -> NotSignedIn:
    """The error for an invalid credential, with the challenge of RFC 6750, section 3.1."""
    return NotSignedIn(why, name="InvalidToken", headers={"www-authenticate": 'Bearer error="invalid_token"'})


async def _note_presence(connection: HTTPConnection, holder: queries.SessionHolder | None) -> None:
    """Record once a day that the user was active. An owner who only reads does not count as absent
    (``groups.ownership``).
    """
    if holder is None:
        return
    now = services(connection).clock.now()
    today = Instant(now - now % DAY)
    if holder.seen_at is None or holder.seen_at < today:
        async with database_of(connection).transaction() as tx:
            await user_queries.note_seen(tx, holder.caller.user_id, today)


def bearer_of(connection: HTTPConnection) -> str:
    """The token in the Authorization header. Empty if there is none."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def cookie_token(connection: HTTPConnection) -> str:
    """The token in the cookie. Empty if there is none."""
    return connection.cookies.get(cookie_name(services(connection).settings), "")


def set_cookie(connection: HTTPConnection, response: Response, session: OpenedSession) -> None:
    """Set the session cookie. It is Lax: browsers send it when a link in an e-mail is followed, but not with a POST
    from another site.
    """
    settings = services(connection).settings
    response.set_cookie(
        cookie_name(settings),
        session.token,
        max_age=SESSION_LIFE // SECOND,
        path="/",
        secure=settings.is_https,
        httponly=True,
        samesite="lax",
    )


def clear_cookie(connection: HTTPConnection, response: Response) -> None:
    settings = services(connection).settings
    response.delete_cookie(cookie_name(settings), path="/", secure=settings.is_https, httponly=True, samesite="lax")


async def respond_for_merged(request: Request, answering: Awaitable[Response]) -> Response:
    """The response. Raises TransactionConflict if a merge has deleted the caller's row.

    In that case nothing was saved, and the session now belongs to the remaining user. So a retry runs as that user.
    """
    try:
        return await answering
    except ForeignKeyViolated as gone:
        caller = caller_or_none(request)
        if caller is None or await _is_known(request, caller.user_id):
            raise
        raise TransactionConflict(SiteReason.ACCOUNTS_JOINED) from gone


async def _is_known(request: Request, user_id: UserId) -> bool:
    async with database_of(request).reader() as reader:
        return await is_there(reader, user_id)
