"""Links that subscribe to a calendar feed with one click."""

from urllib.parse import parse_qs, urlsplit

import pytest

from openmeet.web.site.layout import subscription


@pytest.mark.parametrize(
    "address",
    [
        "https://town.example/series/practice.ics",
        "http://127.0.0.1:8080/events.ics?q=caf%C3%A9+%26+tea&near=52.5%2C13.4",
        "https://town.example/calendars/s3cret-_.ics",
    ],
)
def test_each_service_gets_the_exact_url_and_name(address: str) -> None:
    """Google gets the URL as ``webcal:``, Outlook unchanged. The URL's own query stays inside the parameter."""
    name = "Käse & Wein #1"
    to = subscription(address, name)
    plain = address.partition("://")[2]
    assert to.address == address
    assert to.webcal == f"webcal://{plain}"
    google = urlsplit(to.google)
    assert (google.scheme, google.netloc, google.path) == ("https", "calendar.google.com", "/calendar/r")
    assert parse_qs(google.query) == {"cid": [to.webcal]}
    for link, host in ((to.outlook, "outlook.live.com"), (to.office, "outlook.office.com")):
        found = urlsplit(link)
        assert (found.scheme, found.netloc, found.path) == ("https", host, "/calendar/0/addfromweb")
        assert parse_qs(found.query) == {"url": [address], "name": [name]}
        assert "+" not in found.query, "a plus sign is ambiguous in URLs"
