"""Kill a PDS repeatedly while people write. Afterwards, everything that it ever acknowledged or announced must be true.

Invariants 1 and 2: no acknowledged write is lost, there is no commit without its event, no event without its commit,
and no number is used twice.
"""

import asyncio
import random
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from at_protocol.crypto.did_key import PublicKey
from at_protocol.identity.did_document import parse_did_document
from at_protocol.syntax.did import parse_did
from tests.system.independent_reader import read_repository
from tests.system.servers import Account, Servers, running_servers
from tests.system.stream import Follower, read_commits, whole_stream
from tests.system.writers import Writer

ACCOUNTS = 3
WRITERS_PER_ACCOUNT = 2


@dataclass(frozen=True)
class Report:
    """The counts of one storm."""

    kills: int
    acknowledged: int
    unanswered: int
    frames: int
    blobs: int


@dataclass
class Uploader:
    """A person who uploads pictures and refers to them. Every acknowledged picture must be there with the same bytes."""

    account: Account
    number: int = 0
    acknowledged: dict[str, bytes] | None = None

    async def upload(self, stop: asyncio.Event) -> None:
        self.acknowledged = {}
        headers = {"authorization": f"Bearer {self.account.token}", "content-type": "text/plain"}
        async with httpx.AsyncClient(timeout=20, trust_env=False) as http:
            while not stop.is_set():
                self.number += 1
                content = f"picture {self.number} ".encode() * 500
                try:
                    made = await http.post(
                        f"{self.account.url}/xrpc/com.atproto.repo.uploadBlob", content=content, headers=headers
                    )
                    record = {"$type": "com.example.album", "picture": made.json()["blob"]}
                    body = {"collection": "com.example.album", "rkey": f"p{self.number}", "record": record}
                    answer = await self.account.call(http, "createRecord", body)
                except httpx.HTTPError:
                    await asyncio.sleep(0.05)
                    continue
                assert answer.status_code == 200, answer.text
                self.acknowledged[made.json()["blob"]["ref"]["$link"]] = content
                await asyncio.sleep(0.02)


async def storm(folder: Path, *, kills: int, seed: int) -> Report:
    """Run the storm. Raises AssertionError with the seed if anything differs from what was acknowledged or announced."""
    chance = random.Random(seed)
    async with running_servers(folder) as servers:
        accounts = [await servers.account(f"writer{number}") for number in range(ACCOUNTS)]
        writers = [
            Writer(account, f"w{number}", random.Random(chance.random()))
            for account in accounts
            for number in range(WRITERS_PER_ACCOUNT)
        ]
        uploader, follower, stop = Uploader(accounts[0]), Follower(servers.url), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for writer in writers:
                group.create_task(writer.write(stop))
            group.create_task(uploader.upload(stop))
            group.create_task(follower.follow(stop))
            for _ in range(kills):
                await asyncio.sleep(chance.uniform(0.05, 0.8))
                await servers.pds.kill()
                await servers.pds.start()
            await asyncio.sleep(0.3)
            stop.set()
        try:
            frames = await _check_stream(servers, follower)
            for account in accounts:
                own = [writer for writer in writers if writer.account is account]
                await _check_account(servers, account, own, [frame for _, frame in frames])
            await _check_blobs(servers, uploader)
        except AssertionError as wrong:
            raise AssertionError(f"seed {seed}, {kills} kills: {wrong}") from wrong
    return Report(
        kills,
        sum(writer.acknowledged for writer in writers),
        sum(writer.unanswered for writer in writers),
        len(frames),
        len(uploader.acknowledged or {}),
    )


async def _check_stream(servers: Servers, follower: Follower) -> list[tuple[int, bytes]]:
    """Check that the numbers increase, and that every frame seen live has the same number and bytes when it is read
    again.
    """
    frames = await whole_stream(servers.url)
    numbers = [seq for seq, _ in frames]
    assert numbers == sorted(set(numbers)), "a sequence number decreased or was repeated"
    assert follower.wrong == []
    stored = dict(frames)
    changed = [seq for seq, frame in follower.frames.items() if stored.get(seq) != frame]
    assert not changed, f"announced live, but different in the log: {changed}"
    return frames


async def _check_account(servers: Servers, account: Account, writers: list[Writer], frames: list[bytes]) -> None:
    """Check that the public content, the acknowledged writes and the announcements are the same."""
    held = read_repository((await servers.query("com.atproto.sync.getRepo", did=account.did)).content)
    announced = read_commits(frames, account.did, await _key_of(servers, account.did), int(time.time() * 1e6))
    assert announced.records == held.records, "stream and repository differ"
    assert (announced.known.rev, str(announced.known.data)) == (held.rev, held.data)
    assert announced.commits[held.rev] == held.commit
    for writer in writers:
        assert writer.refused == []
        wrong = {
            path: (held.records.get(path), cids)
            for path, cids in writer.may_be.items()
            if held.records.get(path) not in cids
        }
        assert not wrong, f"acknowledged but missing, or present but never written: {wrong}"
        lost = writer.commits.items() - announced.commits.items()
        assert not lost, f"acknowledged commits that were never announced: {lost}"
    known = {path for writer in writers for path in writer.may_be}
    unasked = [path for path in held.records if path not in known and not path.startswith("com.example.album/")]
    assert not unasked, f"nobody wrote {unasked}"


async def _check_blobs(servers: Servers, uploader: Uploader) -> None:
    for cid, content in (uploader.acknowledged or {}).items():
        answer = await servers.query("com.atproto.sync.getBlob", did=uploader.account.did, cid=cid)
        assert answer.content == content, f"{cid}: {answer.status_code}"


async def _key_of(servers: Servers, did: str) -> PublicKey:
    async with httpx.AsyncClient(trust_env=False) as http:
        document = parse_did_document((await http.get(f"{servers.plc_url}/{did}")).json(), parse_did(did))
    assert document.signing_key is not None
    return document.signing_key
