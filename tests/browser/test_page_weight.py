"""Cost of opening a page for the first time: bytes and requests as the server sends them, no other host, and no layout
shifts while it loads.
"""

import asyncio
import io
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from PIL import Image
from playwright.async_api import Browser, BrowserContext, Route

from groundwork.blobstore.contract import put
from groundwork.http.compression import Encoding, file_bodies
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions
from openmeet.domain.events.content import Content
from openmeet.domain.events.model import EventSlug
from openmeet.domain.events.vocabulary import Category
from openmeet.domain.media import pictures as media
from openmeet.domain.media import uploads
from openmeet.domain.media.pictures import Picture, PictureKey, prepare
from openmeet.domain.series import actions as series
from openmeet.domain.series.model import Timing
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from openmeet.recurrence.wall_time import parse_local
from programs.demo.scenes import scene
from tests.browser.browsers import DESK, PHONE, Deployment, context
from tests.external_dependencies import needs
from tests.openmeet.groups.people import group_by
from tests.openmeet.site_under_test import event_by, person

pytestmark = needs("chromium")

WIDTH = pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])

# The bytes that load within a second on a slow mobile connection (docs/design-language.md).
MAX_BYTES: Final = 60_000
# The compressed stylesheets, and the compressed scripts, of a page that visitors open first.
MAX_STYLE_BYTES: Final = 10_000
MAX_SCRIPT_BYTES: Final = 10_000
# The additional bytes for uploaded pictures on a page that shows them (the same budget).
MAX_PICTURE_BYTES: Final = 90_000
# An embed with its files and pictures.
MAX_EMBED_BYTES: Final = 15_000
# The page, its stylesheets, script, font, icon and live stream; and a few pictures.
MAX_REQUESTS: Final = 12
_QUIET_MS: Final = 300

# Reports when the page was completely parsed, and when it was first drawn.
_SAY_WHEN: Final = """
if (location.protocol !== "about:") {
  document.addEventListener("readystatechange", () => window.say("read"), { once: true });
  new PerformanceObserver(() => window.say("drawn")).observe({ type: "paint", buffered: true });
}
"""
_COUNT_SHIFTS: Final = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const shift of list.getEntries()) {
    window.shifts.push([shift.value, ...shift.sources.map(({ node }) => node?.outerHTML?.slice(0, 100) ?? node?.data ?? "")]);
  }
}).observe({ type: "layout-shift", buffered: true });
"""
_NOTE_LARGEST: Final = """
new PerformanceObserver((list) => {
  const { element } = list.getEntries().at(-1);
  window.largest = [element?.getAttribute("src"), element?.loading, element?.fetchPriority];
}).observe({ type: "largest-contentful-paint", buffered: true });
"""


@dataclass(frozen=True, slots=True)
class Town:
    """A site with enough content to fill every list, its visitors, and the measured pages."""

    token: str
    pages: dict[str, str]


async def built(openmeet: Deployment) -> Town:
    """Thirty events of every topic, a series and a group. All of them are Ana's, and she attends them."""
    topics = list(Category)
    async with openmeet.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        events = [
            await event_by(
                tx,
                ana if number % 3 else ben,
                title=f"{topics[number % len(topics)].value.title()} for beginners, evening {number}",
                starts=f"2026-07-{number + 1:02}T18:00",
                ends="",
                categories=topics[number % len(topics)].value,
                description="Bring shoes. " * 20,
            )
            for number in range(30)
        ]
        for event in events[:12]:
            await attendance.answer(tx, ana, event.slug, RsvpReply.GOING)
        # Unread news for Ana.
        await event_hosting.cancel(tx, ben, events[3].slug, "")
        group = await group_by(tx, ana)
        timing = Timing(
            pattern(parse_local("2026-07-07T19:00", "starts"), "Europe/Berlin", parse_rule("FREQ=WEEKLY")), None
        )
        choir = await series.create(tx, ana, Content("Choir", "Everybody sings."), timing)
        session = await sign_in.open_session(tx, ana.user_id, SessionTransport.BROWSER)
    return Town(
        session.token,
        {
            "home": "/home",
            "discover": "/",
            "event": f"/events/{events[0].slug}",
            "group": f"/groups/{group.slug}",
            "series": f"/series/{choir.slug}",
            "new event": "/events/new",
            "my events": "/my/events",
            "calendar": "/my/calendar",
            "news": "/notifications",
        },
    )


async def upload_picture(openmeet: Deployment, town: Town) -> None:
    """Give the event whose page is measured a picture of its host."""
    slug, made = town.pages["event"].removeprefix("/events/"), prepare(scene("board", "1"))
    async with openmeet.db.transaction() as tx:
        (row,) = await tx.fetch("select author_id from events where slug = :slug", slug=slug)
        key = PictureKey("ab" * 16)
        await uploads.insert(tx, key, row["author_id"], made.width, made.height, 1)
        picture = Picture(key, "Board games on a table", made.width, made.height)
        await actions.set_picture(tx, Caller(row["author_id"], "Ben"), EventSlug(slug), picture)
    for file, body in made.bodies.items():
        await put(openmeet.pictures, media.blob_key(key, *file), body)


async def visits(
    town: Town, openmeet: Deployment, browser: Browser, viewport: dict[str, int]
) -> AsyncIterator[tuple[str, str, BrowserContext]]:
    """Each page: its name and path, and a browser without stored data. Public pages are visited both by Ana and by an
    anonymous visitor.
    """
    for name, path in town.pages.items():
        for is_known in (True, False) if name in {"discover", "event", "group", "series"} else (True,):
            # The visitor's time zone differs from that of the events, which is shown on their pages.
            async with context(browser, openmeet, viewport=viewport, timezone_id="America/New_York") as opened:
                if is_known:
                    await opened.add_cookies([{"name": "openmeet_session", "value": town.token, "url": openmeet.url}])
                yield f"{name} {'of Ana' if is_known else 'of a stranger'}", path, opened


async def fetched(opened: BrowserContext, path: str) -> dict[str, int]:
    """Everything that the browser requests for a page: bytes by address, headers included. The live stream, which stays
    open, counts as zero.
    """
    page = await opened.new_page()
    tools = await opened.new_cdp_session(page)
    await tools.send("Network.enable")
    addresses: dict[str, str] = {}
    sizes: Counter[str] = Counter()

    def begin(told: dict[str, Any]) -> None:
        address = addresses[told["requestId"]] = told["request"]["url"]
        assert address not in sizes, "asked for twice"
        if not address.startswith("data:"):
            sizes[address] = 0

    def end(told: dict[str, Any]) -> None:
        if addresses[told["requestId"]] in sizes:
            sizes[addresses[told["requestId"]]] += told["encodedDataLength"]

    tools.on("Network.requestWillBeSent", begin)
    tools.on("Network.loadingFinished", end)
    await page.goto(path, wait_until="load")
    await page.wait_for_timeout(_QUIET_MS)
    return sizes


async def moved(opened: BrowserContext, path: str) -> list[object]:
    """Layout shifts of a page that is first parsed, then drawn, and only then gets its scripts, as on a slow
    connection.

    The font is blocked: Chromium accepts an optional font up to a tenth of a second after the first drawing, which no
    page can prevent.
    """
    was = {"read": asyncio.Event(), "drawn": asyncio.Event()}
    await opened.expose_function("say", lambda what: was[what].set())
    for script in (_SAY_WHEN, _COUNT_SHIFTS):
        await opened.add_init_script(script)
    page = await opened.new_page()
    await page.route("**/*.woff2", lambda route: route.abort())
    await page.route("**/*.css", lambda route: after(was["read"], route))
    await page.route("**/*.js", lambda route: after(was["drawn"], route))
    await page.goto(path, wait_until="load")
    await page.wait_for_timeout(_QUIET_MS)
    return list(await page.evaluate("window.shifts"))


async def after(event: asyncio.Event, route: Route) -> None:
    """Let the request for the file reach the server only after this has happened."""
    await event.wait()
    await route.continue_()


async def compressed(opened: BrowserContext, addresses: Iterable[str]) -> int:
    """The size of these files as the server compresses them, without headers."""
    bodies = [await (await opened.request.get(address)).body() for address in addresses]
    return sum(len(file_bodies(body)[Encoding.BROTLI]) for body in bodies)


async def test_stylesheets_and_scripts_of_first_pages_are_small(browser: Browser, openmeet: Deployment) -> None:
    town = await built(openmeet)
    pages = {name: town.pages[name] for name in ("home", "discover", "event", "group", "series")}
    pages |= {"person": "", "groups": "/groups", "sign in": "/sign-in", "map": "/?view=map", "month": "/?view=month"}
    async with openmeet.db.transaction() as tx:
        (ben,) = await tx.fetch("select id from users where display_name = 'Ben'")
        guest = await sign_in.open_session(tx, (await person(tx, "Cleo")).user_id, SessionTransport.BROWSER)
    pages["person"] = f"/people/{ben['id']}"
    seen = {}
    for token in (guest.token, ""):
        for name, path in pages.items():
            async with context(browser, openmeet) as opened:
                if token:
                    await opened.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
                sizes = await fetched(opened, path)
                styles = await compressed(opened, [one for one in sizes if one.endswith(".css")])
                scripts = await compressed(opened, [one for one in sizes if one.endswith(".js")])
                seen[name, bool(token)] = (styles, scripts)
    too_large = {name: size for name, size in seen.items() if size[0] > MAX_STYLE_BYTES or size[1] > MAX_SCRIPT_BYTES}
    assert too_large == {}
    assert all(styles > 5_000 for styles, _ in seen.values()), seen


@WIDTH
async def test_the_first_load_is_light(browser: Browser, openmeet: Deployment, viewport: dict[str, int]) -> None:
    """Everything that the browser requests is counted, including pictures below the visible part."""
    town = await built(openmeet)
    # This page reports at once that its news was read, to its own address.
    del town.pages["news"]
    seen = {}
    async for name, path, opened in visits(town, openmeet, browser, viewport):
        sizes = seen[name] = await fetched(opened, path)
        assert {urlsplit(address).netloc for address in sizes} == {urlsplit(openmeet.url).netloc}, name
        assert 20_000 < sum(sizes.values()) <= MAX_BYTES, (name, sizes)
        assert len(sizes) <= MAX_REQUESTS, (name, sizes)
    assert len(seen) == 12


async def test_uploaded_pictures_stay_light_on_a_sharp_screen(browser: Browser, openmeet: Deployment) -> None:
    """Browsers get WebP in the size that they need, not the largest one."""
    town = await built(openmeet)
    await upload_picture(openmeet, town)
    for viewport in (PHONE, DESK):
        async with context(browser, openmeet, viewport=viewport, device_scale_factor=2) as opened:
            sizes = await fetched(opened, town.pages["event"])
        pictures = {address: size for address, size in sizes.items() if "/media/" in address}
        assert any(address.endswith("/medium") for address in pictures), pictures
        assert 10_000 < sum(pictures.values()) <= MAX_PICTURE_BYTES, pictures
        assert sum(sizes.values()) - sum(pictures.values()) <= MAX_BYTES, sizes


async def test_embeds_with_photos_are_light_on_a_sharp_screen(browser: Browser, openmeet: Deployment) -> None:
    """A single event, and a list of three events, each with a photo of its own: everything that the browser requests."""
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana")
        events = [await event_by(tx, ana, title=f"Board games {number}") for number in range(3)]
    for number, event in enumerate(events):
        made = prepare(photo(number))
        # The largest pictures of other pages. A drawing takes a quarter of this.
        assert len(made.bodies[media.Size.THUMBNAIL, media.PictureFormat.WEBP]) > 12_000
        key = PictureKey(f"{number:032x}")
        async with openmeet.db.transaction() as tx:
            await uploads.insert(tx, key, ana.user_id, made.width, made.height, 1)
            await actions.set_picture(tx, ana, event.slug, Picture(key, "Dice", made.width, made.height))
        for file, body in made.bodies.items():
            await put(openmeet.pictures, media.blob_key(key, *file), body)
    for path, size, number in ((f"/embed/events/{events[0].slug}", "square", 1), ("/embed/search", "small-square", 3)):
        for scheme in ("light", "dark"):
            async with context(browser, openmeet, viewport=PHONE, device_scale_factor=2, color_scheme=scheme) as opened:
                sizes = await fetched(opened, path)
            # Browsers request the icon of a page, but not of a frame.
            sizes = {address: size for address, size in sizes.items() if "/favicon" not in address}
            pictures = [address for address in sizes if "/media/" in address]
            assert (len(pictures), {address.rpartition("/")[2] for address in pictures}) == (number, {size}), sizes
            assert sum(sizes.values()) < MAX_EMBED_BYTES, sizes


def photo(seed: int) -> bytes:
    """A drawing with the grain and the detail of a photo."""
    out, drawn = io.BytesIO(), Image.open(io.BytesIO(scene("board", str(seed)))).convert("RGB")
    dice = random.Random(seed)
    for side in (1, 4, 16):
        width, height = drawn.width // side, drawn.height // side
        grain = Image.frombytes("RGB", (width, height), dice.randbytes(width * height * 3)).resize(drawn.size)
        drawn = Image.blend(drawn, grain, 0.2)
    drawn.save(out, "JPEG", quality=90)
    return out.getvalue()


@WIDTH
async def test_the_largest_picture_is_requested_at_once(
    browser: Browser, openmeet: Deployment, viewport: dict[str, int]
) -> None:
    """On the pages that begin with a picture, the largest part is that picture or a text. The picture is in the document,
    is not loaded lazily, which would wait for the stylesheets, and comes before other pictures. When it is drawn depends
    on the machine; ``tests/bench/first_load.py`` measures that.
    """
    town = await built(openmeet)
    await upload_picture(openmeet, town)
    town = replace(town, pages={name: town.pages[name] for name in ("home", "event", "group", "series")})
    seen = {}
    async for name, path, opened in visits(town, openmeet, browser, viewport):
        await opened.add_init_script(_NOTE_LARGEST)
        page = await opened.new_page()
        answer = await page.goto(path, wait_until="load")
        assert answer is not None
        await page.wait_for_timeout(_QUIET_MS)
        # On a busy machine, the picture of an event is drawn long after the text.
        while (largest := await page.evaluate("window.largest")) is None or (
            name.startswith("event") and not largest[0]
        ):
            await page.wait_for_timeout(_QUIET_MS)
        source, *how = largest
        if source:
            assert f'src="{source}"' in await answer.text(), name
            seen[name] = how
    assert {name: how for name, how in seen.items() if how != ["auto", "high"]} == {}


@WIDTH
async def test_page_load_causes_no_layout_shift(
    browser: Browser, openmeet: Deployment, viewport: dict[str, int]
) -> None:
    """Both for a signed-in person and for anonymous visitors."""
    town = await built(openmeet)
    seen = {name: await moved(opened, path) async for name, path, opened in visits(town, openmeet, browser, viewport)}
    assert {name: shifts for name, shifts in seen.items() if shifts} == {}
    assert len(seen) == 13


async def test_late_layout_shift_is_counted(browser: Browser, openmeet: Deployment) -> None:
    """Without this, the test above would prove nothing."""
    async with context(browser, openmeet) as opened:
        await opened.add_init_script(_COUNT_SHIFTS)
        page = await opened.new_page()
        await page.goto("/about", wait_until="load")
        await page.wait_for_timeout(_QUIET_MS)
        await page.evaluate(
            "document.querySelector('main').before(Object.assign(document.createElement('p'), { textContent: 'Late' }))"
        )
        await page.wait_for_timeout(_QUIET_MS)
        assert await page.evaluate("window.shifts.length") == 1
