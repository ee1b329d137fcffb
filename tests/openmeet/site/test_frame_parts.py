"""Times, texts and forms on every page."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from starlette.requests import Request

from groundwork.clock import SECOND, from_datetime
from groundwork.errors import Forbidden, PreconditionFailed
from groundwork.http import forms
from openmeet.i18n import formatting, markdown
from openmeet.web.api import etags

BERLIN = ZoneInfo("Europe/Berlin")


def request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": raw, "query_string": b""})


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("Europe/Berlin", "Berlin time"),
        ("America/New_York", "New York time"),
        ("Asia/Kathmandu", "Kathmandu time"),
        ("UTC", "UTC"),
    ],
)
def test_a_time_is_shown_with_its_zone(zone, words):
    assert formatting.zone_label(datetime(2026, 7, 4, 18, tzinfo=ZoneInfo(zone)), zone) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "just now"), (-59, "just now"), (-60, "1 minute ago"), (-7200, "2 hours ago")]
)
def test_relative_times_are_in_words(seconds, words):
    now = from_datetime(datetime(2026, 7, 4, 18, tzinfo=BERLIN))
    assert formatting.ago(now + seconds * SECOND, now) == words


def test_instants_are_written_in_utc():
    moment = datetime(2026, 7, 4, 18, tzinfo=BERLIN)
    assert formatting.iso(from_datetime(moment)) == "2026-07-04T16:00:00Z"
    assert formatting.iso(from_datetime(moment.replace(microsecond=5000))) == "2026-07-04T16:00:00.005Z"


def test_a_time_span_names_the_second_day_only_if_there_is_one():
    starts = datetime(2026, 7, 4, 18, tzinfo=BERLIN)
    assert formatting.span(starts, starts.replace(hour=20)) == "Saturday 4 July 2026, 18:00–20:00"
    assert (
        formatting.span(starts, starts.replace(day=5, hour=2))
        == "Saturday 4 July 2026, 18:00 – Sunday 5 July 2026, 02:00"
    )


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("# Big", "<h3>Big</h3>"),
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>"),
        (
            "![x](https://example.org/a.png)",
            '<p>!<a href="https://example.org/a.png" rel="nofollow ugc noopener">x</a></p>',
        ),
        ("a\nb", "<p>a<br>\nb</p>"),
    ],
)
def test_text_from_people_becomes_harmless_html(text, html):
    assert markdown.html_of(text).strip() == html


def test_a_summary_is_plain_and_short():
    assert markdown.summary_of("**Bring** [cake](https://x.example) & tea") == "Bring cake & tea"
    assert len(markdown.summary_of("word " * 100)) <= 163


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/events/x?reply=going", "/events/x?reply=going"),
        ("", "/"),
        ("https://evil.test/", "/"),
        ("//evil.test", "/"),
        ("/\\evil.test", "/"),
        ("/a\\b", "/"),
        ("/\n/evil.test", "/"),
        ("events", "/"),
    ],
)
def test_the_next_path_stays_on_this_site(text, path):
    assert forms.local_path(text) == path


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.test"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site", "origin": "https://other.openmeet.test"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site", "origin": "null"},
        {"sec_fetch_site": "same-site", "origin": "https://openmeet.test:8443"},
        {"sec_fetch_site": "cross-site", "origin": "http://openmeet.test"},
        {"origin": "http://openmeet.test"},
        {"origin": "https://openmeet.test.evil.test"},
        {"origin": "https://openmeet.test@evil.test"},
        {"origin": "https://openmeet.test:port"},
        {"origin": "https://"},
        {"origin": ""},
        {"host": "", "origin": "null"},
        {"host": "", "origin": "https://"},
    ],
)
def test_a_form_from_elsewhere_is_refused(headers):
    with pytest.raises(Forbidden):
        forms.require_same_origin(request(**{"host": "openmeet.test", **headers}), "https://openmeet.test")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "https://openmeet.test"},
        {"sec_fetch_site": "same-origin", "origin": "null"},
        {"sec_fetch_site": "none"},
        # A proxy sends another host name, omits the port, or includes the default one.
        {"host": "127.0.0.1:8080", "origin": "https://openmeet.test"},
        {"host": "openmeet.test:443", "origin": "https://openmeet.test"},
        {"origin": "https://openmeet.test:443"},
        {"host": "other.test", "origin": "https://other.test", "sec_fetch_site": "same-site"},
        {"host": "other.test:443", "origin": "https://other.test"},
    ],
)
def test_a_form_of_ours_is_accepted(headers):
    forms.require_same_origin(request(**{"host": "openmeet.test", **headers}), "https://openmeet.test")


@pytest.mark.parametrize(
    ("public_url", "host", "origin", "is_taken"),
    [
        ("https://openmeet.test:8443/", "openmeet.test", "https://openmeet.test:8443", True),
        ("https://openmeet.test:8443/", "openmeet.test", "https://openmeet.test:9443", False),
        ("http://127.0.0.1:8080", "localhost:8080", "http://localhost:8080", True),
        ("http://127.0.0.1:8080", "localhost:8080", "http://localhost:9090", False),
        ("HTTPS://OpenMeet.test", "inside:1", "https://openmeet.test", True),
    ],
)
def test_ports_are_part_of_an_origin(public_url, host, origin, is_taken):
    sent = request(host=host, origin=origin)
    if is_taken:
        forms.require_same_origin(sent, public_url)
    else:
        with pytest.raises(Forbidden):
            forms.require_same_origin(sent, public_url)


def test_if_match_contains_a_revision():
    assert etags.expected_revision(request()) is None
    assert etags.expected_revision(request(if_match="*")) is None
    assert etags.expected_revision(request(if_match='"7"')) == 7
    for odd in ("7", 'W/"7"', '"x"', '"1", "2"'):
        with pytest.raises(PreconditionFailed):
            etags.expected_revision(request(if_match=odd))
