"""Forms submitted after the session has ended, so that nothing typed is lost.

The response page contains the submitted fields. If the user signs in from that page, the fields are stored under a
cookie of this browser and shown again in the same tab afterwards. A very large form is not stored. Instead, the user
signs in in another tab and submits the form again.
"""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import MINUTE, Instant
from groundwork.errors import InvalidInput, NotSignedIn
from groundwork.http.forms import local_path, open_form
from groundwork.rate_limit.contract import Limit
from groundwork.token_hash import hash_token
from openmeet.domain.events import draft_queries
from openmeet.domain.media.pictures import MAX_UPLOAD_BYTES
from openmeet.web.site.caller import caller_of, caller_or_none
from openmeet.web.site.cookies import read_cookie, set_cookie
from openmeet.web.site.layout import go, page
from openmeet.web.site.rate_limits import spend_on
from openmeet.web.site.reasons import SiteReason
from openmeet.web.site.tenant_routing import database_of

# The largest number of fields and files in any form of this site.
_MAX_FIELDS: Final = 600
_MAX_FILES: Final = 10

# The largest request of a stranger that is read to find its text: a form with one picture.
_MAX_READ: Final = MAX_UPLOAD_BYTES + 500_000

# Maximum size of a stored form in bytes. A description has at most 20,000 characters.
_MAX_KEPT: Final = 200_000
# The same as the lifetime of the cookie.
_KEPT: Final = 40 * MINUTE
# Anyone can send a form, and each takes up space in the database.
_LIMIT: Final = Limit("kept_forms", 20, 600)
_COOKIE: Final = "openmeet_form"
_KEPT_PATH: Final = "/sign-in/form"

_Endpoint = Callable[[Request], Awaitable[Response]]


class _KeptForm(msgspec.Struct, frozen=True):
    """A stored form: the path that it was sent to, and its fields."""

    path: str
    fields: list[tuple[str, str]]


def routes() -> list[Route]:
    return [
        Route(_KEPT_PATH, show_kept, methods=["GET"]),
        Route(_KEPT_PATH, store_form, methods=["POST"]),
    ]


async def store_form(request: Request) -> Response:
    """Store a form for this browser and redirect to sign-in. ``to`` is the path to which the form was sent. Raises
    TooMany.
    """
    await spend_on(request, _LIMIT)
    form = _KeptForm(local_path(request.query_params.get("to", "/")), await _submitted_fields(request))
    packed = msgspec.json.encode(form)
    if len(packed) > _MAX_KEPT:
        raise InvalidInput("", SiteReason.FORM_TOO_LARGE)
    token = secrets.token_urlsafe(32)
    async with database_of(request).transaction() as tx:
        await draft_queries.put(tx, hash_token(token), packed.decode(), Instant(tx.now + _KEPT))
    response = go(f"/sign-in?next={_KEPT_PATH}")
    set_cookie(request, response, _COOKIE, token)
    return response


async def show_kept(request: Request) -> Response:
    """Show the stored form, so that the user, who is now signed in, can submit it."""
    caller_of(request)
    token = read_cookie(request, _COOKIE)
    async with database_of(request).reader() as reader:
        packed = await draft_queries.find(reader, hash_token(token)) if token else None
    if packed is None:
        return go("/")
    form = msgspec.json.decode(packed, type=_KeptForm)
    context = {"fields": form.fields, "to": form.path}
    return page(request, "site/kept_form.html", context, headers={"cache-control": "no-store"})


def keep_forms(routes: Sequence[Route]) -> list[Route]:
    """The same routes, except that a form that requires a session but has none is shown again instead of being refused."""
    return [
        Route(one.path, _keeping(one.endpoint), methods=["POST"]) if one.methods == {"POST"} else one for one in routes
    ]


def _keeping(endpoint: _Endpoint) -> _Endpoint:
    @wraps(endpoint)
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except NotSignedIn:
            # The user is signed in and was refused for another reason, such as a wrong password.
            if caller_or_none(request) is not None or not (fields := await _submitted_fields(request)):
                raise
            size = sum(len(name.encode()) + len(text.encode()) for name, text in fields)
            # In JSON the text can be twice as long.
            context = {"fields": fields, "keep": _KEPT_PATH if 2 * size < _MAX_KEPT else ""}
            return page(request, "site/signed_out.html", context, status=401)

    return answer


async def _submitted_fields(request: Request) -> list[tuple[str, str]]:
    """The submitted fields as pairs of name and text, without files and passwords. None of a form with many pictures."""
    length = request.headers.get("content-length", "")
    if len(length) > 9 or not (length.isascii() and length.isdigit()) or int(length) > _MAX_READ:
        return []
    if not request.headers.get("content-type", "").startswith(
        ("application/x-www-form-urlencoded", "multipart/form-data")
    ):
        return []
    async with open_form(request, max_files=_MAX_FILES, max_fields=_MAX_FIELDS) as form:
        return [(name, text) for name, text in form.multi_items() if isinstance(text, str) and "password" not in name]
