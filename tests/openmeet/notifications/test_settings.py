"""The notification settings page and its API; on both engines."""

import asyncio
import re
from datetime import time

import pytest

from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.notifications import email_links, preferences
from openmeet.domain.notifications.email_links import EmailLink, LinkPurpose
from openmeet.domain.notifications.model import Channel, DeliveryHours, NotificationTopic
from openmeet.domain.users.queries import by_email
from tests.openmeet.site_under_test import CODE_KEY, api_session, event_by, inputs_of, person, sign_up, site_on

FORM = {
    "changes_in_app": "on",
    "changes_mail": "digest",
    "answers_mail": "email",
    "week_mail": "email",
    "time_zone": "Europe/Berlin",
    "quiet_from": "22:00",
    "quiet_until": "07:00",
    "digest_hour": "18",
}
PATH, API = "/settings/notifications", "/api/notification-preferences"


@pytest.fixture
async def site(make_database, clock):
    return site_on(await make_database("openmeet"), clock)


async def chosen(site, email):
    async with site.db.reader() as reader:
        user = await by_email(reader, email)
        return await preferences.of_person(reader, user.id), await preferences.hours(reader, user.id)


async def test_choices_are_saved_and_shown(site):
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        fresh = await browser.get(PATH)
        assert inputs_of(fresh.text)["changes_in_app"] == ""
        assert 'name="week_mail" value="email">' in fresh.text
        assert (await browser.post(PATH, data=FORM)).status_code == 303
        shown = await browser.get(PATH)
    topics, hours = await chosen(site, "ana@example.org")
    assert topics[NotificationTopic.CHANGES] == {Channel.IN_APP, Channel.DIGEST}
    assert topics[NotificationTopic.ANSWERS] == {Channel.EMAIL}
    assert topics[NotificationTopic.REMINDERS] == set()
    assert topics[NotificationTopic.WEEK] == {Channel.EMAIL}
    assert 'name="week_mail" value="email" checked>' in shown.text
    assert hours == DeliveryHours("Europe/Berlin", (time(22), time(7)), 18)
    assert '<option value="22:00" selected>22:00</option>' in shown.text
    assert '<option value="18" selected>18:00</option>' in shown.text


@pytest.mark.parametrize(
    ("language", "choice", "meaning"),
    [
        ("en", "E-mail soon", "“Soon” means at once for invitations"),
        ("de", "E-Mail bald", "„Bald“ heißt sofort bei Einladungen"),
    ],
)
async def test_the_text_explains_the_choice_of_e_mails_that_are_not_daily(site, language, choice, meaning):
    """Some of them are combined, so the choice must not say that all are sent at once."""
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        page = (await browser.get(PATH, headers={"accept-language": language})).text
    assert f'<option value="email" selected>{choice}</option>' in page
    assert meaning in page


async def test_a_group_of_topics_says_what_is_chosen_for_it(site):
    """The line of a closed group has the value that all its topics have, or says that they differ."""
    off = {**FORM, "answers_mail": "", "changes_in_app": ""}
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        assert (await browser.post(PATH, data=off)).status_code == 303
        page = (await browser.get(PATH)).text
    states = dict(re.findall(r'<span>([^<]+)</span> <span class="fold-state">([^<]*)</span>', page))
    assert states["What you host and run"] == "Off"
    assert states["Events you go to"] == "Different for each"


async def test_errors_are_reported_and_typed_values_kept(site):
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        refused = await browser.post(PATH, data={**FORM, "quiet_until": ""})
    assert refused.status_code == 400
    assert "Fill in both times, or neither." in refused.text
    assert '<option value="22:00" selected>' in refused.text
    topics, _ = await chosen(site, "ana@example.org")
    assert topics[NotificationTopic.CHANGES] == {Channel.IN_APP, Channel.EMAIL}


async def test_a_choice_that_is_unknown_does_not_prevent_the_answer(site):
    """No page sends it. What else is wrong with the form is still said."""
    unknown = {f"{topic}_mail": "never" for topic in NotificationTopic}
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        refused = await browser.post(PATH, data={**FORM, **unknown, "quiet_until": ""})
    assert refused.status_code == 400
    assert "Fill in both times, or neither." in refused.text


async def test_of_concurrent_edits_of_one_version_one_succeeds(site):
    """The version in If-Match is compared under a lock, so no change is overwritten unnoticed."""
    async with site.browser() as browser:
        headers = await api_session(browser, "ana@example.org", "Ana")
        read = await browser.get(API, headers=headers)
        headers["if-match"] = read.headers["etag"]
        wanted = [{**read.json(), "digestHour": hour} for hour in range(10, 16)]
        answers = await asyncio.gather(*(browser.put(API, json=one, headers=headers) for one in wanted))
        del headers["if-match"]
        now = (await browser.get(API, headers=headers)).json()
    assert sorted(one.status_code for one in answers) == [200, *[412] * 5]
    assert now["digestHour"] == next(one.json()["digestHour"] for one in answers if one.status_code == 200)


async def test_an_older_page_does_not_replace_newer_preferences(site):
    """The page is shown again with what was chosen, and next to it what another tab saved. Saving again replaces it."""
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        opened = FORM | {"version": inputs_of((await browser.get(PATH)).text)["version"]}
        other_tab = opened | {"reminders_mail": "digest", "quiet_from": "21:00", "week_mail": ""}
        assert (await browser.post(PATH, data=other_tab)).status_code == 303
        assert (await browser.post(PATH, data=other_tab)).status_code == 303, "the same form, sent twice"
        stale = await browser.post(PATH, data=opened)
        assert stale.status_code == 409
        assert "This was changed after you opened this page." in stale.text
        assert '<p class="other" id="reminders_mail-other"><strong>Now:</strong> by e-mail: daily</p>' in stale.text
        assert 'id="quiet_from-other"' in stale.text
        assert '<p class="other" id="week_mail-other"><strong>Now:</strong> Off</p>' in stale.text
        assert 'id="changes_mail-other"' not in stale.text
        assert (await chosen(site, "ana@example.org"))[1].quiet == (time(21), time(7))
        again = opened | {"version": inputs_of(stale.text)["version"]}
        assert (await browser.post(PATH, data=again)).status_code == 303
    assert (await chosen(site, "ana@example.org"))[1].quiet == (time(22), time(7))


async def test_old_links_can_be_cancelled(site):
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        async with site.db.transaction() as tx:
            ana = await by_email(tx, "ana@example.org")
            token = await email_links.token_for(tx, CODE_KEY, EmailLink(ana.id, LinkPurpose.UNSUBSCRIBE, "changes"))
        assert (await browser.get(f"/mail/stop/{token}")).status_code == 200
        assert (await browser.post(f"{PATH}/revoke-links")).status_code == 303
        assert (await browser.get(f"/mail/stop/{token}")).status_code == 404


async def test_strangers_and_foreign_forms_change_nothing(site):
    async with site.browser() as browser:
        assert (await browser.get(PATH)).status_code in {303, 401}
        await sign_up(browser, "ana@example.org", "Ana")
        foreign = await browser.post(PATH, data=FORM, headers={"origin": "https://evil.example"})
        assert foreign.status_code == 403
    assert (await chosen(site, "ana@example.org"))[0][NotificationTopic.ANSWERS] == {Channel.IN_APP, Channel.EMAIL}


async def test_the_api_saves_what_it_shows(site):
    async with site.browser() as browser:
        session = await api_session(browser, "ana@example.org", "Ana")
        before = (await browser.get(API, headers=session)).json()
        assert before["reminders"] == {"inApp": True, "mail": "at_once"}
        assert before["weeklyEmail"] is False
        wanted = {
            **before,
            "reminders": {"inApp": False, "mail": "digest"},
            "weeklyEmail": True,
            "quietFrom": "21:30",
            "quietUntil": "08:00",
        }
        saved = await browser.put(API, json=wanted, headers=session)
        assert (saved.status_code, saved.json()) == (200, wanted)
        assert (await browser.get(API, headers=session)).json() == wanted
        refused = await browser.put(API, json={**wanted, "digestHour": 24}, headers=session)
        assert refused.status_code == 400
        for left_out in wanted:
            partial = {name: value for name, value in wanted.items() if name != left_out}
            refused = await browser.put(API, json=partial, headers=session)
            assert (refused.status_code, left_out in refused.text) == (400, True), left_out
        assert (await browser.get(API, headers=session)).json() == wanted
        assert (await browser.get(API)).status_code == 401


async def test_the_api_lists_notifications(site, clock):
    async with site.browser() as browser:
        session = await api_session(browser, "ana@example.org", "Ana")
        async with site.db.transaction() as tx:
            ana = await by_email(tx, "ana@example.org")
            ben = await person(tx, "Ben")
            event = await event_by(tx, type(ben)(ana.id, "Ana"))
            await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        listed = (await browser.get("/api/notifications", headers=session)).json()
        (item,) = listed["items"]
        assert (listed["unread"], item["kind"], item["isUnread"]) == (1, "new_answer", True)
        assert item["sentence"] == "Ben is going to Board games."
        assert (await browser.post("/api/notifications/read", headers=session)).status_code == 204
        assert (await browser.get("/api/notifications", headers=session)).json()["unread"] == 0
