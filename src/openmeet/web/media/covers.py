"""Generated covers. Lists embed them in the page. Elsewhere they are served as immutable files, because their URL
contains everything that the drawing depends on.
"""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import NotFound
from groundwork.http.compression import chosen_encoding, encoded
from openmeet.domain.covers.drawing import data_url, strip, svg
from openmeet.domain.covers.model import Cover, cover_for, parse_cover_name
from openmeet.domain.covers.social_card import email_cover
from openmeet.domain.events.content import Content
from openmeet.domain.media.pictures import MediaReason, Size
from openmeet.web.media.drawings import draw_cached
from openmeet.web.media.pages import IMMUTABLE
from openmeet.web.site.reduced_data import saves_data


def routes() -> list[Route]:
    return [
        Route("/covers/{name}.svg", show_cover, methods=["GET"]),
        Route("/covers/{name}.png", show_png, methods=["GET"]),
        Route("/covers/{name}/strip.svg", show_strip, methods=["GET"]),
    ]


async def show_cover(request: Request) -> Response:
    return await _cover_response(request, svg)


async def show_strip(request: Request) -> Response:
    return await _cover_response(request, strip)


async def show_png(request: Request) -> Response:
    return Response(
        await draw_cached(request, email_cover, _cover_of(request)), media_type="image/png", headers=IMMUTABLE
    )


def _cover_of(request: Request) -> Cover:
    cover = parse_cover_name(request.path_params["name"])
    if cover is None:
        raise NotFound(MediaReason.NO_SUCH_PICTURE)
    return cover


async def _cover_response(request: Request, draw: Callable[[Cover], str]) -> Response:
    body, headers = draw(_cover_of(request)).encode(), dict(IMMUTABLE) | {"vary": "Accept-Encoding"}
    if (encoding := chosen_encoding(request.headers.get("accept-encoding", ""))) is not None:
        body = await encoded(body, encoding)
        headers["content-encoding"] = encoding.value
    return Response(body, media_type="image/svg+xml", headers=headers)


def thumbnail(content: Content, size: Size = Size.THUMBNAIL) -> str:
    """URL of the picture of an event or series in a list: the uploaded picture, or the generated cover if there is none
    or the browser asks to save data.
    """
    if content.picture is not None and not saves_data():
        return f"/media/{content.picture.key}/{size}"
    return data_url(cover_for(content))
