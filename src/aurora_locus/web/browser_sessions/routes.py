"""Routes of pages. The browser is identified first, and cross-site posts are refused."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aurora_locus.i18n.language import stated_language
from aurora_locus.web.browser_sessions import authentication, cookies
from aurora_locus.web.site import forms
from aurora_locus.web.site.services import services
from groundwork.http.forms import MAX_FIELDS, read_form, require_same_origin

Endpoint = Callable[[Request], Awaitable[Response]]


def show(path: str, endpoint: Endpoint) -> Route:
    """A page: GET and HEAD."""
    return _page(path, endpoint, ("GET",))


def take(path: str, endpoint: Endpoint, *, max_fields: int = MAX_FIELDS) -> Route:
    """A form: POST. Origin and CSRF token are checked first; the endpoint reads the fields with ``site.forms.posted``."""
    return _page(path, endpoint, ("POST",), max_fields)


def _page(path: str, endpoint: Endpoint, methods: Sequence[str], max_fields: int = MAX_FIELDS) -> Route:
    async def answer(request: Request) -> Response:
        try:
            await authentication.identify(request)
            if request.method == "POST":
                site = services(request).site
                require_same_origin(request, site.url)
                form = await read_form(request, max_fields=max_fields)
                forms.require_token(site.csrf_key, authentication.visit_of(request).browser_id, form)
                forms.keep_form(request, form)
                await authentication.note_language(request, stated_language())
            return await endpoint(request)
        finally:
            # The cookies are sent even if the page failed, because the session was rotated anyway.
            cookies.send(request)

    return Route(path, answer, methods=list(methods))
