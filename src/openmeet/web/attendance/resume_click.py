"""Resume an RSVP that a visitor started before signing in. A cookie keeps the click as a path until they have signed in;
then it is submitted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from groundwork.database.transaction import Database
from groundwork.errors import Failure, InvalidForm, kind_of
from groundwork.telemetry.health import log_fields
from groundwork.telemetry.logs import log
from openmeet.domain.attendance import actions, queries, registration
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.model import EventSlug
from openmeet.domain.events.queries import by_slug
from openmeet.domain.page_paths import event_path
from openmeet.domain.users.model import Caller
from openmeet.web.attendance import forms
from openmeet.web.attendance.view import FLASH_AFTER_REPLY
from openmeet.web.site.cookies import forget_cookie, read_cookie, set_cookie

_CLICK_COOKIE = "openmeet_click"

# The flash message after signing in without a click, or with one that changed nothing.
SIGNED_IN = "signed_in"
# The flash message after signing in with a click that should be sent again.
_NOT_SAVED = "answer_not_saved"


@dataclass(frozen=True, slots=True)
class RedirectAfterSignIn:
    """The page to open after sign-in, and the flash message (a key of ``site.flash_messages.FLASH_MESSAGES``)."""

    path: str
    flash: str = SIGNED_IN


def path_of(slug: EventSlug, reply: RsvpReply, form: Mapping[str, str]) -> str:
    """The event's path, with the reply as its query."""
    # An empty ``share`` means that the checkbox is not selected.
    details = {
        name: form[name] for name in forms.DETAIL_FIELDS if form.get(name) or (name == forms.SHARE and name in form)
    }
    parameters = {"reply": reply.value, **details}
    return f"{event_path(slug)}?{urlencode(parameters)}"


def store_click(connection: HTTPConnection, response: Response, path: str) -> None:
    """Store a visitor's click in their browser until they have signed in."""
    set_cookie(connection, response, _CLICK_COOKIE, path)


def forget_click(connection: HTTPConnection, response: Response) -> None:
    forget_cookie(connection, response, _CLICK_COOKIE)


async def finish_click(connection: HTTPConnection, db: Database, caller: Caller, next_path: str) -> RedirectAfterSignIn:
    """Submit the stored click, and return where to redirect. A path in a link has no effect unless this browser has
    stored it as a click. People who did not come for a certain page are sent to their home page.
    """
    stored_path = read_cookie(connection, _CLICK_COOKIE)
    if not stored_path or stored_path != next_path:
        return RedirectAfterSignIn("/home" if next_path == "/" else next_path)
    return await _finish_answer(db, caller, next_path)


async def _finish_answer(db: Database, caller: Caller, path: str) -> RedirectAfterSignIn:
    """Submit the RSVP that a path of ``path_of`` describes.

    Redirects to the form if the event asks for more, or if the RSVP should be sent again after a failure. Redirects to
    the event page, which says why, if the RSVP is not possible.
    """
    parts = urlsplit(path)
    slug = EventSlug(unquote(parts.path.removeprefix("/events/")))
    parameters = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    if parameters.get("reply") not in set(RsvpReply) or "/" in slug:
        return RedirectAfterSignIn(path)
    reply = RsvpReply(parameters["reply"])
    page = event_path(slug)
    form_path = f"{page}/answer?{urlencode(parameters)}"
    async with db.reader() as reader:
        event = await by_slug(reader, slug)
        if event is None:
            return RedirectAfterSignIn(page)
        own_rsvp = await queries.find(reader, event.id, caller.user_id)
        event_registration = await registration.registration_of(reader, event)
    try:
        reply_details = forms.reply_details_of(parameters, forms.fields_of(event_registration, own_rsvp))
        saved = await db.batch(lambda tx: actions.answer(tx, caller, slug, reply, reply_details), key=slug)
    except InvalidForm:
        return RedirectAfterSignIn(form_path)
    except Failure as failure:
        if kind_of(failure).worth_retrying:
            log.warning("answer.not_finished", **log_fields(failure))
            return RedirectAfterSignIn(form_path, _NOT_SAVED)
        log.info("answer.not_finished", why=failure.why)
        return RedirectAfterSignIn(path)
    return RedirectAfterSignIn(page, FLASH_AFTER_REPLY.get(saved.status, SIGNED_IN))
