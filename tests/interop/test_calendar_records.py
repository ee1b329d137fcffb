"""Events and answers written by the official client appear on our pages, and our records pass its validator."""

import httpx
import msgspec
import pytest

from at_protocol.lexicon.catalog import DOCUMENTS
from openmeet.domain.attendance.model import RsvpReply
from tests.external_dependencies import needs
from tests.interop.conftest import json_lines, node
from tests.openmeet.deployment import Deployment, deployment
from tests.openmeet.xrpc.network import opened

__all__ = ["deployment"]

pytestmark = [needs("node"), pytest.mark.usefixtures("node_modules")]

LEXICONS = [
    *sorted((DOCUMENTS / "community/lexicon/calendar").glob("*.json")),
    *sorted((DOCUMENTS / "community/lexicon/location").glob("*.json")),
    DOCUMENTS / "com/atproto/repo/strongRef.json",
]


async def test_records_are_exchanged_with_the_official_client(deployment: Deployment) -> None:
    """Cleo hosts two events on our site, which together use every field of a record. Bela answers one on our site and
    the other in another app, and writes an event of her own there.
    """
    cleo, bela = await deployment.connected("cleo"), await deployment.connected("bela")
    first = await deployment.event(
        cleo, title="Elsewhere", street="Main street 1", locality="Wien", point="48.21, 16.37"
    )
    await deployment.deliver_publications()
    await deployment.answer(bela, first.slug, RsvpReply.INTERESTED)
    await deployment.deliver_publications()
    second = await deployment.event(
        cleo,
        mode="hybrid",
        online_url="https://join.example/tea",
        online_url_audience="everyone",
        tags="tea",
        price="free",
    )
    await deployment.deliver_publications()
    host = (await deployment.identity(cleo.user_id)).did
    paths = msgspec.json.encode([str(path) for path in LEXICONS]).decode()
    (told,) = json_lines(
        await node("calendar.mjs", deployment.pds_url, "bela.town.test", "a long password", paths, host)
    )
    assert sorted(told["read"]) == ["Elsewhere", "Tea in the park"]
    assert told["own"] == ["community.lexicon.calendar.rsvp#interested"]
    await deployment.listen(bela.user_id)
    async with opened(deployment) as site, httpx.AsyncClient(trust_env=False, base_url=site.url) as browser:
        (written,) = (await browser.get("/api/events", params={"uri": told["event"]})).json()["events"]
        assert written["title"] == "Written in another app"
        assert (written["venue"]["name"], written["venue"]["locality"]) == ("The old mill", "Graz")
        page = (await browser.get(f"/events/{written['slug']}")).text
        assert "Written in another app" in page
        assert "The old mill" in page
        assert "With words of its own." in page
        assert f'<link rel="alternate" href="{told["event"]}">' in page
        listed = (await browser.get("/", params={"source": "all"})).text
        assert "Written in another app" in listed
        # The newest event of a repository is the first in its list.
        answered = (await browser.get(f"/api/events/{second.slug}/attendees")).json()
        assert answered["counts"]["going"] == 1
        assert [one["displayName"] for one in answered["attendees"]] == ["bela.town.test"]
