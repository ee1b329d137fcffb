"""A group or series and its record go through random histories. In the end there is one record of it, which says what
is said here, and no second group or series.

It is taken off the network, published again, edited, handed over and back. Another app edits the record, deletes it,
and writes it again under the same key. Responses are lost, and the database is restored from a backup.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from groundwork.clock import HOUR, MINUTE, HandClock, Instant
from openmeet.domain.groups.model import GroupRole
from openmeet.domain.series import actions as series_actions
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.network.records.collections import GROUP
from openmeet.outbox.publications import PublicationKind, PublicationState, retry_now
from tests.databases import MakeDatabase
from tests.openmeet.deployment import Deployment, open_deployment, records_of, switch_flag
from tests.openmeet.publishing.deliveries import publish_and_listen_for_minutes
from tests.openmeet.publishing.groups_and_series import (
    Subject,
    change_visibility,
    collection_of,
    description_of,
    hand_over_subject,
    kind_of,
    publish_subject,
    subject_rows,
    write_in_app,
)
from tests.openmeet.publishing.published_groups import let_into_group

START = Instant(1_772_000_000_000_000)
ACTS = (
    "off",
    "on",
    "hand over",
    "edit elsewhere",
    "delete elsewhere",
    "restore elsewhere",
    "pay",
    "hear",
    "lose",
    "back up",
    "restore the database",
)
steps = st.lists(st.sampled_from(ACTS), min_size=4, max_size=10)


@dataclass
class History:
    """A group or series, two people who can own it, and its records by owner, also deleted ones."""

    deployment: Deployment
    file: str
    backup: Path
    hosts: list[Caller]
    subject: Subject
    owner: int = 0
    was_handed_over: bool = False
    written: dict[int, dict[str, Any]] = field(default_factory=lambda: {0: {}, 1: {}})
    count: int = 0

    async def act(self, act: str) -> None:
        deployment, host = self.deployment, self.hosts[self.owner]
        deployment.clock.turn(MINUTE)
        present = await records_of(deployment, host, collection_of(self.subject))
        self.written[self.owner] |= present
        match act:
            case "off" | "on":
                await self.show(is_public=act == "on")
            case "hand over":
                await hand_over_subject(deployment, self.subject, host, self.hosts[1 - self.owner])
                self.owner, self.was_handed_over = 1 - self.owner, True
            case "edit elsewhere" | "restore elsewhere":
                is_new = act == "restore elsewhere"
                for uri, value in self.written[self.owner].items():
                    if (uri in present) is not is_new:
                        self.count += 1
                        changed = {"description": f"Edit {self.count}", "org.example.number": self.count}
                        await write_in_app(deployment, host, uri, value | changed, is_new=is_new)
            case "delete elsewhere":
                await self.delete(host, present)
            case "pay":
                await deployment.deliver_publications()
            case "hear":
                await deployment.listen(self.hosts[0].user_id)
            case "lose":
                deployment.proxy.loses = lambda request: request.path.endswith(("putRecord", "deleteRecord"))
                await deployment.deliver_publications()
                deployment.proxy.loses = lambda _request: False
            case "back up":
                await self.back_up()
            case "restore the database":
                # A record that somebody who was the owner only after the backup has published stays theirs.
                if not self.was_handed_over:
                    _copy(self.backup, self.file)

    async def show(self, *, is_public: bool) -> None:
        await change_visibility(self.deployment, self.hosts[self.owner], self.subject, is_public=is_public)

    async def delete(self, host: Caller, uris: Any) -> None:
        client = await self.deployment.own_client(await self.deployment.identity(host.user_id))
        for uri in uris:
            _, _, did, collection, rkey = uri.split("/")
            named = {"repo": did, "collection": collection, "rkey": rkey}
            await client.procedure("com.atproto.repo.deleteRecord", named)

    async def back_up(self) -> None:
        self.backup.unlink(missing_ok=True)
        _copy(self.file, self.backup)
        self.was_handed_over = False


def _copy(file: str | Path, to: str | Path) -> None:
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)


async def begin(deployment: Deployment, kind: PublicationKind, backup: Path) -> History:
    await switch_flag(deployment, Flag.GROUPS, Flag.SERIES_LEXICON)
    ben = await deployment.person("Ben")
    ana, subject = await publish_subject(deployment, kind)
    if collection_of(subject) == GROUP:
        await let_into_group(deployment, ana, subject, ben, GroupRole.ADMIN)  # type: ignore[arg-type]
    else:
        async with deployment.db.transaction() as tx:
            await series_actions.follow(tx, ben, subject.slug)  # type: ignore[arg-type]
    for one in (ana, ben):
        deployment.consumer.interests.followed.add((await deployment.identity(one.user_id)).did)
    async with deployment.db.reader() as reader:
        (place,) = await reader.fetch("pragma database_list")
    history = History(deployment, str(place["file"]), backup, [ana, ben], subject)
    await publish_and_listen_for_minutes(deployment, ana)
    await history.back_up()
    return history


@pytest.mark.parametrize("kind", [PublicationKind.GROUP, PublicationKind.SERIES])
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(history=steps)
@example(
    history=["off", "pay", "hear", "back up", "on", "pay", "hear", "edit elsewhere", "restore the database", "hear"]
)
@example(history=["off", "pay", "hear", "hand over", "on", "pay", "hear", "back up", "hand over", "pay"])
async def test_one_record_remains_after_any_history(
    make_sqlite: MakeDatabase, tmp_path_factory: Any, kind: PublicationKind, history: list[str]
):
    clock = HandClock(START)
    db = await make_sqlite("openmeet", clock=clock)
    folder = tmp_path_factory.mktemp("deployment")
    async with open_deployment(db, make_sqlite, clock, folder) as deployment:
        played = await begin(deployment, kind, folder / "backup.db")
        for act in history:
            await played.act(act)
        await finish(played)
        await check(played)


async def finish(history: History) -> None:
    """Its owner publishes it again, whatever happened."""
    deployment = history.deployment
    for _ in range(2):
        await publish_and_listen_for_minutes(deployment, history.hosts[0])
        deployment.clock.turn(HOUR)
    await history.show(is_public=False)
    await publish_and_listen_for_minutes(deployment, history.hosts[0])
    await history.show(is_public=True)
    async with deployment.db.transaction() as tx:
        await tx.execute("update groups set sync_enabled = 1 where is_read_only = 0")
        await retry_now(tx, kind=kind_of(history.subject), subject_id=history.subject.id)
    for _ in range(2):
        await publish_and_listen_for_minutes(deployment, history.hosts[0])
        deployment.clock.turn(HOUR)


async def check(history: History) -> None:
    deployment, subject = history.deployment, history.subject
    status = await deployment.status_of(kind_of(subject), subject.id)
    assert status.state is PublicationState.PUBLISHED, status
    known = await subject_rows(deployment, subject)
    own = await records_of(deployment, history.hosts[history.owner], collection_of(subject))
    assert known == [(subject.id, status.uri)], "one group or series"
    ((uri, record),) = own.items()
    assert uri == status.uri, "one record in the repository of the owner"
    assert record.get("description", "") == await description_of(deployment, subject)
