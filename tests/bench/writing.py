"""Many people who write records over HTTP at once, as fast as they are answered. All responses are checked afterwards."""

import asyncio
import re
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import msgspec

from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from tests.bench.figure import check
from tests.bench.pds import Account

COLLECTION = "app.bsky.feed.post"

_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


@dataclass
class Writing:
    """What one person sent and received."""

    account: Account
    seconds: list[float] = field(default_factory=list)
    answers: list[tuple[int, bytes]] = field(default_factory=list)


def record(account: Account, number: int) -> dict[str, Any]:
    """A short post, different each time."""
    return {
        "$type": COLLECTION,
        "text": f"Note {number} of {account.did}: who brings the dice on Thursday?",
        "langs": ["en"],
        "createdAt": "2026-07-04T14:38:08.123Z",
    }


async def write(url: str, accounts: list[Account], each: int, first: int = 0) -> tuple[float, list[Writing]]:
    """Write ``each`` records per account, one after another, to all accounts at once. Returns the seconds that it took."""
    writings = [Writing(account) for account in accounts]
    requests = [[_request(account, first + number) for number in range(each)] for account in accounts]
    address = urlsplit(url)
    begun = perf_counter()
    await asyncio.gather(
        *(
            _write(address.hostname or "", address.port or 80, writing, own)
            for writing, own in zip(writings, requests, strict=True)
        )
    )
    taken = perf_counter() - begun
    for writing in writings:
        _check(writing, first)
    return taken, writings


def _request(account: Account, number: int) -> bytes:
    body = msgspec.json.encode({"repo": account.did, "collection": COLLECTION, "record": record(account, number)})
    head = (
        f"POST /xrpc/com.atproto.repo.createRecord HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {account.token}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _write(host: str, port: int, writing: Writing, requests: list[bytes]) -> None:
    # Without a client library, which would take a third of the cores that the load generator shares with what it
    # measures.
    reader, writer = await asyncio.open_connection(host, port)
    for request in requests:
        begun = perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = _CONTENT_LENGTH.search(head)
        content = await reader.readexactly(int(length[1])) if length else b""
        writing.seconds.append(perf_counter() - begun)
        writing.answers.append((int(head[9:12]), content))
    writer.close()
    await writer.wait_closed()


def _check(writing: Writing, first: int) -> None:
    """Check status, URI, the CID as computed here, that the record was validated, and that the revs increase."""
    last = ""
    for number, (status, content) in enumerate(writing.answers, first):
        check(status == 200, f"createRecord answered {status}: {content[:200]!r}")
        answer = msgspec.json.decode(content)
        expected = str(Cid.for_cbor(cbor.encode(record(writing.account, number))))
        check(answer["cid"] == expected, "createRecord answered another CID than the record has")
        check(
            answer["uri"].startswith(f"at://{writing.account.did}/{COLLECTION}/"), f"an unexpected URI: {answer['uri']}"
        )
        check(answer["validationStatus"] == "valid", "the record was not validated")
        check(answer["commit"]["rev"] > last, "revs do not increase")
        last = answer["commit"]["rev"]
