"""Resolving the URL of a page to its record and back."""

from openmeet.domain.events import event_records
from openmeet.domain.groups import record_queries
from openmeet.domain.series import queries as series_queries
from tests.openmeet.groups.people import group_by
from tests.openmeet.series.practice import create_weekly_series
from tests.openmeet.site_under_test import ORIGIN, event_by, person
from tests.openmeet.xrpc.query_client import body_of, error_of

DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"
EVENT = f"at://{DID}/community.lexicon.calendar.event/3mqdau33ozs2n"
SERIES = f"at://{DID}/openmeet.lexicon.series/3mqdau33ozs2n"
GROUP = f"at://{DID}/openmeet.lexicon.group/3mqdau33ozs2n"
CID = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"


async def test_page_and_record_resolve_to_each_other(site, client):
    async with site.db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        event = await event_by(tx, ana)
        bare = await event_by(tx, ana, title="Without a record")
        group = await group_by(tx, ana)
        await event_records.set_record(tx, event.id, EVENT, CID, DID)
        await series_queries.set_record(tx, series.id, SERIES)
        await record_queries.set_record(tx, group.id, GROUP, CID)
    pages = {
        f"{ORIGIN}/events/{event.slug}": {"kind": "event", "uri": EVENT, "cid": CID},
        f"{ORIGIN}/events/{bare.slug}": {"kind": "event"},
        f"{ORIGIN}/series/{series.slug}": {"kind": "series", "uri": SERIES},
        f"{ORIGIN}/groups/{group.slug}": {"kind": "group", "uri": GROUP},
    }
    for url, rest in pages.items():
        assert await body_of(client, "resolveUri", uri=url) == {"url": url, **rest}
        if "uri" in rest:
            assert await body_of(client, "resolveUri", uri=rest["uri"]) == {"url": url, **rest}


async def test_absent_and_restricted_things_do_not_resolve(site, client, people):
    async with site.db.transaction() as tx:
        ana, bo = await person(tx, "Ana"), await person(tx, "Bo")
        event = await event_by(tx, ana, visibility="private")
        await event_records.set_record(tx, event.id, EVENT, CID, DID)
        of_ana, of_bo = await people.connect(tx, ana), await people.connect(tx, bo)
    for uri in (f"{ORIGIN}/events/{event.slug}", EVENT, f"{ORIGIN}/", "https://elsewhere.example/", SERIES):
        assert await error_of(client, "resolveUri", uri=uri) == (400, "NotFound")
    token = people.token(of_bo, "resolveUri")
    assert await error_of(client, "resolveUri", uri=EVENT, token=token) == (400, "NotFound")
    assert (await body_of(client, "resolveUri", uri=EVENT, token=people.token(of_ana, "resolveUri")))["cid"] == CID
