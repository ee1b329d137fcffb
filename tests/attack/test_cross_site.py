"""Every endpoint of the site that accepts more than GET, called by a page of another site with the visitor’s cookie."""

from typing import Final

from starlette.routing import Route

from groundwork.clock import HandClock
from groundwork.http.application import ANYWHERE
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import person, signed_in, site_on

# No cookie authenticates these: callers present a token in a header or in the URL. Mail programs unsubscribe from
# anywhere (RFC 8058).
_WITHOUT_COOKIES: Final = ("/api/", "/xrpc/", "/mail/")
_FROM_ELSEWHERE: Final = (
    {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
    {"origin": "https://evil.openmeet.test", "sec-fetch-site": "same-site"},
    {"origin": "null", "sec-fetch-site": "cross-site"},
    {"origin": "https://evil.example"},
    {"sec-fetch-site": "cross-site"},
)


async def test_every_cross_site_form_is_refused(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    site = site_on(await make_sqlite("openmeet", clock=clock), clock, dev_mode=True)
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
    taken, tried = set(), 0
    async with signed_in(site, ana.user_id) as browser:
        del browser.headers["origin"]
        for route in site.app.routes:
            assert isinstance(route, Route)
            for method in sorted((route.methods or set()) - {"GET", "HEAD", "OPTIONS"}):
                if route.path.startswith(_WITHOUT_COOKIES) or route.path == ANYWHERE:
                    continue
                path = _filled(route.path)
                for headers in _FROM_ELSEWHERE:
                    answer = await browser.request(method, path, data={"a": "b"}, headers=headers)
                    tried += 1
                    if answer.status_code != 403:
                        taken.add((method, route.path, answer.status_code))
    assert tried > 500
    assert not taken, sorted(taken)


def _filled(template: str) -> str:
    """A path that matches the template."""
    pieces = [piece.partition("}") for piece in template.split("{")]
    return pieces[0][0] + "".join(f"x{rest}" for _, _, rest in pieces[1:])
