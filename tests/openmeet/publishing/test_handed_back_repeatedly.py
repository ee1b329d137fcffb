"""An event, series or group changes hands between three people, and comes back to those who had it before. In between it
is taken off the network, its owners withdraw their consent, and older copies of repositories restore records. In the
end one record is the current one, in its owner's repository; no record names itself.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from groundwork.clock import DAY, MINUTE, HandClock, Instant
from openmeet.domain.events.model import Event
from openmeet.domain.groups.model import Group, GroupRole
from openmeet.domain.identities import actions as identities
from openmeet.domain.series import actions as series_actions
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.network.records.collections import EVENT, SUCCESSION_KEY
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.databases import MakeDatabase
from tests.openmeet.deployment import Deployment, deliver_all_publications, open_deployment, records_of, switch_flag
from tests.openmeet.publishing.consent import withdraw_consent
from tests.openmeet.publishing.event_hosts import add_co_host, current_event, hand_over_event
from tests.openmeet.publishing.groups_and_series import (
    Subject,
    change_visibility,
    collection_of,
    hand_over_subject,
    kind_of,
    publish_subject,
    subject_rows,
    write_in_app,
)
from tests.openmeet.publishing.published_groups import let_into_group, revise_group

START = Instant(1_772_000_000_000_000)
KINDS = (PublicationKind.EVENT, PublicationKind.SERIES, PublicationKind.GROUP)
OWNERS = ("Ana", "Ben", "Cem")
HANDOVERS = tuple(f"to {name}" for name in OWNERS)
BETWEEN = ("deliver", "deliver", "private", "public", "withdraw", "agree", "restore")
steps = st.lists(st.sampled_from((*HANDOVERS, *HANDOVERS, *BETWEEN)), min_size=6, max_size=12)


@dataclass
class Ownership:
    """A published event, series or group, and the records of each person."""

    deployment: Deployment
    people: dict[str, Caller]
    subject: Event | Subject
    owner: str = "Ana"
    withdrawn: set[str] = field(default_factory=set)
    written: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def kind(self) -> PublicationKind:
        return PublicationKind.EVENT if isinstance(self.subject, Event) else kind_of(self.subject)

    async def records(self) -> dict[str, dict[str, Any]]:
        collection = EVENT if isinstance(self.subject, Event) else collection_of(self.subject)
        return {name: await records_of(self.deployment, who, collection) for name, who in self.people.items()}

    async def location(self) -> str | None:
        if isinstance(self.subject, Event):
            return (await current_event(self.deployment, self.subject)).record_uri
        ((subject_id, uri),) = await subject_rows(self.deployment, self.subject)
        assert subject_id == self.subject.id, "one group or series"
        return uri

    async def act(self, act: str) -> None:
        match act:
            case "deliver":
                await self.deliver()
            case "private" | "public":
                await self.show(is_public=act == "public")
            case "withdraw":
                self.withdrawn.add(self.owner)
                await withdraw_consent(self.deployment, self.people[self.owner])
            case "agree":
                await self.agree(self.owner)
            case "restore":
                await self.restore_copies()
            case _:
                await self.hand_over(act.removeprefix("to "))
        self.deployment.clock.turn(MINUTE)

    async def deliver(self) -> None:
        """Deliver everything and read all commits."""
        for _ in range(2):
            await deliver_all_publications(self.deployment)
            for name, records in (await self.records()).items():
                self.written.setdefault(name, {}).update(records)
                await self.listen(name)
            self.deployment.clock.turn(MINUTE)

    async def hand_over(self, heir: str) -> None:
        if heir == self.owner:
            return
        owner, self.owner = self.people[self.owner], heir
        if isinstance(self.subject, Event):
            await hand_over_event(self.deployment, self.subject, owner, self.people[heir])
        else:
            await hand_over_subject(self.deployment, self.subject, owner, self.people[heir])

    async def show(self, *, is_public: bool) -> None:
        owner = self.people[self.owner]
        if isinstance(self.subject, Event):
            visibility = "public" if is_public else "private"
            await self.deployment.revise(owner, self.subject.slug, visibility=visibility)
        else:
            await change_visibility(self.deployment, owner, self.subject, is_public=is_public)

    async def agree(self, name: str) -> None:
        if name not in self.withdrawn:
            return
        self.withdrawn.remove(name)
        async with self.deployment.db.transaction() as tx:
            await identities.grant_consent(tx, self.people[name].user_id, handle=f"{name.lower()}.town.test")

    async def restore_copies(self) -> None:
        """Restore every record that is gone, so late that no request can still arrive."""
        self.deployment.clock.turn(2 * DAY)
        for name, records in (await self.records()).items():
            for uri, record in self.written.get(name, {}).items():
                if uri not in records:
                    await write_in_app(self.deployment, self.people[name], uri, record)
            await self.listen(name)

    async def listen(self, name: str) -> None:
        """Read a person's commits, if there were any since they signed up."""
        if self.written.get(name):
            await self.deployment.listen(self.people[name].user_id)


async def publish(deployment: Deployment, kind: PublicationKind) -> Ownership:
    """Something that Ana published, and that Ben and Cem may take over."""
    await switch_flag(deployment, Flag.GROUPS, Flag.SERIES_LEXICON)
    others = {name: await deployment.person(name) for name in OWNERS[1:]}
    subject: Event | Subject
    if kind is PublicationKind.EVENT:
        ana = await deployment.person("Ana")
        subject = await deployment.event(ana)
    else:
        ana, subject = await publish_subject(deployment, kind)
    for who in others.values():
        if isinstance(subject, Group):
            await let_into_group(deployment, ana, subject, who, GroupRole.ADMIN)
            continue
        async with deployment.db.transaction() as tx:
            if isinstance(subject, Event):
                await add_co_host(tx, subject, ana, who)
            else:
                await series_actions.follow(tx, who, subject.slug)
    if kind is PublicationKind.SERIES:
        async with deployment.db.transaction() as tx:
            await series_actions.follow(tx, ana, subject.slug)
    ownership = Ownership(deployment, {"Ana": ana} | others, subject)
    for one in ownership.people.values():
        deployment.consumer.interests.followed.add((await deployment.identity(one.user_id)).did)
    await ownership.deliver()
    return ownership


def named_in(kind: PublicationKind, record: dict[str, Any]) -> tuple[str | None, list[str]]:
    """The successor and the predecessors that a record names."""
    if kind is PublicationKind.GROUP:
        predecessor = record.get("predecessor")
        return record.get("successor"), [] if predecessor is None else [predecessor["uri"]]
    succession = record.get(SUCCESSION_KEY, {})
    return succession.get("successor"), succession.get("predecessors", [])


async def check(ownership: Ownership) -> str:
    """Check that one record is the current one, in its owner's repository, and return its URI."""
    kind, location = ownership.kind, await ownership.location()
    current = {}
    for name, records in (await ownership.records()).items():
        for uri, record in records.items():
            successor, predecessors = named_in(kind, record)
            assert uri not in {successor, *predecessors}, "names itself"
            if successor is None:
                current[name] = uri
            else:
                assert successor == location
    status = await ownership.deployment.status_of(kind, ownership.subject.id)
    assert current == {ownership.owner: location}, status
    assert (status.state, status.uri) == (PublicationState.PUBLISHED, location)
    return location or ""


async def check_private(ownership: Ownership) -> None:
    """Check that no record stays public if it is private, also after old copies of all repositories are restored."""
    await ownership.show(is_public=False)
    await ownership.deliver()
    assert await ownership.records() == {name: {} for name in OWNERS}
    await ownership.restore_copies()
    await ownership.deliver()
    assert await ownership.records() == {name: {} for name in OWNERS}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(history=steps)
@example(history=["to Ben", "deliver", "to Ana", "deliver", "to Cem", "deliver", "to Ana"])
@example(history=["to Ben", "to Ana", "to Cem", "to Ana"])
@example(history=["to Ben", "deliver", "to Ana", "to Cem", "deliver", "to Ben", "deliver", "to Ana"])
@example(
    history=["private", "deliver", "to Ben", "public", "deliver", "to Ana", "restore", "deliver", "to Cem", "to Ana"]
)
@example(
    history=["to Ben", "deliver", "private", "deliver", "to Ana", "public", "deliver", "to Cem", "deliver", "to Ana"]
)
@example(history=["to Ben", "withdraw", "deliver", "to Ana", "withdraw", "deliver", "to Cem", "deliver", "to Ana"])
async def test_one_record_remains_at_the_current_owners(
    make_sqlite: MakeDatabase, tmp_path_factory: Any, kind: PublicationKind, history: list[str]
):
    clock = HandClock(START)
    db = await make_sqlite("openmeet", clock=clock)
    async with open_deployment(db, make_sqlite, clock, tmp_path_factory.mktemp("deployment")) as deployment:
        ownership = await publish(deployment, kind)
        for act in history:
            await ownership.act(act)
        for name in OWNERS:
            await ownership.agree(name)
        await ownership.show(is_public=True)
        await ownership.deliver()
        await ownership.deliver()
        await check(ownership)
        await check_private(ownership)


@pytest.mark.parametrize("kind", KINDS)
async def test_handing_back_continues_the_first_record(deployment: Deployment, kind: PublicationKind):
    """It gets what was changed since. The record of the other owner becomes its predecessor and links to it."""
    ownership = await publish(deployment, kind)
    first = await ownership.location()
    await ownership.hand_over("Ben")
    await ownership.deliver()
    second = await ownership.location()
    ben = ownership.people["Ben"]
    match ownership.subject:
        case Event():
            await deployment.revise(ben, ownership.subject.slug, title="Tea with Ben")
        case Group():
            await revise_group(deployment, ben, ownership.subject, name="Tea with Ben")
    await ownership.hand_over("Ana")
    await ownership.deliver()
    assert await check(ownership) == first
    of_ana, of_ben = [(await ownership.records())[name] for name in ("Ana", "Ben")]
    assert (list(of_ana), list(of_ben)) == ([first], [second])
    assert named_in(kind, of_ana[first or ""]) == (None, [second])
    assert named_in(kind, of_ben[second or ""])[0] == first
    if kind is not PublicationKind.SERIES:
        assert of_ana[first or ""]["name"] == "Tea with Ben"
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select subject_id from publications where subject_id = :uri", uri=first)
        assert rows == [], "it is no longer superseded"
