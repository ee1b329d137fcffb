"""``/dev/components``: every element of the design on one page. Only available on this machine."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from openmeet.web.components import samples
from openmeet.web.site.dev_pages import require_development
from openmeet.web.site.layout import page


def routes() -> list[Route]:
    return [Route("/dev/components", show_components, methods=["GET"])]


async def show_components(request: Request) -> Response:
    """Real macros and partials with sample values. Sample texts are not translated."""
    require_development(request)
    return page(request, "components/components.jinja", samples.context())
