"""Compares with the reference PDS: how both servers complete the same app view responses, for people who wrote the same
records.
"""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from at_protocol.crypto import jwt
from groundwork.clock import SystemClock
from tests.aurora_locus.deployment import open_deployment
from tests.aurora_locus.remote_service import RemoteService, open_remote_service
from tests.databases import MakeDatabase
from tests.external_dependencies import needs
from tests.simulation.reference_pds import ReferencePds

pytestmark = needs("reference")

FEED, ACTOR = "app.bsky.feed", "app.bsky.actor"
BEN = "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb"
VIEW = "did:web:view.example.org"
PATTERN = "https://cdn.example.org/%s/%s/%s"
PASSWORD = "password of ana"
OLD, BETWEEN = "2020-01-01T00:00:00.000Z", "2099-01-01T00:00:00.000Z"

_TIMES = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
_KEYS = re.compile(r"\b3[a-z2-7]{12}\b")
# We count the replies that we add; the reference keeps the app view's number.
_COUNTS = re.compile(r'"replyCount": \d+, ')
_CIDS = re.compile(r"\bbaf[a-z2-7]{50,}\b")


@dataclass
class Ana:
    """The same person on one of the servers. ``names`` maps her records to names."""

    http: httpx.AsyncClient
    did: str
    headers: dict[str, str]
    rev: str = ""
    names: dict[str, dict[str, str]] = field(default_factory=dict)

    async def write(self, name: str, collection: str, record: dict[str, Any], rkey: str | None = None) -> None:
        body = {"repo": self.did, "collection": collection, "record": {"$type": collection, **record}}
        method = "createRecord" if rkey is None else "putRecord"
        wish = body if rkey is None else {**body, "rkey": rkey}
        answer = await self.http.post(f"/xrpc/com.atproto.repo.{method}", json=wish, headers=self.headers)
        assert answer.status_code == 200, answer.text
        self.names[name] = {"uri": answer.json()["uri"], "cid": answer.json()["cid"]}

    async def post(self, name: str, **more: Any) -> None:
        await self.write(name, f"{FEED}.post", {"text": name, "createdAt": OLD, **more})

    async def ask(self, nsid: str, *, method: str = "GET", headers: dict[str, str] | None = None, **query: Any) -> Any:
        url = f"/xrpc/{nsid}"
        return await self.http.request(method, url, params=query, headers={**self.headers, **(headers or {})})

    async def upload(self) -> Any:
        headers = {**self.headers, "content-type": "image/png"}
        answer = await self.http.post(
            "/xrpc/com.atproto.repo.uploadBlob", content=b"\x89PNG\r\n\x1a\n" + bytes(20), headers=headers
        )
        return answer.json()["blob"]

    def normal(self, answer: Any) -> Any:
        """The response without values that differ between servers: names, keys, times."""
        text = json.dumps(answer.json(), sort_keys=True)
        for name, reference in self.names.items():
            text = text.replace(reference["uri"], f"uri of {name}").replace(reference["cid"], f"cid of {name}")
        text = text.replace(self.did, "ana")
        return json.loads(_COUNTS.sub("", _CIDS.sub("a cid", _KEYS.sub("a key", _TIMES.sub("a time", text)))))


@dataclass
class Two:
    ours: Ana
    theirs: Ana
    view: RemoteService

    @property
    def both(self) -> tuple[Ana, Ana]:
        return self.ours, self.theirs

    def answers(self, nsid: str, make: Any) -> None:
        """The responses of both servers; ``make`` receives the person who asks."""

        async def answering(request: Request) -> Response:
            did = jwt.read(request.headers["authorization"].removeprefix("Bearer ")).claims["iss"]
            person = next(one for one in self.both if one.did == did)
            body = make(person, request)
            status = 400 if "error" in body else 200
            return JSONResponse(body, status, {"atproto-repo-rev": person.rev})

        self.view.answers[nsid] = answering

    async def same(self, nsid: str, **query: Any) -> Any:
        """The response of both servers, which must be the same."""
        ours, theirs = [
            (answer.status_code, one.normal(answer))
            for one in self.both
            for answer in [await one.ask(nsid, **{key: _of(one, value) for key, value in query.items()})]
        ]
        assert ours == theirs
        return ours[1]


def _of(person: Ana, value: Any) -> Any:
    return value(person) if callable(value) else value


def their_post(name: str, at: str) -> dict[str, Any]:
    author = {"did": BEN, "handle": "ben.test"}
    cid = "bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454"
    record = {"$type": f"{FEED}.post", "text": name, "createdAt": at}
    return {"uri": f"at://{BEN}/{FEED}.post/{name}", "cid": cid, "author": author, "record": record, "indexedAt": at}


async def _ana(http: httpx.AsyncClient) -> Ana:
    wish = {"handle": "ana.test", "email": "ana@example.org", "password": PASSWORD}
    made = (await http.post("/xrpc/com.atproto.server.createAccount", json=wish)).json()
    ana = Ana(http, made["did"], {"authorization": f"Bearer {made['accessJwt']}"})
    # The reference adds nothing for an account if the app view has read no record of it.
    await ana.write("follow", "app.bsky.graph.follow", {"subject": BEN, "createdAt": OLD})
    latest = await http.get("/xrpc/com.atproto.sync.getLatestCommit", params={"did": ana.did})
    ana.rev = latest.json()["rev"]
    return ana


@asynccontextmanager
async def _opened(make_sqlite: MakeDatabase, folder: Path) -> AsyncIterator[Two]:
    clock = SystemClock()
    async with open_remote_service() as view:
        plc = await make_sqlite("plc_directory", clock=clock)
        settings = {
            "bsky_app_view_url": view.url,
            "bsky_app_view_did": VIEW,
            "bsky_app_view_cdn_url_pattern": PATTERN,
        }
        async with open_deployment(f"sqlite://{folder / 'pds.db'}", plc, clock, folder, **settings) as deployment:
            named = {f"PDS_{name.upper()}": value for name, value in settings.items()}
            reference = ReferencePds(folder / "reference", deployment.directory.url, settings=named)
            await reference.start()
            try:
                async with httpx.AsyncClient(base_url=reference.url, trust_env=False) as http:
                    yield Two(await _ana(deployment.http), await _ana(http), view)
            finally:
                await reference.stop()


async def test_views_are_completed_like_those_of_the_reference(make_sqlite: MakeDatabase, tmp_path: Path) -> None:
    """Views are completed as by the reference: posts with every kind of embed, replies and a profile, in the timeline,
    author feed, threads and profiles.
    """
    async with _opened(make_sqlite, tmp_path) as two:
        for ana in two.both:
            blob = await ana.upload()
            image = {"image": blob, "alt": "nothing", "aspectRatio": {"width": 1, "height": 2}}
            card = {"uri": "https://example.org/", "title": "t", "description": "d", "thumb": blob}
            quoted = {key: their_post("quoted", OLD)[key] for key in ("uri", "cid")}
            record = {"$type": "app.bsky.embed.record", "record": quoted}
            media = {"$type": "app.bsky.embed.external", "external": card}
            await ana.post("plain")
            await ana.post("images", embed={"$type": "app.bsky.embed.images", "images": [image]})
            await ana.post("card", embed=media)
            await ana.post("quote", embed=record)
            await ana.post("both", embed={"$type": "app.bsky.embed.recordWithMedia", "record": record, "media": media})
            theirs = {key: their_post("root", OLD)[key] for key in ("uri", "cid")}
            await ana.post("answer", reply={"root": theirs, "parent": theirs})
            await ana.post("below", reply={"root": theirs, "parent": ana.names["answer"]})
            await ana.write("profile", f"{ACTOR}.profile", {"displayName": "Ana", "avatar": blob}, "self")
        two.answers(f"{FEED}.getPosts", lambda _ana, _request: {"posts": [their_post("quoted", OLD)]})
        page = [{"post": their_post("new", BETWEEN)}, {"post": their_post("old", OLD)}]
        two.answers(f"{FEED}.getTimeline", lambda _ana, _request: {"feed": page, "cursor": "x"})
        feed = (await two.same(f"{FEED}.getTimeline"))["feed"]
        texts = [item["post"]["record"]["text"] for item in feed]
        assert texts == ["new", "below", "answer", "both", "quote", "card", "images", "plain", "old"]

        def own(ana: Ana, _request: Request) -> Any:
            post = {**their_post("mine", OLD), "author": {"did": ana.did, "handle": "ana.test", "displayName": "Old"}}
            return {"feed": [{"post": post}]}

        two.answers(f"{FEED}.getAuthorFeed", own)
        await two.same(f"{FEED}.getAuthorFeed", actor="ana.test")
        two.answers(f"{FEED}.getActorLikes", own)
        await two.same(f"{FEED}.getActorLikes", actor="ana.test")
        two.answers(f"{ACTOR}.getProfile", lambda ana, _request: {"did": ana.did, "handle": "ana.test"})
        assert (await two.same(f"{ACTOR}.getProfile", actor="ana.test"))["displayName"] == "Ana"

        def thread(_ana: Ana, request: Request) -> Any:
            if not request.query_params["uri"].endswith("/root"):
                return {"error": "NotFound", "message": "Post not found"}
            return {"thread": {"$type": f"{FEED}.defs#threadViewPost", "post": their_post("root", OLD), "replies": []}}

        two.answers(f"{FEED}.getPostThread", thread)
        shown = await two.same(f"{FEED}.getPostThread", uri=f"at://{BEN}/{FEED}.post/root")
        assert shown["thread"]["replies"][0]["post"]["record"]["text"] == "answer"
        missing = await two.same(f"{FEED}.getPostThread", uri=lambda ana: ana.names["answer"]["uri"])
        assert missing["thread"]["parent"]["post"]["record"]["text"] == "root"
        await two.same(f"{FEED}.getPostThread", uri=f"at://{BEN}/{FEED}.post/other")


async def test_same_calls_are_forwarded_and_refused(make_sqlite: MakeDatabase, tmp_path: Path) -> None:
    """The same calls get the same status and error name, and the services receive the same claims."""
    async with _opened(make_sqlite, tmp_path) as two, open_remote_service() as notes:
        notes.answer("com.example.notes.getThing", {"thing": 1})
        notes.answer("com.example.notes.fail", {"error": "Blocked", "message": "not for you"}, 403)
        notes.answer("com.example.notes.break", {"error": "InternalServerError", "message": "oh no"}, 500)
        service = f"{notes.did}#notes"
        calls: list[tuple[str, str, str | None]] = [
            ("GET", "com.example.notes.getThing", service),
            ("GET", "com.example.notes.fail", service),
            ("GET", "com.example.notes.break", service),
            ("GET", "com.example.notes.getThing", f"{notes.did}#bsky_appview"),
            ("GET", "com.example.notes.getThing", f"{notes.did}#unknown"),
            ("GET", "com.example.notes.getThing", notes.did),
            ("GET", "com.example.notes.getThing", "#notes"),
            ("GET", "com.example.notes.getThing", f"{notes.did}#a#b"),
            ("GET", "com.example.notes.getThing", f"{notes.did}# notes"),
            ("GET", "com.atproto.server.getSession", service),
        ]
        for method, nsid, to in calls:
            told = []
            for ana in two.both:
                headers = {} if to is None else {"atproto-proxy": to}
                answer = await ana.ask(nsid, method=method, headers=headers)
                told.append((answer.status_code, answer.json().get("error")))
            assert told[0] == told[1], (method, nsid, to, told)
        seen = {
            one.did: [
                (asked.nsid, asked.claims["lxm"], asked.claims["aud"])
                for asked in notes.asked
                if asked.claims["iss"] == one.did
            ]
            for one in two.both
        }
        assert seen[two.ours.did] == seen[two.theirs.did]
        assert len(seen[two.ours.did]) == 4
