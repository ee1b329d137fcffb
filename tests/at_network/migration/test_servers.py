"""A server may declare only its own DID, because service tokens are issued for the declared DID."""

import pytest

from at_network.migration.servers import names_endpoint, names_host
from at_protocol.identity.did_document import DidDocument, DidService, build_did_document, parse_did_document
from at_protocol.syntax.did import Did
from groundwork.errors import NotFound


@pytest.mark.parametrize(
    ("did", "origin", "is_its_own"),
    [
        ("did:web:pds.example.com", "https://pds.example.com", True),
        ("did:web:pds.example.com%3A8443", "https://pds.example.com:8443", True),
        ("did:web:pds.example.com", "https://PDS.example.com", True),
        ("did:web:bank.example.com", "https://pds.example.com", False),
        ("did:web:pds.example.com", "https://pds.example.com:8443", False),
        ("did:web:example.com", "https://pds.example.com", False),
        ("did:plc:ewvi7nxzyoun6zhxrhs64oiz", "https://pds.example.com", False),
        ("did:web:anything", "http://127.0.0.1:3000", True),
    ],
)
def test_server_may_declare_the_did_of_its_host(did: str, origin: str, is_its_own: bool) -> None:
    """A did:web must match the host and port of the server. Without TLS (development), any DID is accepted."""
    assert names_host(Did(did), origin) is is_its_own


async def test_other_dids_must_name_the_server_in_their_document() -> None:
    """A DID with another name is accepted only if its document names this server."""
    did = Did("did:plc:ewvi7nxzyoun6zhxrhs64oiz")
    services = {"atproto_pds": DidService("AtprotoPersonalDataServer", "https://pds.example.com")}
    document = build_did_document(did, also_known_as=[], verification_methods={}, services=services)

    async def resolve(asked: Did) -> DidDocument:
        if asked != did:
            raise NotFound("There is no such identity.", name="DidNotFound")
        return parse_did_document(document, did)

    assert await names_endpoint(resolve, did, "https://pds.example.com")
    assert not await names_endpoint(resolve, did, "https://thief.example.com")
    assert not await names_endpoint(resolve, Did("did:web:bank.example.com"), "https://bank.example.com")
