"""Generated pictures: drawing one does not slow other readers, and one address cannot use all of the capacity."""

import os

import pytest

from groundwork.clock import HandClock
from groundwork.workers.pool import PoolLimits, WorkerPool
from openmeet.domain.covers.model import Cover
from openmeet.web.media import drawings
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import event_by, person, site_on


def process_of(cover: Cover) -> bytes:
    return f"{cover.seed} {os.getpid()}".encode()


async def test_pictures_are_drawn_in_another_process(
    make_sqlite: MakeDatabase, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures are drawn in another process. The renderer holds the interpreter's lock, so in a thread it would block
    every request.
    """
    monkeypatch.setattr(drawings, "email_cover", process_of)
    async with site_on(await make_sqlite("openmeet"), clock).browser() as visitor:
        first = (await visitor.get("/covers/art-00000000000000f1.png")).content
        again = (await visitor.get("/covers/art-00000000000000f1.png")).content
    seed, process = first.split()
    assert (int(seed), first) == (0xF1, again)
    assert int(process) != os.getpid()


async def test_drawing_time_is_limited_per_client_address(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """The drawing time of one client address is limited, because there is a cover URL for every number. Cached pictures
    do not count.
    """
    workers = WorkerPool(PoolLimits(processes=1, cpu_seconds_per_person=0.001))
    site = site_on(await make_sqlite("openmeet"), clock, workers=workers, trusted_proxy_hops=1)
    one, other = {"x-forwarded-for": "93.184.215.14"}, {"x-forwarded-for": "151.101.1.69"}
    try:
        async with site.browser() as visitor:
            asked = [await visitor.get(f"/covers/art-{0xA0 + number:016x}.png", headers=one) for number in range(4)]
            assert [answer.status_code for answer in asked] == [200, 429, 429, 429]
            assert int(asked[1].headers["retry-after"]) > 0
            assert (await visitor.get(f"/covers/art-{0xA0:016x}.png", headers=one)).status_code == 200
            assert (await visitor.get(f"/covers/art-{0xA1:016x}.png", headers=other)).status_code == 200
    finally:
        await workers.close()


@pytest.mark.parametrize("address", ["/events.ics", "/events.atom", "/events.json", "/events/{slug}/card.png"])
async def test_shared_caches_vary_by_language(make_sqlite: MakeDatabase, clock: HandClock, address: str) -> None:
    """Responses that depend on the reader's language have a ``Vary`` header for shared caches."""
    db = await make_sqlite("openmeet", clock=clock)
    async with db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"))
    async with site_on(db, clock).browser() as visitor:
        for language in ("en", "de"):
            answer = await visitor.get(address.format(slug=event.slug), headers={"accept-language": language})
            assert answer.headers["cache-control"].startswith("public")
            assert "accept-language" in answer.headers["vary"].lower()
