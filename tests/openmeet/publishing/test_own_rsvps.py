"""One's own answers as records: they are written only to the person's server, and shown as waiting until the firehose
brings them.
"""

from openmeet.network.records.collections import RSVP
from openmeet.network.records.rsvp import GOING, INTERESTED
from tests.openmeet.deployment import Deployment, deliver_all_publications, deployment_on_each
from tests.openmeet.sign_in.sign_in_site import SignInSite, site_for
from tests.openmeet.site_under_test import inputs_of

__all__ = ["deployment_on_each"]


HERE = "/me/atproto"
NEW = f"{HERE}/answers/new"


async def answers(site: SignInSite) -> list[str]:
    async with site.db.reader() as reader:
        rows = await reader.fetch("select status from attendances where record_uri is not null order by id")
    return [row["status"] for row in rows]


async def tea(deployment: Deployment) -> tuple[str, str]:
    """A published event: its record, and the path of its page."""
    ben = await deployment.person("Ben")
    event = await deployment.event(ben)
    await deliver_all_publications(deployment)
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select record_uri from events where id = :id", id=event.id)
    assert row is not None
    return row["record_uri"], f"/events/{event.slug}"


async def test_an_answer_is_written_to_the_server_and_comes_back(deployment_on_each: Deployment):
    """Creating, changing and deleting touch only the repository. A form sent twice writes one record, and unknown
    fields stay.
    """
    uri, _ = await tea(deployment_on_each)
    site = site_for(deployment_on_each, deployment_on_each.db)
    await deployment_on_each.account("ana")
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana")
        ana = await site.identity("ana")
        stranger = await deployment_on_each.stranger("ana")
        assert "checked" in (await browser.get(NEW)).text
        for _ in range(2):
            done = await browser.post(NEW, data={"event": uri, "answer": "going"})
            assert (done.status_code, done.headers["location"]) == (303, HERE)
        page = (await browser.get(HERE)).text
        assert ("Saved on your server, here in a moment" in page, ">Going: Tea in the park</a>" in page) == (True, True)
        assert await answers(site) == []
        (record,) = (await stranger.query("com.atproto.repo.listRecords", {"repo": ana.did, "collection": RSVP}))[
            "records"
        ]
        assert (record["value"]["status"], record["value"]["subject"]["uri"]) == (GOING, uri)
        assert record["value"]["subject"]["cid"] == (await deployment_on_each.record(uri))["cid"]
        await deployment_on_each.listen(ana.user_id)
        assert await answers(site) == ["attending"]
        assert "Saved on your server, here in a moment" not in (await browser.get(HERE)).text

        again = await browser.post(NEW, data={"event": uri, "answer": "interested"})
        assert (again.status_code, "You’ve already answered this event" in again.text) == (400, True)

        rkey = record["uri"].rpartition("/")[2]
        at = {"repo": ana.did, "collection": RSVP, "rkey": rkey}
        theirs = {**record["value"], "org.example.mood": "calm"}
        await stranger.procedure("com.atproto.repo.putRecord", {**at, "record": theirs})
        shown = await browser.get(f"{HERE}/answers/{rkey}")
        assert uri in shown.text
        assert (await browser.post(f"{HERE}/answers/{rkey}", data={"answer": "interested"})).status_code == 303
        held = (await stranger.query("com.atproto.repo.getRecord", at))["value"]
        assert (held["status"], held["org.example.mood"]) == (INTERESTED, "calm")
        assert await answers(site) == ["attending"]
        await deployment_on_each.listen(ana.user_id)
        assert await answers(site) == ["interested"]

        assert (await browser.post(f"{HERE}/answers/{rkey}/delete")).status_code == 303
        assert "Deleted on your server, gone here in a moment" in (await browser.get(HERE)).text
        await deployment_on_each.listen(ana.user_id)
        assert "Deleted on your server" not in (await browser.get(HERE)).text
        assert "None yet" in (await browser.get(HERE)).text


async def test_an_invalid_event_is_reported_next_to_the_field(deployment: Deployment):
    """Nothing is written, and no typed text is lost. An event can be given by its page on this site or by its record."""
    uri, path = await tea(deployment)
    site = site_for(deployment, deployment.db)
    ben = await deployment.person("Cleo")
    secret = await deployment.event(ben, visibility="unlisted")
    await deployment.account("ana")
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana")
        ana = await site.identity("ana")
        here = str(site.app.state.services.settings.public_url)
        for wrong in ("", "tea", uri + "x", f"at://{ana.did}/{RSVP}/3kaaaaaaaaa22", f"{here}/events/{secret.slug}"):
            refused = await browser.post(NEW, data={"event": wrong, "answer": "going"})
            assert (refused.status_code, inputs_of(refused.text)["event"]) == (400, wrong), wrong
        unanswered = await browser.post(NEW, data={"event": uri, "answer": "perhaps"})
        assert (unanswered.status_code, "Choose an answer" in unanswered.text) == (400, True)
        client = await deployment.stranger("ana")
        listed = await client.query("com.atproto.repo.listRecords", {"repo": ana.did, "collection": RSVP})
        assert listed["records"] == []
        assert (await browser.post(NEW, data={"event": f"{here}{path}", "answer": "notgoing"})).status_code == 303
        assert (await browser.get(f"{HERE}/answers/nothing")).status_code == 404


async def test_an_answer_cannot_be_changed_once_the_event_is_not_public(deployment: Deployment):
    """If an event is no longer public, the page of the answer says where to answer. The record keeps its content and
    can be deleted.
    """
    uri, _ = await tea(deployment)
    site = site_for(deployment, deployment.db)
    await deployment.account("ana")
    stranger = await deployment.stranger("ana")
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana")
        ana = await site.identity("ana")
        assert (await browser.post(NEW, data={"event": uri, "answer": "going"})).status_code == 303
        (record,) = (await stranger.query("com.atproto.repo.listRecords", {"repo": ana.did, "collection": RSVP}))[
            "records"
        ]
        rkey = record["uri"].rpartition("/")[2]
        async with deployment.db.transaction() as tx:
            await tx.execute("update events set visibility = 'private' where record_uri = :uri", uri=uri)
        form = inputs_of((await browser.get(f"{HERE}/answers/{rkey}")).text)
        refused = await browser.post(f"{HERE}/answers/{rkey}", data={**form, "answer": "interested"})
        assert (refused.status_code, "Answers to this event aren’t public" in refused.text) == (400, True)
        assert f"About {uri}" in refused.text
        at = {"repo": ana.did, "collection": RSVP, "rkey": rkey}
        assert (await stranger.query("com.atproto.repo.getRecord", at))["value"]["status"] == GOING
        assert (await browser.post(f"{HERE}/answers/{rkey}/delete")).status_code == 303
