"""Entity tags: which version somebody saw, so that an edit never overwrites what they did not see (RFC 9110, 8.8 and 13)."""

from starlette.requests import Request
from starlette.responses import Response

from groundwork.errors import InvalidInput, PreconditionFailed


def etag(version: object) -> str:
    """The strong tag of a version: a revision counter, a CID."""
    return f'"{version}"'


def matches(header: str, current: str, *, weak: bool = False) -> bool:
    """Whether a list of tags names the current one. ``weak`` compares as ``If-None-Match`` does (RFC 9110 8.8.3.2)."""
    if header.strip() == "*":
        return True
    for piece in header.split(","):
        tag = piece.strip()
        if weak:
            tag = tag.removeprefix("W/")
        if tag == current:
            return True
    return False


def require_current(request: Request, current: str, *, required: bool = True) -> None:
    """For edits: ``If-Match`` must name the current version.

    Raises ``PreconditionFailed`` when it names another, and ``InvalidInput`` when it is absent though ``required``.
    """
    header = request.headers.get("if-match")
    if header is None:
        if required:
            raise InvalidInput("If-Match", "Say in If-Match which version you are changing.")
        return
    if not matches(header, current):
        raise PreconditionFailed("This was changed meanwhile; look at the new version first.")


def is_unchanged(request: Request, current: str) -> bool:
    """For reads: whether ``If-None-Match`` names the current version, so that 304 says everything."""
    header = request.headers.get("if-none-match")
    return header is not None and matches(header, current, weak=True)


def not_modified(current: str) -> Response:
    """The empty answer to a read of an unchanged thing."""
    return Response(status_code=304, headers={"etag": current})
