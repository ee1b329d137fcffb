"""Forms posted after the session ended: nothing that was typed is lost.

The page that answers has the typed fields in it, so nothing is stored here: people sign in in another tab and send it again.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import NotSignedIn
from openmeet.web.site.caller import caller_or_none
from openmeet.web.site.layout import page

# The most fields and files that a form of this site has.
_MAX_FIELDS: Final = 600
_MAX_FILES: Final = 10

_Endpoint = Callable[[Request], Awaitable[Response]]


def keep_forms(routes: Sequence[Route]) -> list[Route]:
    """The same routes; a form that needs a session and comes without one is shown again instead of refused."""
    return [
        Route(one.path, _keeping(one.endpoint), methods=["POST"]) if one.methods == {"POST"} else one for one in routes
    ]


def _keeping(endpoint: _Endpoint) -> _Endpoint:
    @wraps(endpoint)
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except NotSignedIn:
            # Somebody who is signed in was refused for another reason, like a wrong password.
            if caller_or_none(request) is not None or not (fields := await _fields(request)):
                raise
            return page(request, "site/signed_out.html", {"fields": fields}, status=401)

    return answer


async def _fields(request: Request) -> list[tuple[str, str]]:
    """What was typed, as name and text; without files and passwords."""
    if not request.headers.get("content-type", "").startswith(
        ("application/x-www-form-urlencoded", "multipart/form-data")
    ):
        return []
    async with request.form(max_files=_MAX_FILES, max_fields=_MAX_FIELDS) as form:
        return [(name, text) for name, text in form.multi_items() if isinstance(text, str) and "password" not in name]
