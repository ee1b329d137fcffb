"""People see what they have just written although the app view has not read it yet."""

import json
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from at_protocol.syntax import tid
from at_protocol.syntax.datetime import format_datetime
from aurora_locus.federation.proxying import MAX_AT_ONCE
from groundwork.clock import DAY, MINUTE, SECOND
from tests.aurora_locus.conftest import MakeDeployment
from tests.aurora_locus.deployment import Deployment, Person
from tests.aurora_locus.remote_service import RemoteService, open_remote_service

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)

FEED, ACTOR = "app.bsky.feed", "app.bsky.actor"
PATTERN = "https://cdn.example.org/%s/%s/%s"
BEN = "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb"


@dataclass
class Scene:
    """Ana, her server, and an app view that has read nothing since the start."""

    deployment: Deployment
    ana: Person
    view: RemoteService
    rev: str

    async def write(
        self, collection: str, record: dict[str, Any], rkey: str | None = None, **more: Any
    ) -> dict[str, str]:
        """Write a record a minute later than the previous one; ``more`` is added to the request."""
        self.deployment.clock.turn(MINUTE)
        name = "createRecord" if rkey is None else "putRecord"
        body = {"repo": self.ana.did, "collection": collection, "record": record, **more} | (
            {} if rkey is None else {"rkey": rkey}
        )
        answer = await self.ana.post(f"com.atproto.repo.{name}", body)
        assert answer.status_code == 200, answer.text
        return {"uri": answer.json()["uri"], "cid": answer.json()["cid"]}

    async def post(self, text: str, **more: Any) -> dict[str, str]:
        return await self.write(f"{FEED}.post", {"text": text, "createdAt": self.now, **more})

    @property
    def now(self) -> str:
        return format_datetime(self.deployment.clock.now())

    def answers(self, nsid: str, body: Any, status: int = 200) -> None:
        self.view.answer(nsid, body, status, {"atproto-repo-rev": self.rev})

    async def catch_up(self) -> None:
        """Let the app view have read everything."""
        latest = await self.ana.http.get("/xrpc/com.atproto.sync.getLatestCommit", params={"did": self.ana.did})
        self.rev = latest.json()["rev"]

    async def read(self, nsid: str, **parameters: Any) -> httpx.Response:
        return await self.ana.http.get(f"/xrpc/{nsid}", params=parameters, headers=self.ana.headers)

    async def feed(self, name: str = "getTimeline", **parameters: Any) -> list[Any]:
        answer = await self.read(f"{FEED}.{name}", **parameters)
        assert answer.status_code == 200, answer.text
        return [item["post"]["record"]["text"] for item in answer.json()["feed"]]

    def theirs(self, text: str, minutes_ago: float, **more: Any) -> dict[str, Any]:
        """Somebody else's post as the app view shows it."""
        at = format_datetime(round(self.deployment.clock.now() - minutes_ago * MINUTE))
        author = {"did": BEN, "handle": "ben.test"}
        post = {"uri": f"at://{BEN}/{FEED}.post/{text}", "cid": "bafy", "author": author, "indexedAt": at}
        return {"post": {**post, "record": {"text": text}}, **more}


@pytest.fixture
async def scene(make_deployment: MakeDeployment) -> AsyncIterator[Scene]:
    async with open_remote_service() as view:
        deployment = await make_deployment(
            bsky_app_view_url=view.url,
            bsky_app_view_did="did:web:view.example.org",
            bsky_app_view_cdn_url_pattern=PATTERN,
        )
        scene = Scene(deployment, await deployment.sign_up("ana"), view, "")
        await scene.catch_up()
        yield scene


async def test_refused_look_ups_of_quoted_posts_use_up_nothing(scene: Scene) -> None:
    """An app view may refuse to show a quoted post any number of times; the limit of concurrent calls counts only calls
    that are running.
    """
    quoted = {
        "uri": f"at://{BEN}/{FEED}.post/gone",
        "cid": "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a",
    }
    await scene.post("look", embed={"$type": "app.bsky.embed.record", "record": quoted})
    scene.answers(f"{FEED}.getTimeline", {"feed": []})
    scene.answers(f"{FEED}.getPosts", {"error": "InvalidRequest"}, 400)
    for _ in range(MAX_AT_ONCE + 1):
        assert await scene.feed() == ["look"]


async def test_first_post_is_in_the_authors_own_feed(scene: Scene) -> None:
    """The first post is in one's own feed even if the app view shows nothing yet, and the response says how far it is
    behind.
    """
    written = await scene.post("hello")
    scene.answers(f"{FEED}.getAuthorFeed", {"feed": []})
    scene.deployment.clock.turn(30 * SECOND)
    for actor in (scene.ana.did, "ana.test"):
        answer = await scene.read(f"{FEED}.getAuthorFeed", actor=actor)
        (item,) = answer.json()["feed"]
        assert (item["post"]["uri"], item["post"]["cid"]) == (written["uri"], written["cid"])
        assert item["post"]["record"]["text"] == "hello"
        assert item["post"]["author"] == {"did": scene.ana.did, "handle": "ana.test"}
        assert answer.headers["atproto-upstream-lag"] == "30000"
        assert answer.headers["atproto-repo-rev"] == scene.rev


async def test_an_app_view_that_has_read_everything_is_not_completed(scene: Scene) -> None:
    await scene.post("hello")
    await scene.catch_up()
    scene.answers(f"{FEED}.getTimeline", {"feed": []})
    answer = await scene.read(f"{FEED}.getTimeline")
    assert answer.json() == {"feed": []}
    assert "atproto-upstream-lag" not in answer.headers


async def test_an_app_view_that_does_not_say_how_far_it_read_is_not_completed(scene: Scene) -> None:
    await scene.post("hello")
    scene.view.answer(f"{FEED}.getTimeline", {"feed": []})
    assert await scene.feed() == []


async def test_posts_are_inserted_in_order_of_time(scene: Scene) -> None:
    await scene.post("first")
    await scene.post("second")
    pinned = scene.theirs("pinned", 900, reason={"$type": f"{FEED}.defs#reasonPin"})
    at = format_datetime(scene.deployment.clock.now() - 20 * SECOND)
    reposted = scene.theirs("reposted", 800, reason={"$type": f"{FEED}.defs#reasonRepost", "by": {}, "indexedAt": at})
    page = [pinned, scene.theirs("new", -0.1), reposted, scene.theirs("between", 0.5), scene.theirs("old", 90)]
    scene.answers(f"{FEED}.getTimeline", {"feed": page, "cursor": "x"})
    assert await scene.feed() == ["pinned", "new", "second", "reposted", "between", "first", "old"]


async def test_each_post_is_on_one_page(scene: Scene) -> None:
    """Each post is on exactly one page: older than a page's end is on the next page, newer than a later page's start
    was on an earlier one.
    """
    for text in ("1", "2", "3"):
        await scene.post(text)
    scene.answers(f"{FEED}.getTimeline", {"feed": [scene.theirs("a", 0.5), scene.theirs("b", 1.5)], "cursor": "x"})
    assert await scene.feed() == ["3", "a", "2", "b"]
    scene.answers(f"{FEED}.getTimeline", {"feed": [scene.theirs("b", 1.5), scene.theirs("c", 9)], "cursor": "y"})
    assert await scene.feed(cursor="x") == ["b", "1", "c"]


async def test_known_post_is_shown_once(scene: Scene) -> None:
    written = await scene.post("hello")
    shown = scene.theirs("hello", 0)
    shown["post"]["uri"] = written["uri"]
    scene.answers(f"{FEED}.getTimeline", {"feed": [shown]})
    assert await scene.feed() == ["hello"]


async def test_feeds_of_other_people_are_unchanged(scene: Scene) -> None:
    await scene.post("mine")
    scene.answers(f"{FEED}.getAuthorFeed", {"feed": [scene.theirs("theirs", 5)]})
    assert await scene.feed("getAuthorFeed", actor=BEN) == ["theirs"]


@pytest.mark.parametrize(
    ("wanted", "texts"),
    [
        ("posts_with_replies", ["picture", "thread", "answer", "plain"]),
        ("posts_no_replies", ["picture", "plain"]),
        ("posts_and_author_threads", ["picture", "thread", "plain"]),
        ("posts_with_media", ["picture"]),
        ("posts_with_video", []),
    ],
)
async def test_feed_filters_apply_to_added_posts(scene: Scene, wanted: str, texts: list[str]) -> None:
    plain = await scene.post("plain")
    theirs = {"uri": f"at://{BEN}/{FEED}.post/3jzfcijpj2z2a", "cid": plain["cid"]}
    await scene.post("answer", reply={"root": theirs, "parent": theirs})
    await scene.post("thread", reply={"root": plain, "parent": plain})
    await scene.post("picture", embed={"$type": "app.bsky.embed.images", "images": [await picture(scene)]})
    scene.answers(f"{FEED}.getAuthorFeed", {"feed": []})
    assert await scene.feed("getAuthorFeed", actor="ana.test", filter=wanted) == texts


async def picture(scene: Scene) -> dict[str, Any]:
    headers = {**scene.ana.headers, "content-type": "image/png"}
    content = b"\x89PNG\r\n\x1a\n"
    answer = await scene.ana.http.post("/xrpc/com.atproto.repo.uploadBlob", content=content, headers=headers)
    return {"image": answer.json()["blob"], "alt": "nothing", "aspectRatio": {"width": 1, "height": 2}}


async def test_embeds_are_shown(scene: Scene) -> None:
    """Embeds are shown: pictures from the app view's image host, cards, and posts of others as the app view shows them."""
    image = await picture(scene)
    cid = image["image"]["ref"]["$link"]
    quoted = {"uri": f"at://{BEN}/{FEED}.post/3jzfcijpj2z2a", "cid": cid}
    external = {"uri": "https://example.org/", "title": "t", "description": "d", "thumb": image["image"]}
    record = {"$type": "app.bsky.embed.record", "record": quoted}
    gone = {"$type": "app.bsky.embed.record", "record": {**quoted, "uri": f"at://{BEN}/org.example.note/x"}}
    media = {"$type": "app.bsky.embed.external", "external": external}
    await scene.post("1", embed={"$type": "app.bsky.embed.images", "images": [image]})
    await scene.post("2", embed=media)
    await scene.post("3", embed={"$type": "app.bsky.embed.recordWithMedia", "record": record, "media": media})
    await scene.post("4", embed=gone)
    scene.answers(f"{FEED}.getTimeline", {"feed": []})
    scene.answers(f"{FEED}.getPosts", {"posts": [scene.theirs("quoted", 5)["post"]]})
    feed = (await scene.read(f"{FEED}.getTimeline")).json()["feed"]
    absent, both, card, images = [item["post"]["embed"] for item in feed]

    def at(size: str) -> str:
        return PATTERN % (size, scene.ana.did, cid)

    shown = {"thumb": at("feed_thumbnail"), "fullsize": at("feed_fullsize"), "alt": "nothing"}
    assert images["images"] == [{**shown, "aspectRatio": {"width": 1, "height": 2}}]
    assert card["external"] == {**external, "thumb": at("feed_thumbnail")}
    assert both["media"] == card
    assert both["record"]["record"]["value"] == {"text": "quoted"}
    assert both["record"]["record"]["$type"] == "app.bsky.embed.record#viewRecord"
    assert absent["record"]["notFound"] is True


async def test_a_saved_profile_is_shown(scene: Scene) -> None:
    """A saved profile is shown on one's own page, in lists of profiles, and next to one's posts."""
    image = (await picture(scene))["image"]
    await scene.write(f"{ACTOR}.profile", {"displayName": "Ana", "description": "hi", "avatar": image}, "self")
    old = {
        "did": scene.ana.did,
        "handle": "ana.test",
        "displayName": "Old",
        "banner": "https://x/",
        "followersCount": 3,
    }
    ben = {"did": BEN, "handle": "ben.test", "displayName": "Ben"}
    avatar = PATTERN % ("avatar", scene.ana.did, image["ref"]["$link"])
    new = {"did": scene.ana.did, "handle": "ana.test", "displayName": "Ana", "avatar": avatar}
    scene.answers(f"{ACTOR}.getProfile", old)
    answer = (await scene.read(f"{ACTOR}.getProfile", actor="ana.test")).json()
    assert answer == {**new, "description": "hi", "followersCount": 3}
    scene.answers(f"{ACTOR}.getProfiles", {"profiles": [ben, old]})
    answer = (await scene.read(f"{ACTOR}.getProfiles", actors=["ben.test", "ana.test"])).json()
    assert answer["profiles"] == [ben, {**new, "description": "hi", "followersCount": 3}]
    mine = scene.theirs("mine", 5)
    mine["post"]["author"] = {"did": scene.ana.did, "handle": "ana.test", "displayName": "Old"}
    scene.answers(f"{FEED}.getActorLikes", {"feed": [scene.theirs("theirs", 5), mine]})
    feed = (await scene.read(f"{FEED}.getActorLikes", actor=BEN)).json()["feed"]
    assert [item["post"]["author"].get("displayName") for item in feed] == [None, "Ana"]


async def test_own_replies_are_added_to_the_thread(scene: Scene) -> None:
    theirs = scene.theirs("root", 30)["post"]
    root = {"uri": theirs["uri"], "cid": "bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454"}
    first = await scene.post("first", reply={"root": root, "parent": root})
    await scene.post("below", reply={"root": root, "parent": first})
    thread = {"$type": f"{FEED}.defs#threadViewPost", "post": {**theirs, "replyCount": 4}, "replies": []}
    scene.answers(f"{FEED}.getPostThread", {"thread": thread})
    shown = (await scene.read(f"{FEED}.getPostThread", uri=theirs["uri"])).json()["thread"]
    (answer,) = shown["replies"]
    assert shown["post"]["replyCount"] == 5
    assert answer["post"]["record"]["text"] == "first"
    assert [reply["post"]["record"]["text"] for reply in answer["replies"]] == ["below"]
    shallow = (await scene.read(f"{FEED}.getPostThread", uri=theirs["uri"], depth=1)).json()["thread"]
    assert "replies" not in shallow["replies"][0]


async def test_a_thread_that_only_this_server_knows(scene: Scene) -> None:
    """A thread that exists only on this server is shown with its parent from the app view. A missing post of somebody
    else stays missing.
    """
    parent = {
        "uri": f"at://{BEN}/{FEED}.post/3jzfcijpj2z2a",
        "cid": "bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454",
    }
    written = await scene.post("answer", reply={"root": parent, "parent": parent})
    above = {"$type": f"{FEED}.defs#threadViewPost", "post": scene.theirs("parent", 9)["post"]}

    async def answering(request: Request) -> Response:
        if request.query_params["uri"] == parent["uri"]:
            return in_json({"thread": above})
        return in_json({"error": "NotFound", "message": "Post not found"}, 400, {"atproto-repo-rev": scene.rev})

    scene.view.answers[f"{FEED}.getPostThread"] = answering
    rkey = written["uri"].rsplit("/", 1)[1]
    for uri in (written["uri"], f"at://ana.test/{FEED}.post/{rkey}"):
        thread = (await scene.read(f"{FEED}.getPostThread", uri=uri)).json()["thread"]
        assert thread["post"]["uri"] == written["uri"]
        assert thread["parent"]["post"]["record"]["text"] == "parent"
    missing = await scene.read(f"{FEED}.getPostThread", uri=f"at://{BEN}/{FEED}.post/other")
    assert (missing.status_code, missing.json()["error"]) == (400, "NotFound")


def in_json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(body), status, headers, "application/json")


async def test_posts_that_came_with_a_repository_are_not_new(scene: Scene) -> None:
    """Posts from an imported repository are not new: their keys are old, and the app view has had them for years."""
    old = tid.from_microseconds(scene.deployment.clock.now() - 400 * DAY, 1)
    await scene.write(f"{FEED}.post", {"text": "old", "createdAt": scene.now}, old)
    # Only a write without validation can create a post with such a key.
    await scene.write(f"{FEED}.post", {"text": "odd", "createdAt": scene.now}, "not-a-tid", validate=False)
    scene.answers(f"{FEED}.getTimeline", {"feed": []})
    assert await scene.feed() == []


@pytest.mark.parametrize(
    "body",
    [{}, {"feed": None}, {"feed": [{}]}, {"feed": [{"post": None}]}, {"feed": [[]]}, [], "x", {"feed": {"a": 1}}],
    ids=str,
)
async def test_response_that_is_not_a_feed_is_passed_on(scene: Scene, body: Any) -> None:
    """A response that is not a feed is passed on unchanged, so that an app view's mistake is not ours."""
    await scene.post("hello")
    scene.answers(f"{FEED}.getTimeline", body)
    answer = await scene.read(f"{FEED}.getTimeline")
    assert (answer.status_code, answer.json()) == (200, body)


async def test_a_compressed_answer_is_completed(scene: Scene) -> None:
    await scene.post("hello")
    folder = zlib.compressobj(wbits=31)
    folded = folder.compress(b'{"feed":[]}') + folder.flush()

    async def answering(_request: Request) -> Response:
        headers = {"content-encoding": "gzip", "atproto-repo-rev": scene.rev}
        return Response(folded, headers=headers, media_type="application/json")

    scene.view.answers[f"{FEED}.getTimeline"] = answering
    assert await scene.feed() == ["hello"]


async def test_a_deleted_post_is_not_shown(scene: Scene) -> None:
    written = await scene.post("hello")
    rkey = written["uri"].rsplit("/", 1)[1]
    body = {"repo": scene.ana.did, "collection": f"{FEED}.post", "rkey": rkey}
    await scene.ana.post("com.atproto.repo.deleteRecord", body)
    scene.answers(f"{FEED}.getTimeline", {"feed": []})
    assert await scene.feed() == []


@pytest.mark.parametrize("accepted", ["gzip", "identity"])
async def test_completed_response_is_compressed_if_accepted(scene: Scene, accepted: str) -> None:
    await scene.post("hello")
    scene.answers(f"{FEED}.getTimeline", {"feed": [scene.theirs(f"post {n}", n) for n in range(2, 40)]})
    headers = {**scene.ana.headers, "accept-encoding": accepted}
    answer = await scene.ana.http.get(f"/xrpc/{FEED}.getTimeline", headers=headers)
    assert answer.headers.get("content-encoding", "identity") == accepted
    assert len(answer.json()["feed"]) == 39


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"<html>", b"\xff\xfe", b'{"feed":' * 5000 + b"1" + b"}" * 5000, b'{"feed":[NaN]}'],
    ids=["nothing", "cut", "page", "bytes", "nested", "no number"],
)
async def test_response_that_is_not_json_is_passed_on(scene: Scene, body: bytes) -> None:
    """A response that is not JSON is passed on unchanged, so that the caller sees that the app view is broken."""
    await scene.post("hello")

    async def answering(_request: Request) -> Response:
        return Response(body, headers={"atproto-repo-rev": scene.rev}, media_type="application/json")

    scene.view.answers[f"{FEED}.getTimeline"] = answering
    answer = await scene.read(f"{FEED}.getTimeline")
    assert (answer.status_code, answer.content) == (200, body)


async def test_thread_of_the_maximum_depth_is_completed(scene: Scene) -> None:
    """A thread of the maximum depth does not exhaust the stack, although the caller chooses the depth and the app view
    the thread.
    """
    theirs = scene.theirs("root", 30)["post"]
    thread: dict[str, Any] = {"$type": f"{FEED}.defs#threadViewPost", "post": theirs}
    for _ in range(400):
        thread = {"$type": f"{FEED}.defs#threadViewPost", "post": {**theirs, "uri": "x"}, "replies": [thread]}
    root = {"uri": theirs["uri"], "cid": "bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454"}
    await scene.post("mine", reply={"root": root, "parent": root})
    text = json.dumps(thread)

    async def answering(_request: Request) -> Response:
        headers = {"atproto-repo-rev": scene.rev}
        return Response('{"thread":' + text + "}", headers=headers, media_type="application/json")

    scene.view.answers[f"{FEED}.getPostThread"] = answering
    for depth in ("1000", "9" * 500, "-1", "x"):
        answer = await scene.read(f"{FEED}.getPostThread", uri=theirs["uri"], depth=depth)
        assert answer.status_code == 200, depth
