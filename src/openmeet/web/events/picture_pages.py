"""The picture of an event: its form, and its field in the form for a new event."""

from dataclasses import dataclass, field, replace
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import InvalidForm, InvalidInput, TooLarge, TooMany, Why
from groundwork.http.forms import MAX_FIELDS, FormState, open_form, read_form
from openmeet.domain.covers.model import cover_for
from openmeet.domain.events import actions, event_access, queries
from openmeet.domain.events.model import Event
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.media import uploads
from openmeet.domain.media.pictures import Picture, PictureKey
from openmeet.domain.page_paths import event_path
from openmeet.domain.users.model import Caller
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.catalogue import lazy
from openmeet.web.media.subject import subject_of_event
from openmeet.web.media.uploads import check_alt, form_of, read_upload, save_sent, store_of
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of, workers_of

# Hidden field that carries a stored picture from one submission of the form to the next.
KEPT = "picture_key"
LABELS: Final = {"picture": lazy("Picture"), "alt": lazy("What’s in the picture?")}


@dataclass(frozen=True, slots=True)
class SentPicture:
    """``picture`` is None if none was sent or if there are ``problems``. ``kept_key`` is the value of the hidden field."""

    picture: Picture | None = None
    problems: dict[str, Why] = field(default_factory=dict)
    kept_key: str = ""


def routes() -> list[Route]:
    return [
        Route("/events/{slug}/picture", show, methods=["GET"]),
        Route("/events/{slug}/picture", save, methods=["POST"]),
        Route("/events/{slug}/picture/remove", remove, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    event = await _editable_event(request)
    return _picture_form_page(
        request, event, FormState({"alt": event.content.picture.alt if event.content.picture else ""})
    )


async def save(request: Request) -> Response:
    event = await _editable_event(request)
    caller = caller_of(request)
    refused_form = await save_sent(
        request,
        caller.user_id,
        lambda tx, picture: actions.set_picture(tx, caller, event.slug, picture),
        lambda tx, alt: actions.describe_picture(tx, caller, event.slug, alt),
    )
    if refused_form is not None:
        form_state, status = refused_form
        return _picture_form_page(request, event, form_state, status=status)
    return go(event_path(event.slug), flash="picture_saved")


async def remove(request: Request) -> Response:
    slug = event_slug_of(request)
    async with database_of(request).transaction() as tx:
        await actions.remove_picture(tx, caller_of(request), slug)
    return go(event_path(slug), flash="picture_removed")


async def _editable_event(request: Request) -> Event:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        event = await event_access.require_visible(
            reader, await queries.by_slug(reader, event_slug_of(request)), caller.user_id
        )
        await event_access.require_editable(reader, event, caller.user_id)
    return event


def _picture_form_page(request: Request, event: Event, form_state: FormState, *, status: int = 200) -> Response:
    address = event_path(event.slug)
    subject = subject_of_event(event, services(request).clock.now())
    context = {
        "event": event,
        "subject": subject,
        **form_of(event.content.picture, address, cover=cover_for(event.content), back=address, form_state=form_state),
    }
    return page(request, "events/picture.html", context, status=status)


async def read_form_with_picture(request: Request) -> tuple[dict[str, str], bytes]:
    """The form for a new event: the text fields, and the bytes of the file (empty if none was chosen). Raises
    InvalidInput.
    """
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != "multipart/form-data":
        return await read_form(request), b""
    async with open_form(request, max_files=1, max_fields=MAX_FIELDS) as form:
        fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
        body = await read_upload(form.get("picture"))
    if any("\x00" in value for value in fields.values()):
        raise InvalidInput("", GeneralReason.UNSTORABLE_CHARACTER)
    return fields, body


async def store_picture(request: Request, caller: Caller, form: dict[str, str], body: bytes) -> SentPicture:
    """Store the picture in this submission, or find the one that an earlier submission stored. It is stored before the
    form is validated, because browsers do not send a file again.
    """
    key, words = PictureKey(form.get(KEPT, "")), form.get("alt", "")
    picture = None
    if body:
        try:
            key, made = await uploads.store_picture(
                database_of(request), store_of(request), workers_of(request, caller.user_id), caller.user_id, body
            )
        except InvalidForm as wrong:
            return SentPicture(problems=wrong.problems)
        except (TooLarge, TooMany) as refused:
            return SentPicture(problems={"picture": refused.why})
        picture = Picture(key, words, made.width, made.height, made.tone)
    elif key:
        async with database_of(request).reader() as reader:
            picture = await uploads.find_own(reader, key, caller.user_id, words)
    if picture is None:
        is_lost = bool(key or words.strip())
        return SentPicture(problems={"picture": EventReason.PICTURE_NEEDED}) if is_lost else SentPicture()
    try:
        return SentPicture(replace(picture, alt=check_alt(words)), kept_key=key)
    except InvalidForm as wrong:
        return SentPicture(problems=wrong.problems, kept_key=key)
