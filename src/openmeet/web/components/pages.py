"""``/dev/components``: every part of the look, to be looked at side by side, on this machine only."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from openmeet.web.components import samples
from openmeet.web.site.dev_pages import require_development
from openmeet.web.site.layout import page


def routes() -> list[Route]:
    return [Route("/dev/components", show_components, methods=["GET"])]


async def show_components(request: Request) -> Response:
    """Real macros and partials with samples; the words of samples are in no catalogue."""
    require_development(request)
    return page(request, "components/components.jinja", samples.context())
