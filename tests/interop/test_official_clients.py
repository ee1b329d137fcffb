"""The official TypeScript packages against our PDS: they sign in, write, follow the firehose and verify what they read."""

from pathlib import Path

import pytest

from tests.external_dependencies import ROOT, needs
from tests.interop.conftest import NODE, Network, json_lines, node, run

pytestmark = [needs("node"), pytest.mark.usefixtures("node_modules")]

NOTE = "org.example.note"


async def test_official_client_works_for_a_whole_session(network: Network) -> None:
    ana = await network.sign_up("ana-session")
    (told,) = json_lines(await node("session.mjs", network.pds_url, ana.handle, ana.password))
    assert told["did"] == ana.did
    assert (told["results"], told["left"]) == (2, 1)
    assert told["handleIsCorrect"] is True
    assert told["blob"].startswith("bafkrei")


async def test_official_repository_package_verifies_our_export(network: Network) -> None:
    """The official repository package verifies our export: commit signature, tree, every record, and the proof of one
    record.
    """
    ana = await network.sign_up("ana-repository")
    uris = await network.write_notes(ana, 40)
    rkey = uris[7].rsplit("/", 1)[1]
    key = await network.did_key(ana.did)
    (told,) = json_lines(await node("repository.mjs", network.pds_url, ana.did, key, NOTE, rkey))
    assert set(told["records"]) == {f"{NOTE}/{uri.rsplit('/', 1)[1]}" for uri in uris}
    assert told["proven"][f"{NOTE}/{rkey}"]["text"] == "note 7"


async def test_official_sync_package_verifies_the_firehose(network: Network) -> None:
    """The official sync package replays the firehose from a cursor, verifies every commit against the DID document and
    misses nothing.
    """
    await network.sign_up("somebody-before")
    before = await network.newest_number()
    ana = await network.sign_up("ana-firehose")
    uris = await network.write_notes(ana, 20)
    # Identity, account, sync and twenty records; the package reports no event for the first, empty commit.
    service = network.pds_url.replace("http", "ws")
    events = json_lines(await node("firehose.mjs", service, network.plc_url, "23", str(before)))
    assert {event["did"] for event in events} == {ana.did}
    assert [event["event"] for event in events if event["event"] != "create"] == ["identity", "account", "sync"]
    created = [event for event in events if event["event"] == "create"]
    assert [f"at://{ana.did}/{event['collection']}/{event['rkey']}" for event in created] == uris
    assert [event["record"]["number"] for event in created] == list(range(20))


async def test_example_in_typescript_works(network: Network, node_modules: Path, tmp_path: Path) -> None:
    ana = await network.sign_up("ana-example")
    (tmp_path / "node_modules").symlink_to(node_modules)
    script = tmp_path / "password_client.mts"
    script.write_text((ROOT / "docs/examples/password_client.mts").read_text())
    said = await run(
        "node", NODE / "node_modules/tsx/dist/cli.mjs", script, network.pds_url, ana.handle, ana.password, cwd=tmp_path
    )
    uri, name = said.splitlines()
    assert uri.startswith(f"at://{ana.did}/community.lexicon.calendar.event/")
    assert name == "Board games at the library"
