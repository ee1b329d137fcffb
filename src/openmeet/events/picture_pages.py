"""The form for an event's picture."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import InvalidForm, NotFound, Refused, TooLarge, TooMany
from openmeet.events import pictures, queries, seeing
from openmeet.events.model import Event, EventSlug
from openmeet.media import actions as media
from openmeet.media.edge import store_of
from openmeet.media.model import Picture
from openmeet.media.uploads import form_of, sent
from openmeet.media.words import check_alt
from openmeet.site.forms import Typed, typed_again
from openmeet.site.frame import go, page
from openmeet.tenants.edge import database_of
from openmeet.users.edge import caller_of


def routes() -> list[Route]:
    return [
        Route("/events/{slug}/picture", show, methods=["GET"]),
        Route("/events/{slug}/picture", save, methods=["POST"]),
        Route("/events/{slug}/picture/remove", remove, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    event = await _editable(request)
    return _form(request, event, Typed({"alt": event.picture.alt if event.picture else ""}))


async def save(request: Request) -> Response:
    event = await _editable(request)
    caller = caller_of(request)
    body, alt_text = await sent(request)
    typed = {"alt": alt_text}
    try:
        alt = check_alt(alt_text)
        if not body:
            return await _describe(request, event, alt)
        key, made = await media.keep(database_of(request), store_of(request), caller.user_id, body)
        async with database_of(request).transaction() as tx:
            await pictures.put(tx, caller, event.slug, Picture(key, alt, made.width, made.height))
    except InvalidForm as wrong:
        return _form(request, event, typed_again(typed, wrong), status=400)
    except (TooLarge, TooMany) as refused:
        status = 413 if isinstance(refused, TooLarge) else 429
        return _form(request, event, Typed(typed, {"picture": refused.why}), status=status)
    return go(f"/events/{quote(event.slug)}", said="picture_saved")


async def remove(request: Request) -> Response:
    slug = EventSlug(request.path_params["slug"])
    async with database_of(request).transaction() as tx:
        await pictures.remove(tx, caller_of(request), slug)
    return go(f"/events/{quote(slug)}", said="picture_removed")


async def _describe(request: Request, event: Event, alt: str) -> Response:
    try:
        async with database_of(request).transaction() as tx:
            await pictures.describe(tx, caller_of(request), event.slug, alt)
    except Refused:
        raise InvalidForm({"picture": "Choose a picture."}) from None
    return go(f"/events/{quote(event.slug)}", said="picture_saved")


async def _editable(request: Request) -> Event:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        event = await queries.by_slug(reader, EventSlug(request.path_params["slug"]))
        if event is None or event.is_gone or not await seeing.may_see(reader, event, caller.user_id, is_invited=False):
            raise NotFound("There is no such event.")
        await seeing.must_be_editable(reader, event, caller.user_id)
    return event


def _form(request: Request, event: Event, typed: Typed, *, status: int = 200) -> Response:
    address = f"/events/{quote(event.slug)}"
    context = {"event": event, **form_of(event.picture, address, back=address, typed=typed)}
    return page(request, "events/picture.html", context, status=status)
