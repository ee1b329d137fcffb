"""A labeler on loopback that sends a test's labels, signed by a real key, and functions that follow labelers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from at_protocol.crypto.did_key import format_did_key
from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.data.model import Value
from at_protocol.identity.did_document import DidService, build_did_document
from at_protocol.sync import frames
from at_protocol.sync.labels import LABEL_KEY, LABELER_SERVICE, LABELER_TYPE, LABELS_FRAME, signed_bytes, unsigned_label
from at_protocol.syntax.did import Did
from openmeet.network.firehose.labelers import LabelerContext, follow_labeler
from tests.openmeet.firehose.single_path_server import answering
from tests.timeouts import TIMEOUT_SECONDS


@dataclass
class Labeler:
    """A labeler that stores its labels. ``cursors`` has the cursor of each connection."""

    did: Did
    key: K256PrivateKey = field(default_factory=lambda: K256PrivateKey.from_random(b"l" * 32))
    said: list[bytes] = field(default_factory=list)
    cursors: list[int] = field(default_factory=list)
    url: str = ""
    # A conforming server sends only what follows the cursor. With this flag the server sends everything again on each
    # connection.
    ignores_cursor: bool = False
    refusal: bytes = b""

    def label(self, uri: str, val: str = "spam", *, at: str = "2026-03-01T10:00:00.000Z", by: str = "", key: K256PrivateKey | None = None, **more: object) -> dict[str, Value]:  # fmt: skip
        """Return a signed label. ``by`` is another source, and ``key`` another signing key."""
        label = unsigned_label(src=Did(by or self.did), uri=uri, val=val, cts=at, **more)  # type: ignore[arg-type]
        return {**label, "sig": (key or self.key).sign(signed_bytes(label))}

    def say(self, *labels: dict[str, Value]) -> int:
        """Send labels in one frame and return its sequence number."""
        number = len(self.said) + 1
        self.said.append(frames.encode_message(LABELS_FRAME, {"seq": number, "labels": list(labels)}))
        return number

    @property
    def document(self) -> dict[str, object]:
        return document_of(self.did, format_did_key(self.key.public), self.url)

    async def answer(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        cursor = int(request.query["cursor"])
        self.cursors.append(cursor)
        if self.refusal:
            await socket.send_bytes(self.refusal)
            await socket.close()
            return socket
        for frame in self.said[0 if self.ignores_cursor else cursor :]:
            await socket.send_bytes(frame)
        await socket.receive()
        return socket


def document_of(did: Did, key: str, url: str) -> dict[str, object]:
    return build_did_document(
        did,
        also_known_as=[],
        verification_methods={LABEL_KEY: key},
        services={LABELER_SERVICE: DidService(LABELER_TYPE, url)},
    )


@asynccontextmanager
async def serving(labeler: Labeler) -> AsyncIterator[Labeler]:
    async with answering("/xrpc/com.atproto.label.subscribeLabels", labeler.answer) as labeler.url:
        yield labeler


async def cursor_of(labelling: LabelerContext, did: str) -> int:
    async with labelling.db.reader() as reader:
        row = await reader.fetch_one("select cursor from labelers where did = :did", did=did)
    return -1 if row is None else int(row["cursor"])


async def heard(labelling: LabelerContext, did: Did, is_done: Callable[[], Awaitable[bool]]) -> None:
    """Follow labelers until ``is_done``."""
    stop = asyncio.Event()
    following = asyncio.create_task(follow_labeler(labelling, did, stop))
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while not await is_done():  # noqa: ASYNC110 - it moves in a database, which rings no bell
                await asyncio.sleep(0.01)
    finally:
        stop.set()
        await following


async def heard_to(labelling: LabelerContext, labeler: Labeler, number: int) -> None:
    """Follow a labeler until its labels up to this number are stored."""

    async def look() -> bool:
        return await cursor_of(labelling, labeler.did) >= number

    await heard(labelling, labeler.did, look)
