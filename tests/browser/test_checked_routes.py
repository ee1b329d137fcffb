"""Every page is among those that the accessibility checks open: the route table names the pages, and each of them is
opened with content.
"""

from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
from starlette.routing import Match, Route

from groundwork.clock import HandClock
from openmeet import routes
from tests.browser.browsers import Deployment, deployment
from tests.browser.example_pages import DOORS, FOR_VISITORS, add_examples
from tests.browser.group_examples import add_group_examples
from tests.browser.moderation_examples import add_moderation_examples
from tests.browser.network_examples import add_network_examples, site_of_network
from tests.browser.operator_examples import OPERATORS, add_operator_examples
from tests.browser.page_problems import FAILURES
from tests.browser.rare_examples import add_rare_examples
from tests.databases import MakeDatabase
from tests.openmeet.deployment import Deployment as Network
from tests.openmeet.deployment import deployment as network
from tests.timeouts import TIMEOUT_SECONDS

__all__ = ["network"]

# Routes whose answer is no page.
_FILES: Final = (".ics", ".atom", ".json", ".csv", ".xml", ".txt", ".js", ".jwt", ".webmanifest", "/{size}", "/file")
_STREAMS: Final = ("/live", "/chat/live")
_DOWNLOADS: Final = ("/chat/rooms/{room}/export", "/settings/data/download", "/tiles/{zoom}/{x}/{y}")
_REDIRECTS: Final = (
    "/sign-up",
    "/groups/{slug}/chat",
    "/series/{slug}/dates/{original_date}",
    "/mail/decline/list/{token}",
    "/mail/decline/group/{token}",
)
_NO_PAGES: Final = {*_STREAMS, *_DOWNLOADS, *_REDIRECTS}
_LEFT_OUT: Final = {
    "/recurrence/preview": "a part of the form of an event, which is checked with the form",
    "/places/choices": "a part of the form of an event, which is checked with the form",
    "/events/new/audience": "a part of the form of an event, which is checked with the form",
    "/dev/mail/{mail}": "an e-mail",
    "/sign-in/form": "test_expired_session.py checks it, because it shows what was typed before",
}


def _pages() -> dict[str, Route]:
    """The routes that can answer with a page, by path."""
    table = (*routes.open_pages(), *routes.embeds(), *routes.pages())
    return {one.path: one for one in table if "GET" in (one.methods or ()) and not one.path.endswith(_FILES)}


def _answered_by(route: Route) -> Any:
    """The function behind a route. The chats of events, of groups and others share their pages."""
    return route.endpoint.func if isinstance(route.endpoint, partial) else route.endpoint


async def test_every_page_is_checked(
    make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path, network: Network
) -> None:
    pages, mail = _pages(), tmp_path / "mail"
    opened: set[str] = set()
    for add in (add_examples, add_group_examples, add_moderation_examples, add_rare_examples):
        async with deployment(await make_sqlite("openmeet"), clock, mail) as site:
            token, paths = await add(site)
            opened |= await _opened(site, token, paths)
            if add is add_examples:
                opened |= await _opened(site, None, {name: paths[name] for name in FOR_VISITORS} | DOORS)
    async with deployment(await make_sqlite("openmeet"), clock, mail, operators=OPERATORS) as site:
        opened |= await _opened(site, *await add_operator_examples(site, make_sqlite, clock))
    async with site_of_network(network, mail) as site:
        for token, paths in await add_network_examples(network, site):
            opened |= await _opened(site, token, paths)
    checked = {_answered_by(pages[path]) for path in opened & pages.keys()}
    unchecked = {path for path, route in pages.items() if _answered_by(route) not in checked}
    assert unchecked == _NO_PAGES | _LEFT_OUT.keys()


async def _opened(site: Deployment, token: str | None, paths: dict[str, str]) -> set[str]:
    """Open the pages. Returns the paths of their routes."""
    cookies = {} if token is None else {"openmeet_session": token}
    found = set()
    pages = _pages()
    async with httpx.AsyncClient(base_url=site.url, cookies=cookies, timeout=TIMEOUT_SECONDS) as browser:
        for name, path in paths.items():
            answer = await browser.get(path, follow_redirects=True)
            assert answer.status_code == FAILURES.get(name, 200), name
            asked = {"type": "http", "method": "GET", "path": answer.url.path}
            matching = (path for path, one in pages.items() if one.matches(asked)[0] is Match.FULL)
            found.add(next(matching, ""))
    return found
