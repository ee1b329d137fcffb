"""The page for developers: its example works, and its table lists every operation of the OpenAPI document."""

import html
import re
import shlex
from urllib.parse import urlsplit

import pytest

from openmeet.domain.webhooks.model import WEBHOOK_EVENT_LABELS
from openmeet.routes import operations
from openmeet.web.help.pages import subjects_of
from tests.openmeet.site_under_test import ORIGIN, event_by, person, site_on


@pytest.fixture
async def site(make_sqlite, clock):
    return site_on(await make_sqlite("openmeet", clock=clock), clock, contact="a@kiez.test")


def listed(text: str) -> set[tuple[str, str, str]]:
    """The rows of the tables: method, path and summary."""
    cells = r'<td role="cell"><code>(.*?)</code></td><td role="cell"><code>(.*?)</code></td><td role="cell">(.*?)</td>'
    return {
        (method, path.replace("<wbr>", ""), html.unescape(summary)) for method, path, summary in re.findall(cells, text)
    }


async def test_the_table_lists_every_operation_once(site):
    async with site.browser() as browser:
        text = (await browser.get("/api")).text
    assert listed(text) == {(one.method, one.path, one.summary) for one in operations()}
    assert text.count('<tr role="row"><td') == len(operations())


async def test_the_example_works_without_a_token(site):
    async with site.db.transaction() as tx:
        await event_by(tx, await person(tx, "Ana"), title="Board games")
    async with site.browser() as browser:
        text = (await browser.get("/api")).text
        command = re.search(r"<code>(curl .*?)</code>", text)
        assert command is not None
        name, url = shlex.split(html.unescape(command[1]))
        assert (name, url.startswith(f"{ORIGIN}/api/")) == ("curl", True)
        parts = urlsplit(url)
        found = await browser.get(f"{parts.path}?{parts.query}")
    assert [event["title"] for event in found.json()["events"]] == ["Board games"]


async def test_the_page_says_where_to_go_next(site):
    """It works without a script, is linked from every page, and links to the settings and the document."""
    async with site.browser() as browser:
        assert '<a href="/api">API</a>' in (await browser.get("/help")).text
        text = (await browser.get("/api")).text
        assert (await browser.post("/api", headers={"origin": ORIGIN})).status_code == 405
    assert '<a href="/api" aria-current="page">API</a>' in text
    for address in ("/settings/tokens", "/settings/webhooks", "/api/openapi.json", "mailto:a@kiez.test"):
        assert f'href="{address}"' in text
    for kind in WEBHOOK_EVENT_LABELS:
        assert f"<code>{kind}</code>" in text


@pytest.mark.parametrize(
    ("per_minute", "words"),
    [(700, "700 requests a minute, and one internet address 2,800"), (0, "doesn’t limit how many requests")],
)
async def test_the_limits_are_those_of_the_site(make_sqlite, clock, per_minute, words):
    database = await make_sqlite("openmeet", clock=clock)
    site = site_on(database, clock, api_requests_per_minute=per_minute)
    async with site.browser() as browser:
        assert words in (await browser.get("/api")).text


async def test_german_readers_get_german_text_around_english_descriptions(site):
    async with site.browser() as browser:
        text = (await browser.get("/api", headers={"accept-language": "de"})).text
    assert "<h1>API für Entwickler:innen</h1>" in text
    assert "Die Beschreibungen sind auf Englisch." in text
    assert '<tbody role="rowgroup" lang="en" dir="ltr">' in text
    assert len(listed(text)) == len(operations())


def test_operations_are_grouped_by_subject():
    """Subjects and rows are in the order of the document."""
    document = {
        "tags": [{"name": "b", "description": "Bees"}, {"name": "a", "description": "Ants"}],
        "paths": {
            "/api/b": {"get": {"tags": ["b"], "summary": "All"}, "post": {"tags": ["b"], "summary": "One more"}},
            "/api/a/{id}": {"get": {"tags": ["a"], "summary": "One"}},
        },
    }
    found = subjects_of(document)
    assert [(one.title, [(row.method, row.path_parts) for row in one.rows]) for one in found] == [
        ("Bees", [("GET", ("api", "b")), ("POST", ("api", "b"))]),
        ("Ants", [("GET", ("api", "a", "{id}"))]),
    ]
