"""People who write without pause to a PDS that can be killed at any moment, and who remember every response.

A write without a response may or may not have happened. So for each path there is a set of possible contents: after an
acknowledgement exactly one; after a lost response, the previous or the sent content.
"""

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.system.independent_reader import cid_of
from tests.system.servers import Account

NOTE = "com.example.note"
KEYS = 12


@dataclass
class Writer:
    """A writer with separate paths, so that only their own writes determine the expected content."""

    account: Account
    name: str
    chance: random.Random
    # Path -> the CIDs that may be there now. None means no record.
    may_be: dict[str, set[str | None]] = field(default_factory=dict)
    # rev -> commit CID, of every acknowledged commit.
    commits: dict[str, str] = field(default_factory=dict)
    acknowledged: int = 0
    unanswered: int = 0
    refused: list[str] = field(default_factory=list)

    async def write(self, stop: asyncio.Event) -> None:
        """Write until stopped. While the server is unavailable, wait a moment."""
        async with httpx.AsyncClient(timeout=20, trust_env=False) as http:
            number = 0
            while not stop.is_set():
                number += 1
                method, body, after = self._wish(number)
                try:
                    answer = await self.account.call(http, method, body)
                except httpx.HTTPError:
                    self.unanswered += 1
                    for path, cid in after.items():
                        self.may_be.setdefault(path, {None}).add(cid)
                    await asyncio.sleep(0.02)
                    continue
                self._learn(answer, after)

    def _learn(self, answer: httpx.Response, after: dict[str, str | None]) -> None:
        if answer.status_code != 200:
            # A refused write must not have changed anything, which is checked at the end.
            self.refused.append(f"{answer.status_code} {answer.text}")
            return
        self.acknowledged += 1
        for path, cid in after.items():
            self.may_be[path] = {cid}
        commit = answer.json().get("commit")
        if commit:
            self.commits[commit["rev"]] = commit["cid"]

    def _wish(self, number: int) -> tuple[str, dict[str, Any], dict[str, str | None]]:
        """A call, and the content that it leaves at a path."""
        key = f"{self.name}-{self.chance.randrange(KEYS)}"
        path = f"{NOTE}/{key}"
        record = {"$type": NOTE, "text": f"{self.name} writes {number}", "filling": "x" * self.chance.randrange(400)}
        kind = self.chance.choice(("put", "put", "create", "delete", "several"))
        if kind == "put":
            return "putRecord", {"collection": NOTE, "rkey": key, "record": record}, {path: cid_of(record)}
        if kind == "create":
            key = f"{self.name}-new-{number}"
            return (
                "createRecord",
                {"collection": NOTE, "rkey": key, "record": record},
                {f"{NOTE}/{key}": cid_of(record)},
            )
        if kind == "delete":
            return "deleteRecord", {"collection": NOTE, "rkey": key}, {path: None}
        keys = [f"{self.name}-batch-{number}-{part}" for part in range(3)]
        writes = [
            {
                "$type": "com.atproto.repo.applyWrites#create",
                "collection": NOTE,
                "rkey": one,
                "value": {**record, "part": one},
            }
            for one in keys
        ]
        return "applyWrites", {"writes": writes}, {f"{NOTE}/{one}": cid_of({**record, "part": one}) for one in keys}
