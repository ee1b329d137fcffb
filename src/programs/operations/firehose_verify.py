"""Verify captured frames (``openmeet firehose verify FILE.frames.bin --did-docs FILE``).

In the file, each frame is preceded by its length as four little-endian bytes. The DID documents are one JSON object
that maps each DID to its document.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import typer

from at_protocol.crypto.did_key import PublicKey
from at_protocol.failures import Malformed
from at_protocol.identity.did_document import parse_did_document
from at_protocol.sync import events
from at_protocol.sync.account_state import StreamPosition
from at_protocol.sync.events import CommitMessage, InfoMessage, Message, SyncMessage
from at_protocol.sync.frames import MAX_FRAME_BYTES, ErrorFrame
from at_protocol.sync.verify import (
    MessageRejected,
    RejectionReason,
    RepoHead,
    verify_commit_message,
    verify_sync_message,
)
from at_protocol.syntax.did import parse_did
from groundwork.clock import SystemClock
from programs.command_line import print_json, say

# Errors that can only be found after the signature has been verified.
_BEHIND_THE_SIGNATURE = frozenset(
    {
        RejectionReason.BAD_OPERATIONS,
        RejectionReason.NO_RECORD,
        RejectionReason.WRONG_CLAIM,
        RejectionReason.NO_PREV_DATA,
        RejectionReason.NOT_INVERTIBLE,
    }
)


@dataclass(slots=True)
class FrameCounts:
    """Counts of the frames. ``wrong``: one sentence per invalid frame. ``gaps``: missing numbers, which are not an
    error of a frame.
    """

    frames: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    signed: int = 0
    signatures_good: int = 0
    inverted: int = 0
    gaps: int = 0
    first_seq: int | None = None
    last_seq: int | None = None
    wrong: list[str] = field(default_factory=list)


def verify(file: Path, did_docs: Path, *, as_json: bool) -> None:
    """Count the frames by kind; check every commit's signature and that its operations lead back to prevData.

    Exits with 1 when anything is wrong.
    """
    try:
        documents = read_documents(did_docs.read_bytes())
    except Malformed as wrong:
        say(f"{did_docs}: {wrong}", err=True)
        raise typer.Exit(1) from wrong
    tally = examine(file.read_bytes(), documents, now_us=SystemClock().now())
    if as_json:
        print_json({"file": str(file), "ok": not tally.wrong, **summary(tally)})
    else:
        for line in lines_of(tally):
            say(line)
        typer.echo(f"{file}: {f'WRONG: {len(tally.wrong)} times' if tally.wrong else 'good'}")
    if tally.wrong:
        raise typer.Exit(1)


def read_documents(data: bytes) -> dict[str, PublicKey | None]:
    """The signing key of each DID; None if its document has none. Raises Malformed."""
    try:
        documents = msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise Malformed("did documents", data[:50], "not JSON") from error
    if not isinstance(documents, dict):
        raise Malformed("did documents", documents, "not an object that maps DIDs to documents")
    return {did: parse_did_document(document, parse_did(did)).signing_key for did, document in documents.items()}


def examine(data: bytes, keys: Mapping[str, PublicKey | None], *, now_us: int) -> FrameCounts:
    """Read all frames and verify the signed ones."""
    tally = FrameCounts()
    position = StreamPosition()
    heads: dict[str, RepoHead] = {}
    try:
        for frame in frames_in(data):
            tally.frames += 1
            try:
                message = events.read(frame)
            except Malformed as wrong:
                tally.kinds["broken"] += 1
                tally.wrong.append(f"frame {tally.frames}: {wrong}")
                continue
            count(tally, position, message)
            if isinstance(message, CommitMessage | SyncMessage):
                check(tally, message, keys, heads, now_us)
    except Malformed as wrong:
        tally.wrong.append(str(wrong))
    return tally


def frames_in(data: bytes) -> Iterator[bytes]:
    """The frames of a file. Raises Malformed for a truncated frame."""
    at = 0
    while at < len(data):
        start = at + 4
        at = start + int.from_bytes(data[at:start], "little")
        if at - start > MAX_FRAME_BYTES:
            raise Malformed(
                "frames", at - start, f"a frame has at most {MAX_FRAME_BYTES} bytes; is this a file with frames?"
            )
        if at > len(data):
            raise Malformed("frames", len(data), "the file ends in the middle of a frame")
        yield data[start:at]


def count(tally: FrameCounts, position: StreamPosition, message: Message | ErrorFrame | None) -> None:
    """Count the frame by kind, and check that its number is greater than that of the frame before."""
    match message:
        case None:
            tally.kinds["unknown"] += 1
        case ErrorFrame():
            tally.kinds["error"] += 1
        case InfoMessage():
            tally.kinds[events.kind_of(message)] += 1
        case _:
            tally.kinds[events.kind_of(message)] += 1
            if not position.advance(message.seq):
                tally.wrong.append(f"frame {tally.frames}: seq {message.seq} does not come after {position.last_seq}")
            tally.first_seq = tally.first_seq or message.seq
            tally.last_seq = position.last_seq
    if isinstance(message, CommitMessage):
        tally.actions.update(operation.action.value for operation in message.operations)


def check(
    tally: FrameCounts,
    message: CommitMessage | SyncMessage,
    keys: Mapping[str, PublicKey | None],
    heads: dict[str, RepoHead],
    now_us: int,
) -> None:
    """Verify one signed message against its author's key."""
    did = message.repo if isinstance(message, CommitMessage) else message.did
    tally.signed += 1
    key = keys.get(did)
    if key is None:
        tally.wrong.append(f"frame {tally.frames}: seq {message.seq}: no key for {did} among the documents")
        return
    try:
        if isinstance(message, CommitMessage):
            verified = verify_commit_message(message, key, now_us=now_us)
            before = heads.get(did)
            if before is not None and (message.since, message.prev_data) != (before.rev, before.data):
                tally.gaps += 1
            heads[did] = verified.head
            tally.inverted += 1
        else:
            commit = verify_sync_message(message, key, now_us=now_us)
            heads[did] = RepoHead(message.rev, commit.data)
        tally.signatures_good += 1
    except MessageRejected as refusal:
        tally.signatures_good += refusal.reason in _BEHIND_THE_SIGNATURE
        tally.wrong.append(f"frame {tally.frames}: seq {message.seq} of {did}: {refusal}")


def summary(tally: FrameCounts) -> dict[str, object]:
    """The counts as JSON."""
    return {
        "frames": tally.frames,
        "first_seq": tally.first_seq,
        "last_seq": tally.last_seq,
        "kinds": dict(tally.kinds),
        "operations": dict(tally.actions),
        "signed": tally.signed,
        "signatures_good": tally.signatures_good,
        "inverted": tally.inverted,
        "gaps": tally.gaps,
        "wrong": tally.wrong,
    }


def lines_of(tally: FrameCounts) -> Iterator[str]:
    """The counts as lines of text."""
    yield f"frames      {tally.frames}, seq {tally.first_seq} to {tally.last_seq}"
    for kind, number in sorted(tally.kinds.items()):
        yield f"            {number:6} {kind}"
    yield f"operations  {tally.actions.total()}"
    for action, number in sorted(tally.actions.items()):
        yield f"            {number:6} {action}"
    yield f"signatures  {tally.signatures_good} of {tally.signed} are good"
    yield f"inversions  {tally.inverted} of {tally.kinds[events.COMMIT]} commits lead back to prevData"
    if tally.gaps:
        yield f"gaps        {tally.gaps} commits do not follow the one before them in this file"
    for sentence in tally.wrong:
        yield f"WRONG       {sentence}"
