"""A series, a group and their records go through random histories: each keeps one URI in a repository."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import count
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from groundwork.clock import HOUR, MINUTE, HandClock
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from openmeet.domain.attendance import group_hosting
from openmeet.domain.groups.model import Group
from openmeet.domain.series import actions, cancel_dates
from openmeet.domain.series.model import Series
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.network.publishing.late_writes import late_write_handler
from openmeet.network.records.collections import GROUP, SERIES
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import PublicationKind, PublicationState, retry_now
from tests.databases import MakeDatabase
from tests.openmeet.deployment import Deployment, open_deployment, records_in_repository, switch_flag
from tests.openmeet.publishing.consent import renew_cleos_consent, withdraw_consent
from tests.openmeet.publishing.event_history import HISTORY_START, collect_messages
from tests.openmeet.publishing.published_groups import create_group, current_group
from tests.openmeet.publishing.weekly_series import publish_series

# The series is weekly from this day.
FIRST_DATE = date(2026, 4, 4)
ACTS = ("withdraw", "agree", "change", "delete elsewhere", "write elsewhere", "off", "pay", "hear", "lose", "kill")
steps = st.lists(st.sampled_from(ACTS), min_size=4, max_size=12)


@dataclass
class History:
    """One person's series and group, and every URI that each has had."""

    deployment: Deployment
    owner: Caller
    did: str
    series: Series
    group: Group
    uris: dict[PublicationKind, set[str]] = field(default_factory=lambda: defaultdict(set))
    names: count = field(default_factory=lambda: count(1))

    async def act(self, act: str) -> None:
        deployment = self.deployment
        deployment.clock.turn(MINUTE)
        match act:
            case "withdraw":
                await withdraw_consent(deployment, self.owner)
            case "agree":
                await renew_cleos_consent(deployment, self.owner)
            case "change":
                await self.change()
            case "delete elsewhere":
                await self.elsewhere("deleteRecord")
            case "write elsewhere":
                await self.elsewhere("putRecord")
            case "off":
                await self.revise(sync_enabled=False)
            case "pay":
                await deployment.deliver_publications()
            case "hear":
                await deployment.listen(self.owner.user_id)
            case "lose":
                deployment.proxy.loses = lambda request: request.path.endswith(("putRecord", "deleteRecord"))
                await deployment.deliver_publications()
                deployment.proxy.loses = lambda _request: False
            case "kill":
                await self.kill()
        await self.note_uris()

    async def change(self) -> None:
        number = next(self.names)
        await self.revise(name=f"Chess club {number}")
        async with self.deployment.db.transaction() as tx:
            locked = await actions.lock_managed(tx, self.owner, self.series.slug)
            await cancel_dates.remove_dates(tx, locked, [f"{FIRST_DATE + timedelta(weeks=number)}T18:00:00"])

    async def revise(self, **changes: Any) -> None:
        before = await current_group(self.deployment, self.group)
        async with self.deployment.db.transaction() as tx:
            await group_hosting.revise(tx, self.owner, before.slug, replace(before.details, **changes))

    async def elsewhere(self, method: str) -> None:
        """Another app of the person deletes the record, or adds its own field to it."""
        app = await self.deployment.own_client(await self.deployment.identity(self.owner.user_id))
        for collection in (SERIES, GROUP):
            for uri, record in (await records_in_repository(self.deployment, self.did, collection)).items():
                body = {"repo": self.did, "collection": collection, "rkey": uri.rpartition("/")[2]}
                if method == "putRecord":
                    body["record"] = {**record, "com.example.color": str(next(self.names))}
                await app.procedure(f"com.atproto.repo.{method}", body)

    async def kill(self) -> None:
        """Kill the publisher on the first write that it sends. The write arrives."""
        task = asyncio.create_task(self.deployment.deliver_publications())

        def dies(request: Any) -> bool:
            is_write = request.path.endswith(("putRecord", "deleteRecord"))
            if is_write:
                task.cancel()
            return is_write

        self.deployment.proxy.loses = dies
        await asyncio.gather(task, return_exceptions=True)
        self.deployment.proxy.loses = lambda _request: False

    async def note_uris(self) -> None:
        for kind, subject_id in ((PublicationKind.SERIES, self.series.id), (PublicationKind.GROUP, self.group.id)):
            uri = (await self.deployment.status_of(kind, subject_id)).uri
            if uri is not None:
                self.uris[kind].add(uri)

    async def run_until_idle(self) -> None:
        for _ in range(5):
            await self.deployment.deliver_publications()
            handlers = {JobKind.LATE_WRITE: one_job_per_call(late_write_handler(self.deployment.publisher))}
            await dispatcher.run_once(self.deployment.db, handlers)
            await self.deployment.listen(self.owner.user_id)
            self.deployment.clock.turn(HOUR)
        await self.note_uris()


async def begin(deployment: Deployment) -> History:
    await switch_flag(deployment, Flag.SERIES_LEXICON, Flag.GROUPS)
    owner, series = await publish_series(deployment)
    group = await create_group(deployment, owner)
    async with deployment.db.transaction() as tx:
        await tx.execute("update repository_sessions set pds_url = :url", url=deployment.proxy.url)
    history = History(deployment, owner, (await deployment.identity(owner.user_id)).did, series, group)
    await history.run_until_idle()
    return history


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(history=steps)
@example(history=["withdraw", "pay", "change", "agree", "pay"])
@example(history=["withdraw", "lose", "agree", "kill", "hear", "change"])
@example(history=["delete elsewhere", "hear", "change", "pay"])
@example(history=["off", "pay", "write elsewhere", "hear", "withdraw", "kill", "agree"])
@example(history=["withdraw", "agree", "delete elsewhere"])
@example(history=["withdraw", "change", "write elsewhere", "change"])
@example(history=["withdraw", "withdraw", "agree", "write elsewhere"])
@example(history=["write elsewhere", "withdraw", "pay", "hear", "agree", "lose"])
async def test_series_and_groups_keep_their_uris(make_sqlite: MakeDatabase, tmp_path_factory: Any, history: list[str]):
    clock = HandClock(HISTORY_START)
    db = await make_sqlite("openmeet", clock=clock)
    async with open_deployment(db, make_sqlite, clock, tmp_path_factory.mktemp("deployment")) as deployment:
        played = await begin(deployment)
        heard = collect_messages(deployment)
        for act in history:
            await played.act(act)
        await played.run_until_idle()
        await renew_cleos_consent(deployment, played.owner)
        await played.revise(sync_enabled=True)
        async with deployment.db.transaction() as tx:
            await retry_now(tx, kind=PublicationKind.SERIES, subject_id=played.series.id)
        await played.run_until_idle()
        for kind, collection, subject_id in (
            (PublicationKind.SERIES, SERIES, played.series.id),
            (PublicationKind.GROUP, GROUP, played.group.id),
        ):
            publication = await deployment.status_of(kind, subject_id)
            assert (publication.state, {publication.uri}) == (PublicationState.PUBLISHED, played.uris[kind]), "one URI"
            assert list(await records_in_repository(deployment, played.did, collection)) == [publication.uri]
        group = await current_group(deployment, played.group)
        assert (await deployment.record(group.network.record_uri or ""))["name"] == group.details.name
        # The consumer may deliver a commit twice, with the same rev. What was read has the rev of the read.
        written = {
            (one.uri, one.cid, one.rev)
            for one in heard
            if one.collection in {SERIES, GROUP} and one.cid and not one.is_read
        }
        assert len(written) == len({(uri, cid) for uri, cid, _ in written}), (
            "no two writes of one key are the same bytes"
        )
