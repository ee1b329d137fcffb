"""One's own records: they are written only to the person's server, and shown as waiting until the firehose brings them."""

import html
import re
from collections.abc import Awaitable, Callable

import httpx
import pytest

from openmeet.network.ingestion.backfill import backfill
from openmeet.network.own_records import repository
from openmeet.network.records.collections import EVENT, RSVP
from tests.openmeet.deployment import Deployment, records_listed
from tests.openmeet.sign_in.sign_in_site import SignInSite, link_account, site_for
from tests.openmeet.site_under_test import inputs_of

HERE = "/me/atproto"
Held = Callable[[], Awaitable[object]]
TYPED = {
    "name": "Tea in the park",
    "description": "Bring a cup.",
    "starts": "2026-07-04T18:00",
    "ends": "2026-07-04T20:00",
}


@pytest.fixture
async def site(deployment: Deployment) -> SignInSite:
    return site_for(deployment, deployment.db)


async def titles(site: SignInSite) -> list[str]:
    async with site.db.reader() as reader:
        return [row["title"] for row in await reader.fetch("select title from events where removed_at is null")]


async def test_records_are_written_to_the_server_and_come_back(site: SignInSite):
    """Creating, changing and deleting touch only the repository. The page marks records that the firehose has not
    brought yet, and unknown fields stay.
    """
    deployment = site.deployment
    await deployment.account("ana")
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana")
        ana = await site.identity("ana")
        assert "None yet" in (await browser.get(HERE)).text
        form = inputs_of((await browser.get(f"{HERE}/new")).text)
        for _ in range(2):  # the form is sent twice, but written once
            done = await browser.post(f"{HERE}/new", data={**form, **TYPED})
            assert (done.status_code, done.headers["location"]) == (303, HERE)
        page = (await browser.get(HERE)).text
        assert page.count("Tea in the park") == 2  # the row and its button
        assert "Saved on your server, here in a moment" in page
        assert await titles(site) == []
        await deployment.listen(ana.user_id)
        page = (await browser.get(HERE)).text
        assert ("Saved on your server, here in a moment" in page, "/events/tea-in-the-park" in page) == (False, True)
        assert await titles(site) == ["Tea in the park"]

        (rkey,) = set(re.findall(rf'{HERE}/([a-z2-7]{{13}})"', page))
        stranger = await deployment.stranger("ana")
        uri = {"repo": ana.did, "collection": EVENT, "rkey": rkey}
        held = await stranger.query("com.atproto.repo.getRecord", uri)
        assert isinstance(held["value"], dict)
        theirs = {**held["value"], "org.example.mood": "calm"}
        await stranger.procedure("com.atproto.repo.putRecord", {**uri, "record": theirs})
        shown = inputs_of((await browser.get(f"{HERE}/{rkey}")).text)
        assert (shown["name"], shown["starts"]) == (TYPED["name"], TYPED["starts"])
        await browser.post(f"{HERE}/{rkey}", data={**TYPED, "name": "Coffee in the park"})
        held = await stranger.query("com.atproto.repo.getRecord", uri)
        assert isinstance(held["value"], dict)
        assert (held["value"]["name"], held["value"]["org.example.mood"]) == ("Coffee in the park", "calm")
        assert await titles(site) == ["Tea in the park"]
        assert "Saved on your server, here in a moment" in (await browser.get(HERE)).text
        await deployment.listen(ana.user_id)
        assert await titles(site) == ["Coffee in the park"]

        assert (await browser.post(f"{HERE}/{rkey}/delete")).status_code == 303
        assert "Deleted on your server, gone here in a moment" in (await browser.get(HERE)).text
        assert await titles(site) == ["Coffee in the park"]
        await deployment.listen(ana.user_id)
        assert "None yet" in (await browser.get(HERE)).text
        assert await titles(site) == []


NEW = {
    "$type": EVENT,
    "createdAt": "2026-06-01T10:00:00Z",
    "startsAt": "2026-07-04T18:00:00Z",
}
THEIRS = {
    "$type": EVENT,
    "createdAt": "2026-06-01T10:00:00+02:00",
    "name": "Tea in the park",
    "description": "Come to #tea\n" + "and stay. " * 1_200,
    "facets": [{"index": {"byteStart": 8, "byteEnd": 12}, "features": [{"$type": "x.y#tag", "tag": "tea"}]}],
    "startsAt": "2026-07-04T18:00:30-06:00",
    "endsAt": "2026-07-04T20:00:45.5-06:00",
    "org.example.mood": "calm",
}


async def opened(
    site: SignInSite, browser: httpx.AsyncClient, record: dict[str, object]
) -> tuple[str, dict[str, str], Held]:
    """A record that another app has written: the URL of its form, the form's fields as a browser sends them, and a
    function that reads the record.
    """
    await site.deployment.account("ana")
    await site.sign_in_at_pds(browser, "ana")
    stranger = await site.deployment.stranger("ana")
    uri = {"repo": (await site.identity("ana")).did, "collection": EVENT, "rkey": "3mqdau33ozs2n"}
    await stranger.procedure("com.atproto.repo.putRecord", {**uri, "record": record, "validate": False})
    where = f"{HERE}/{uri['rkey']}"
    page = (await browser.get(where)).text
    (text,) = re.findall(r"<textarea[^>]*>\n?(.*?)</textarea>", page, re.DOTALL)

    async def held() -> object:
        return (await stranger.query("com.atproto.repo.getRecord", uri))["value"]

    # Browsers end lines with CRLF, as e-mail does.
    return where, {**inputs_of(page), "description": html.unescape(text).replace("\n", "\r\n")}, held


async def test_unchanged_form_fields_are_written_back_exactly(site: SignInSite):
    """Fields that were not changed are written back exactly: the UTC offset and seconds of a date, a text longer than
    the page shows, and the facets of the text.
    """
    async with site.browser() as browser:
        where, form, held = await opened(site, browser, THEIRS)
        for typed, record in (
            ({}, THEIRS),
            ({"name": "Coffee"}, {**THEIRS, "name": "Coffee"}),
            ({"ends": ""}, {key: THEIRS[key] for key in THEIRS if key != "endsAt"} | {"name": "Coffee"}),
        ):
            form = {**form, **typed, "version": inputs_of((await browser.get(where)).text)["version"]}
            done = await browser.post(where, data=form)
            assert (done.status_code, await held()) == (303, record)
        form["version"] = inputs_of((await browser.get(where)).text)["version"]
        await browser.post(where, data={**form, "description": "Short."})
        changed = await held()
    assert isinstance(changed, dict)
    assert changed["description"] == "Short."
    assert "facets" not in changed  # the facets belonged to the old text


async def test_mode_and_status_are_chosen_from_lists(site: SignInSite):
    """The form offers the values of the lexicon. An unknown value of another app is kept unless another one is chosen,
    and no value is invented.
    """
    deployment = site.deployment
    await deployment.account("ana")
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana")
        ana = await site.identity("ana")
        form = inputs_of((await browser.get(f"{HERE}/new")).text)
        await browser.post(f"{HERE}/new", data={**form, **TYPED, "mode": "virtual", "status": ""})
        uri = {"repo": ana.did, "collection": EVENT, "rkey": form["key"]}
        stranger = await deployment.stranger("ana")
        held = (await stranger.query("com.atproto.repo.getRecord", uri))["value"]
        assert isinstance(held, dict)
        assert (held["mode"], "status" in held) == (f"{EVENT}#virtual", False)
        await stranger.procedure(
            "com.atproto.repo.putRecord", {**uri, "record": {**held, "mode": "org.example#onboard"}}
        )
        path = f"{HERE}/{form['key']}"
        page = (await browser.get(path)).text
        assert page.count('<option value="" selected>Not specified') == 2
        shown = inputs_of(page) | {"mode": "", "status": ""}
        refused = await browser.post(path, data={**shown, "status": "rained-off"})
        assert (refused.status_code, "Choose one of the options" in refused.text) == (400, True)
        assert (await browser.post(path, data={**shown, "status": "cancelled"})).status_code == 303
        held = (await stranger.query("com.atproto.repo.getRecord", uri))["value"]
        assert isinstance(held, dict)
        assert (held["mode"], held["status"]) == ("org.example#onboard", f"{EVENT}#cancelled")


async def test_an_edit_of_a_record_that_changed_meanwhile_is_not_written(site: SignInSite):
    """Another app changed the record while the form was open. The app's change is kept, and so is the typed text."""
    async with site.browser() as browser:
        where, form, held = await opened(site, browser, THEIRS)
        stranger = await site.deployment.stranger("ana")
        theirs = {**THEIRS, "name": "Tea by the lake"}
        uri = {"repo": (await site.identity("ana")).did, "collection": EVENT, "rkey": where.rpartition("/")[2]}
        await stranger.procedure("com.atproto.repo.putRecord", {**uri, "record": theirs, "validate": False})
        refused = await browser.post(where, data={**form, "description": "Bring two cups."})
        assert (refused.status_code, "Bring two cups." in refused.text) == (409, True)
        assert await held() == theirs


async def test_a_form_sent_again_after_browser_back_writes_its_present_content(site: SignInSite):
    """The form is sent. After browser Back it is filled in differently and sent again. The page does not claim that the
    second version was written, and sending once more writes it.
    """
    deployment = site.deployment
    await deployment.account("ana")
    stranger = await deployment.stranger("ana")
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana")
        ana = await site.identity("ana")
        form = inputs_of((await browser.get(f"{HERE}/new")).text)
        assert (await browser.post(f"{HERE}/new", data={**form, **TYPED})).status_code == 303
        again = await browser.post(f"{HERE}/new", data={**form, **TYPED, "name": "Cake in the park"})
        assert (again.status_code, "save again to create another" in again.text) == (409, True)
        kept = inputs_of(again.text)
        assert (kept["name"], kept["starts"]) == ("Cake in the park", TYPED["starts"])
        done = await browser.post(f"{HERE}/new", data={**TYPED, "name": "Cake in the park", "key": kept["key"]})
        assert done.status_code == 303
        listed = await stranger.query("com.atproto.repo.listRecords", {"repo": ana.did, "collection": EVENT})
        assert sorted(one["value"]["name"] for one in records_listed(listed)) == ["Cake in the park", TYPED["name"]]


async def test_records_without_a_possible_date_can_be_opened(site: SignInSite):
    """A date to be announced stays open. If a record is not an event, the page says why, and the record can be deleted."""
    async with site.browser() as browser:
        undated = {key: THEIRS[key] for key in THEIRS if key not in {"startsAt", "endsAt"}}
        where, form, held = await opened(site, browser, undated)
        assert (await browser.post(where, data={**form, "name": "Coffee"})).status_code == 303
        assert await held() == {**undated, "name": "Coffee"}
        await browser.post(f"{where}/delete")
        stranger = await site.deployment.stranger("ana")
        uri = {"repo": (await site.identity("ana")).did, "collection": EVENT, "rkey": where.rpartition("/")[2]}
        far = {**THEIRS, "startsAt": "4000-01-01T00:00:00Z"}
        await stranger.procedure("com.atproto.repo.putRecord", {**uri, "record": far, "validate": False})
        page = await browser.get(where)
        assert (page.status_code, "years 1900 and 2200" in page.text) == (200, True)
        assert (await browser.post(where, data={**form, "version": ""})).status_code == 502
        assert (await browser.post(f"{where}/delete")).status_code == 303


async def test_a_failed_write_keeps_the_typed_text(site: SignInSite):
    """Invalid times are reported next to their field. A missing permission can be granted in another window while the
    form stays open.
    """
    await site.deployment.account("ana")
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana", without=f"repo:{EVENT}")
        wrong = await browser.post(f"{HERE}/new", data={**TYPED, "ends": "2026-07-04T17:00"})
        assert (wrong.status_code, "The end is before the start" in wrong.text, "Bring a cup." in wrong.text) == (
            400,
            True,
            True,
        )
        refused = await browser.post(f"{HERE}/new", data=TYPED)
        assert (refused.status_code, "Bring a cup." in refused.text) == (403, True)
        assert followed(refused.text, "Sign in or allow it") == "/settings/identity"
        other_app = await site.deployment.stranger("ana")
        record = {"repo": (await site.identity("ana")).did, "collection": EVENT, "rkey": "3mqdau33oz222"}
        await other_app.procedure("com.atproto.repo.createRecord", {**record, "record": {**NEW, "name": "Tea"}})
        undeleted = await browser.post(f"{HERE}/3mqdau33oz222/delete")
        assert undeleted.headers["location"] == "/settings/identity?next=%2Fme%2Fatproto%2F3mqdau33oz222"
        allowing = inputs_of((await browser.get(undeleted.headers["location"])).text)
        assert allowing["next"] == f"{HERE}/3mqdau33oz222"
        await other_app.procedure("com.atproto.repo.deleteRecord", record)
        # Deleting a record that does not exist needs no permission, because no request is sent.
        assert (await browser.post(f"{HERE}/3mqdau33oz222/delete")).headers["location"] == HERE
        assert (await browser.get(f"{HERE}/3mqdau33oz222")).status_code == 404
    listed = await repository.list_page(site.db, site.network, await site.identity("ana"), EVENT)
    assert listed == repository.OwnPage((), "")


async def test_an_answer_without_permission_keeps_the_choice(site: SignInSite):
    await site.deployment.account("ana")
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana", without=f"repo:{RSVP}")
        await browser.post(f"{HERE}/new", data=TYPED)
        (event,) = (await repository.list_page(site.db, site.network, await site.identity("ana"), EVENT)).records
        refused = await browser.post(f"{HERE}/answers/new", data={"event": str(event.uri), "answer": "interested"})
        assert (refused.status_code, inputs_of(refused.text)["event"]) == (403, str(event.uri))
        assert re.search(r'value="interested"[^>]*checked', refused.text)
        assert followed(refused.text, "Sign in or allow it") == "/settings/identity"


async def test_an_answer_does_not_reveal_the_link_of_an_unlisted_event(site: SignInSite):
    """Anybody can write an RSVP to the URI of a record that was public once. The link is all that protects the
    page.
    """
    deployment = site.deployment
    for name in ("ana", "ben"):
        await deployment.account(name)
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana")
        form = inputs_of((await browser.get(f"{HERE}/new")).text)
        await browser.post(f"{HERE}/new", data={**form, **TYPED})
        await deployment.listen((await site.identity("ana")).user_id)
    async with site.db.transaction() as tx:
        (event,) = await tx.fetch("select slug, record_uri, record_cid from events")
        await tx.execute("update events set visibility = 'unlisted', origin = 'here'")
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ben")
        stranger = await deployment.stranger("ben")
        record = {
            "$type": RSVP,
            "createdAt": "2026-06-01T10:00:00Z",
            "status": f"{RSVP}#going",
            "subject": {"uri": event["record_uri"], "cid": event["record_cid"]},
        }
        did = (await site.identity("ben")).did
        await stranger.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": RSVP, "record": record})
        page = (await browser.get(HERE)).text
    assert "Saved on your server, here in a moment" in page
    assert event["slug"] not in page


def lines_of(page: str) -> list[str]:
    """The events of a page, with the state shown for each."""
    section = page.split('id="records-events"')[1].split("</section>", maxsplit=1)[0]
    found = (re.sub(r"<a class.*?</a>|<[^>]*>", " ", one) for one in re.findall(r"<li>(.*?)</li>", section, re.DOTALL))
    return [" ".join(html.unescape(one).split()) for one in found]


def followed(page: str, words: str) -> str:
    """The target of a link, or empty if there is no such link."""
    (found, *_) = re.findall(rf'href="([^"]+)"[^>]*>{words}', page) or [""]
    return html.unescape(found).partition("#")[0]


async def test_all_records_are_listed_page_by_page(site: SignInSite, monkeypatch: pytest.MonkeyPatch):
    """The newest record keys come first. A record that was deleted on the server but is still on this site keeps its
    place in the list, and so do the answers.
    """
    monkeypatch.setattr(repository, "PAGE", 3)
    deployment = site.deployment
    await deployment.account("ana")
    stranger = await deployment.stranger("ana")
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana")
        ana = await site.identity("ana")
        keys = [f"3mqdau33ozs2{last}" for last in "cdefghij"]
        for number, key in enumerate(keys):
            uri = {"repo": ana.did, "collection": EVENT, "rkey": key}
            await stranger.procedure("com.atproto.repo.putRecord", {**uri, "record": {**NEW, "name": f"Tea {number}"}})
        await backfill(site.db, site.network, deployment.processor.ingestion_context, ana.did)
        for gone in (keys[7], keys[4], keys[3], keys[0]):
            await stranger.procedure(
                "com.atproto.repo.deleteRecord", {"repo": ana.did, "collection": EVENT, "rkey": gone}
            )
        where, seen = HERE, []
        while where:
            page = (await browser.get(where)).text
            seen.append([one.partition(" Saturday")[0] for one in lines_of(page)])
            where = followed(page, "Show older")
        gone = "Deleted on your server, gone here in a moment"
        assert seen == [
            [f"Tea 7 {gone}", "Tea 6", "Tea 5", f"Tea 4 {gone}", f"Tea 3 {gone}", "Tea 2"],
            ["Tea 1", f"Tea 0 {gone}"],
        ]
        assert (await browser.get(followed(page, "Back to the newest"))).text.count("Deleted on your server") == 3
        # Values that are not a page cursor of this site.
        assert lines_of((await browser.get(f"{HERE}?events=nonsense")).text)[1].startswith("Tea 6")


async def test_deleted_records_are_listed_on_their_own_pages(site: SignInSite, monkeypatch: pytest.MonkeyPatch):
    """The page shows the newest deleted records, and older ones follow when the newest have been removed from this
    site, too. An unknown cursor starts with the newest.
    """
    monkeypatch.setattr(repository, "PAGE", 3)
    await site.deployment.account("ana")
    stranger = await site.deployment.stranger("ana")
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana")
        ana = await site.identity("ana")
        wishes = [{"repo": ana.did, "collection": EVENT, "rkey": f"3mqdau33ozs2{last}"} for last in "cdefg"]
        for number, wish in enumerate(wishes):
            record = {**NEW, "name": f"Tea {number}"}
            await stranger.procedure("com.atproto.repo.putRecord", {**wish, "record": record})
        await backfill(site.db, site.network, site.deployment.processor.ingestion_context, ana.did)
        for wish in wishes:
            await stranger.procedure("com.atproto.repo.deleteRecord", wish)
        for where in (HERE, f"{HERE}?events=nonsense", f"{HERE}?events=%00,3mqdau33ozs2c", f"{HERE}?events=a%20b,x"):
            page = await browser.get(where)
            assert [one[:5] for one in lines_of(page.text)] == ["Tea 4", "Tea 3", "Tea 2"], where
        async with site.db.transaction() as tx:
            await tx.execute(
                "update records set state = 'tombstone', cid = null, body = null where rkey > '3mqdau33ozs2d'"
            )
        assert [one[:5] for one in lines_of((await browser.get(HERE)).text)] == ["Tea 1", "Tea 0"]


async def test_one_of_several_accounts_is_chosen(site: SignInSite):
    """Records are listed, written, changed and deleted in the chosen account only. Somebody else's account is not
    offered.
    """
    for name in ("ana", "office", "dan"):
        await site.deployment.account(name)
    async with site.browser() as browser, site.browser() as dans:
        await site.sign_in_at_pds(dans, "dan")
        await site.sign_in_at_pds(browser, "ana", next_path="/settings/identity")
        await link_account(site, browser, "office")
        ana, work, dan = [await site.identity(name) for name in ("ana", "office", "dan")]
        assert (work.is_default, ana.user_id) == (True, work.user_id)
        of_ana = f"?account={ana.did.replace(':', '%3A')}"
        page = (await browser.get(HERE)).text
        assert re.findall(r'aria-current="page">(@[^<]+)', page) == ["@office.town.test"]
        form = await browser.get(followed(await shown(browser, HERE + of_ana), "Add an event to your account"))
        action = html.unescape(re.findall(r'<form class="card form"[^>]* action="([^"]+)"', form.text)[0])
        assert action == f"{HERE}/new{of_ana}"
        done = await browser.post(action, data={**inputs_of(form.text), **TYPED})
        assert (done.status_code, done.headers["location"]) == (303, HERE + of_ana)
        assert len(lines_of(await shown(browser, HERE + of_ana))) == 1
        assert lines_of(await shown(browser, HERE)) == []
        where = followed(await shown(browser, HERE + of_ana), "Change")
        assert (await browser.get(where.partition("?")[0])).status_code == 404, "the other repository has none"
        deleting = html.unescape(re.findall(r'action="([^"]+/delete[^"]*)"', await shown(browser, where))[0])
        assert (await browser.post(deleting)).headers["location"] == HERE + of_ana
        assert lines_of(await shown(browser, HERE + of_ana)) == []
        assert (await browser.get(f"{HERE}?account={dan.did}")).status_code == 404


async def shown(browser: httpx.AsyncClient, where: str) -> str:
    answer = await browser.get(where)
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.mark.parametrize("field", ["starts", "ends"])
async def test_a_time_that_the_clocks_skip_is_reported_next_to_the_field(site: SignInSite, field: str):
    """It is not moved silently. Nothing is written, and what was typed stays."""
    await site.deployment.account("ana")
    typed = TYPED | {"starts": "2027-03-28T01:30", "ends": "2027-03-28T04:30", field: "2027-03-28T02:30"}
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana")
        async with site.db.transaction() as tx:
            await tx.execute("update users set time_zone = 'Europe/Berlin'")
        form = inputs_of((await browser.get(f"{HERE}/new")).text)
        refused = await browser.post(f"{HERE}/new", data={**form, **typed})
        assert refused.status_code == 400
        assert "There’s no 02:30 on that day" in html.unescape(refused.text)
        assert inputs_of(refused.text)[field] == "2027-03-28T02:30"
        assert "None yet" in (await browser.get(HERE)).text
        done = await browser.post(f"{HERE}/new", data={**form, **typed, field: "2027-03-28T03:30"})
        assert done.status_code == 303
