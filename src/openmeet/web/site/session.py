"""From a cookie or a bearer token to the caller, once per request; and the cookie itself.

Over https the cookie's name begins with ``__Host-``: browsers then accept it from this host alone, for the whole of it,
and only when it is Secure (RFC 6265bis, section 4.1.3.2). A page takes cookies only, the API bearer tokens only: a form
of another site cannot use the API, and a stolen API token opens no page.
"""

from starlette.requests import HTTPConnection
from starlette.responses import Response

from groundwork.clock import DAY, SECOND, Instant
from groundwork.errors import NotSignedIn
from openmeet.domain.identities.queries import named_as
from openmeet.domain.moderation.policy import is_moderator
from openmeet.domain.notifications.queries import count_unread
from openmeet.domain.sign_in import model, queries
from openmeet.domain.sign_in.model import SESSION_LIFE, OpenedSession, SessionTransport
from openmeet.domain.users import queries as users
from openmeet.settings import Settings
from openmeet.web.site.caller import set_caller
from openmeet.web.site.layout import Viewer, set_viewer
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

_COOKIE = "openmeet_session"


def cookie_name(settings: Settings) -> str:
    return f"__Host-{_COOKIE}" if settings.is_https else _COOKIE


async def identify_by_cookie(connection: HTTPConnection) -> None:
    """Note the caller of a page, and what the page's frame shows of them."""
    token = connection.cookies.get(cookie_name(services(connection).settings), "")
    set_caller(connection, None)
    if not token:
        return
    async with database_of(connection).reader() as reader:
        found = await queries.holder(reader, model.hash_token(token), SessionTransport.BROWSER)
        if found is not None:
            caller = found.caller
            set_caller(connection, caller)
            unread = await count_unread(reader, caller.user_id)
            settings = services(connection).settings
            moderates = await is_moderator(reader, caller.user_id, settings.moderators)
            operates = await named_as(reader, caller.user_id, settings.operators) is not None
            viewer = Viewer(
                caller.display_name,
                unread,
                moderates=moderates,
                operates=operates,
                is_at_servers=found.is_at_servers,
            )
            set_viewer(connection, viewer)
    await _note_presence(connection, found)


async def identify_by_token(connection: HTTPConnection) -> None:
    """Note the caller of an API request. A token that does not work is an error, not nobody."""
    set_caller(connection, None)
    token = bearer_of(connection)
    if not token:
        return
    async with database_of(connection).reader() as reader:
        found = await queries.holder(reader, model.hash_token(token), SessionTransport.API)
    await _note_presence(connection, found)
    if found is None:
        raise unknown_credential("This token is unknown or has expired. Open a new session.")
    set_caller(connection, found.caller)


def unknown_credential(why: str) -> NotSignedIn:
    """A credential that is nobody's, with the challenge of RFC 6750, section 3.1."""
    return NotSignedIn(why, name="InvalidToken", headers={"www-authenticate": 'Bearer error="invalid_token"'})


async def _note_presence(connection: HTTPConnection, found: queries.Holder | None) -> None:
    """Once a day, whatever they do here: an owner who only reads is not absent (``groups.succession``)."""
    if found is None:
        return
    now = services(connection).clock.now()
    today = Instant(now - now % DAY)
    if found.seen_at is None or found.seen_at < today:
        async with database_of(connection).transaction() as tx:
            await users.note_seen(tx, found.caller.user_id, today)


def bearer_of(connection: HTTPConnection) -> str:
    """The token of the Authorization header; empty when there is none."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def cookie_token(connection: HTTPConnection) -> str:
    """The token in the cookie; empty when there is none."""
    return connection.cookies.get(cookie_name(services(connection).settings), "")


def set_cookie(connection: HTTPConnection, response: Response, session: OpenedSession) -> None:
    """Hand the browser its session. Lax: coming from a mail's link one is signed in, a foreign form is not sent it."""
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
