"""Entity tags and conditional requests (RFC 9110, section 13.1).

A tag is the revision of the resource, a dash and the digest of the response: ``"3-9f2c41d07b3e"``. ``If-Match``
protects an edit. It compares the revision alone, because the other fields of a response (attendee counts) are not
edited. A change of the record in another app is a new revision, too. ``If-None-Match`` saves sending a response and
compares the whole tag. A resource without a revision has only the digest, which both headers compare.
"""

import hashlib
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from groundwork.errors import PreconditionFailed
from groundwork.http.json_bodies import json_response
from openmeet.web.api.operations import Parameter
from openmeet.web.api.problem import ApiReason

IF_MATCH: Final = Parameter(
    "If-Match",
    "The ETag of the version to change. 412 if it was changed since, here or in another app. Without it, the newest"
    " version is changed",
    "header",
)
IF_NONE_MATCH: Final = Parameter(
    "If-None-Match", "The ETag of the version that the client has. 304 if it is still current", "header"
)

_NUMBER = re.compile(r"[0-9]{1,18}")
_DIGEST = re.compile(r"[0-9a-f]{16}")
# If-Match compares strongly (RFC 9110, section 13.1.1): a weak tag never matches.
_TAG = re.compile(f'"({_NUMBER.pattern})(?:-{_DIGEST.pattern})?"')
_DIGEST_TAG = re.compile(f'"({_DIGEST.pattern})"')
_ANY_TAG = re.compile(r'(?:W/)?("[^"]*")')


def etag_of(revision: int) -> dict[str, str]:
    """The ETag of a response that shows this revision."""
    return {"etag": f'"{revision}"'}


def revision_in_form(text: str) -> int | None:
    """The revision in a form's hidden field, or None if the field is absent. Raises PreconditionFailed if it is
    invalid.
    """
    if not text:
        return None
    if _NUMBER.fullmatch(text) is None:
        raise PreconditionFailed(ApiReason.NO_VERSION_IN_FORM)
    return int(text)


def version_of_values(values: Mapping[str, str]) -> str:
    """The version in the hidden field of a form that has no revision: a digest of the values with which it opened."""
    return _body_digest(msgspec.json.encode(values, order="sorted"))


def expected_revision(request: Request) -> int | None:
    """The revision that ``If-Match`` names. None if there is no such header, or if it accepts any version (``*``).

    Raises PreconditionFailed for a tag that this site never issued, because such a tag cannot match anything.
    """
    if_match = request.headers.get("if-match", "").strip()
    if not if_match or if_match == "*":
        return None
    match = _TAG.fullmatch(if_match)
    if match is None:
        raise PreconditionFailed(ApiReason.UNKNOWN_VERSION)
    return int(match[1])


def require_match(request: Request, revision: int | None) -> None:
    """Raises PreconditionFailed if ``If-Match`` names a revision other than this one. Pass None if nothing exists yet."""
    if revision is None and request.headers.get("if-match"):
        raise PreconditionFailed(ApiReason.NOTHING_TO_MATCH)
    expected = expected_revision(request)
    if expected is not None and expected != revision:
        raise PreconditionFailed(ApiReason.CHANGED_SINCE_READ)


def require_match_with_shown(request: Request, shown: object) -> None:
    """``require_match`` for a resource without a revision. ``shown`` is what a GET would return now."""
    if_match = request.headers.get("if-match", "").strip()
    if not if_match or if_match == "*":
        return
    match = _DIGEST_TAG.fullmatch(if_match)
    if match is None or match[1] != _body_digest(bytes(json_response(shown).body)):
        raise PreconditionFailed(ApiReason.CHANGED_SINCE_READ)


def answer_unless_known(request: Request, response: Response) -> Response:
    """Return the response to a GET with its ETag, or 304 without a body if ``If-None-Match`` contains that tag.

    Redirects and responses with cookies get no tag, because a 304 would lose their headers. Streamed responses get none
    either.
    """
    is_streamed = isinstance(response, StreamingResponse)
    if is_streamed or response.status_code != HTTPStatus.OK or "set-cookie" in response.headers:
        response.headers.setdefault("cache-control", "no-store")
        return response
    digest = _body_digest(bytes(response.body))
    own_tag = _TAG.fullmatch(response.headers.get("etag", ""))
    tag = f'"{own_tag[1]}-{digest}"' if own_tag else f'"{digest}"'
    response.headers["etag"] = tag
    response.headers.setdefault("cache-control", "private, no-cache")
    # If-None-Match compares weakly, so it does not matter if a proxy has marked the tag as weak (RFC 9110, section
    # 13.1.2).
    if_none_match = request.headers.get("if-none-match", "")
    if if_none_match.strip() == "*" or tag in _ANY_TAG.findall(if_none_match):
        kept = ("etag", "cache-control", "vary")
        headers = {name: response.headers[name] for name in kept if name in response.headers}
        return Response(status_code=304, headers=headers)
    return response


def _body_digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:16]
