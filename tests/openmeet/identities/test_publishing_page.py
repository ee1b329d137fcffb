"""The consent page: the preview before consent, "no" as the default, and withdrawal."""

import re
from dataclasses import replace
from html import unescape
from urllib.parse import urlsplit

import httpx
import pytest
from aiohttp import web

from groundwork.telemetry.metrics import Metrics
from openmeet.app import create_app
from openmeet.domain.attendance import actions, event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events import event_records
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import publishing_preferences
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion.apply import apply
from openmeet.network.publishing.consent import ConsentDependencies, preview
from openmeet.settings import Settings
from openmeet.tenants.configured import Tenant
from openmeet.web.site.services import Services
from tests.openmeet.deployment import INSTANCE, Deployment, deliver_all_publications, details
from tests.openmeet.ingestion.network import HERE, did, event, rsvp
from tests.openmeet.site_under_test import CODE_KEY, ORIGIN, Site, change_services, h1_of, inputs_of, sign_up
from tests.visible_text import visible_text
from tests.worker_pool import POOL


@pytest.fixture
def site(deployment: Deployment) -> Site:
    app = create_app(
        Services(
            replace(Settings(), public_url=ORIGIN),
            Tenant("default", deployment.db),
            CODE_KEY,
            deployment.clock,
            publishing=ConsentDependencies(deployment.network, deployment.custodial_pds),
            workers=POOL,
        ),
        Metrics("openmeet"),
    )
    return Site(app, deployment.db, deployment.clock)


async def publish(browser: httpx.AsyncClient, **fields: str) -> httpx.Response:
    return await browser.post("/settings/publishing", data=fields)


async def test_the_page_shows_what_would_be_published(site: Site):
    """The page shows an event as others see it, its record, the handle and the notice, and "no" is the default: the Enter
    key in the field for the name presses the first button, which has no value of its own and is hidden.
    """
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        answer = await browser.get("/settings/publishing")
    assert answer.status_code == 200
    assert h1_of(answer.text) == "Sync"
    assert "Anyone can read this and copies may remain" in answer.text
    assert "community.lexicon.calendar.event" in answer.text
    assert re.search(r'"createdAt": "[0-9-]{10}T[0-9:]{8}Z"', unescape(answer.text)), "without fractions of a second"
    inputs = inputs_of(answer.text)
    assert (inputs["handle"], inputs["publish"]) == ("ana.town.test", "no")
    form = answer.text.partition('<form class="card form" method="post" action="/settings/publishing"')[2]
    buttons = re.findall(r"<button([^>]*)>([^<]+)</button>", form)[:3]
    assert [("aria-hidden" in attributes, "value" in attributes, text) for attributes, text in buttons] == [
        (True, False, "Not now"),
        (False, True, "Yes, sync what’s public"),
        (False, False, "Not now"),
    ]


async def test_the_example_is_shown_as_a_person_sees_it(site: Site):
    """Only what is public: not the street of a place that only people who are going may know."""
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        example = visible_text((await browser.get("/settings/publishing")).text.partition("public-example")[2])
        assert "tea in the park" in example
        assert "The park, Your town" in example
        typed = {"title": "Tea", "starts": "2099-07-04T18:00", "time_zone": "UTC", "mode": "in_person"}
        place = {"venue_name": "At Ana’s", "locality": "Graz", "place_audience": "attendees"}
        await browser.post("/events/new", data=typed | place | {"visibility": "public"})
        page = (await browser.get("/settings/publishing")).text
    (example,) = re.findall(r'class="public-example".*?</section>', page, re.DOTALL)
    assert visible_text(example).endswith("for example Tea Saturday 4 July 2099, 18:00 Graz")
    assert "At Ana" not in page


async def test_the_edit_of_a_co_host_who_left_names_somebody_in_the_language_of_the_page(
    site: Site, deployment: Deployment
):
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        async with deployment.db.transaction() as tx:
            row = await tx.fetch_one("select id, display_name from users where email = 'ana@example.org'")
            assert row is not None
            ana = Caller(row["id"], row["display_name"])
            saved = await events.create(tx, ana, details(title="Tea"))
            await publishing_preferences.change(
                tx, ana.user_id, publishing_preferences.PublishingPreferences(lets_co_hosts_publish=True)
            )
            assert await publishing_preferences.permit_co_host_edit(tx, ana.user_id, ana.user_id, saved.id, 2)
            await tx.execute("update co_host_publications set co_host_id = null")
        await publish(browser, publish="yes", handle="ana")
        await deployment.deliver_jobs()
        page = await browser.get("/settings/publishing", headers={"accept-language": "de"})
    assert "Jemand hat" in page.text
    assert "Somebody" not in page.text


async def test_domain_of_handles_is_asked_for_again_after_an_outage(site: Site, deployment: Deployment):
    """Without a setting, the PDS is asked for the domain of handles. While it is unavailable, the page shows a guess,
    and no handle is accepted.
    """
    change_services(
        site.app,
        publishing=ConsentDependencies(deployment.network, replace(deployment.custodial_pds, handle_domain="")),
    )
    deployment.proxy.twists = lambda request, _: (
        web.json_response({}, status=503) if request.path.endswith("describeServer") else None
    )
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        guessed = inputs_of((await browser.get("/settings/publishing")).text)["handle"]
        assert guessed == f"ana.{urlsplit(deployment.custodial_pds.pds_url).hostname}"
        assert (await publish(browser, publish="yes", handle="ana")).status_code == 502
        deployment.proxy.twists = lambda _request, _answer: None
        assert inputs_of((await browser.get("/settings/publishing")).text)["handle"] == "ana.town.test"
        assert (await publish(browser, publish="yes", handle="ana")).status_code == 303


async def test_consent_creates_the_repository_and_the_page_says_so(site: Site, deployment: Deployment):
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        answer = await publish(browser, publish="yes", handle="ana")
        assert answer.status_code == 303
        assert "is being created" in (await browser.get("/settings/publishing")).text
        await deployment.deliver_jobs()
        page = (await browser.get("/settings/publishing")).text
        assert "You sync with other apps" in page
        assert "ana.town.test" in page
        await publish(browser, publish="no")
        assert "Show your public events in other apps, too?" in (await browser.get("/settings/publishing")).text


async def test_the_page_counts_published_and_retracted_records(site: Site, deployment: Deployment):
    """The numbers on the page agree with the repository."""
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        assert "Nothing of yours is public yet" in (await browser.get("/settings/publishing")).text
        typed = {"title": "Tea", "starts": "2099-07-04T18:00", "time_zone": "UTC", "online_url_audience": "attendees"}
        for visibility in ("public", "private"):
            await browser.post("/events/new", data=typed | {"mode": "online", "visibility": visibility})
        assert "we sync <strong>1 event</strong> now" in (await browser.get("/settings/publishing")).text
        for slug in await slugs(deployment):
            await browser.post(f"/events/{slug}/answer", data={"reply": "going"})
        assert "1 event and 1 answer</strong>" in (await browser.get("/settings/publishing")).text
        await publish(browser, publish="yes", handle="ana")
        await deployment.deliver_jobs()
        await deliver_all_publications(deployment)
        await publish(browser, publish="no")
        assert "We’re removing 2 copies" in (await browser.get("/settings/publishing")).text
        await deliver_all_publications(deployment)
        assert "We’re removing" not in (await browser.get("/settings/publishing")).text


async def slugs(deployment: Deployment) -> list[str]:
    async with deployment.db.reader() as reader:
        return [row["slug"] for row in await reader.fetch("select slug from events order by id")]


async def test_records_already_on_the_network_are_not_republished(deployment: Deployment):
    """A record written by another app of the person is published again only if it was changed on this site."""
    async with deployment.db.transaction() as tx:
        user_id = await identities.connect(tx, did(1), handle="ana.example", pds_url="https://pds.example")
        own = event(1, "tea", 1, "Tea", startsAt="2027-06-01T12:00:00Z")
        await apply(tx, HERE, [own, rsvp(1, "yes", 2, own.uri)])
        before = await preview(tx, user_id, instance=INSTANCE)
        found = await event_records.by_record_uri(tx, own.uri)
        assert found is not None
        ana = Caller(user_id, "Ana")
        await event_hosting.revise(tx, ana, found.slug, details(title="More tea"))
        changed = await preview(tx, user_id, instance=INSTANCE)
        await actions.answer(tx, ana, found.slug, RsvpReply.INTERESTED)
        answered = await preview(tx, user_id, instance=INSTANCE)
    assert [(one.events, one.answers) for one in (before, changed, answered)] == [(0, 0), (1, 0), (1, 1)]


async def test_no_choice_means_no(site: Site, deployment: Deployment):
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        assert (await publish(browser, handle="ana")).status_code == 303
    await deployment.deliver_jobs()
    async with deployment.db.reader() as reader:
        assert await reader.fetch("select did from identities") == []


async def test_a_taken_handle_is_refused_at_the_field(site: Site, deployment: Deployment):
    await deployment.account("ben")
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        answer = await publish(browser, publish="yes", handle="ben")
        assert answer.status_code == 400
        assert "ben.town.test is taken. Choose another name." in answer.text
        assert inputs_of(answer.text)["handle"] == "ben"
        answer = await publish(browser, publish="yes", handle="a b")
        assert answer.status_code == 400


async def test_a_handle_taken_meanwhile_can_be_replaced(site: Site, deployment: Deployment):
    """If the handle was taken between the consent and the account creation, the page says so and asks for another one."""
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        await publish(browser, publish="yes", handle="ana")
        await deployment.account("ana")
        await deployment.deliver_jobs()
        page = (await browser.get("/settings/publishing")).text
        assert "ana.town.test is taken" in page
        assert (await publish(browser, publish="yes", handle="ana-two")).status_code == 303
        await deployment.deliver_jobs()
        assert "ana-two.town.test" in (await browser.get("/settings/publishing")).text


async def test_next_leads_back_and_never_to_another_site(site: Site):
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        there = await publish(browser, publish="no", next="/events/tea")
        elsewhere = await publish(browser, publish="no", next="https://evil.example/")
    assert there.headers["location"].startswith("/events/tea")
    assert elsewhere.headers["location"].startswith("/settings/publishing")


async def test_signed_out_people_are_sent_to_sign_in(site: Site):
    async with site.browser() as browser:
        answer = await browser.get("/settings/publishing")
    assert answer.status_code == 303
    assert "/sign-in" in answer.headers["location"]
