"""The firehose: which events each kind of write and administration causes, and where subscribers start and end.

For a subscriber an action is over when the commit of another account, which writes right after the action, has arrived.
No test waits for silence.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, NoReturn

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.data.model import Value
from at_protocol.repo import car
from tests.interop.parity.answers import HTTP_STATUS, Exchange, named
from tests.interop.parity.sides import Account, Side
from tests.interop.parity.writing import NOTE

_REPO, _SERVER, _ADMIN, _IDENTITY = (
    "com.atproto.repo",
    "com.atproto.server",
    "com.atproto.admin",
    "com.atproto.identity",
)
_WAIT_SECONDS = 60.0
_AGAIN_SECONDS = 5.0

Frame = tuple[dict[str, Any], dict[str, Any]]


class Subscriber:
    """A connection, and the known state of the watched account, so that ``since`` and ``prevData`` can be checked."""

    def __init__(self, side: Side, socket: ClientConnection) -> None:
        self.side = side
        self.last_rev: str | None = None
        self.last_data: Cid | None = None
        self.last_seq = 0
        self.frames: list[Frame] = []
        self.newest = 0
        self._socket = socket

    async def frame(self) -> Frame:
        """The next frame. Raises ConnectionClosed and TimeoutError."""
        data = await self._socket.recv()
        assert isinstance(data, bytes)
        header, at = cbor.decode_first(data)
        payload, end = cbor.decode_first(data, at)
        assert end == len(data)
        assert isinstance(header, dict)
        assert isinstance(payload, dict)
        return header, payload

    async def until_now(self) -> list[Frame]:
        """Everything that was sent before the next write of another account, without that write. Raises
        ConnectionClosed; the frames before are in ``frames``.
        """
        self.frames = []
        ticker, _ = await self.side.person("ticker")
        async with asyncio.timeout(_WAIT_SECONDS):
            while True:
                body = note_of(ticker, record={"$type": NOTE})
                made = await self.side.call(f"{_REPO}.createRecord", body, ticker.access)
                # The handshake may be answered before the subscription begins, and a write between the two would be
                # missed.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_AGAIN_SECONDS):
                        return await self._until(ticker, made["commit"]["rev"])

    async def until_closed(self) -> NoReturn:
        """Collect frames until the server closes the connection. Raises ConnectionClosed, TimeoutError."""
        self.frames = []
        async with asyncio.timeout(_WAIT_SECONDS):
            while True:
                self.frames.append(await self.frame())

    async def _until(self, ticker: Account, rev: str) -> list[Frame]:
        while True:
            frame = await self.frame()
            if frame[1].get("repo", frame[1].get("did")) != ticker.did:
                self.frames.append(frame)
            elif frame[1].get("rev", "") >= rev:
                self.newest = frame[1]["seq"]
                return self.frames

    async def after(self, label: str, act: Awaitable[Any]) -> Any:
        """Perform the action, record its events for the comparison, and return its result."""
        done = await act
        facts = {HTTP_STATUS: "101"}
        told = await self.until_now()
        facts["frames"] = ", ".join(str(header.get("t")) for header, _ in told)
        for index, frame in enumerate(told):
            facts |= {f"[{index}] {name}": fact for name, fact in self._facts(frame).items()}
        self.side.exchanges.append(Exchange(label, label, facts["frames"], facts))
        return done

    def _facts(self, frame: Frame) -> dict[str, str]:
        header, payload = frame
        facts = {"header": str(sorted(header.items()))}
        for name, value in payload.items():
            facts[name] = self._fact(name, value)
        if "seq" in payload:
            facts["seq"] = "above the last" if payload["seq"] > self.last_seq else "not above the last"
            self.last_seq = payload["seq"]
        if "blocks" in payload:
            facts |= self._blocks(payload)
        return facts

    def _fact(self, name: str, value: Any) -> str:
        match name, value:
            case "time", str():
                return re.sub(r"\d", "0", value)
            case "rev", str():
                return "above the last" if value > (self.last_rev or "") else "as the last"
            case "since", _:
                return "the last rev" if value == self.last_rev and value else str(value)
            case "prevData", _:
                return "the last data" if value == self.last_data and value else str(value)
            case "ops", list():
                return str([{key: str(each) for key, each in sorted(operation.items())} for operation in value])
            case (("commit" | "message"), _):
                return type(value).__name__
            case _:
                return named(str(value), self.side.names)

    def _blocks(self, payload: dict[str, Any]) -> dict[str, str]:
        """The blocks in the CAR file of a commit or sync. Trees and records have the same CIDs at both servers, commits
        do not.
        """
        file = car.read(payload["blocks"])
        found = {cid: cbor.decode(block) for cid, block in file.blocks.items()}
        head = found[file.root]
        assert isinstance(head, dict)
        self.last_rev = payload["rev"]
        data = head["data"]
        assert isinstance(data, Cid)
        self.last_data = data
        return {
            "blocks": ", ".join(
                ["the commit", *sorted(_kind(block, cid) for cid, block in found.items() if cid != file.root)]
            ),
            "blocks, roots": f"{len(file.roots)}, the commit: {payload.get('commit', file.root) == file.root}",
            "blocks, repeated": str(file.section_count - len(found)),
            "commit's fields": str({key: _commit_fact(key, each, payload) for key, each in sorted(head.items())}),
        }


def _kind(block: Value, cid: Cid) -> str:
    is_node = isinstance(block, dict) and block.keys() == {"e", "l"}
    return f"{'node' if is_node else 'record'} {cid}"


def _commit_fact(key: str, value: Value, payload: dict[str, Any]) -> str:
    match key:
        case "did":
            return "whose it is" if value == payload.get("repo", payload.get("did")) else "another"
        case "rev":
            return "of the message" if value == payload["rev"] else "another"
        case "sig":
            return f"{len(value)} bytes" if isinstance(value, bytes) else "none"
        case _:
            return str(value)


def note_of(account: Account, rkey: str | None = None, **more: Any) -> dict[str, Any]:
    """The start of a request body about a note."""
    return {"repo": account.did, "collection": NOTE, **({} if rkey is None else {"rkey": rkey}), **more}


@asynccontextmanager
async def _subscribed(side: Side, query: str = "") -> AsyncIterator[Subscriber]:
    address = str(side.http.base_url).rstrip("/").replace("http", "ws", 1)
    async with connect(f"{address}/xrpc/com.atproto.sync.subscribeRepos{query}", max_size=None, proxy=None) as socket:
        yield Subscriber(side, socket)


async def writes(side: Side) -> None:
    """Records of a new account, written in each way, including some that change nothing and some in a tree of many
    levels.
    """
    async with _subscribed(side) as stream:
        # The subscription exists once its first commit has arrived: the handshake may be answered before.
        await stream.until_now()
        lea = await stream.after("signing up", side.sign_up("lea"))

        async def write(label: str, method: str, body: dict[str, Any]) -> None:
            await stream.after(label, side.call(f"{_REPO}.{method}", body, lea.access))

        def several(*actions: dict[str, Any]) -> dict[str, Any]:
            return {"repo": lea.did, "writes": list(actions)}

        def action(kind: str, rkey: str, n: int | None = None) -> dict[str, Any]:
            made: dict[str, Any] = {"$type": f"{_REPO}.applyWrites#{kind}", "collection": NOTE, "rkey": rkey}
            return made if n is None else {**made, "value": {"$type": NOTE, "n": n}}

        one, two = {"$type": NOTE, "n": 1}, {"$type": NOTE, "n": 2}
        await write("createRecord", "createRecord", note_of(lea, "a", record=one))
        await write("putRecord of a new one", "putRecord", note_of(lea, "b", record=one))
        await write("putRecord of an old one", "putRecord", note_of(lea, "b", record=two))
        await write("putRecord of the same", "putRecord", note_of(lea, "b", record=two))
        await write("deleteRecord", "deleteRecord", note_of(lea, "b"))
        await write("deleteRecord of none", "deleteRecord", note_of(lea, "b"))
        await write("applyWrites with one", "applyWrites", several(action("create", "c", 1)))
        await write(
            "applyWrites with one of each",
            "applyWrites",
            several(action("create", "d", 1), action("update", "c", 2), action("delete", "a")),
        )
        await write("applyWrites with none", "applyWrites", several())
        await write("applyWrites with the same", "applyWrites", several(action("update", "c", 2)))
        await write(
            "applyWrites with 150", "applyWrites", several(*(action("create", f"k{n:03}", n) for n in range(150)))
        )
        for number in (0, 37, 75, 149):
            await write(f"deleteRecord in a tree: {number}", "deleteRecord", note_of(lea, f"k{number:03}"))
            await write(f"putRecord in a tree: {number}", "putRecord", note_of(lea, f"k{number:03}x", record=one))
            await write(
                f"changing {number + 1}", "applyWrites", several(action("update", f"k{max(number, 2) - 1:03}", 500))
            )
        await write(
            "applyWrites over a tree",
            "applyWrites",
            several(*(action("delete", f"k{n:03}") for n in range(50, 60)), action("create", "z", 1)),
        )
        upload = {**lea.access, "content-type": "text/plain"}
        blob = (await side.http.post(f"/xrpc/{_REPO}.uploadBlob", content=b"of Lea", headers=upload)).json()["blob"]
        await write("a record with a blob", "createRecord", note_of(lea, "blob", record={"$type": NOTE, "file": blob}))
        await write("emptying", "applyWrites", several(*(action("delete", f"k{n:03}") for n in range(4, 30))))


async def accounts(side: Side) -> None:
    """Accounts that are renamed, deactivated, taken down, restored and deleted."""
    async with _subscribed(side) as stream:
        await stream.until_now()
        max_ = await stream.after("signing up", side.sign_up("max"))
        subject = {"$type": f"{_ADMIN}.defs#repoRef", "did": max_.did}

        async def own(label: str, nsid: str, body: Any = None) -> None:
            await stream.after(label, side.call(nsid, body, max_.access))

        async def host(label: str, name: str, body: Any) -> None:
            await stream.after(label, side.call(f"{_ADMIN}.{name}", body, side.admin))

        await own("updateHandle", f"{_IDENTITY}.updateHandle", {"handle": "maximilian.test"})
        await own("updateHandle to the same", f"{_IDENTITY}.updateHandle", {"handle": "maximilian.test"})
        await host("updateAccountHandle", "updateAccountHandle", {"did": max_.did, "handle": "max.test"})
        await own("deactivateAccount", f"{_SERVER}.deactivateAccount", {})
        await own("deactivateAccount again", f"{_SERVER}.deactivateAccount", {})
        await host(
            "updateAccountHandle of a deactivated one", "updateAccountHandle", {"did": max_.did, "handle": "maxi.test"}
        )
        await own("activateAccount", f"{_SERVER}.activateAccount")
        await own("activateAccount again", f"{_SERVER}.activateAccount")
        for applied in (True, True, False, False):
            status = {"subject": subject, "takedown": {"applied": applied, "ref": "1"}}
            await host(f"takedown: {applied}", "updateSubjectStatus", status)
        await host(
            "deactivated by the host", "updateSubjectStatus", {"subject": subject, "deactivated": {"applied": True}}
        )
        status = {"subject": subject, "takedown": {"applied": True, "ref": "1"}}
        await host("taken down while deactivated", "updateSubjectStatus", status)
        status = {"subject": subject, "takedown": {"applied": False}}
        await host("no longer taken down, but deactivated", "updateSubjectStatus", status)
        await host(
            "activated by the host", "updateSubjectStatus", {"subject": subject, "deactivated": {"applied": False}}
        )
        again = await side.sign_in(max_)
        stored = await side.http.get("/xrpc/com.atproto.sync.getRepo", params={"did": max_.did})
        car_type = {**again.access, "content-type": "application/vnd.ipld.car"}
        await stream.after(
            "importRepo of the same",
            side.http.post(f"/xrpc/{_REPO}.importRepo", content=stored.content, headers=car_type),
        )
        await stream.after(
            "a record, after importing",
            side.call(f"{_REPO}.createRecord", note_of(max_, "later", record={"$type": NOTE}), again.access),
        )
        await host("changing the address", "updateAccountEmail", {"account": max_.did, "email": "max2@example.org"})
        await host("changing the password", "updateAccountPassword", {"did": max_.did, "password": "another password"})
        mia = await stream.after("somebody else", side.sign_up("mia"))
        code = await side.mailed_code(mia, f"{_IDENTITY}.requestPlcOperationSignature")
        signed = await side.call(f"{_IDENTITY}.signPlcOperation", {"token": code}, mia.access)
        await stream.after("submitPlcOperation", side.call(f"{_IDENTITY}.submitPlcOperation", signed, mia.access))
        leaving = {"did": mia.did, "password": mia.password}
        leaving["token"] = await side.mailed_code(mia, f"{_SERVER}.requestAccountDelete")
        await stream.after("deleteAccount by its owner", side.call(f"{_SERVER}.deleteAccount", leaving))
        await host("deleteAccount", "deleteAccount", {"did": max_.did})
    async with _subscribed(side, "?cursor=0") as stream:
        told = await stream.until_now()
    for gone in (mia, max_):
        kinds = str([header["t"] for header, payload in told if payload.get("repo", payload.get("did")) == gone.did])
        facts = {HTTP_STATUS: "101", "frames": kinds}
        side.exchanges.append(Exchange(f"what is kept of {side.names[gone.did]}", "?cursor=0", kinds, facts))


async def cursors(side: Side) -> None:
    """Valid and invalid starting points of a stream."""
    nina = await side.sign_up("nina")
    async with _subscribed(side) as stream:
        await stream.until_now()
        numbers = []
        for name in ("a", "b", "c"):
            await side.call(f"{_REPO}.createRecord", note_of(nina, name, record={"$type": NOTE}), nina.access)
            numbers += [payload["seq"] for _, payload in await stream.until_now()]
    first, _, last = numbers
    await _opened(side, "no cursor", "", nina)
    await _opened(side, "the newest", f"?cursor={await _head(side)}", nina)
    for what, number in {"one before": first, "at the last": last, "before all": first - 1}.items():
        await _opened(side, what, f"?cursor={number}", nina)
    await _opened(side, "0", "?cursor=0", nina)
    # A write after the handshake could get this number before the server has read the cursor.
    await _opened(side, "a cursor the next", f"?cursor={await _head(side) + 1}", nina, is_refused=True)
    for what, text in {
        "in the future": str(2**40),
        "beyond JSON": str(2**60),
        "of thirty digits": "9" * 30,
        "negative": "-1",
        "a word": "nonsense",
        "a fraction": "1.5",
        "empty": "",
        "in hexadecimal": "0x10",
        "with a plus": "%2B1",
        "with a space": "%201",
    }.items():
        await _opened(side, f"a cursor {what}", f"?cursor={text}", nina)
    await _opened(side, "a cursor given twice", f"?cursor={first}&cursor={last}", nina)
    await _opened(side, "an unknown parameter", "?nobodyKnows=this", nina)
    await asyncio.to_thread(side.age, first)
    for what, number in {"long ago": 1, "just outside": first - 1, "at the border": first}.items():
        await _opened(side, f"a window that begins later, a cursor {what}", f"?cursor={number}", nina)
    await _opened(side, "a window that begins later, 0", "?cursor=0", nina)


async def _head(side: Side) -> int:
    async with _subscribed(side) as stream:
        await stream.until_now()
        return stream.newest


async def _opened(side: Side, label: str, query: str, watched: Account, *, is_refused: bool = False) -> None:
    """Open a connection while one account makes commits, or if the cursor is refused, while nothing happens. Record its
    first event, or how the connection ends.
    """
    facts = {HTTP_STATUS: "101"}
    async with _subscribed(side, query) as stream:
        try:
            await (stream.until_closed() if is_refused else stream.until_now())
        except ConnectionClosed as closed:
            facts["closed with"] = f"{closed.rcvd.code} {closed.rcvd.reason}" if closed.rcvd else "nothing"
    told = stream.frames
    for index, (header, payload) in enumerate(told):
        if header.get("t") == "#info" or header["op"] != 1:
            shown = {**payload, "message": type(payload.get("message")).__name__}
            facts[f"[{index}]"] = f"{sorted(header.items())} {sorted(shown.items())}"
    facts["commits"] = str(
        [each["path"] for _, payload in told if payload.get("repo") == watched.did for each in payload["ops"]]
    )
    numbers = [payload["seq"] for _, payload in told if "seq" in payload]
    facts["in order"] = str(numbers == sorted(set(numbers)))
    side.exchanges.append(Exchange(label, query, str(facts), facts))


GROUPS = {"firehose, records": writes, "firehose, accounts": accounts, "firehose, cursors": cursors}
