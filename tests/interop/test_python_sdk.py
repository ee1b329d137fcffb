"""The public Python SDK and its compiled CAR reader against our PDS."""

import sys

import libipld
from atproto import CAR

from at_protocol.data import cbor, json_form
from at_protocol.data.cid import Cid
from at_protocol.data.model import Value
from at_protocol.repo import car
from tests.external_dependencies import ROOT
from tests.interop.conftest import Network, run


def with_plain_links(value: Value) -> object:
    """Links as bytes, which is how that library returns them."""
    match value:
        case Cid():
            return bytes(value)
        case list():
            return [with_plain_links(item) for item in value]
        case dict():
            return {name: with_plain_links(item) for name, item in value.items()}
        case _:
            return value


async def test_python_example_works_as_documented(network: Network) -> None:
    ben = await network.sign_up("ben-example")
    script = ROOT / "docs/examples/password_client.py"
    uri, name = (await run(sys.executable, script, network.pds_url, ben.handle, ben.password)).splitlines()
    assert uri.startswith(f"at://{ben.did}/community.lexicon.calendar.event/")
    assert name == "Board games at the library"


async def test_compiled_reader_finds_the_same_blocks(network: Network) -> None:
    """The compiled reader, written in another language, finds the same root, CIDs and decoded values for every block."""
    ben = await network.sign_up("ben-car")
    await network.write_notes(ben, 30)
    exported = await network.read("com.atproto.sync.getRepo", did=ben.did)
    ours = car.read(exported)
    header, blocks = libipld.decode_car(exported)
    assert [Cid.from_bytes(bytes(root)) for root in header["roots"]] == list(ours.roots)
    theirs = {Cid.from_bytes(bytes(cid)): value for cid, value in blocks.items()}
    assert theirs.keys() == ours.blocks.keys()
    notes = [value for value in theirs.values() if isinstance(value, dict) and value.get("$type") == "org.example.note"]
    assert sorted(note["number"] for note in notes) == list(range(30))
    assert theirs == {cid: with_plain_links(cbor.decode(block)) for cid, block in ours.blocks.items()}


async def test_sdk_reads_the_export(network: Network) -> None:
    ben = await network.sign_up("ben-sdk")
    await network.write_notes(ben, 3)
    exported = await network.read("com.atproto.sync.getRepo", did=ben.did)
    read = CAR.from_bytes(exported)
    latest = json_form.decode(await network.read("com.atproto.sync.getLatestCommit", did=ben.did))
    assert isinstance(latest, dict)
    assert str(read.root) == latest["cid"]
    assert len(read.blocks) == len(car.read(exported).blocks)
