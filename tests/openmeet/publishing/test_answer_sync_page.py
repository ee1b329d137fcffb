"""The sync page of a person's own RSVP: what this site and their account have, and what they can choose."""

import re

import httpx
import pytest

from openmeet.domain.attendance import actions
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.events.model import Event
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller
from openmeet.network.records.collections import RSVP
from tests.openmeet.deployment import Deployment, deployment_on_each
from tests.openmeet.publishing.answers import change_answer_in_app, publish_going_answer
from tests.openmeet.publishing.other_app import cleos_records
from tests.openmeet.site_under_test import site_on

__all__ = ["deployment_on_each"]


async def request_of(deployment: Deployment, who: Caller | None, method: str, path: str, **form: str) -> httpx.Response:
    async with site_on(deployment.db, deployment.clock).browser() as browser:
        if who is not None:
            async with deployment.db.transaction() as tx:
                session = await sign_in.open_session(tx, who.user_id, SessionTransport.BROWSER)
            browser.cookies.set("openmeet_session", session.token)
        return await browser.request(method, path, data=form or None)


async def page_of(deployment: Deployment, who: Caller, event: Event) -> str:
    answer = await request_of(deployment, who, "GET", f"/events/{event.slug}/answer/sync")
    assert answer.status_code == 200
    return words(answer.text.partition("<main")[2].partition("</main>")[0])


def words(markup: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"<svg.*?</svg>", "", markup, flags=re.DOTALL)).split())


async def listen(deployment: Deployment, who: Caller) -> None:
    await deployment.listen(who.user_id)


async def test_a_published_answer_matches(deployment_on_each: Deployment):
    """The account has the answer, even before it comes back on the firehose."""
    deployment = deployment_on_each
    cleo, did, event, _ = await publish_going_answer(deployment)
    page = await page_of(deployment, cleo, event)
    assert "Everything matches. There’s nothing for you to choose." in page
    assert "On this site Going In your account Going" in page
    assert "Stop sharing my answer" in page
    assert f"Technical details at://{did}/{RSVP}/" in page
    linked = (await request_of(deployment, cleo, "GET", f"/events/{event.slug}")).text
    assert f'href="/events/{event.slug}/answer/sync"' in linked


async def test_an_answer_changed_in_another_app_is_in_the_history(deployment: Deployment):
    """It is merged automatically. The page says which one counts, and when each was given."""
    cleo, _, event, _ = await publish_going_answer(deployment)
    await listen(deployment, cleo)
    (record,) = await cleos_records(deployment, RSVP)
    await change_answer_in_app(deployment, record, "interested")
    await listen(deployment, cleo)
    page = await page_of(deployment, cleo, event)
    assert "On this site Maybe In your account Maybe" in page
    assert "Everything matches." in page
    happened = page.partition("What happened")[2]
    assert re.search(r"Going → maybe .* In another app Going .* On this site", happened)


async def test_two_answers_at_once_show_the_decision(deployment: Deployment):
    """Cleo answered here and in another app before either was synced. The later answer counts."""
    cleo, _, event, _ = await publish_going_answer(deployment)
    await listen(deployment, cleo)
    (record,) = await cleos_records(deployment, RSVP)
    await change_answer_in_app(deployment, record, "interested")
    await deployment.answer(cleo, event.slug, RsvpReply.DECLINED)
    await listen(deployment, cleo)
    page = await page_of(deployment, cleo, event)
    assert "We kept the later answer." in page
    assert "Your version In use not going Other version maybe Answer again to change this." in page
    assert "On this site Not going In your account Maybe" in page
    assert "Your last answer isn’t synced. There’s nothing for you to choose. Syncing" in page
    await deployment.deliver_publications()
    assert "On this site Not going In your account Not going" in await page_of(deployment, cleo, event)


@pytest.mark.parametrize("choice", ["here", "account"])
async def test_an_answer_that_was_kept_here_can_be_settled(deployment: Deployment, choice: str):
    """Cleo changed her mind without sharing it, so other apps show her earlier answer until she chooses."""
    cleo, _, event, _ = await publish_going_answer(deployment)
    async with deployment.db.transaction() as tx:
        await actions.answer(tx, cleo, event.slug, RsvpReply.INTERESTED, ReplyDetails(skips_record=True))
    await deployment.deliver_publications()
    page = await page_of(deployment, cleo, event)
    assert "Your answer differs here and in your account. Choose which one to keep." in page
    assert "On this site Maybe In your account Going Share “maybe” Use “going” here" in page
    form = {"share": "yes", "reply": "interested"} if choice == "here" else {"reply": "going"}
    saved = await request_of(deployment, cleo, "POST", f"/events/{event.slug}/answer", **form)
    assert saved.status_code == 303
    await deployment.deliver_publications()
    after = await page_of(deployment, cleo, event)
    label = "Maybe" if choice == "here" else "Going"
    assert f"On this site {label} In your account {label}" in after
    assert "Share “" not in after


async def test_an_answer_that_is_not_shared_stays_here(deployment: Deployment):
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben", agrees=False)
    event = await deployment.event(ana)
    await deployment.answer(ben, event.slug)
    page = await page_of(deployment, ben, event)
    assert "Only on this site." in page
    assert "On this site Going In your account Not there" in page
    assert "Where it is" not in page


async def test_a_withdrawn_answer_is_no_longer_in_the_account(deployment: Deployment):
    cleo, _, event, _ = await publish_going_answer(deployment)
    await request_of(deployment, cleo, "POST", f"/events/{event.slug}/answer/unpublish", sent="yes")
    assert "Being removed from your account" in await page_of(deployment, cleo, event)
    await deployment.deliver_publications()
    await listen(deployment, cleo)
    assert "On this site Going In your account Not there" in await page_of(deployment, cleo, event)


async def test_only_the_person_sees_it(deployment: Deployment):
    """Everyone else reads about their own answer, or that there is none. Hosts are no exception."""
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    event = await deployment.event(ana)
    await deployment.answer(ben, event.slug)
    path = f"/events/{event.slug}/answer/sync"
    assert (await request_of(deployment, ana, "GET", path)).status_code == 404
    visitor = await request_of(deployment, None, "GET", path)
    assert visitor.headers["location"].startswith("/sign-in")
