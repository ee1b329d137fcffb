"""A host sees the event page as a guest or a stranger would, and cannot act on that page."""

import re

import httpx
import pytest

from groundwork.clock import HandClock
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller
from openmeet.domain.users.queries import by_email
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, event_by, person, sign_up, signed_in, site_on

SECRETS = {
    "venue_name": "Hinterhof",
    "street": "Ackerstraße 7",
    "place_audience": "attendees",
    "door_note": "Ring at Kowalska",
    "door_audience": "attendees",
}


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_sqlite("openmeet", clock=clock), clock)


async def hosted(site: Site, visibility: str = "public") -> Event:
    """An event of Ana's with an address for guests only. Ben goes, and Cleo goes with an answer that only hosts see."""
    async with site.db.transaction() as tx:
        user = await by_email(tx, "ana@example.org")
        assert user is not None
        event = await event_by(tx, Caller(user.id, "Ana"), title="Supper", **SECRETS)
        await attendance.answer(tx, await person(tx, "Ben"), event.slug, RsvpReply.GOING)
        hidden = await attendance.answer(tx, await person(tx, "Cleo"), event.slug, RsvpReply.GOING)
        await tx.execute("update attendances set is_private = 1 where id = :id", id=hidden.id)
        await tx.execute(
            "update events set visibility = :visibility where id = :id", visibility=visibility, id=event.id
        )
    return event


def main_of(html: str) -> str:
    """The visible content of the page, without tokens that differ between renderings."""
    return re.sub(r"\s+", " ", html.partition("<main")[2].partition("</main>")[0])


def without_fieldset(html: str) -> str:
    """The same content without the fieldset that disables the buttons."""
    found = re.fullmatch(r'(.*?)<fieldset class="as-shown" disabled>(.*)</fieldset> ?', main_of(html))
    assert found is not None
    return found[1] + found[2]


async def test_the_stranger_view_is_what_strangers_get(site: Site) -> None:
    async with site.browser() as host, site.browser() as anybody:
        await sign_up(host, "ana@example.org", "Ana")
        event = await hosted(site)
        path = f"/events/{event.slug}"
        seen = (await host.get(f"{path}?as=stranger")).text
        assert without_fieldset(seen) == main_of((await anybody.get(path)).text)
        assert "You’re viewing this as a visitor who isn’t signed in." in seen
        assert f'href="{path}">Back to hosting</a>' in seen
        assert 'href="/sign-in?next=' in seen


async def test_the_guest_view_has_exactly_what_guests_know(site: Site) -> None:
    async with site.browser() as host:
        await sign_up(host, "ana@example.org", "Ana")
        event = await hosted(site)
        path = f"/events/{event.slug}"
        own = (await host.get(path)).text
        guest = (await host.get(f"{path}?as=guest")).text
        stranger = (await host.get(f"{path}?as=stranger")).text
    assert f'href="{path}?as=guest"' in own
    assert "Cleo" in own
    for other in (guest, stranger):
        assert "Cleo" not in other
        assert f"{path}/attendees" not in other
        assert ">Ana<" not in other.partition("<main")[0]
    assert "Ring at Kowalska" in guest
    assert "Ackerstraße 7" in guest
    assert "Ring at Kowalska" not in stranger
    assert "Ackerstraße 7" not in stranger
    assert "Your ticket" in guest


async def test_nothing_can_be_sent_and_nothing_is_stored(site: Site) -> None:
    """Every button is in a disabled fieldset or leads to another page, and the guest is not stored."""
    async with site.browser() as host:
        await sign_up(host, "ana@example.org", "Ana")
        event = await hosted(site)
        before = await _rows(site)
        for who in ("guest", "stranger"):
            answer = await host.get(f"/events/{event.slug}?as={who}")
            assert answer.headers["cache-control"] == "no-store"
            head, _, rest = answer.text.partition('<fieldset class="as-shown" disabled>')
            inside, _, tail = rest.partition("</fieldset>\n  </main>")
            assert 'method="post"' in inside
            assert 'method="post"' not in head + tail
            assert "data-live=" not in answer.text
        assert await _rows(site) == before


async def _rows(site: Site) -> list[int]:
    async with site.db.reader() as reader:
        return [
            int((await reader.fetch_one(f"select count(*) as n from {table}"))["n"])
            for table in ("users", "attendances", "attendance_history", "outbox_jobs")
        ]


@pytest.mark.parametrize("who", ["guest", "stranger"])
async def test_other_people_cannot_use_another_view(site: Site, who: str) -> None:
    """The parameter is for hosts. Other people get their usual page."""
    async with site.browser() as host, site.browser() as anybody:
        await sign_up(host, "ana@example.org", "Ana")
        public = await hosted(site)
        async with site.db.transaction() as tx:
            ana = await by_email(tx, "ana@example.org")
            assert ana is not None
            private = await event_by(tx, Caller(ana.id, "Ana"), title="Secret", visibility="private")
            dana = await person(tx, "Dana")
        async with signed_in(site, dana.user_id) as other:
            for browser in (anybody, other):
                assert (await browser.get(f"/events/{private.slug}?as={who}")).status_code == 404
                page = (await browser.get(f"/events/{public.slug}?as={who}")).text
                assert "Ring at Kowalska" not in page
                assert "viewing-as" not in page


async def test_in_the_stranger_view_hidden_events_are_absent_for_the_host_too(site: Site) -> None:
    async with site.browser() as host:
        await sign_up(host, "ana@example.org", "Ana")
        event = await hosted(site, visibility="private")
        guest = await host.get(f"/events/{event.slug}?as=guest")
        stranger = await host.get(f"/events/{event.slug}?as=stranger")
    assert (guest.status_code, "Supper" in guest.text) == (200, True)
    assert (stranger.status_code, "Supper" in stranger.text) == (404, False)
    assert "You’re viewing this as a visitor who isn’t signed in." in stranger.text


async def made(browser: httpx.AsyncClient, path: str, data: dict[str, str]) -> str:
    answer = await browser.post(path, data=data)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def test_a_series_and_a_group_have_a_stranger_view(site: Site) -> None:
    async with site.browser() as host, site.browser() as anybody:
        await sign_up(host, "ana@example.org", "Ana")
        weekly = {
            "title": "Choir",
            "starts": "2026-03-03T18:00",
            "time_zone": "Europe/Berlin",
            "mode": "in_person",
            "venue_name": "The hall",
            "repeats": "FREQ=WEEKLY;BYDAY=TU",
            "ends_how": "never",
        }
        series = await made(host, "/events/new", weekly)
        group = await made(
            host,
            "/groups/new",
            {"name": "Singers", "visibility": "public", "join_policy": "open", "time_zone": "Europe/Berlin"},
        )
        for path in (series, group):
            path = path.partition("?")[0]  # noqa: PLW2901
            assert f'href="{path}?as=stranger"' in (await host.get(path)).text
            seen = await host.get(f"{path}?as=stranger")
            assert without_fieldset(seen.text) == main_of((await anybody.get(path)).text)
            assert "viewing-as" not in (await anybody.get(f"{path}?as=stranger")).text
