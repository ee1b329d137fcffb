"""Write check: create a record, see it on the firehose, read it back and delete it. Only on request."""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import ClientWebSocketResponse, WSMsgType

from at_network.bearer_session import BearerSession, create_session, delete_session
from at_network.event_stream import CONNECT_SECONDS, MAX_MESSAGE_BYTES, SUBSCRIBE_REPOS, stream_url
from at_network.xrpc_client import XrpcClient
from at_protocol.failures import Malformed
from at_protocol.sync import events
from at_protocol.sync.events import CommitMessage
from at_protocol.syntax.did import Did
from groundwork.clock import SECOND
from groundwork.errors import Failure
from programs.doctor.finding import CheckFinding, failed, good
from programs.doctor.target import CheckedHost

COLLECTION = "openmeet.lexicon.hostCheck"
ARRIVAL_SECONDS = 10.0
_ABOUT = "record write"


async def check_writing(host: CheckedHost, identifier: str, password: str) -> AsyncIterator[CheckFinding]:
    """Sign in, write a small record, wait for it on the firehose, read it, delete it, sign out."""
    try:
        tokens = await create_session(host.http, host.clock, host.url, identifier, password)
    except Failure as failure:
        yield failed(
            _ABOUT,
            f"{identifier} cannot sign in: {failure.why}",
            "Give the handle and password of an account on this server.",
        )
        return
    session = BearerSession(host.http, host.clock, host.url, tokens)
    client = XrpcClient(host.http, host.clock, host.url, credentials=session)
    try:
        yield await _walk(host, client, tokens.did)
    finally:
        await delete_session(host.http, host.clock, host.url, session.tokens)


async def _walk(host: CheckedHost, client: XrpcClient, did: Did) -> CheckFinding:
    url = stream_url(host.url, SUBSCRIBE_REPOS, {})
    try:
        async with host.http.websocket(
            url, connect_seconds=CONNECT_SECONDS, max_message_bytes=MAX_MESSAGE_BYTES
        ) as socket:
            started_at = host.clock.now()
            written = await client.procedure(
                "com.atproto.repo.createRecord",
                {"repo": did, "collection": COLLECTION, "record": {"$type": COLLECTION, "at": str(started_at)}},
            )
            path = str(written.get("uri", "")).removeprefix(f"at://{did}/")
            try:
                arrived = await _arrives(socket, did, path)
                await client.query(
                    "com.atproto.repo.getRecord",
                    {
                        "repo": did,
                        "collection": COLLECTION,
                        "rkey": path.rpartition("/")[2],
                        "cid": str(written.get("cid", "")),
                    },
                )
            finally:
                await client.procedure(
                    "com.atproto.repo.deleteRecord",
                    {"repo": did, "collection": COLLECTION, "rkey": path.rpartition("/")[2]},
                )
    except Failure as failure:
        return failed(
            _ABOUT, str(failure.why), "Fix the problems with the firehose and the account above, then try again."
        )
    if not arrived:
        return failed(
            _ABOUT,
            f"It was written, but did not appear on the firehose within {ARRIVAL_SECONDS:.0f} s.",
            "Does a proxy buffer the WebSocket? Switch buffering off for /xrpc/com.atproto.sync.subscribeRepos.",
        )
    milliseconds = (host.clock.now() - started_at) * 1000 / SECOND
    return good(_ABOUT, f"written, seen on the firehose, read back and deleted within {milliseconds:.0f} ms")


async def _arrives(socket: ClientWebSocketResponse, did: Did, path: str) -> bool:
    try:
        async with asyncio.timeout(ARRIVAL_SECONDS):
            while True:
                message = await socket.receive()
                if message.type is not WSMsgType.BINARY:
                    return False
                try:
                    read = events.read(message.data)
                except Malformed:
                    continue  # reported under "firehose"
                if (
                    isinstance(read, CommitMessage)
                    and read.repo == did
                    and any(operation.path == path for operation in read.operations)
                ):
                    return True
    except TimeoutError:
        return False
