"""Real repositories: their content, valid signatures, and leftover blocks."""

import json
from typing import Any

import pytest
from tests.at_protocol.repo.trees import Repository
from tests.external_dependencies import fixture_path, needs

from at_protocol.crypto.did_key import PublicKey, parse_legacy_multibase
from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.data import cbor, json_form
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo import car
from at_protocol.repo.commit import Commit, is_signed_by, parse_commit, sign_commit, verify_commit
from at_protocol.repo.export import export
from at_protocol.repo.mst import EMPTY_ROOT, Tree
from at_protocol.repo.node import EMPTY_NODE
from at_protocol.repo.snapshot import read_snapshot
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.tid import parse_tid

PAUL = "paul_staging.repo.car"
OLD = "bafyreieovfuizojpw3zresz7sx3nk4trm2by23pt5rxbey3jme4uo5ogiu.car"

# File: version, records, nodes, unlinked blocks, repeated blocks.
WHOLE = {
    "repo-stream-empty.car": (3, 0, 1, 0, 0),
    "repo-stream-tiny.car": (3, 8, 3, 0, 0),
    "arroba-snarfed2.car": (3, 5, 2, 0, 0),
    "jetstream-corpus-repo.car": (3, 23, 5, 0, 0),
    "php-car-repo.car": (3, 83, 33, 0, 0),
    "greenground.repo.car": (3, 2, 1, 0, 0),
    PAUL: (2, 185, 51, 215, 6),
    OLD: (2, 6, 2, 0, 1),
}


def _file(name: str) -> car.Car:
    return car.read(fixture_path(f"data/cars/{name}").read_bytes())


def _document(name: str) -> tuple[str, PublicKey]:
    document: dict[str, Any] = json.loads(fixture_path(f"data/cars/{name}").read_text(encoding="utf-8"))
    method = document["verificationMethod"][0]
    return document["id"], parse_legacy_multibase(method["publicKeyMultibase"], method["type"])


@needs("fixtures")
def test_every_file_is_expected():
    """Every file in the folder is in the table."""
    files = {path.name for path in fixture_path("data/cars").glob("*.car")}
    assert files == {*WHOLE, "repo_slice.car"}


@needs("fixtures")
@pytest.mark.parametrize("name", WHOLE)
def test_snapshots_have_the_known_contents(name):
    file = _file(name)
    snapshot = read_snapshot(file)
    linked = {snapshot.commit.cid, *snapshot.nodes, *snapshot.records}
    assert (
        snapshot.commit.version,
        len(snapshot.entries),
        len(snapshot.nodes),
        len(file.blocks.keys() - linked),
        file.section_count - len(file.blocks),
    ) == WHOLE[name]


@needs("fixtures")
@pytest.mark.parametrize("name", WHOLE)
def test_every_block_is_canonical(name):
    """Decoding and re-encoding any block gives the same bytes, including unlinked blocks."""
    for block in _file(name).blocks.values():
        assert cbor.encode(cbor.decode(block)) == block


@needs("fixtures")
@pytest.mark.parametrize("name", WHOLE)
def test_rebuilding_from_the_entries_gives_the_same_nodes(name):
    snapshot = read_snapshot(_file(name))
    repository = Repository(snapshot.entries)
    assert repository.root == snapshot.commit.data
    assert repository.nodes() == set(snapshot.nodes)


@needs("fixtures")
@pytest.mark.parametrize("name", WHOLE)
def test_export_omits_unlinked_blocks(name):
    """An export contains every linked block once, the commit first, and reads as the same repository. Unlinked blocks
    are left out.
    """
    snapshot = read_snapshot(_file(name))
    blocks = snapshot.nodes | snapshot.records
    written = car.read(b"".join(export(snapshot.commit, blocks.get, blocks.get)))
    assert read_snapshot(written) == snapshot
    assert written.section_count == len(written.blocks) == 1 + len(blocks)
    assert next(iter(written.blocks)) == snapshot.commit.cid


@needs("fixtures")
def test_listed_records_of_the_jetstream_corpus():
    snapshot = read_snapshot(_file("jetstream-corpus-repo.car"))
    listed = fixture_path("data/cars/jetstream-corpus-repo.records.tsv").read_text(encoding="utf-8").split("\n")
    assert [f"{path}\t{cid}" for path, cid in snapshot.entries.items()] == [line for line in listed if line]
    said = fixture_path("data/cars/jetstream-corpus-repo.commit.txt").read_text(encoding="utf-8")
    commit = snapshot.commit
    for fact in (f"DID: {commit.did}", f"Data CID: {commit.data}", f"Revision: {commit.rev}", "Version: 3"):
        assert fact in said


@needs("fixtures")
def test_signature_with_a_legacy_key():
    """A signature with a legacy key verifies (paul_staging: uncompressed key in its document, version 2 commit)."""
    did, key = _document("paul_staging.didDoc.json")
    verify_commit(read_snapshot(_file(PAUL)).commit, did=parse_did(did), key=key)


@needs("fixtures")
def test_a_document_of_another_account():
    """The document of another account is refused even if the key is right (greenground)."""
    commit = read_snapshot(_file("greenground.repo.car")).commit
    did, key = _document("greenground.didDoc.json")
    assert is_signed_by(commit, key)
    assert commit.prev is not None
    with pytest.raises(Malformed, match="another account"):
        verify_commit(commit, did=parse_did(did), key=key)


@needs("fixtures")
def test_a_signature_that_does_not_hold():
    did, key = _document("did_plc_z5vnbioquyhivxirw3bbljmu.didDoc.json")
    commit = read_snapshot(_file(OLD)).commit
    assert commit.did == did
    with pytest.raises(Malformed, match="signature"):
        verify_commit(commit, did=parse_did(did), key=key)


@needs("fixtures")
def test_a_slice_is_incomplete_and_still_proves_its_record():
    file = _file("repo_slice.car")
    with pytest.raises(Malformed, match="not in the file"):
        read_snapshot(file)
    expected = json.loads(fixture_path("data/cars/repo_slice_record.json").read_text(encoding="utf-8"))
    uri = parse_at_uri(expected["uri"])
    commit = parse_commit(file.blocks[file.root])
    assert commit.did == uri.authority
    tree = Tree(commit.data, file.blocks.get)
    cid = tree.get(f"{uri.collection}/{uri.rkey}")
    assert str(cid) == expected["cid"]
    assert cbor.decode(file.blocks[Cid.parse(expected["cid"])]) == json_form.from_json(expected["value"])
    path = list(tree.search(f"{uri.collection}/{uri.rkey}"))
    links = {link for node in path for link in (*node.children, *node.values) if link is not None}
    assert len(links - file.blocks.keys()) == 5


def _made(blocks: dict[Cid, bytes], data: Cid, roots: list[Cid] | None = None) -> car.Car:
    key = K256PrivateKey(bytes(31) + b"\x01")
    commit: Commit = sign_commit(key, did=parse_did("did:web:a.example"), rev=parse_tid("3migo7fijwi2k"), data=data)
    return car.Car((commit.cid,) if roots is None else tuple(roots), {commit.cid: commit.block, **blocks}, 0)


def _holding(record: bytes, path: str = "com.example.thing/1", *, raw: bool = False) -> car.Car:
    cid = Cid.for_raw(record) if raw else Cid.for_cbor(record)
    repository = Repository({path: cid})
    return _made({**repository.blocks, cid: record}, repository.root)


def test_generated_repository_is_read():
    assert len(read_snapshot(_holding(b"\xa0")).entries) == 1
    assert read_snapshot(_made({EMPTY_ROOT: EMPTY_NODE}, EMPTY_ROOT)).entries == {}


@pytest.mark.parametrize(
    "file",
    [
        _made(Repository({"com.example.thing/1": EMPTY_ROOT}).blocks, EMPTY_ROOT, []),
        _made({}, EMPTY_ROOT, [EMPTY_ROOT]),
        _made({}, EMPTY_ROOT, [EMPTY_ROOT, EMPTY_ROOT]),
        _made({}, Cid.for_cbor(b"absent")),
    ],
    ids=[
        "no root",
        "root block missing",
        "two roots",
        "tree missing",
    ],
)
def test_damaged_snapshots_are_refused(file):
    with pytest.raises(Malformed):
        read_snapshot(file)


@pytest.mark.parametrize(
    "path", ["nocollection", "com.example.thing/", "com.example.thing/a/b", "com.example.thing/..", "com/a"]
)
def test_odd_paths_are_reported_separately(path):
    """Odd paths are reported separately. The tree contains them, but nobody can request them."""
    snapshot = read_snapshot(_holding(b"\xa0", path))
    assert (snapshot.entries, snapshot.records, list(snapshot.odd_paths)) == ({}, {}, [path])


@pytest.mark.parametrize(
    "file",
    [
        _holding(b"\x80"),
        _holding(b"\xff"),
        _holding(b"\xa0", raw=True),
        _holding(cbor.encode({"x": "y" * 1_048_576})),
    ],
    ids=["a list", "not CBOR", "a raw address", "more than 1 MiB"],
)
def test_odd_records_are_reported(file):
    snapshot = read_snapshot(file)
    assert snapshot.entries.keys() == snapshot.flaws.keys() == {"com.example.thing/1"}


def test_a_missing_record_is_named():
    cid = Cid.for_cbor(b"absent")
    repository = Repository({"com.example.thing/1": cid})
    with pytest.raises(Malformed, match=r"com\.example\.thing/1"):
        read_snapshot(_made(repository.blocks, repository.root))


def test_one_record_at_two_paths():
    cid = Cid.for_cbor(b"\xa0")
    repository = Repository({"com.example.thing/1": cid, "com.example.thing/2": cid})
    snapshot = read_snapshot(_made({**repository.blocks, cid: b"\xa0"}, repository.root))
    assert (len(snapshot.entries), len(snapshot.records)) == (2, 1)
