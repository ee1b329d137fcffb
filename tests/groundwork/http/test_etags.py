"""Who edits must have seen the current version."""

import pytest
from starlette.requests import Request

from groundwork.errors import InvalidInput, PreconditionFailed
from groundwork.http.etags import etag, is_unchanged, matches, not_modified, require_current


def request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw})


@pytest.mark.parametrize(
    ("header", "expected"),
    [('"3"', True), ('"2", "3"', True), ("*", True), ('"2"', False), ("3", False), ('W/"3"', False)],
)
def test_strong_comparison(header, expected):
    """If-Match compares strongly: a weak tag never matches (RFC 9110 13.1.1)."""
    assert matches(header, etag(3)) is expected


def test_an_edit_of_a_stale_version_is_refused():
    require_current(request(if_match='"3"'), etag(3))
    with pytest.raises(PreconditionFailed):
        require_current(request(if_match='"2"'), etag(3))
    with pytest.raises(InvalidInput):
        require_current(request(), etag(3))
    require_current(request(), etag(3), required=False)


def test_an_unchanged_thing_is_not_sent_again():
    assert is_unchanged(request(if_none_match='W/"3"'), etag(3))
    assert not is_unchanged(request(), etag(3))
    assert (not_modified(etag(3)).status_code, not_modified(etag(3)).headers["etag"]) == (304, '"3"')
