"""Form for a series' picture."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.http.forms import FormState
from openmeet.domain.series import agenda, apply_edits
from openmeet.domain.series.model import Series
from openmeet.web.media.uploads import form_of, save_sent
from openmeet.web.series.api import slug_of
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of


def routes() -> list[Route]:
    return [
        Route("/series/{slug}/picture", show, methods=["GET"]),
        Route("/series/{slug}/picture", save, methods=["POST"]),
        Route("/series/{slug}/picture/remove", remove, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    series = await _editable_series(request)
    picture = series.content.picture
    return _picture_form_page(request, series, FormState({"alt": picture.alt if picture else ""}))


async def save(request: Request) -> Response:
    series = await _editable_series(request)
    caller = caller_of(request)
    refused_form = await save_sent(
        request,
        caller.user_id,
        lambda tx, picture: apply_edits.set_picture(tx, caller, series.slug, picture),
        lambda tx, alt: apply_edits.describe_picture(tx, caller, series.slug, alt),
    )
    if refused_form is not None:
        form_state, status = refused_form
        return _picture_form_page(request, series, form_state, status=status)
    return go(_series_path(series), flash="picture_saved")


async def remove(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        series = await apply_edits.remove_picture(tx, caller_of(request), slug_of(request))
    return go(_series_path(series), flash="picture_removed")


async def _editable_series(request: Request) -> Series:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        return await agenda.editable(reader, slug_of(request), caller.user_id)


def _picture_form_page(request: Request, series: Series, form_state: FormState, *, status: int = 200) -> Response:
    address = _series_path(series)
    context = {"series": series, **form_of(series.content.picture, address, back=address, form_state=form_state)}
    return page(request, "series/picture.html", context, status=status)


def _series_path(series: Series) -> str:
    return f"/series/{quote(series.slug)}"
