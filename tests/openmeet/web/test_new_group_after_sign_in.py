"""The form of a new group and signing in: what was typed is kept, and the person comes back to it."""

from groundwork.clock import HandClock
from openmeet.domain.groups.model import GroupSlug
from openmeet.domain.groups.queries import by_slug
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, inputs_of, sign_up, site_on

TYPED = {
    "name": "Chess & <b>cake</b>",
    "description": "Every Tuesday.\nBring a board.",
    "time_zone": "Europe/Berlin",
    "locality": "Berlin",
    "visibility": "unlisted",
    "join_policy": "request",
    "join_question": "Which opening do you play?",
}


async def _created(site: Site, location: str) -> dict[str, str]:
    async with site.db.reader() as reader:
        group = await by_slug(reader, GroupSlug(location.partition("?")[0].rpartition("/")[2]))
    assert group is not None
    details = group.details
    return {
        "name": details.name,
        "description": details.description,
        "time_zone": details.time_zone,
        "locality": details.locality,
        "visibility": details.visibility.value,
        "join_policy": details.join_policy.value,
        "join_question": details.join_question,
    }


async def test_a_visitor_comes_to_the_form_after_sign_in(make_database: MakeDatabase, clock: HandClock) -> None:
    site = site_on(await make_database("openmeet", clock=clock), clock)
    async with site.browser() as browser:
        asked = await browser.get("/groups/new")
        assert asked.headers["location"] == "/sign-in?next=%2Fgroups%2Fnew"
        following = inputs_of((await browser.get(asked.headers["location"])).text)["next"]
        back = await sign_up(browser, "ben@example.org", "Ben", next_path=following)
        assert back.headers["location"] == "/groups/new"
        assert (await browser.get("/groups/new")).status_code == 200


async def test_what_was_typed_survives_the_end_of_the_session(make_database: MakeDatabase, clock: HandClock) -> None:
    """Everything is created as typed, once, even if it is sent twice."""
    site = site_on(await make_database("openmeet", clock=clock), clock)
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        form = inputs_of((await browser.get("/groups/new")).text) | TYPED
        browser.cookies.delete("openmeet_session")
        refused = await browser.post("/groups/new", data=form)
        assert refused.status_code == 401
        kept = await browser.post("/sign-in/form?to=/groups/new", data=form)
        assert kept.headers["location"] == "/sign-in?next=/sign-in/form"
        back = await sign_up(browser, "ana@example.org", "Ana", next_path="/sign-in/form")
        assert back.headers["location"] == "/sign-in/form"
        shown = (await browser.get("/sign-in/form")).text
        assert 'action="/groups/new"' in shown
        assert "Chess &amp; &lt;b&gt;cake&lt;/b&gt;" in shown
        # Nothing exists before the person sends it.
        assert "Chess" not in (await browser.get("/groups")).text
        made = await browser.post("/groups/new", data=form)
        assert await _created(site, made.headers["location"]) == TYPED
        again = await browser.post("/groups/new", data=form)
        assert again.headers.get("location", "").partition("?")[0] in {"", made.headers["location"].partition("?")[0]}
    async with site.db.reader() as reader:
        assert len(await reader.fetch("select id from groups")) == 1
