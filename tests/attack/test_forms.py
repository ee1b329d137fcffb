"""Every page and form, called with arbitrary input by its host, another person or anonymously, never returns 500 and
never changes somebody else's event.
"""

import re
from collections import Counter
from http import HTTPStatus

import httpx

from groundwork.clock import HandClock
from openmeet.domain.events.queries import by_slug
from openmeet.routes import pages
from tests.attack.garbage import SEED, Garbage, internals_in
from tests.databases import MakeDatabase
from tests.openmeet.privacy.site_crawler import UNLIMITED
from tests.openmeet.site_under_test import sign_up, site_on

ROUNDS = 3

_FORM = {"title": "Board games", "starts": "2026-07-04T18:00", "time_zone": "Europe/Berlin"}
_FIELDS = (
    "title", "starts", "ends", "time_zone", "description", "mode", "venue_name", "country", "online_url",
    "online_url_audience", "capacity", "visibility", "submission", "revision", "reason", "reply", "next",
    "display_name", "bio", "email", "challenge", "code", "identifier", "password", "q", "from", "to", "after", "which",
    "again",
)  # fmt: skip
_KNOWN = {
    "title": ["東京パーティー", "Board games"],
    "starts": ["2026-07-04T18:00", "2026-03-29T02:30"],
    "time_zone": ["Europe/Berlin", "+23:59", "+24:00"],
    "mode": ["online", "in_person", "hybrid"],
    "visibility": ["public", "private"],
    "reply": ["going", "declined"],
    "which": ["past"],
    "next": ["/", "//evil.example", "/\\evil.example", "https://evil.example", "/events/new"],
    "email": ["ada@example.org"],
    "display_name": ["Ada"],
    "revision": ["1", "99"],
    "capacity": ["1", "1000000"],
}


def _fields(garbage: Garbage) -> dict[str, str]:
    return {name: garbage.text(name)[:9000] for name in _FIELDS if garbage.is_hurt(0.5)}


async def test_hostile_forms_neither_fail_nor_change_another_persons_event(
    make_database: MakeDatabase, clock: HandClock
) -> None:
    print(f"seed {SEED}")
    # With a fixed clock, a limit per minute would refuse all but the first of these thousands of requests.
    site = site_on(await make_database("openmeet"), clock, **UNLIMITED)
    async with site.browser() as host, site.browser() as other, site.browser() as nobody:
        await sign_up(host, "host@example.org", "Host")
        await sign_up(other, "other@example.org", "Other")
        made = await host.post("/events/new", data={**_FORM, "visibility": "private"})
        slug = made.headers["location"].rpartition("/")[2]
        async with site.db.reader() as reader:
            before = await by_slug(reader, slug)
        wrong: list[str] = []
        statuses: Counter[int] = Counter()
        for asked_by in (other, nobody, host):
            for number, route in enumerate(pages()):
                garbage = Garbage(SEED + number, _KNOWN)
                for _ in range(ROUNDS):
                    wrong += await _ask(asked_by, garbage, route.path, min(route.methods or ()), slug, statuses)
            if asked_by is not host:
                async with site.db.reader() as reader:
                    assert await by_slug(reader, slug) == before
        assert not wrong, "\n".join(wrong)
        assert statuses[HTTPStatus.TOO_MANY_REQUESTS] < statuses.total() / 20, (
            f"most pages were not reached: {statuses}"
        )


async def _ask(
    browser: httpx.AsyncClient, garbage: Garbage, path: str, method: str, slug: str, statuses: Counter[int]
) -> list[str]:
    address = re.sub(r"\{[^}]*\}", slug if garbage.is_hurt(0.8) else "…", path)
    fields = _fields(garbage)
    if method == "GET":
        answer = await browser.get(address, params={name: value[:200] for name, value in fields.items()})
    else:
        answer = await browser.post(address, data=fields)
    statuses[answer.status_code] += 1
    asked = f"{method} {address} {fields!r}"
    location = answer.headers.get("location", "/")
    complaints = []
    if answer.status_code >= 500:
        complaints.append("broken")
    if not location.startswith("/") or location.startswith(("//", "/\\")):
        complaints.append(f"leads to {location}")
    if answer.status_code >= 400 and (found := internals_in(answer.content, asked)):
        complaints.append("says " + ", ".join(found))
    if "<script>alert" in answer.text or 'href="javascript' in answer.text.lower():
        complaints.append("runs what was typed")
    return [f"{complaint}: {asked[:600]} -> {answer.status_code}" for complaint in complaints]


async def test_forms_are_read_in_no_other_encoding_than_utf_8(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """Anybody can name one. Punycode takes quadratic time, and the others fail or leave half of a character."""
    site = site_on(await make_sqlite("openmeet"), clock, **UNLIMITED)
    refused = 0
    async with site.browser() as host, site.browser() as nobody:
        await sign_up(host, "host@example.org", "Host")

        async def post(browser: httpx.AsyncClient, path: str, encoding: str, text: bytes) -> bool:
            answer = await browser.post(
                re.sub(r"\{[^}]*\}", "x", path),
                content=b'--b\r\nContent-Disposition: form-data; name="title"\r\n\r\n%s\r\n--b--\r\n' % text,
                headers={"content-type": f"multipart/form-data; boundary=b; charset={encoding}"},
            )
            assert answer.status_code < 500, (path, encoding)
            return "unreadable character" in answer.text

        for encoding, text in (("punycode", b"a-b"), ("idna", b"xn--a."), ("utf-7", b"+2AA-"), ("Utf-16", b"\x00")):
            assert await post(nobody, "/events/new", encoding, text)
        assert not await post(nobody, "/events/new", '"UTF-8"', b"x")
        for route in pages():
            if "POST" in (route.methods or ()):
                refused += await post(host, route.path, "undefined", b"x")
                refused += await post(nobody, route.path, "undefined", b"x")
    assert refused > 100
