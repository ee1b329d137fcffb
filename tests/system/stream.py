"""The announcements of a PDS: followed live while it is killed, read again from the beginning, and checked commit by
commit.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from aiohttp import ClientError, ClientSession, WSMsgType

from at_protocol.crypto.did_key import PublicKey
from at_protocol.sync import events
from at_protocol.sync.events import CommitMessage, Sequenced
from at_protocol.sync.verify import LENIENT, RepoHead, verify_commit_message

QUIET_SECONDS = 1.0


@dataclass
class Follower:
    """A subscriber that reconnects with its cursor each time the connection breaks."""

    url: str
    frames: dict[int, bytes] = field(default_factory=dict)
    cursor: int = 0
    wrong: list[str] = field(default_factory=list)

    async def follow(self, stop: asyncio.Event) -> None:
        address = self.url.replace("http", "ws", 1) + "/xrpc/com.atproto.sync.subscribeRepos"
        async with ClientSession() as session:
            while not stop.is_set():
                with contextlib.suppress(ClientError, TimeoutError):
                    async with session.ws_connect(f"{address}?cursor={self.cursor}", max_msg_size=0) as socket:
                        while not stop.is_set():
                            with contextlib.suppress(TimeoutError):
                                message = await socket.receive(timeout=0.2)
                                if message.type is not WSMsgType.BINARY:
                                    break
                                self._take(message.data)
                await asyncio.sleep(0.02)

    def _take(self, frame: bytes) -> None:
        message = events.read(frame)
        if not isinstance(message, Sequenced):
            self.wrong.append(f"after {self.cursor}: {message}")
            return
        if message.seq <= self.cursor:
            self.wrong.append(f"{message.seq} after {self.cursor}")
        self.cursor = message.seq
        self.frames[message.seq] = frame


async def whole_stream(url: str) -> list[tuple[int, bytes]]:
    """Everything from cursor 0 until no more frames come."""
    found: list[tuple[int, bytes]] = []
    address = url.replace("http", "ws", 1) + "/xrpc/com.atproto.sync.subscribeRepos?cursor=0"
    async with ClientSession() as session, session.ws_connect(address, max_msg_size=0) as socket:
        while True:
            try:
                message = await socket.receive(timeout=QUIET_SECONDS)
            except TimeoutError:
                return found
            assert message.type is WSMsgType.BINARY, message
            read = events.read(message.data)
            assert isinstance(read, Sequenced), read
            found.append((read.seq, message.data))


@dataclass(frozen=True)
class Announced:
    """The state of a repository that a careful consumer has after the whole stream."""

    known: RepoHead
    # rev -> commit CID of every announced commit.
    commits: dict[str, str]
    records: dict[str, str]


def read_commits(frames: Iterable[bytes], did: str, key: PublicKey, now_us: int) -> Announced:
    """Check that each commit follows the one before and can be inverted. Raises verify.Refused if not."""
    known: RepoHead | None = None
    commits: dict[str, str] = {}
    records: dict[str, str] = {}
    for frame in frames:
        message = events.read(frame)
        if not isinstance(message, CommitMessage) or message.repo != did:
            continue
        verification = {"verification": LENIENT} if message.prev_data is None else {}
        seen = verify_commit_message(message, key, now_us=now_us, last_head=known, **verification)
        for operation in seen.operations:
            if operation.cid is None:
                del records[operation.path]
            else:
                records[operation.path] = str(operation.cid)
        assert message.rev not in commits, f"{message.rev} is announced twice"
        commits[message.rev] = str(message.commit)
        known = seen.head
    assert known is not None, f"{did} was never announced"
    return Announced(known, commits, records)
