"""The blocks of CAR files: whole repositories, parts of them, proofs and single blocks."""

from typing import Any

import httpx

from at_protocol.data.cid import Cid
from at_protocol.repo import car
from tests.interop.parity.answers import HTTP_STATUS, Exchange
from tests.interop.parity.sides import Account, Side
from tests.interop.parity.writing import NOTE

_REPO, _SYNC = "com.atproto.repo", "com.atproto.sync"
_RECORDS = 60


class _Reader:
    """Reads files of one repository. Commits are named by the order in which they were first seen, since the two
    servers sign with different keys; every other block has the same CID at both.
    """

    def __init__(self, side: Side, account: Account) -> None:
        self.side = side
        self.account = account
        self.commits: dict[Cid, str] = {}

    async def head(self) -> tuple[str, str]:
        """CID and revision of the latest commit."""
        found = (await self.side.http.get(f"/xrpc/{_SYNC}.getLatestCommit", params={"did": self.account.did})).json()
        self.commits.setdefault(Cid.parse(found["cid"]), f"commit {len(self.commits)}")
        return found["cid"], found["rev"]

    async def read(self, label: str, method: str, **query: Any) -> None:
        """Fetch a file and record its roots and blocks."""
        url = f"/xrpc/{_SYNC}.{method}"
        answer = await self.side.http.get(url, params={"did": self.account.did, **query})
        facts = {HTTP_STATUS: str(answer.status_code), **(self._facts(answer) if answer.is_success else {})}
        self.side.exchanges.append(Exchange(label, f"GET {method} {query}", answer.text[:200], facts))

    def _facts(self, answer: httpx.Response) -> dict[str, str]:
        file = car.read(answer.content)
        names = [self._name(cid) for cid in file.blocks]
        return {
            "roots": str([self._name(root) for root in file.roots]),
            "blocks": " ".join(sorted(names)),
            "repeated blocks": str(file.section_count - len(names)),
        }

    def _name(self, cid: Cid) -> str:
        return self.commits.get(cid, str(cid)[-6:])


async def orders(side: Side) -> None:
    """Files after several commits: with equal records, deleted records, and a record that was written again."""
    ned, _ = await side.person("ned")
    reader = _Reader(side, ned)
    revs = [await reader.head()]

    def write(kind: str, rkey: str, text: str = "") -> dict[str, Any]:
        made = {"$type": f"{_REPO}.applyWrites#{kind}", "collection": NOTE, "rkey": rkey}
        return made if kind == "delete" else {**made, "value": {"$type": NOTE, "text": text}}

    for writes in (
        [write("create", f"k{number:03}", str(number % 7)) for number in range(_RECORDS)],
        [write("create", f"l{number:03}", str(number)) for number in range(_RECORDS)],
        [write("delete", f"k{number:03}") for number in range(0, _RECORDS, 2)],
        [write("create", "k000", "0"), write("update", "l000", "1")],
        [write("update", "l000", "0")],
    ):
        await side.call(f"{_REPO}.applyWrites", {"repo": ned.did, "writes": writes}, ned.access)
        revs.append(await reader.head())
    await reader.read("the whole", "getRepo")
    for number, (_, rev) in enumerate(revs):
        await reader.read(f"since commit {number}", "getRepo", since=rev)
    for since in ("2222222222222", "7777777777777", ""):
        await reader.read(f"since {since!r}", "getRepo", since=since)
    for rkey in ("k000", "k001", "k002", "l059", "first", "nothing", "zzz"):
        await reader.read(f"the proof of {rkey}", "getRecord", collection=NOTE, rkey=rkey)
    await reader.read("the proof in no collection", "getRecord", collection="org.example.none", rkey="a")
    head, _ = revs[-1]
    stored = (await side.http.get(f"/xrpc/{_SYNC}.getRepo", params={"did": ned.did})).content
    cids = sorted(str(cid) for cid in car.read(stored).blocks if cid not in reader.commits)
    await reader.read("the head", "getBlocks", cids=[head])
    await reader.read("the head before", "getBlocks", cids=[revs[-2][0]])
    await reader.read("three", "getBlocks", cids=[cids[2], cids[0], cids[1]])
    await reader.read("three, one twice", "getBlocks", cids=[cids[2], cids[0], cids[2]])
    await reader.read("many", "getBlocks", cids=cids[:60])
    await reader.read("the old way", "getCheckout")
    await side.get("the head, as it was asked for before", f"{_SYNC}.getHead", did=ned.did)


GROUPS = {"files, orders": orders}
