"""Events embedded in other websites: any site can frame them, everyone gets the same small page, and it contains only
public data.
"""

import base64
import gzip
import hashlib
import re
from collections.abc import AsyncIterator
from html import unescape

import httpx
import pytest

from groundwork.clock import HandClock
from openmeet.domain.moderation import visibility
from openmeet.domain.moderation.model import ModeratedKind, Subject, SubjectVisibility
from openmeet.domain.users.model import Caller
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, event_by, person, sign_up, site_on

EVENT = {"title": "Walk", "starts": "2026-07-04T18:00", "time_zone": "UTC", "visibility": "public", "submission": "s"}
GROUP = {
    "name": "Chess",
    "join_policy": "open",
    "visibility": "public",
    "promotion_level": "public",
    "time_zone": "UTC",
    "submission": "k",
}
MAX_BYTES = 15_000


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_sqlite("openmeet"), clock)


@pytest.fixture
async def visitor(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with site.browser() as browser:
        yield browser


@pytest.fixture
async def ana(site: Site) -> Caller:
    async with site.db.transaction() as tx:
        return await person(tx, "Ana")


async def made(site: Site, ana: Caller, **typed: str) -> str:
    """Create an event and return its path."""
    async with site.db.transaction() as tx:
        return f"/events/{(await event_by(tx, ana, **typed)).slug}"


async def things(site: Site) -> dict[str, str]:
    """The page and the embed of an event, a series, a group with an event, their host, and a search."""
    async with site.browser() as host:
        await sign_up(host, "zoe@example.org", "Zoe")
        posted = [
            await host.post("/groups/new", data=GROUP),
            await host.post("/events/new", data=EVENT | {"repeats": "FREQ=WEEKLY;BYDAY=SA", "ends_how": "never"}),
        ]
        group, series = [answer.headers["location"].partition("?")[0] for answer in posted]
        in_group = EVENT | {"title": "Blitz", "group": group.rpartition("/")[2], "submission": "t"}
        event = (await host.post("/events/new", data=in_group)).headers["location"].partition("?")[0]
    async with site.db.reader() as reader:
        row = await reader.fetch_one("select id from users where display_name = 'Zoe'")
    assert row is not None
    return {"Blitz": event, "Walk": series, "Chess": group, "Events by Zoe": f"/people/{row['id']}"}


async def test_titles_in_another_language_say_so(site: Site, visitor: httpx.AsyncClient, ana: Caller) -> None:
    """Otherwise a browser does not hyphenate long words of narrow embeds."""
    path = await made(site, ana, title="Nachbarschaftsversammlung", languages="de")
    for embed, level in ((f"/embed{path}", "h1"), ("/embed/search", "h2")):
        page = (await visitor.get(embed)).text
        assert f'<{level} lang="de">' in page, embed
        in_german = (await visitor.get(f"{embed}?lang=de")).text
        assert "lang" not in in_german.partition("<body>")[2], embed


async def test_every_kind_can_be_framed_and_everything_else_cannot(site: Site, visitor: httpx.AsyncClient) -> None:
    pages = await things(site)
    embeds = {f"/embed{page}": name for name, page in pages.items()} | {"/embed/search?q=walk": "Events: walk"}
    for path, name in embeds.items():
        answer = await visitor.get(path)
        assert (answer.status_code, name in answer.text) == (200, True), path
        assert "frame-ancestors *" in answer.headers["content-security-policy"]
        assert "x-frame-options" not in answer.headers
        assert not {"set-cookie", "strict-transport-security"} & answer.headers.keys()
    builders = [f"{page}/embed" for page in pages.values()] + ["/search/embed"]
    for path in [*pages.values(), *builders, "/", "/sign-in", "/embed.js", "/embed/nothing"]:
        answer = await visitor.get(path)
        assert answer.headers["x-frame-options"] == "DENY", path
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"], path


async def test_embeds_have_no_forms_and_load_nothing_from_other_hosts(site: Site, visitor: httpx.AsyncClient) -> None:
    for page in (await things(site)).values():
        text = (await visitor.get(f"/embed{page}")).text
        assert "<form" not in text
        for address in re.findall(r'(?:src|href)="([^"]+)"', text):
            assert address.startswith(("/", "http://openmeet.test/", "data:image/svg+xml,")), address
        for link in re.findall(r"<a [^>]*>", text):
            assert 'target="_blank"' in link
            assert "noopener" in link


async def test_only_what_is_public_is_shown(site: Site, ana: Caller, visitor: httpx.AsyncClient) -> None:
    walk = await made(site, ana, title="Walk")
    hidden = {
        "Quiet dinner": await made(site, ana, title="Quiet dinner", visibility="private"),
        "By link only": await made(site, ana, title="By link only", visibility="unlisted"),
        "Spam": await made(site, ana, title="Spam"),
    }
    async with site.db.transaction() as tx:
        row = await tx.fetch_one("select id from events where title = 'Spam'")
        assert row is not None
        spam, shown, gone = Subject(ModeratedKind.EVENT, row["id"]), SubjectVisibility.SHOWN, SubjectVisibility.HIDDEN
        assert await visibility.change(tx, spam, shown, gone, reason="An ad", by=ana.user_id)
    lists = [f"/embed/people/{ana.user_id}?events=12", "/embed/search?events=12"]
    for path in lists:
        text = (await visitor.get(path)).text
        assert "Walk" in text
        assert not [name for name in hidden if name in text], path
    for name, page in hidden.items():
        for path in (f"/embed{page}", f"{page}/embed"):
            answer = await visitor.get(path)
            assert (answer.status_code, name in answer.text) == (404, False), path
        absent = await visitor.get(f"/embed{page}")
        assert "Nothing to show" in absent.text
        assert "frame-ancestors *" in absent.headers["content-security-policy"]
    assert (await visitor.get(f"/embed{walk}")).status_code == 200


async def test_an_unlisted_group_is_not_embedded(site: Site, visitor: httpx.AsyncClient) -> None:
    """Its link shows the group to everyone who has it, but no code for other websites."""
    async with site.browser() as host:
        await sign_up(host, "zoe@example.org", "Zoe")
        made_group = await host.post("/groups/new", data=GROUP | {"visibility": "unlisted"})
        group = made_group.headers["location"].partition("?")[0]
        await host.post("/events/new", data=EVENT | {"group": group.rpartition("/")[2]})
        offering = "Show it on your website"
        for tab in ("", "/events"):
            shown = await host.get(f"{group}{tab}")
            assert (shown.status_code, offering in shown.text) == (200, False)
    assert (await visitor.get(group)).status_code == 200
    for path in (f"/embed{group}", f"{group}/embed"):
        answer = await visitor.get(path)
        assert (answer.status_code, "Walk" in answer.text) == (404, False), path


async def test_a_deleted_event_says_so_in_its_frame(site: Site, visitor: httpx.AsyncClient) -> None:
    async with site.browser() as host:
        await sign_up(host, "zoe@example.org", "Zoe")
        walk = (await host.post("/events/new", data=EVENT)).headers["location"].partition("?")[0]
        assert (await visitor.get(f"/embed{walk}")).status_code == 200
        await host.post(f"{walk}/delete", data={"reason": ""})
    answer = await visitor.get(f"/embed{walk}")
    assert (answer.status_code, "Nothing to show" in answer.text) == (410, True)


async def test_embeds_are_cached_and_the_same_for_everyone(site: Site, visitor: httpx.AsyncClient) -> None:
    async with site.browser() as host:
        await sign_up(host, "zoe@example.org", "Zoe")
        walk = (await host.post("/events/new", data=EVENT)).headers["location"].partition("?")[0]
        first = (await visitor.get(f"/embed{walk}")).text
        assert (await visitor.get(f"/embed{walk}")).text == first
        assert (await host.get(f"/embed{walk}")).text == first, "the host sees the public view"
        await host.post(f"{walk}/edit", data=EVENT | {"title": "Long walk"})
        assert "Long walk" in (await visitor.get(f"/embed{walk}")).text


async def test_a_cancelled_event_is_struck_out(site: Site, visitor: httpx.AsyncClient) -> None:
    async with site.browser() as host:
        await sign_up(host, "zoe@example.org", "Zoe")
        walk = (await host.post("/events/new", data=EVENT)).headers["location"].partition("?")[0]
        await host.post(f"{walk}/cancel", data={"reason": "Storm"})
    text = (await visitor.get(f"/embed{walk}")).text
    assert "<s>Walk</s>" in text
    assert "Cancelled" in text


async def test_the_largest_list_with_its_drawn_pictures_is_small(
    site: Site, ana: Caller, visitor: httpx.AsyncClient
) -> None:
    titles = ("Choir", "Board games", "Repair café", "Sunrise run", "Film night", "Language table")
    for number in range(12):
        await made(site, ana, title=f"{titles[number % 6]} number {number}", description="Bring shoes. " * 100)
    page = await visitor.get("/embed/search?events=12&accent=c2411d")
    text = page.text
    assert text.count("<li class") == 12
    files = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', text))
    assert len(files) == 3, "two stylesheets and a script"
    assert len(set(re.findall(r'src="(data:image/svg[^"]+)"', text))) == 12
    parts = [page.content, *[(await visitor.get(one)).content for one in sorted(files)]]
    assert sum(len(gzip.compress(one)) for one in parts) < MAX_BYTES * 2 // 3


@pytest.mark.parametrize(
    "asked",
    [
        "theme=%3Cscript%3E&accent=red&radius=-1&lang=xx&events=x&pictures=",
        "accent=%23fff;}body{display:none}&radius=1e9",
        "accent=javascript:alert(1)&events=99999999999999999999&radius=٣",
        "theme=dark&theme=light&accent=</style><script>alert(1)</script>",
        "lang=../../etc/passwd&events=0&radius=999",
    ],
)
async def test_hostile_parameters_fall_back(site: Site, ana: Caller, visitor: httpx.AsyncClient, asked: str) -> None:
    await made(site, ana, title="Walk")
    answer = await visitor.get(f"/embed/search?{asked}")
    assert (answer.status_code, "Walk" in answer.text) == (200, True)
    assert "alert(" not in answer.text
    assert "display:none" not in answer.text
    for style in re.findall(r"<style>(.*?)</style>", answer.text):
        assert re.fullmatch(r":root\{--round:\d{1,2}px\}", style), style


async def test_an_invalid_search_is_reported_in_the_frame(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.get("/embed/search?from=yesterday")
    assert (answer.status_code, "Nothing to show" in answer.text) == (400, True)


@pytest.mark.parametrize("theme", ["auto", "light", "dark"])
async def test_the_policy_allows_exactly_the_chosen_styles(
    site: Site, ana: Caller, visitor: httpx.AsyncClient, theme: str
) -> None:
    walk = await made(site, ana, title="Walk")
    answer = await visitor.get(f"/embed{walk}?theme={theme}&accent=ffee00&radius=0")
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'self' 'sha256-{digest}';" in answer.headers["content-security-policy"]
    assert "--round:0px" in style
    assert ("#ffee00" in style) is (theme != "light"), "yellow text on white is not readable"
    assert ("embed_dark.css" in answer.text) is (theme != "light")
    assert (f'content="{theme}"' in answer.text) is (theme != "auto")


async def test_the_colour_of_the_site_is_the_default(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    site = site_on(await make_sqlite("openmeet"), clock, accent_color="#6B21A8")
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
    walk = await made(site, ana, title="Walk")
    async with site.browser() as visitor:
        assert "--accent:#6b21a8;--on-accent:#ffffff" in (await visitor.get(f"/embed{walk}")).text
        assert "--accent" not in (await visitor.get(f"/embed{walk}?accent=0e6557")).text, "as in embed.css"
        built = (await visitor.get(f"{walk}/embed?accent=6b21a8")).text
        assert 'value="#6b21a8"' in built
        assert "accent=" not in built


async def test_language_is_the_visitors_or_the_chosen_one(site: Site, ana: Caller, visitor: httpx.AsyncClient) -> None:
    walk = await made(site, ana, title="Walk")
    german = {"accept-language": "de-DE"}
    assert "See event" in (await visitor.get(f"/embed{walk}")).text
    assert "Event ansehen" in (await visitor.get(f"/embed{walk}", headers=german)).text
    assert "Event ansehen" in (await visitor.get(f"/embed{walk}?lang=de")).text
    assert '<html lang="en" dir="ltr">' in (await visitor.get(f"/embed{walk}?lang=en", headers=german)).text


async def test_the_code_of_the_builder_shows_the_embed(site: Site, ana: Caller, visitor: httpx.AsyncClient) -> None:
    walk = await made(site, ana, title='"Walk" <b>& talk</b>')
    text = (await visitor.get(f"{walk}/embed?theme=dark&radius=4&script=yes")).text
    (shown,) = re.findall(r"<textarea[^>]*>(.*?)</textarea>", text, re.DOTALL)
    code = unescape(shown)
    assert "<b>" not in code, "a title cannot leave its attribute"
    (source, title) = re.findall(r'<iframe src="([^"]+)" title="([^"]+)"', code)[0]
    assert unescape(title) == '"Walk" <b>& talk</b>'
    assert unescape(source) == f"http://openmeet.test/embed{walk}?theme=dark&radius=4"
    assert (await visitor.get(unescape(source))).status_code == 200
    assert '<script src="http://openmeet.test/embed.js" async></script>' in code
    without = (await visitor.get(f"{walk}/embed?script=")).text
    assert "embed.js&#34; async" not in without
    assert "embed.js&quot; async" not in without


async def test_the_builder_of_a_search_keeps_the_search(site: Site, ana: Caller, visitor: httpx.AsyncClient) -> None:
    await made(site, ana, title="Walk")
    text = (await visitor.get("/search/embed?q=walk&events=3")).text
    assert '<input type="hidden" name="q" value="walk">' in text
    assert "/embed/search?q=walk&amp;events=3" in text


async def test_pages_link_to_the_builder(site: Site, visitor: httpx.AsyncClient) -> None:
    pages = await things(site)
    for page in pages.values():
        shown = f"{page}/share" if page.startswith("/events/") else page
        assert f'href="{page}/embed"' in (await visitor.get(shown)).text, shown
    assert 'href="/search/embed?q=walk"' in (await visitor.get("/?q=walk")).text
