"""One answer, two apps: a person answers on the site, changes the answer with another app, and cancels on the site again.

The browser uses real programs over HTTP: the site, its publisher and consumer, the person's PDS with its sign-in pages,
and the PLC directory. The other app is a client that writes to the person's repository by XRPC.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.browsers import DESK, PHONE, Count, sideways, small_targets
from tests.external_dependencies import needs
from tests.system.single_process import Up, get, post, running_up
from tests.system.tour.polling import eventually

pytestmark = needs("chromium")

EVENT = "community.lexicon.calendar.event"
RSVP = "community.lexicon.calendar.rsvp"


@pytest.fixture(scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Up]:
    async with running_up(tmp_path_factory.mktemp("up"), "--ephemeral") as running:
        yield running


@dataclass
class OtherApp:
    """A client of the PDS, signed in to one of the ready-made accounts. It does not use the site."""

    up: Up
    did: str
    token: str

    async def create(self, collection: str, record: dict[str, Any]) -> str:
        """Create a record and return its URI."""
        body = {"repo": self.did, "collection": collection, "record": {"$type": collection, **record}}
        return str((await post(f"{self.up.pds}/xrpc/com.atproto.repo.createRecord", body, self.token))["uri"])

    async def answers_to(self, event_uri: str) -> list[dict[str, Any]]:
        """The RSVP records about an event, as anyone can read them at the PDS."""
        url = f"{self.up.pds}/xrpc/com.atproto.repo.listRecords"
        records = (await get(url, repo=self.did, collection=RSVP)).json()["records"]
        return [one for one in records if one["value"]["subject"]["uri"] == event_uri]

    async def status_of(self, event_uri: str) -> str:
        """The status of the only RSVP record about an event; empty if there is none."""
        found = await self.answers_to(event_uri)
        assert len(found) <= 1, found
        return str(found[0]["value"]["status"]).rpartition("#")[2] if found else ""

    async def change(self, record: dict[str, Any], status: str) -> None:
        """Replace the record by one with another status, unless somebody has changed it since it was read."""
        body = {
            "repo": self.did,
            "collection": RSVP,
            "rkey": record["uri"].rpartition("/")[2],
            "record": record["value"] | {"status": f"{RSVP}#{status}"},
            "swapRecord": record["cid"],
        }
        await post(f"{self.up.pds}/xrpc/com.atproto.repo.putRecord", body, self.token)


async def other_app(up: Up, person: int) -> OtherApp:
    session = await up.pds_session(person)
    return OtherApp(up, session["did"], session["accessJwt"])


async def event_path(up: Up, uri: str) -> str:
    """Wait until the site has read an event from the network, and return the path of its page."""

    async def look() -> str | None:
        found = (await get(f"{up.openmeet}/api/events", uri=uri)).json()["events"]
        return f"/events/{found[0]['slug']}" if found else None

    return await eventually(look)


async def sign_in_at_own_server(page: Page, up: Up, person: int, path: str) -> None:
    """From the site to the person's PDS, where they enter the password and allow the site, and back."""
    who = up.ready["people"][person]
    await page.goto(f"/sign-in?next={path}")
    await page.get_by_role("link", name="Bluesky or another account").click()
    await page.get_by_label("Account name or server").fill(who["handle"])
    await page.get_by_role("button", name="Continue at your server").click()
    await page.wait_for_url(f"{up.pds}/oauth/**")
    await page.get_by_label("Password").fill(who["password"])
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.get_by_role("button", name="Allow", exact=True).click()
    await page.wait_for_url(f"{up.openmeet}{path}")


async def until_shown(page: Page, words: str) -> None:
    """Reload the page until the card of the person's answer shows this text."""
    shown = page.locator(".card.answer").get_by_text(words, exact=True).first

    async def look() -> bool:
        await page.reload()
        return await shown.is_visible()

    await eventually(look)


@pytest.mark.parametrize(
    ("size", "script", "host_number", "person"),
    [
        pytest.param(PHONE, True, 0, 1, id="phone"),
        pytest.param(DESK, True, 0, 2, id="desk"),
        # Each person is asked only once whether to share answers, so a third one is needed.
        pytest.param(PHONE, False, 1, 0, id="phone without scripts"),
    ],
)
async def test_answer_is_the_same_on_the_site_and_in_another_app(
    browser: Browser, up: Up, size: dict[str, int], *, script: bool, host_number: int, person: int
) -> None:
    """Answering, sharing the answer and cancelling it take five taps."""
    host, theirs = await other_app(up, host_number), await other_app(up, person)
    when = {"createdAt": "2026-11-20T12:00:00Z", "startsAt": "2037-06-01T12:00:00Z", "endsAt": "2037-06-01T14:00:00Z"}
    uri = await host.create(EVENT, {"name": f"Choir rehearsal {person}", **when})
    path = await event_path(up, uri)
    opened = await browser.new_context(
        viewport=size,  # type: ignore[arg-type]  # a viewport
        locale="en-GB",
        base_url=up.openmeet,
        java_script_enabled=script,
    )
    opened.set_default_timeout(30_000)
    page = await opened.new_page()
    await sign_in_at_own_server(page, up, person, path)
    bar = page.locator(".answer-bar")
    count = Count()

    # Answered on the site. The record is written after the person consents.
    await count.tap(bar.get_by_role("button", name="I’m going"))
    await expect(bar.get_by_text("You’re going.")).to_be_visible()
    assert await theirs.answers_to(uri) == []
    await count.tap(page.get_by_role("link", name="Share it with other apps?"))
    await count.tap(page.get_by_role("button", name="Yes, sync what’s public"))
    await page.wait_for_url(f"**{path}")

    async def record() -> dict[str, Any] | None:
        return next(iter(await theirs.answers_to(uri)), None)

    written = await eventually(record)
    assert written["value"]["status"] == f"{RSVP}#going"
    assert written["uri"].startswith(f"at://{theirs.did}/{RSVP}/")
    # The site stores the outcome after the record can be read.
    await until_shown(page, "Synced")

    # Changed in the other app.
    await theirs.change(written, "interested")
    await until_shown(page, "You said maybe.")
    assert await sideways(page) <= 0
    assert await small_targets(page) == []

    # Cancelled on the site.
    await count.tap(bar.locator(".answer-others > summary"))
    await count.tap(bar.get_by_role("button", name="Can’t go"))
    assert count.taps == 5
    await expect(bar.get_by_text("You said you can’t go.")).to_be_attached()

    async def is_cancelled() -> bool:
        return await theirs.status_of(uri) == "notgoing"

    await eventually(is_cancelled)
    (last,) = await theirs.answers_to(uri)
    assert last["uri"] == written["uri"], "it is still the same record"
    assert await sideways(page) <= 0
    # The public page counts nobody.
    counts = (await get(f"{up.openmeet}/api/events", uri=uri)).json()["events"][0]["counts"]
    assert (counts["going"], counts["interested"]) == (0, 0)
    await opened.close()
