"""The captured relay frames with their authors' keys, and commits made by the tests."""

import base64
import json
from dataclasses import replace
from functools import cache
from typing import Any

from tests.at_protocol.repo.trees import Repository
from tests.external_dependencies import fixture_path
from tests.simulation.relay import read_frames

from at_protocol.crypto.did_key import PublicKey, parse_multikey
from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.data import cbor, json_form
from at_protocol.data.cid import Cid
from at_protocol.repo import car
from at_protocol.repo.change import RepoChange
from at_protocol.repo.commit import Commit, sign_commit
from at_protocol.sync import events
from at_protocol.sync.events import CommitMessage, RecordAction, RepoOperation, SyncMessage
from at_protocol.syntax import tid
from at_protocol.syntax.did import parse_did

FRAMES = "data/firehose/relay-2026-07-04-a.frames.bin"
DOCUMENTS = "data/firehose/relay-2026-07-04-a.did-docs.json"
CAPTURED_AT_US = 1_783_175_888_000_000

DID = parse_did("did:web:alice.example")
KEY = K256PrivateKey(bytes(31) + b"\x07")
NOW_US = 1_800_000_000_000_000


@cache
def frames() -> list[bytes]:
    path = fixture_path(FRAMES)
    return read_frames(path) if path.is_file() else []


@cache
def commits() -> list[CommitMessage]:
    read = [events.read(frame) for frame in frames()]
    return [message for message in read if isinstance(message, CommitMessage)]


@cache
def keys() -> dict[str, PublicKey]:
    documents: dict[str, Any] = json.loads(fixture_path(DOCUMENTS).read_text(encoding="utf-8"))
    return {
        did: parse_multikey(method["publicKeyMultibase"])
        for did, document in documents.items()
        for method in document["verificationMethod"]
        if method["id"].endswith("#atproto")
    }


def from_json(body: dict[str, Any]) -> Any:
    """A message body of the JSON vectors, whose base64 may have no padding."""
    return json_form.from_json(_padded(body))


def _padded(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"$bytes"}:
            raw = base64.b64decode(value["$bytes"] + "==")
            return {"$bytes": base64.b64encode(raw).decode()}
        return {name: _padded(inner) for name, inner in value.items()}
    return [_padded(inner) for inner in value] if isinstance(value, list) else value


class Author:
    """An author who writes records and emits stream messages as a correct server would."""

    def __init__(self) -> None:
        self.repository = Repository()
        self.records: dict[Cid, bytes] = {}
        self.commit: Commit | None = None
        self.seq = 0

    def write(self, *edits: tuple[str, Any], key: K256PrivateKey = KEY) -> CommitMessage:
        """Make one commit. Each edit is a path and a record, or None to delete it."""
        before, last = self.repository.root, self.commit
        changes, operations, sent = [], [], {}
        for path, record in edits:
            prev = self.repository.content.get(path)
            cid = None
            if record is not None:
                block = cbor.encode(record)
                cid = Cid.for_cbor(block)
                sent[cid] = block
            changes.append(RepoChange(path, prev, cid))
            action = RecordAction.DELETE if cid is None else RecordAction.UPDATE if prev else RecordAction.CREATE
            operations.append(RepoOperation(action, path, cid, prev))
        edited = self.repository.apply(changes)
        commit = self.sign(key)
        blocks = [(commit.cid, commit.block), *edited.new_blocks.items(), *edited.proof_blocks.items(), *sent.items()]
        return CommitMessage(
            seq=self.seq,
            repo=DID,
            time="2027-01-15T08:00:00.000Z",
            rev=commit.rev or "",
            since=last.rev if last else None,
            commit=commit.cid,
            blocks=b"".join(car.write([commit.cid], blocks)),
            operations=tuple(operations),
            prev_data=before if last else None,
        )

    def sign(self, key: K256PrivateKey = KEY, *, now_us: int | None = None) -> Commit:
        self.seq += 1
        rev = tid.from_microseconds(now_us or NOW_US + self.seq, 0)
        self.commit = sign_commit(key, did=DID, rev=rev, data=self.repository.root)
        return self.commit

    def sync(self, key: K256PrivateKey = KEY) -> SyncMessage:
        commit = self.sign(key)
        blocks = b"".join(car.write([commit.cid], [(commit.cid, commit.block)]))
        return SyncMessage(self.seq, DID, "2027-01-15T08:00:00.000Z", commit.rev or "", blocks)


def with_blocks(
    message: CommitMessage, *, without: Cid | None = None, more: dict[Cid, bytes] | None = None
) -> CommitMessage:
    """The message with other blocks."""
    file = car.read(message.blocks)
    blocks = {cid: block for cid, block in file.blocks.items() if cid != without} | (more or {})
    return replace(message, blocks=b"".join(car.write(file.roots, blocks.items())))
