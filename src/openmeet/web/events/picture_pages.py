"""Form for an event's picture."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.http.forms import FormState
from openmeet.domain.events import actions, queries, seeing
from openmeet.domain.events.model import Event, EventSlug
from openmeet.web.media.uploads import form_of, save_sent
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of


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
    return go(f"/events/{quote(event.slug)}", flash="picture_saved")


async def remove(request: Request) -> Response:
    slug = EventSlug(request.path_params["slug"])
    async with database_of(request).transaction() as tx:
        await actions.remove_picture(tx, caller_of(request), slug)
    return go(f"/events/{quote(slug)}", flash="picture_removed")


async def _editable_event(request: Request) -> Event:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        event = await seeing.require_visible(
            reader, await queries.by_slug(reader, EventSlug(request.path_params["slug"])), caller.user_id
        )
        await seeing.require_editable(reader, event, caller.user_id)
    return event


def _picture_form_page(request: Request, event: Event, form_state: FormState, *, status: int = 200) -> Response:
    address = f"/events/{quote(event.slug)}"
    context = {"event": event, **form_of(event.content.picture, address, back=address, form_state=form_state)}
    return page(request, "events/picture.html", context, status=status)
