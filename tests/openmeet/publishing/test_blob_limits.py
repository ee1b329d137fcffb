"""A PDS has a smaller blob limit than this site, which it states or shows by refusals. The picture is made smaller. If
no size fits, the record is published without the picture and the host is notified.
"""

import io
import json
import random
from collections.abc import Callable

import pytest
from aiohttp import web
from PIL import Image

from openmeet.domain.events import actions as events
from openmeet.domain.events.model import Event
from openmeet.domain.events.rules import check
from openmeet.domain.events.submissions import submission_of, values_of_event
from openmeet.domain.media import uploads
from openmeet.domain.media.pictures import Picture, shrink
from openmeet.domain.users.model import Caller
from openmeet.i18n.reasons.messages import explain
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.deployment import Deployment
from tests.worker_pool import WORKERS


def noisy(width: int = 1200, height: int = 800) -> bytes:
    """A picture of noise, which no encoder makes smaller than some hundred kilobytes."""
    out = io.BytesIO()
    pixels = random.Random(5).randbytes(width * height * 3)
    Image.frombytes("RGB", (width, height), pixels).save(out, "JPEG", quality=90)
    return out.getvalue()


class Server:
    """A PDS with a blob limit of its own, which it either states or only enforces."""

    def __init__(self, limit: int, *, states: Callable[[dict[str, object]], object]) -> None:
        self.limit, self.states = limit, states
        self.taken: list[int] = []
        self.refused: list[int] = []
        self.asked = 0

    def stops(self, request: web.Request) -> web.Response | None:
        if request.path.endswith("describeServer"):
            self.asked += 1
            said = self.states({"did": "did:web:town.test", "availableUserDomains": [".town.test"]})
            return web.Response(body=json.dumps(said).encode(), content_type="application/json")
        if not request.path.endswith("uploadBlob"):
            return None
        size = int(request.headers["content-length"])
        if size <= self.limit:
            self.taken.append(size)
            return None
        self.refused.append(size)
        body = {"error": "PayloadTooLarge", "message": "request entity too large"}
        return web.Response(status=413, body=json.dumps(body).encode(), content_type="application/json")


async def behind(deployment: Deployment, limit: int, states: Callable[[dict[str, object]], object]) -> Server:
    async with deployment.db.transaction() as tx:
        await tx.execute("update repository_sessions set pds_url = :url", url=deployment.proxy.url)
        await tx.execute("update identities set pds_url = :url", url=deployment.proxy.url)
    server = Server(limit, states=states)
    deployment.proxy.stops = server.stops
    return server


async def with_picture(deployment: Deployment, host: Caller) -> Event:
    event = await deployment.event(host)
    store = deployment.publisher.pictures
    assert store is not None
    key, made = await uploads.store_picture(deployment.db, store, WORKERS, host.user_id, noisy())
    async with deployment.db.transaction() as tx:
        return await events.set_picture(tx, host, event.slug, Picture(key, "Noise.", made.width, made.height))


async def renamed(deployment: Deployment, host: Caller, event: Event) -> None:
    """Edit the event without changing its picture."""
    details = check(submission_of(values_of_event(event) | {"title": "Another name"}), event)
    async with deployment.db.transaction() as tx:
        await events.revise(tx, host, event.slug, details)


async def listed(deployment: Deployment, event: Event) -> tuple[list[dict], str]:
    """The pictures in the record, and the text that describes its state."""
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert publication.state is PublicationState.PUBLISHED
    record = await deployment.record(publication.uri or "")
    return record.get("media", []), explain(publication.explanation_for_owner(deployment.clock.now(), is_allowed=True))


async def test_a_stated_limit_is_read_before_anything_is_sent(deployment: Deployment):
    """The limit is fetched once. The smaller picture has its own dimensions in the record, and an edit does not upload
    it again.
    """
    ana = await deployment.person()
    server = await behind(deployment, 90_000, lambda said: {**said, "blobUploadLimit": 90_000})
    event = await with_picture(deployment, ana)
    await deployment.deliver_publications()
    ((entry,), words) = await listed(deployment, event)
    assert words == "Synced"
    assert (server.refused, len(server.taken), server.asked) == ([], 1, 1)
    assert entry["content"]["size"] == server.taken[0] <= 90_000
    did = (await deployment.identity(ana.user_id)).did
    cid = entry["content"]["ref"]["$link"]
    kept = await deployment.network.http.get(f"{deployment.pds_url}/xrpc/com.atproto.sync.getBlob?did={did}&cid={cid}")
    assert entry["aspect_ratio"] == dict(zip(("width", "height"), Image.open(io.BytesIO(kept.body)).size, strict=True))
    await renamed(deployment, ana, event)
    await deployment.deliver_publications()
    ((again,), _) = await listed(deployment, event)
    assert again == entry
    assert (len(server.taken), server.asked) == (1, 1)


@pytest.mark.parametrize("stated", [None, "90000", True, 0, -1, 10_000_000])
async def test_an_unstated_limit_is_learnt_from_refusals(deployment: Deployment, stated: object):
    """The stated limit is missing, nonsense or too high. After a few refusals a smaller picture is accepted, within one
    delivery.
    """
    ana = await deployment.person()
    server = await behind(deployment, 60_000, lambda said: {**said, "blobUploadLimit": stated})
    event = await with_picture(deployment, ana)
    await deployment.deliver_publications()
    ((entry,), words) = await listed(deployment, event)
    assert words == "Synced"
    assert entry["content"]["size"] <= 60_000
    assert 1 <= len(server.refused) <= 8
    before = len(server.refused)
    await renamed(deployment, ana, event)
    await deployment.deliver_publications()
    assert (len(server.refused), len(server.taken)) == (before, 1)


@pytest.mark.parametrize("states", [lambda said: {**said, "blobUploadLimit": 900}, lambda said: {}])
async def test_if_no_size_fits_the_record_is_published_without_the_picture(deployment: Deployment, states):
    """The record is published at once without the picture, without retries, and the owner is told what is missing. When
    the limit is raised later, the picture is added.
    """
    ana = await deployment.person()
    server = await behind(deployment, 900, states)
    event = await with_picture(deployment, ana)
    await deployment.deliver_publications()
    shown, words = await listed(deployment, event)
    assert shown == []
    assert words.startswith("Synced, without its picture: your server only takes files of up to ")
    assert await deployment.deliver_publications() == 0
    assert server.taken == []
    async with deployment.db.reader() as reader:
        assert await reader.fetch("select 1 from publications where state <> 'published'") == []
    server.limit, server.states = 10_000_000, lambda said: {**said, "blobUploadLimit": 10_000_000}
    deployment.clock.turn(25 * 3_600_000_000)
    await renamed(deployment, ana, event)
    await deployment.deliver_publications()
    shown, words = await listed(deployment, event)
    assert (len(shown), words) == (1, "Synced")


@pytest.mark.parametrize("limit", [400_000, 60_000, 20_000])
def test_a_shrunk_picture_keeps_its_proportions(limit: int):
    made = shrink(noisy(), limit)
    assert made is not None
    body, width, height = made
    assert len(body) <= limit
    assert Image.open(io.BytesIO(body)).size == (width, height)
    assert abs(width / height - 1.5) < 0.02


def test_a_picture_is_not_shrunk_below_a_minimum_size():
    assert shrink(noisy(), 900) is None
