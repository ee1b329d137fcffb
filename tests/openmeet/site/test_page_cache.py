"""Cached pages for visitors: never older than the last commit, never another person's, limited in number."""

import asyncio
import contextvars
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from groundwork.clock import MINUTE, HandClock
from groundwork.database.deferred import DeferredDatabase
from groundwork.database.recorded_reads import RecordedReads
from groundwork.database.sqlite import SqliteDatabase
from groundwork.database.transaction import Database, PlainReader, ReadTooLong
from openmeet.domain.attendance import attendee_summary
from openmeet.domain.users import actions as users
from openmeet.web.site.page_cache import PageCache
from openmeet.web.site.services import Services
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, sign_up, site_on

EVENT = {
    "title": "Walk",
    "starts": "2026-07-04T18:00",
    "time_zone": "UTC",
    "visibility": "public",
    "description": "Bring shoes. " * 200,
}


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet"), clock)


@pytest.fixture
async def ana(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        yield browser


async def made_event(ana: httpx.AsyncClient) -> str:
    return (await ana.post("/events/new", data=EVENT)).headers["location"].partition("?")[0]


async def group_and_series(ana: httpx.AsyncClient) -> list[str]:
    group = await ana.post(
        "/groups/new",
        data={
            "name": "Chess",
            "join_policy": "open",
            "visibility": "public",
            "promotion_level": "public",
            "time_zone": "UTC",
            "submission": "k",
        },
    )
    series = await ana.post(
        "/events/new", data=EVENT | {"repeats": "FREQ=WEEKLY;BYDAY=SA", "ends_how": "never", "submission": "s"}
    )
    assert (group.status_code, series.status_code) == (303, 303), series.text
    return [answer.headers["location"].partition("?")[0] for answer in (group, series)]


def cache_of(site: Site) -> PageCache:
    services: Services = site.app.state.services
    return services.page_cache


async def fresh(site: Site, path: str) -> str:
    """The page as it would be without the cache."""
    async with site.browser() as visitor:
        visitor.cookies.set("another", "cookie")
        return (await visitor.get(path)).text


async def test_the_next_visitor_sees_every_change(site: Site, ana: httpx.AsyncClient) -> None:
    walk = await made_event(ana)
    async with site.browser() as visitor, site.browser() as ben:
        await sign_up(ben, "ben@example.org", "Ben")
        changes = [
            (ana, f"{walk}/edit", EVENT | {"title": "Long walk"}, "Long walk"),
            (ben, f"{walk}/answer", {"reply": "going"}, "Ben"),
            (ben, f"{walk}/answer", {"reply": "declined"}, "Long walk"),
            (ana, f"{walk}/cancel", {"reason": "Storm"}, "Storm"),
            (ana, f"{walk}/reinstate", {}, "Long walk"),
        ]
        for who, path, form, expected in changes:
            for shown in ("/", walk):
                first = (await visitor.get(shown)).text
                assert (await visitor.get(shown)).text == first == await fresh(site, shown)
            done = await who.post(path, data=form)
            assert done.status_code == 303, (path, done.text)
            for shown in ("/", walk):
                assert (await visitor.get(shown)).text == await fresh(site, shown), (path, shown)
            assert expected in (await visitor.get(walk)).text, path
        deleted = await ana.post(f"{walk}/delete", data={"reason": ""})
        assert deleted.status_code == 303, deleted.text
        assert (await visitor.get(walk)).status_code in {404, 410}
        assert walk not in (await visitor.get("/")).text


async def test_cached_pages_contain_nothing_random(site: Site, ana: httpx.AsyncClient) -> None:
    """Two renderings are equal byte for byte. Anything random or personal would be served to everybody."""
    me = (await ana.get("/settings/profile")).text
    paths = ["/", await made_event(ana), *await group_and_series(ana)]
    async with site.db.reader() as reader:
        row = await reader.fetch_one("select id from users where display_name = 'Ana'")
    assert me
    assert row is not None
    for path in [*paths, f"/people/{row['id']}"]:
        assert await fresh(site, path) == await fresh(site, path), path
        async with site.browser() as visitor:
            once, again = [await visitor.get(path) for _ in range(2)]
        assert (once.status_code, once.text) == (200, again.text), path
        dropped = {"vary", "content-length", "content-encoding", "x-request-id"}
        assert {k: v for k, v in once.headers.items() if k not in dropped} == {
            k: v for k, v in again.headers.items() if k not in dropped
        }


async def test_nobody_sees_the_page_of_a_signed_in_person(site: Site, ana: httpx.AsyncClient) -> None:
    walk = await made_event(ana)
    assert "/sign-out" in (await ana.get(walk)).text
    async with site.browser() as visitor:
        for _ in range(2):
            assert "/sign-out" not in (await visitor.get(walk)).text
    assert "/sign-out" in (await ana.get(walk)).text


async def test_each_language_and_each_search_is_cached_separately(site: Site, ana: httpx.AsyncClient) -> None:
    await made_event(ana)
    async with site.browser() as visitor:
        for _ in range(2):
            assert '<html lang="de"' in (await visitor.get("/", headers={"accept-language": "de"})).text
            assert '<html lang="en"' in (await visitor.get("/", headers={"accept-language": "en"})).text
            assert 'value="walk"' in (await visitor.get("/?q=walk")).text
            assert 'value="chess"' in (await visitor.get("/?q=chess")).text


async def test_a_cached_page_is_compressed_for_clients_that_accept_it(site: Site, ana: httpx.AsyncClient) -> None:
    walk = await made_event(ana)
    async with site.browser() as visitor:
        for _ in range(3):
            folded = await visitor.get(walk, headers={"accept-encoding": "gzip"})
            plain = await visitor.get(walk, headers={"accept-encoding": "identity"})
            assert folded.headers["content-encoding"] == "gzip"
            assert "content-encoding" not in plain.headers
            assert "Accept-Encoding" in folded.headers["vary"]
            assert folded.text == plain.text


async def test_relative_times_stay_current(site: Site, ana: httpx.AsyncClient, clock: HandClock) -> None:
    walk = await made_event(ana)
    async with site.browser() as visitor:
        before = (await visitor.get(walk)).text
        clock.turn(400 * 24 * 60 * MINUTE)
        after = (await visitor.get(walk)).text
    assert "This event is over" not in before
    assert "This event is over" in after
    assert ("Who is going" in before, "Who was going" in after) == (True, True)


class Rendering:
    """Counts its calls; each one takes until ``goes_on`` is set."""

    def __init__(self, **answer: object) -> None:
        self.calls = 0
        self.began, self.goes_on = asyncio.Event(), asyncio.Event()
        self._answer = answer

    async def __call__(self, _: Request) -> Response:
        self.calls += 1
        self.began.set()
        await self.goes_on.wait()
        return HTMLResponse(f"<p>{self.calls}</p>", **self._answer)  # type: ignore[arg-type]


def request_for(path: str = "/", query: str = "", **headers: str) -> Request:
    fields = [(name.encode(), text.encode()) for name, text in headers.items()]
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": fields}
    return Request(scope | {"server": ("openmeet.test", 80), "scheme": "http", "root_path": ""})


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet")


async def test_concurrent_visitors_wait_for_one_rendering(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    db = await make_sqlite("openmeet")
    cache, rendering = PageCache(), Rendering()
    async with AsyncExitStack() as stack:
        tasks = [asyncio.create_task(cache.answer(request_for(), db, clock, rendering)) for _ in range(50)]
        stack.callback(lambda: [task.cancel() for task in tasks])
        await rendering.began.wait()
        rendering.goes_on.set()
        assert {(await task).body for task in tasks} == {b"<p>1</p>"}
    assert rendering.calls == 1


async def test_waiting_visitors_share_a_rendering_despite_constant_writes(db: Database, clock: HandClock) -> None:
    """The rendering that had already started may be too old for them. The next one is not, even if more is committed
    later, and all of them get it.
    """
    cache, calls = PageCache(), 0

    async def busy(_: Request) -> Response:
        nonlocal calls
        calls += 1
        await asyncio.gather(*(asyncio.sleep(0) for _ in range(10)))
        async with db.transaction() as tx:
            await users.create_person(tx, display_name="Ana")
        return HTMLResponse(f"<p>{calls}</p>")

    await asyncio.gather(*(cache.answer(request_for(), db, clock, busy) for _ in range(50)))
    assert calls <= 2


async def test_a_commit_during_rendering_makes_the_page_outdated(make_database: MakeDatabase, clock: HandClock) -> None:
    db = await make_database("openmeet")
    cache, rendering = PageCache(), Rendering()
    first = asyncio.create_task(cache.answer(request_for(), db, clock, rendering))
    await rendering.began.wait()
    async with db.transaction() as tx:
        await users.create_person(tx, display_name="Ana")
    rendering.goes_on.set()
    assert (await first).body == b"<p>1</p>"
    assert (await cache.answer(request_for(), db, clock, rendering)).body == b"<p>2</p>"
    if isinstance(db, SqliteDatabase):
        # The state of a PostgreSQL database also changes with commits to other databases of its server.
        assert (await cache.answer(request_for(), db, clock, rendering)).body == b"<p>2</p>"


class NameOfPerson:
    """A page with the name of a person. Counts its renderings."""

    def __init__(self, db: Database, user_id: str) -> None:
        self.calls = 0
        self._db, self._user_id = db, user_id

    async def __call__(self, _: Request) -> Response:
        self.calls += 1
        async with self._db.reader() as reader:
            row = await reader.fetch_one("select display_name from users where id = :id", id=self._user_id)
        assert row is not None
        return HTMLResponse(f"<p>{row['display_name']}</p>")


async def test_a_page_is_rendered_again_only_if_its_rows_have_changed(db: Database, clock: HandClock) -> None:
    async with db.transaction() as tx:
        ana = await users.create_person(tx, display_name="Ana")
    cache, rendering = PageCache(), NameOfPerson(db, ana)
    for number in range(3):
        assert (await cache.answer(request_for(), db, clock, rendering)).body == b"<p>Ana</p>"
        async with db.transaction() as tx:
            await users.create_person(tx, display_name=f"Ben {number}")
    assert rendering.calls == 1
    async with db.transaction() as tx:
        await tx.execute("update users set display_name = 'Anna' where id = :id", id=ana)
    for _ in range(2):
        assert (await cache.answer(request_for(), db, clock, rendering)).body == b"<p>Anna</p>"
    assert rendering.calls == 2
    clock.turn(MINUTE)
    await cache.answer(request_for(), db, clock, rendering)
    assert rendering.calls == 3


async def test_a_page_that_takes_too_long_to_check_is_rendered_again(
    db: Database, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with db.transaction() as tx:
        ana = await users.create_person(tx, display_name="Ana")
    cache, rendering = PageCache(), NameOfPerson(db, ana)
    await cache.answer(request_for(), db, clock, rendering)

    def take_too_long(_reads: RecordedReads, _reader: PlainReader) -> bool:
        raise ReadTooLong("the read took too long")

    monkeypatch.setattr(RecordedReads, "_are_unchanged", take_too_long)
    async with db.transaction() as tx:
        await tx.execute("update users set display_name = 'Anna' where id = :id", id=ana)
    assert (await cache.answer(request_for(), db, clock, rendering)).body == b"<p>Anna</p>"


async def test_a_page_is_checked_in_a_database_that_was_opened_late(db: Database, clock: HandClock) -> None:
    async with db.transaction() as tx:
        ana = await users.create_person(tx, display_name="Ana")
    late = DeferredDatabase(db.engine)
    late.open_as(db)
    cache, rendering = PageCache(), NameOfPerson(late, ana)
    for name in ("Ben", "Cleo"):
        await cache.answer(request_for(), late, clock, rendering)
        async with db.transaction() as tx:
            await users.create_person(tx, display_name=name)
    assert rendering.calls == 1


async def test_a_page_that_was_only_checked_counts_as_used(db: Database, clock: HandClock) -> None:
    """While commits are constant, a popular page is found by checking it, and is not the first that is dropped."""
    async with db.transaction() as tx:
        ana = await users.create_person(tx, display_name="Ana")
    # Large enough for two pages.
    cache, rendering = PageCache(max_bytes=1500), NameOfPerson(db, ana)
    for path in ("/popular", "/rare"):
        await cache.answer(request_for(path), db, clock, rendering)
    async with db.transaction() as tx:
        await users.create_person(tx, display_name="Ben")
    await cache.answer(request_for("/popular"), db, clock, rendering)
    await cache.answer(request_for("/new"), db, clock, rendering)
    assert [path for path, *_ in cache._pages] == ["/popular", "/new"]


async def test_a_commit_between_reading_and_the_end_of_rendering_is_noticed(db: Database, clock: HandClock) -> None:
    async with db.transaction() as tx:
        ana = await users.create_person(tx, display_name="Ana")

    class Interrupted(NameOfPerson):
        async def __call__(self, request: Request) -> Response:
            answer = await super().__call__(request)
            if self.calls == 1:
                await asyncio.create_task(rename(), context=contextvars.Context())
            return answer

    async def rename() -> None:
        async with db.transaction() as tx:
            await tx.execute("update users set display_name = 'Anna' where id = :id", id=ana)

    cache, rendering = PageCache(), Interrupted(db, ana)
    assert (await cache.answer(request_for(), db, clock, rendering)).body == b"<p>Ana</p>"
    assert (await cache.answer(request_for(), db, clock, rendering)).body == b"<p>Anna</p>"


async def test_a_page_with_cached_counts_is_rendered_after_each_commit(
    site: Site, ana: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts of events with very many answers are cached for a few seconds, so the page does not read their rows."""
    monkeypatch.setattr(attendee_summary, "CACHED_FROM", 1)
    walk = await made_event(ana)
    await ana.post(f"{walk}/answer", data={"reply": "going"})
    await fresh(site, walk)
    async with site.browser() as visitor:
        await visitor.get(walk)
    (page,) = cache_of(site)._pages.values()
    assert page.reads is None


@pytest.mark.parametrize(
    ("answer", "query", "headers"),
    [
        ({"status_code": 404}, "", {}),
        ({"headers": {"set-cookie": "a=b"}}, "", {}),
        ({}, "", {"cookie": "openmeet_flash=saved"}),
        ({}, "q=" + "a" * 300, {}),
    ],
)
async def test_personal_responses_are_not_cached(
    db: Database, clock: HandClock, answer: dict[str, object], query: str, headers: dict[str, str]
) -> None:
    cache, rendering = PageCache(), Rendering(**answer)
    rendering.goes_on.set()
    for _ in range(2):
        await cache.answer(request_for("/", query, **headers), db, clock, rendering)
    assert rendering.calls == 2


async def test_a_failure_is_not_cached(db: Database, clock: HandClock) -> None:
    async def fails(_: Request) -> Response:
        raise TimeoutError

    cache, rendering = PageCache(), Rendering()
    rendering.goes_on.set()
    with pytest.raises(TimeoutError):
        await cache.answer(request_for(), db, clock, fails)
    assert (await cache.answer(request_for(), db, clock, rendering)).body == b"<p>1</p>"


async def test_visitors_cannot_fill_the_cache(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    db = await make_sqlite("openmeet")
    cache = PageCache(max_bytes=100_000)
    rendered: list[str] = []

    async def large(request: Request) -> Response:
        rendered.append(request.url.query)
        return HTMLResponse("x" * 9_000)

    for number in range(200):
        await cache.answer(request_for("/", f"q={number}"), db, clock, large)
        await cache.answer(request_for("/", "q=0", **{"accept-encoding": "gzip"}), db, clock, large)
    # Frequently requested pages stay in the cache. At most the last ten of the others do.
    assert len(rendered) == 200
    for number in range(180):
        await cache.answer(request_for("/", f"q={number + 1}"), db, clock, large)
    assert len(rendered) == 380


async def test_each_site_has_its_own_cache(make_database: MakeDatabase, clock: HandClock) -> None:
    one, other = site_on(await make_database("openmeet"), clock), site_on(await make_database("openmeet"), clock)
    assert cache_of(one) is not cache_of(other)
