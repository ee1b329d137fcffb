"""Check of the firehose, read as a relay reads it: from the beginning of its backfill window, verifying each commit."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field

from at_network.event_stream import SUBSCRIBE_REPOS, read_frames, stream_url
from at_protocol.crypto.did_key import PublicKey
from at_protocol.failures import Malformed
from at_protocol.sync import events
from at_protocol.sync.events import CommitMessage, InfoMessage, Message, Sequenced, SyncMessage
from at_protocol.sync.frames import ErrorFrame
from at_protocol.sync.verify import MessageRejected, RejectionReason, verify_commit_message, verify_sync_message
from groundwork.errors import Failure, RemoteFailed
from programs.doctor.finding import CheckFinding, failed, good, note
from programs.doctor.target import CheckedHost

FRAMES = 200
# Timeouts in seconds: for one frame, and for all of them together.
SILENCE_SECONDS = 3.0
READING_SECONDS = 30.0

_UPGRADE = (
    "Let the reverse proxy pass WebSockets: the headers Upgrade and Connection, HTTP/1.1, and no time limit on an idle "
    "connection. Examples for nginx, Caddy and Traefik are in deploy/."
)
_ABOUT = "firehose"


@dataclass
class StreamSample:
    """The messages read from the stream."""

    frames: int = 0
    verified: int = 0
    first: int | None = None
    last: int | None = None
    wrong: list[str] = field(default_factory=list)


async def check_firehose(host: CheckedHost) -> AsyncIterator[CheckFinding]:
    """Read the event stream from cursor 0, and check the first frames and their order."""
    seen = StreamSample()
    try:
        async with aclosing(messages(host, cursor=0)) as stream:
            async for message in stream:
                seen.frames += 1
                await _look(host, seen, message)
                if seen.frames >= FRAMES or seen.wrong:
                    break
    except Malformed as failure:
        seen.frames += 1
        seen.wrong.append(f"cannot be read: {failure.why}.")
    except RemoteFailed as failure:
        yield _refused(failure)
        return
    except Failure as failure:
        yield failed(_ABOUT, str(failure.why), _UPGRADE)
        return
    if seen.wrong:
        yield failed(
            _ABOUT,
            f"Frame {seen.frames}: {seen.wrong[0]}",
            "Relays drop such frames. Run openmeet pds verify on the server, or report this to the developers of "
            "its software.",
        )
    elif seen.last is None:
        yield note(_ABOUT, f"connects, but sent nothing for {SILENCE_SECONDS:.0f} s: has anything been written here?")
    else:
        yield good(_ABOUT, f"{seen.frames} frames, {seen.first} to {seen.last}; {seen.verified} commits verified")


async def messages(host: CheckedHost, cursor: int | None) -> AsyncGenerator[Message | ErrorFrame, None]:
    """Yield messages until none has come for ``SILENCE_SECONDS``, or for ``READING_SECONDS`` in all.

    Raises Malformed for a frame that cannot be decoded, and RemoteFailed and RemoteSlow like ``read_frames``.
    """
    url = stream_url(host.url, SUBSCRIBE_REPOS, {"cursor": cursor})
    loop = asyncio.get_running_loop()
    end = loop.time() + READING_SECONDS
    async with aclosing(read_frames(host.http, url)) as frames:
        while (remaining_seconds := end - loop.time()) > 0:
            try:
                async with asyncio.timeout(min(SILENCE_SECONDS, remaining_seconds)):
                    frame = await anext(frames)
            except (TimeoutError, StopAsyncIteration):
                return
            message = events.read(frame)
            if message is not None:
                yield message


async def _look(host: CheckedHost, seen: StreamSample, message: Message | ErrorFrame) -> None:
    match message:
        case ErrorFrame():
            seen.wrong.append(f"the stream ended with {message.error}: {message.message or 'no message'}")
            return
        case InfoMessage():
            return  # OutdatedCursor: the backfill window does not have to reach back to 0
    if seen.last is not None and message.seq <= seen.last:
        seen.wrong.append(f"number {message.seq} comes after {seen.last}.")
        return
    seen.first, seen.last = seen.first or message.seq, message.seq
    try:
        await _verify(host, seen, message)
    except MessageRejected as refusal:
        seen.wrong.append(f"number {message.seq} would be refused: {refusal}.")


async def _verify(host: CheckedHost, seen: StreamSample, message: Sequenced) -> None:
    match message:
        case CommitMessage():
            did = message.repo
        case SyncMessage():
            did = message.did
        case _:
            return
    try:
        key = (await host.dids.resolve(did)).signing_key
    except Failure:
        return  # an account that left does not have to resolve
    if key is None:
        return
    now = host.clock.now()
    try:
        _verify_with(message, key, now)
    except MessageRejected as refusal:
        if refusal.reason is RejectionReason.BAD_SIGNATURE:
            return  # signed before the key was changed, which is not an error of the server
        raise
    seen.verified += 1


def _verify_with(message: CommitMessage | SyncMessage, key: PublicKey, now: int) -> None:
    if isinstance(message, CommitMessage):
        verify_commit_message(message, key, now_us=now)
    else:
        verify_sync_message(message, key, now_us=now)


def _refused(failure: RemoteFailed) -> CheckFinding:
    if failure.status in {404, 501}:
        return failed(
            _ABOUT,
            f"There is none: {failure.why}",
            "On Aurora Locus set PDS_FEDERATION_ENABLED and PDS_FEDERATION_FIREHOSE_ENABLED.",
        )
    return failed(_ABOUT, f"No WebSocket connection: {failure.why}", _UPGRADE)
