"""A server that was never asked about a kind of record refuses it, alone or among others: the rest goes out, and the row says why."""

import json

from aiohttp import web

from openmeet.domain.groups import actions as groups
from openmeet.feature_flags.flags import Flag
from openmeet.network.records.collections import EVENT, GROUP, SERIES
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.groups.people import details as group_details
from tests.openmeet.publication.test_series_records import make, pay, records, turn
from tests.openmeet.town import Town


class _Server:
    """A PDS that lets nobody write one collection, as the protocol's permissions say it."""

    def __init__(self, collection: str) -> None:
        self._collection = collection
        self._refuses = False
        self.refused: list[str] = []

    async def before(self, request: web.Request) -> None:
        method = request.path.rpartition(".")[2]
        is_write = method in {"createRecord", "putRecord", "applyWrites"}
        body = await request.read() if is_write else b""
        self._refuses = is_write and f'"{self._collection}"'.encode() in body.replace(b"\\/", b"/")
        if self._refuses:
            self.refused.append(method)

    def stops(self, _request: web.Request) -> web.Response | None:
        if not self._refuses:
            return None
        body = {"error": "ScopeMissingError", "message": f'Missing required scope "repo:{self._collection}"'}
        return web.Response(status=403, body=json.dumps(body).encode(), content_type="application/json")


async def behind(town: Town, collection: str) -> _Server:
    async with town.db.transaction() as tx:
        await tx.execute("update repository_sessions set pds_url = :url", url=town.proxy.url)
    server = _Server(collection)
    town.proxy.before, town.proxy.stops = server.before, server.stops
    return server


WORDS = "not allowed at your server"


async def test_a_series_whose_rule_may_not_be_written_has_its_dates_out(town: Town):
    await turn(town, Flag.SERIES_LEXICON)
    await town.person("Ana")
    server = await behind(town, SERIES)
    ana, series = await make(town)
    assert server.refused
    assert len(await records(town, ana, EVENT)) == 1
    assert await records(town, ana, SERIES) == {}
    standing = await town.standing(PublicationKind.SERIES, series.id)
    assert standing.state is PublicationState.BLOCKED
    assert standing.words(town.clock.now(), is_allowed=True) == WORDS


async def test_a_group_that_may_not_be_written_keeps_no_event_back(town: Town):
    """Although all of it is due at once, and would go out in one commit."""
    await turn(town, Flag.GROUPS)
    ana = await town.person("Ana")
    server = await behind(town, GROUP)
    async with town.db.transaction() as tx:
        group = await groups.create(tx, ana, group_details(country="DE", description="We meet.", sync_enabled="on"))
    made = [await town.event(ana, title=f"Tea {number}") for number in range(2)]
    await pay(town)
    assert "applyWrites" in server.refused
    assert {(await town.standing(PublicationKind.EVENT, one.id)).state for one in made} == {PublicationState.PUBLISHED}
    assert len(await records(town, ana, EVENT)) == 2
    standing = await town.standing(PublicationKind.GROUP, group.id)
    assert (standing.state, standing.words(town.clock.now(), is_allowed=True)) == (PublicationState.BLOCKED, WORDS)
