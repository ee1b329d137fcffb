"""The form for a series' picture."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import InvalidForm, Refused, TooLarge, TooMany
from openmeet.media import actions as media
from openmeet.media.edge import store_of
from openmeet.media.model import Picture
from openmeet.media.uploads import form_of, sent
from openmeet.media.words import check_alt
from openmeet.series import agenda, pictures
from openmeet.series.api import slug_of
from openmeet.series.model import Series
from openmeet.site.forms import Typed, typed_again
from openmeet.site.frame import go, page
from openmeet.tenants.edge import database_of
from openmeet.users.edge import caller_of


def routes() -> list[Route]:
    return [
        Route("/series/{slug}/picture", show, methods=["GET"]),
        Route("/series/{slug}/picture", save, methods=["POST"]),
        Route("/series/{slug}/picture/remove", remove, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    series = await _editable(request)
    picture = series.template.picture
    return _form(request, series, Typed({"alt": picture.alt if picture else ""}))


async def save(request: Request) -> Response:
    series = await _editable(request)
    caller = caller_of(request)
    body, alt_text = await sent(request)
    typed = {"alt": alt_text}
    try:
        alt = check_alt(alt_text)
        if not body:
            return await _describe(request, series, alt)
        key, made = await media.keep(database_of(request), store_of(request), caller.user_id, body)
        async with database_of(request).transaction() as tx:
            await pictures.put(tx, caller, series.slug, Picture(key, alt, made.width, made.height))
    except InvalidForm as wrong:
        return _form(request, series, typed_again(typed, wrong), status=400)
    except (TooLarge, TooMany) as refused:
        status = 413 if isinstance(refused, TooLarge) else 429
        return _form(request, series, Typed(typed, {"picture": refused.why}), status=status)
    return go(_path(series), said="picture_saved")


async def remove(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        series = await pictures.remove(tx, caller_of(request), slug_of(request))
    return go(_path(series), said="picture_removed")


async def _describe(request: Request, series: Series, alt: str) -> Response:
    try:
        async with database_of(request).transaction() as tx:
            await pictures.describe(tx, caller_of(request), series.slug, alt)
    except Refused as refused:
        if refused.name != "NoPicture":
            raise
        raise InvalidForm({"picture": "Choose a picture."}) from None
    return go(_path(series), said="picture_saved")


async def _editable(request: Request) -> Series:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        return await agenda.editable(reader, slug_of(request), caller.user_id)


def _form(request: Request, series: Series, typed: Typed, *, status: int = 200) -> Response:
    address = _path(series)
    context = {"series": series, **form_of(series.template.picture, address, back=address, typed=typed)}
    return page(request, "series/picture.html", context, status=status)


def _path(series: Series) -> str:
    return f"/series/{quote(series.slug)}"
