"""After creation, the page does not call an event public if the event is restricted or waits for a moderator."""

import pytest

from openmeet.domain.moderation import policy
from openmeet.domain.moderation.model import ModerationPolicy
from tests.openmeet.series.series_forms import SERIES_FORM
from tests.openmeet.site_under_test import inputs_of, person, sign_up, site_on


@pytest.fixture
async def site(make_sqlite, clock):
    return site_on(await make_sqlite("openmeet"), clock)


async def landed(browser, **typed: str) -> str:
    """The text of the page that the form leads to."""
    form = inputs_of((await browser.get("/events/new")).text)
    made = await browser.post("/events/new", data=form | SERIES_FORM | typed)
    assert made.status_code == 303, made.text
    return (await browser.get(made.headers["location"])).text


@pytest.mark.parametrize(
    ("repeats", "visibility", "words"),
    [
        ("", "public", "Your event is live."),
        ("", "private", "Your event is ready. Now invite people."),
        (SERIES_FORM["repeats"], "public", "Your series is live."),
        (SERIES_FORM["repeats"], "unlisted", "Your series is live for everyone who has the link."),
        (SERIES_FORM["repeats"], "private", "Your series is ready."),
    ],
)
async def test_a_published_event_is_said_to_be_public(site, repeats, visibility, words):
    async with site.browser() as ana:
        await sign_up(ana, "ana@example.org", "Ana")
        assert words in await landed(ana, repeats=repeats, visibility=visibility)


@pytest.mark.parametrize("repeats", ["", SERIES_FORM["repeats"]])
async def test_a_held_event_is_not_called_public(site, repeats):
    async with site.db.transaction() as tx:
        mo = await person(tx, "Mo")
        await policy.change(tx, ModerationPolicy(holds_first_events=True), by=mo.user_id)
    async with site.browser() as ana:
        await sign_up(ana, "ana@example.org", "Ana")
        said = await landed(ana, repeats=repeats)
    assert "is live" not in said
    assert "once a moderator of this site has approved it" in said
    assert "Others see it once a moderator has looked at it." in said
    assert "tell people" not in said
