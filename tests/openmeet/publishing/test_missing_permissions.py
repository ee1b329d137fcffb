"""A server that was never asked for permission to write a collection refuses its records, alone or in a batch. The
other records are sent, and the refused row has the reason.
"""

import json

from aiohttp import web

from openmeet.domain.groups import actions as groups
from openmeet.feature_flags.flags import Flag
from openmeet.network.records.collections import EVENT, GROUP, SERIES
from openmeet.outbox.publications import PublicationKind, PublicationState
from openmeet.outbox.reasons import RecordStatus
from tests.openmeet.deployment import Deployment, deliver_all_publications, switch_flag
from tests.openmeet.groups.people import details as group_details
from tests.openmeet.publishing.weekly_series import publish_series, records_with_cids_of


class _Server:
    """A PDS that refuses writes to one collection, with the error that the protocol defines for missing permissions."""

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


async def behind(deployment: Deployment, collection: str) -> _Server:
    async with deployment.db.transaction() as tx:
        await tx.execute("update repository_sessions set pds_url = :url", url=deployment.proxy.url)
    server = _Server(collection)
    deployment.proxy.before, deployment.proxy.stops = server.before, server.stops
    return server


SHOWN = RecordStatus.NO_ACCESS_GRANTED()


async def test_without_permission_for_series_its_dates_are_published(deployment: Deployment):
    await switch_flag(deployment, Flag.SERIES_LEXICON)
    await deployment.person("Ana")
    server = await behind(deployment, SERIES)
    ana, series = await publish_series(deployment)
    assert server.refused
    assert len(await records_with_cids_of(deployment, ana, EVENT)) == 1
    assert await records_with_cids_of(deployment, ana, SERIES) == {}
    publication = await deployment.status_of(PublicationKind.SERIES, series.id)
    assert publication.state is PublicationState.BLOCKED
    assert publication.explanation_for_owner(deployment.clock.now(), is_allowed=True) == SHOWN


async def test_without_permission_for_groups_events_are_published(deployment: Deployment):
    """The events are sent even though all records are due at once and would share one commit."""
    await switch_flag(deployment, Flag.GROUPS)
    ana = await deployment.person("Ana")
    server = await behind(deployment, GROUP)
    async with deployment.db.transaction() as tx:
        group = await groups.create(tx, ana, group_details(country="DE", description="We meet.", sync_enabled="on"))
    made = [await deployment.event(ana, title=f"Tea {number}") for number in range(2)]
    await deliver_all_publications(deployment)
    assert "applyWrites" in server.refused
    assert {(await deployment.status_of(PublicationKind.EVENT, one.id)).state for one in made} == {
        PublicationState.PUBLISHED
    }
    assert len(await records_with_cids_of(deployment, ana, EVENT)) == 2
    publication = await deployment.status_of(PublicationKind.GROUP, group.id)
    assert (publication.state, publication.explanation_for_owner(deployment.clock.now(), is_allowed=True)) == (
        PublicationState.BLOCKED,
        SHOWN,
    )
