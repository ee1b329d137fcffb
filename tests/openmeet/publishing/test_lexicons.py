"""This project's Lexicons published by an account: each is a record that another server's resolver accepts, and the DNS
entry points to it.
"""

import pytest

from at_protocol.data import json_form
from at_protocol.lexicon.publication import COLLECTION, read_publication
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.nsid import parse_nsid
from groundwork.errors import Refused
from openmeet.network.publishing.lexicons import dns_entries, own_documents, publish
from tests.openmeet.deployment import Deployment

DID = parse_did("did:plc:" + "a" * 24)


async def test_lexicons_are_published_once_and_can_be_resolved(deployment: Deployment):
    cleo = await deployment.connected("cleo")
    identity = await deployment.identity(cleo.user_id)
    client = await deployment.own_client(identity)
    done = await publish(client, identity.did, "org.example.events")
    names = {str(one.nsid) for one in done}
    assert {"org.example.events.series", "org.example.events.origin", "org.example.events.seriesLink"} <= names
    # Queries for other apps, and the permission sets for calling them.
    assert {f"org.example.events.{name}" for name in ("getEvent", "defs", "authRead", "authManage")} <= names
    assert all(one.is_changed for one in done)
    for one in done:
        record = await deployment.record(one.uri)
        record.pop("cid")
        document = read_publication(one.nsid, json_form.from_json(record))
        assert document.id == one.nsid
    assert "openmeet.lexicon." not in str([await deployment.record(one.uri) for one in done])
    again = await publish(client, identity.did, "org.example.events")
    assert [one.is_changed for one in again] == [False] * len(done)


def test_one_dns_entry_covers_one_authority():
    names = [nsid for nsid, _ in own_documents("org.example.events")]
    assert dns_entries(names, DID) == [f'_lexicon.events.example.org. TXT "did={DID}"']


def test_a_name_too_long_for_dns_is_refused():
    long = parse_nsid(".".join(["a" * 60] * 5) + ".series")
    with pytest.raises(Refused):
        dns_entries([long], DID)


def test_every_record_is_in_the_specified_collection():
    assert {record["$type"] for _, record in own_documents("openmeet.lexicon")} == {str(COLLECTION)}
