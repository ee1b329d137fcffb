"""The site's DID is derived from its URL, and its DID document from both."""

import pytest

from at_protocol.identity.did_document import parse_did_document
from at_protocol.syntax.did import Did
from openmeet.settings import Settings
from openmeet.web.xrpc.service import did_of, document_of, names_of
from tests.openmeet.site_under_test import ORIGIN, change_services, site_on
from tests.openmeet.xrpc.query_client import app


@pytest.mark.parametrize(
    ("address", "did"),
    [
        ("https://events.town.example", "did:web:events.town.example"),
        ("https://Events.Town.example", "did:web:events.town.example"),
        ("http://127.0.0.1:8080", "did:web:localhost%3A8080"),
        ("http://localhost:8080", "did:web:localhost%3A8080"),
        ("http://localhost", "did:web:localhost%3A80"),
        ("http://[::1]:8080", "did:web:localhost%3A8080"),
        ("https://events.town.example:8443", None),
        ("http://10.0.0.7:8080", None),
        ("https://[2001:db8::1]", None),
    ],
)
def test_the_did_is_derived_from_the_url(address, did):
    assert did_of(address) == did
    if did is None:
        assert document_of(address) is None
        assert names_of(address, bare=True) == ()
    else:
        assert names_of(address, bare=True) == (f"{did}#openmeet", did)
        assert names_of(address, bare=False) == (f"{did}#openmeet",)


def test_the_document_refers_to_the_site():
    for address, endpoint in (
        ("https://a.example", "https://a.example"),
        ("http://127.0.0.1:99", "http://localhost:99"),
    ):
        did = did_of(address)
        assert did is not None
        assert parse_did_document(document_of(address), did).service("openmeet") == endpoint


async def test_the_document_is_served_and_can_be_cached(make_sqlite, clock):
    db = await make_sqlite("openmeet")
    async with app(site_on(db, clock)) as client:
        answer = await client.get("/.well-known/did.json")
        assert answer.headers["cache-control"] == "public, max-age=300"
        assert parse_did_document(answer.json(), Did("did:web:openmeet.test")).service("openmeet") == ORIGIN
    site = site_on(db, clock)
    change_services(site.app, settings=Settings(public_url="http://10.0.0.7"))
    async with app(site) as client:
        assert (await client.get("/.well-known/did.json")).status_code == 404
