"""The oracle is independent, so it does not share the mistakes of the code that it checks."""

import ast
import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libipld
import pytest

from tests.external_dependencies import ROOT
from tests.simulation.announced import Held, announced_in, changes_in, held_in
from tests.simulation.oracle import EVENT, RSVP, Change
from tests.simulation.simulation_memory import Memory

ALONE = ("oracle", "announced", "simulation_audiences", "simulation_judge", "simulation_memory")
THEIRS = {"libipld"}


@pytest.mark.parametrize("module", ALONE)
def test_oracle_imports_none_of_our_code(module: str):
    """It imports only the standard library, another project's decoder, and itself. Imports only for types are allowed
    from any module.
    """
    names = set(imported(Path(ROOT) / "tests/simulation" / f"{module}.py"))
    own = {f"tests.simulation.{name}" for name in ALONE}
    assert {name for name in names if name.partition(".")[0] not in sys.stdlib_module_names | THEIRS} <= own


def imported(file: Path) -> Iterator[str]:
    """Modules that are imported at run time."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def held(records: dict[str, Any]) -> Held:
    return Held("did:plc:a", "3k", "root", records, {})


def answer(uri: str, word: str) -> dict[str, Any]:
    return {"$type": RSVP, "subject": {"uri": uri}, "status": f"{RSVP}#{word}"}


def test_imported_copy_replaces_remembered_fields_and_answers():
    memory = Memory(themes={f"at://did:plc:a/{EVENT}/1": "red", f"at://did:plc:a/{EVENT}/2": "blue"})
    before = {f"{EVENT}/1": {"theme": "red"}, f"{EVENT}/2": {"theme": "blue"}, f"{RSVP}/1": answer("x", "going")}
    after = {f"{EVENT}/1": {"theme": "grey"}, f"{RSVP}/2": answer("y", "going"), f"{RSVP}/3": answer("y", "notgoing")}
    memory.turn_back("gus", held(before), held(after))
    assert memory.themes == {f"at://did:plc:a/{EVENT}/1": "grey"}
    assert [(one.about, one.word) for one in memory.answers] == [("x", None), ("y", None), ("y", None)]
    assert memory.restored == {f"at://did:plc:a/{EVENT}/1", f"at://did:plc:a/{RSVP}/2", f"at://did:plc:a/{RSVP}/3"}
    assert memory.several == {("did:plc:a", "y")}


def cid_of(value: Any) -> bytes:
    """The libipld encoder writes these bytes as a link wherever they occur in a value."""
    return b"\x01\x71\x12\x20" + hashlib.sha256(libipld.encode_dag_cbor(value)).digest()


def car_of(*values: Any) -> bytes:
    """A CAR file with these blocks, of which the first is the root."""
    header = libipld.encode_dag_cbor({"version": 1, "roots": [cid_of(values[0])]})
    blocks = [cid_of(value) + libipld.encode_dag_cbor(value) for value in values]
    return b"".join(varint(len(part)) + part for part in (header, *blocks))


def varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number % 128 + 128]) + varint(number // 128)


def test_repository_and_commit_are_read_with_another_library():
    """Encoded with another project's encoder: keys with a common prefix, a subtree, and a commit that deletes and
    creates.
    """
    tea, no = {"$type": EVENT, "name": "Tea"}, answer("x", "notgoing")
    below = {"l": None, "e": [{"p": 0, "k": f"{RSVP}/1".encode(), "v": cid_of(no), "t": None}]}
    second = {"p": len(EVENT) + 1, "k": b"2", "v": cid_of(tea), "t": cid_of(below)}
    node = {"l": None, "e": [{"p": 0, "k": f"{EVENT}/1".encode(), "v": cid_of(tea), "t": None}, second]}
    commit = {"did": "did:plc:a", "rev": "3k", "data": cid_of(node), "version": 3, "prev": None, "sig": b"s"}
    car = car_of(commit, node, below, tea, no)
    found = held_in(car)
    assert (found.did, found.rev) == ("did:plc:a", "3k")
    assert found.records == {f"{EVENT}/1": tea, f"{EVENT}/2": tea, f"{RSVP}/1": no}
    assert found.calendar[f"{RSVP}/1"] == libipld.encode_cid(cid_of(no))
    ops = [
        {"action": "create", "path": f"{EVENT}/1", "cid": cid_of(tea)},
        {"action": "delete", "path": f"{RSVP}/1", "cid": None},
        {"action": "create", "path": "com.example.note/1", "cid": cid_of(no)},
    ]
    payload = {"seq": 7, "repo": "did:plc:a", "rev": "3k", "ops": ops, "blocks": car}
    frame = libipld.encode_dag_cbor({"op": 1, "t": "#commit"}) + libipld.encode_dag_cbor(payload)
    assert changes_in([frame]) == [
        Change("did:plc:a", EVENT, "1", "3k", tea),
        Change("did:plc:a", RSVP, "1", "3k", None),
    ]
    said = announced_in(frame)
    assert (said.kind, said.seq, said.did, said.rev) == ("#commit", 7, "did:plc:a", "3k")
    assert said.operations[1] == ("delete", f"{RSVP}/1")
