"""Entity tags of what is edited: the revision in quotes; and the condition ``If-Match`` (RFC 9110, section 13.1.1)."""

import re

from starlette.requests import Request

from groundwork.errors import PreconditionFailed

_NUMBER = re.compile(r"[0-9]{1,18}")
_TAG = re.compile(f'"({_NUMBER.pattern})"')


def etag_of(revision: int) -> dict[str, str]:
    """The header for an answer that shows this revision."""
    return {"etag": f'"{revision}"'}


def revision_in_form(text: str) -> int | None:
    """The revision that a form brings back hidden; None where there is none. PreconditionFailed for what never was one."""
    if not text:
        return None
    if _NUMBER.fullmatch(text) is None:
        raise PreconditionFailed("This form does not say which version it was opened for.")
    return int(text)


def expected_revision(request: Request) -> int | None:
    """The revision that ``If-Match`` names; None when there is no condition, or any version will do (``*``).

    A tag that was never ours cannot match anything: PreconditionFailed.
    """
    given = request.headers.get("if-match", "").strip()
    if not given or given == "*":
        return None
    found = _TAG.fullmatch(given)
    if found is None:
        raise PreconditionFailed("If-Match does not name a version that was answered here.")
    return int(found[1])
