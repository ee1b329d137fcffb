"""People who answer events while programs are killed: some on OpenMeet's pages, some by writing to their own
repositories.
"""

import asyncio
import random
from dataclasses import dataclass, field

import httpx

from tests.simulation.oracle import EVENT, RSVP
from tests.simulation.visitor import Visitor
from tests.system.servers import Account

WORDS = ("going", "interested", "declined")
# OpenMeet's name of an answer, and the status in its record.
TOKENS = {"going": "going", "interested": "interested", "declined": "notgoing"}


async def account_on(pds_url: str, handle: str) -> Account:
    """Create an account. Its password is derived from its handle."""
    body = {
        "handle": handle,
        "email": f"{handle.split('.', maxsplit=1)[0]}@example.test",
        "password": password_of(handle),
    }
    async with httpx.AsyncClient(trust_env=False) as http:
        made = await http.post(f"{pds_url}/xrpc/com.atproto.server.createAccount", json=body)
    assert made.status_code == 200, made.text
    return Account(pds_url, made.json()["did"], made.json()["accessJwt"])


def password_of(handle: str) -> str:
    return f"password of {handle}"


@dataclass
class Guest:
    """A person with a repository who signed in to OpenMeet and agreed to publish."""

    account: Account
    http: httpx.AsyncClient
    # Event's slug -> the last answer that got a response with status 200.
    said: dict[str, str] = field(default_factory=dict)
    # Event's slug -> how often the answer changed. Its revision must have grown as often.
    changes: dict[str, int] = field(default_factory=dict)
    slowest_seconds: float = 0.0

    async def answer(self, slug: str, word: str) -> None:
        """Answer the event. There must be a response at once, even if other parts are down."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        answer = await self.http.put(f"/api/events/{slug}/answer", json={"reply": word})
        self.slowest_seconds = max(self.slowest_seconds, loop.time() - began)
        assert answer.status_code == 200, answer.text
        if self.said.get(slug) != word:
            self.changes[slug] = self.changes.get(slug, 0) + 1
        self.said[slug] = word


async def sign_in(openmeet_url: str, account: Account, handle: str) -> Guest:
    """Sign in with handle and password on the page, agree on the consent page, and open a session for the API."""
    typed = {"handle": handle, "password": password_of(handle)}
    async with Visitor(openmeet_url) as browser:
        seen = await browser.submit(await browser.open("/sign-in/handle"), "/sign-in/handle", **typed)
        assert seen.status == 200, seen.text
        consent = await browser.open("/settings/publishing")
        answered = await browser.submit(consent, "/settings/publishing", publish="yes")
        assert answered.status == 200, answered.text
    http = httpx.AsyncClient(base_url=openmeet_url, trust_env=False)
    session = await http.post("/api/session", json={"handle": handle, "password": typed["password"]})
    assert session.status_code == 201, session.text
    http.headers["authorization"] = f"Bearer {session.json()['token']}"
    return Guest(account, http)


@dataclass
class Stranger:
    """A person who never signed in to OpenMeet and answers with records."""

    account: Account
    http: httpx.AsyncClient

    async def answer(self, chance: random.Random, event_uri: str, event_cid: str) -> None:
        """Write, or sometimes delete, their one record about this event."""
        rkey = event_uri.rpartition("/")[2]
        if chance.random() < 0.25:
            answer = await self.account.call(self.http, "deleteRecord", {"collection": RSVP, "rkey": rkey})
        else:
            record = {
                "$type": RSVP,
                "subject": {"uri": event_uri, "cid": event_cid},
                "status": f"{RSVP}#{chance.choice(list(TOKENS.values()))}",
                "createdAt": "2026-11-20T12:00:00Z",
            }
            body = {"collection": RSVP, "rkey": rkey, "record": record}
            answer = await self.account.call(self.http, "putRecord", body)
        assert answer.status_code == 200, answer.text


async def write_event(account: Account, name: str) -> tuple[str, str]:
    """Write an event record. Returns its URI and CID."""
    record = {"$type": EVENT, "name": name, "createdAt": "2026-11-20T12:00:00Z", "startsAt": "2037-06-01T12:00:00Z"}
    async with httpx.AsyncClient(trust_env=False) as http:
        made = await account.call(http, "createRecord", {"collection": EVENT, "record": record})
    assert made.status_code == 200, made.text
    return made.json()["uri"], made.json()["cid"]
