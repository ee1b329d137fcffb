"""The people of the simulation: what each can do on OpenMeet and with an application of their own, and what they remember.

What they remember is the oracle's input: the words they said in the order of the clock, the fields they wrote that are
none of our business, when they agreed to publish and when not.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import httpx

from at_protocol.syntax.tid import parse_tid, to_microseconds
from groundwork.clock import MINUTE, HandClock
from openmeet.users.model import Caller
from tests.plain_http import NO_TLS
from tests.world.oracle import EVENT, RSVP
from tests.world.simulation_network import HANDLE_DOMAIN

PASSWORD = "a long password"
TOKEN_LIFE = 60 * MINUTE


class Sort(StrEnum):
    """How somebody stands to OpenMeet."""

    EMAIL = "signed up by e-mail"
    CONNECTED = "signed in with an account made elsewhere"
    STRANGER = "never came here"


@dataclass
class Application:
    """Somebody's own client on their PDS. It reads before it writes, and keeps what it does not know."""

    http: httpx.AsyncClient
    clock: HandClock
    did: str
    _access: str
    _refresh: str
    _since: int
    # Commits that this application made, by rev; whatever else appears in the repository was OpenMeet's.
    revs: set[str] = field(default_factory=set)

    @classmethod
    async def sign_up(cls, pds_url: str, clock: HandClock, name: str) -> "Application":
        http = httpx.AsyncClient(verify=NO_TLS, base_url=f"{pds_url}/xrpc", timeout=20, trust_env=False)
        body = {"handle": name + HANDLE_DOMAIN, "email": f"{name}@example.net", "password": PASSWORD}
        made = await http.post("/com.atproto.server.createAccount", json=body)
        assert made.status_code == 200, made.text
        session = made.json()
        return cls(http, clock, session["did"], session["accessJwt"], session["refreshJwt"], clock.now())

    async def records(self, collection: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            parameters = {"repo": self.did, "collection": collection, "limit": "100", **cursor}
            page = (await self.http.get("/com.atproto.repo.listRecords", params=parameters)).json()
            found += page["records"]
            if not page.get("cursor"):
                return found
            cursor = {"cursor": page["cursor"]}

    async def create(self, collection: str, record: dict[str, Any]) -> tuple[str, str]:
        made = await self._call("createRecord", {"collection": collection, "record": record})
        return made["uri"], made["cid"]

    async def replace(self, uri: str, cid: str, record: dict[str, Any]) -> None:
        _, _, _, collection, rkey = uri.split("/")
        await self._call("putRecord", {"collection": collection, "rkey": rkey, "record": record, "swapRecord": cid})

    async def delete(self, uri: str) -> None:
        _, _, _, collection, rkey = uri.split("/")
        await self._call("deleteRecord", {"collection": collection, "rkey": rkey})

    async def _call(self, method: str, body: dict[str, Any]) -> Any:
        if self.clock.now() - self._since > TOKEN_LIFE:
            await self._renew()
        headers = {"authorization": f"Bearer {self._access}"}
        answer = await self.http.post(f"/com.atproto.repo.{method}", json={"repo": self.did, **body}, headers=headers)
        assert answer.status_code == 200, f"{method}: {answer.text}"
        if commit := answer.json().get("commit"):
            self.revs.add(commit["rev"])
        return answer.json()

    async def _renew(self) -> None:
        headers = {"authorization": f"Bearer {self._refresh}"}
        answer = await self.http.post("/com.atproto.server.refreshSession", headers=headers)
        assert answer.status_code == 200, answer.text
        self._access, self._refresh = answer.json()["accessJwt"], answer.json()["refreshJwt"]
        self._since = self.clock.now()


@dataclass
class Person:
    """One of them. ``consents``: (instant, yes or no) in order; nobody has agreed before the first."""

    name: str
    sort: Sort
    caller: Caller | None = None
    application: Application | None = None
    consents: list[tuple[int, bool]] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        return bool(self.consents) and self.consents[-1][1]

    def agreed_at(self, instant: int) -> bool:
        """Whether they agreed at this moment."""
        said = [yes for at, yes in self.consents if at <= instant]
        return bool(said) and said[-1]

    @property
    def is_here(self) -> bool:
        return self.caller is not None


@dataclass(frozen=True)
class Said:
    """An answer: about an event's id or its record's uri. ``word`` is None where nothing can be said afterwards: a
    deletion meets what was answered here meanwhile, and which of them counts depends on what had been sent."""

    person: str
    about: str
    word: str | None
    is_news: bool = True


@dataclass
class Memory:
    """What people did, as far as it must be seen in the end."""

    # In the order of the clock.
    answers: list[Said] = field(default_factory=list)
    # Event record's uri -> the theme that another application wrote there last.
    themes: dict[str, str] = field(default_factory=dict)
    # Event's id -> every title that its host gave it here.
    titles: dict[str, set[str]] = field(default_factory=dict)
    # Event record's uri -> the event's id here, of all uris that it ever had.
    ids: dict[str, str] = field(default_factory=dict)


def event_record(name: str, **more: Any) -> dict[str, Any]:
    return {
        "$type": EVENT,
        "name": name,
        "createdAt": "2026-01-01T00:00:00.000Z",
        "startsAt": "2037-06-01T12:00:00.000Z",
        **more,
    }


def rsvp_record(uri: str, cid: str, word: str, created_at: str) -> dict[str, Any]:
    return {
        "$type": RSVP,
        "subject": {"uri": uri, "cid": cid},
        "status": f"{RSVP}#{word}",
        "createdAt": created_at,
    }


def moment_of(rev: str) -> int:
    """When the commit of this rev was made."""
    return to_microseconds(parse_tid(rev))
