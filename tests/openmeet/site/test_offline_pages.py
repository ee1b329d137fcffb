"""Installing the site as an app: the manifest, the service worker, and the pages that browsers store for offline use."""

import re

from tests.openmeet.site_under_test import event_by, person, sign_up, site_on


async def test_the_manifest_names_existing_icons(make_sqlite, clock):
    """The manifest is in the reader's language, and each icon is a file of this release."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.browser() as browser:
        manifest = (await browser.get("/manifest.webmanifest", headers={"accept-language": "de"})).json()
        assert manifest["lang"] == "de"
        assert {icon["sizes"] for icon in manifest["icons"]} == {"any", "192x192", "512x512"}
        for icon in manifest["icons"]:
            answer = await browser.get(icon["src"])
            assert (answer.status_code, answer.headers["content-type"]) == (200, icon["type"])


async def test_the_service_worker_lists_the_files_of_this_release(make_sqlite, clock):
    """Browsers check it for changes each time, because its URL never changes."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.browser() as browser:
        worker = await browser.get("/service-worker.js")
        assert worker.headers["cache-control"] == "no-cache"
        files = re.findall(r'"(/static/[^"]+)"', worker.text)
        assert len(files) == 15
        for path in files:
            assert (await browser.get(path)).status_code == 200


async def test_home_lists_the_pages_to_keep_for_offline_use(make_sqlite, clock):
    """The list has the week with its events, tickets of events that the person goes to and check-in lists of events
    that they host, and no data of other people.
    """
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.browser() as browser:
        await sign_up(browser, "ida@example.org", "Ida")
        async with site.db.transaction() as tx:
            theirs = await event_by(tx, await person(tx, "Ana"))
        await browser.post(f"/events/{theirs.slug}/answer", data={"reply": "going"})
        home = (await browser.get("/home")).text
    kept = re.search(r'data-keep="([^"]*)"', home)
    assert kept is not None
    assert kept[1].split() == ["/my/calendar?view=week", f"/events/{theirs.slug}", f"/events/{theirs.slug}/ticket"]
