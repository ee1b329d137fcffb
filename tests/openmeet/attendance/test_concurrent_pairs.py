"""Two people act on one event at the same moment. Whatever they do, it ends as if one had acted after the other.

One of the two is paused before one of its statements until the other has finished or waits for it.
"""

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from at_protocol.syntax.did import Did, parse_did
from groundwork.clock import DAY, HandClock
from groundwork.database.transaction import (
    Database,
    Engine,
    ForeignKeyViolated,
    Reader,
    Transaction,
    TransactionConflict,
)
from groundwork.errors import Failure, Unavailable
from openmeet.domain.account_merge import actions as account_merge
from openmeet.domain.account_merge.model import MergeProposalId
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, host_decisions, invitations
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.model import AttendanceId, RsvpReply
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.erasure import actions as erasure
from openmeet.domain.events import co_host_queries, ownership
from openmeet.domain.events.model import Event
from openmeet.domain.events.queries import by_id as event_by_id
from openmeet.domain.safety import actions as safety
from openmeet.domain.users.model import Caller
from openmeet.domain.users.queries import by_id as user_by_id
from openmeet.domain.validation import GeneralReason
from openmeet.network.ingestion.apply import apply
from tests.databases import MakeDatabase
from tests.hypothesis_profiles import examples
from tests.openmeet.ingestion.network import HERE, NAMES, message, rev, rsvp_value
from tests.openmeet.interleaving import Action, run_actions_interleaved
from tests.openmeet.series.practice import NOW
from tests.openmeet.site_under_test import edited_details, event_by, person
from tests.simulation.oracle import EVENT, RSVP, Change

NAMES_OF_PEOPLE = ("Hedi", "Coco", "Ana", "Ben", "Cleo", "Dan", "Eva")
GRACE = 14 * DAY


@dataclass(frozen=True, slots=True)
class Scene:
    """An event with two places that Hedi hosts with Coco, to whom it is offered. Ana and Ben go, Cleo is on the
    waitlist, Dan waits for approval, and Eva is invited. Ana has proven that Cleo's account is hers. Somebody from the
    network has not answered yet.
    """

    who: Mapping[str, Caller]
    event: Event
    uri: str
    stranger: Did
    rsvps: Mapping[str, AttendanceId]
    proposal: MergeProposalId


async def scene(db: Database, number: int) -> Scene:
    async with db.transaction() as tx:
        who = {name: await person(tx, f"{name} {number}") for name in NAMES_OF_PEOPLE}
        hedi, coco = who["Hedi"], who["Coco"]
        event = await event_by(tx, hedi, capacity="2", starts="2026-12-04T18:00", ends="2026-12-04T20:00")
        uri = f"at://{_did(0)}/{EVENT}/{number}"
        await tx.execute(
            "update events set record_uri = :uri, record_did = :did where id = :id", uri=uri, did=_did(0), id=event.id
        )
        beside = ownership.accepted_co_host(tx, event, coco.user_id, by=hedi.user_id)
        await co_host_queries.put(tx, beside)
        await ownership.offer(tx, hedi, event.slug, beside.id)
        rsvps = {}
        for name in ("Ana", "Ben", "Cleo"):
            rsvps[name] = (await attendance.answer(tx, who[name], event.slug, RsvpReply.GOING)).id
        await event_hosting.change_registration_settings(
            tx, hedi, event.slug, RegistrationSettings(needs_approval=True)
        )
        rsvps["Dan"] = (await attendance.answer(tx, who["Dan"], event.slug, RsvpReply.GOING)).id
        rsvps["Eva"] = (await invitations.invite(tx, hedi, event.slug, f"eva.{number}@example.org")).id
        proposal, _ = await account_merge.prove_email(tx, who["Ana"].user_id, f"cleo.{number}@example.org")
        assert proposal is not None
        now = await event_by_id(tx, event.id)
        assert now is not None
    return Scene(who, now, uri, _did(number), rsvps, proposal)


def _did(number: int) -> Did:
    return parse_did("did:plc:" + "".join(NAMES[number >> shift & 15] for shift in range(92, -4, -4)))


# --- what people do -----------------------------------------------------------------------------------------------

Deed = Callable[[Transaction, Scene], Awaitable[object]]


def answers(name: str, reply: RsvpReply) -> Deed:
    async def deed(tx: Transaction, on: Scene) -> None:
        # Somebody whose account was merged in the meantime is signed in as the remaining person.
        if await user_by_id(tx, on.who[name].user_id) is None:
            return
        try:
            await attendance.answer(tx, on.who[name], on.event.slug, reply)
        except ForeignKeyViolated as gone:
            raise TransactionConflict("this person was merged") from gone

    return deed


def has_places(capacity: int) -> Deed:
    return lambda tx, on: event_hosting.revise(
        tx, on.who["Hedi"], on.event.slug, edited_details(on.event, capacity=capacity)
    )


async def answer_from_network(tx: Transaction, on: Scene) -> None:
    await apply(tx, HERE, [message(Change(on.stranger, RSVP, "3k", rev(1), rsvp_value(on.uri)))])


DEEDS: dict[str, Deed] = {
    "a guest takes back": answers("Ana", RsvpReply.DECLINED),
    "an invited guest accepts": answers("Eva", RsvpReply.GOING),
    "a waiting guest takes back": answers("Cleo", RsvpReply.DECLINED),
    "somebody answers from the network": answer_from_network,
    "the host approves": lambda tx, on: host_decisions.approve(tx, on.who["Hedi"], on.event.slug, [on.rsvps["Dan"]]),
    "the host removes a guest": lambda tx, on: host_decisions.reject(
        tx, on.who["Hedi"], on.event.slug, [on.rsvps["Ben"]]
    ),
    "the co-host gives a place": lambda tx, on: host_decisions.give_places(
        tx, on.who["Coco"], on.event.slug, [on.rsvps["Cleo"]]
    ),
    "the host adds a guest": lambda tx, on: host_decisions.add(tx, on.who["Hedi"], on.event.slug, "Uncle Tom"),
    "there are more places": has_places(3),
    "there are fewer places": has_places(1),
    "the host cancels": lambda tx, on: event_hosting.cancel(tx, on.who["Hedi"], on.event.slug, "Rain"),
    "the host deletes the event": lambda tx, on: event_hosting.delete(tx, on.who["Hedi"], on.event.slug),
    "the co-host takes over": lambda tx, on: ownership.accept(tx, on.who["Coco"], on.event.slug),
    "the host blocks a guest": lambda tx, on: safety.block(tx, on.who["Hedi"], on.who["Ana"].user_id),
    "a guest blocks the host": lambda tx, on: safety.block(tx, on.who["Ben"], on.who["Hedi"].user_id),
    "two accounts are joined": lambda tx, on: account_merge.confirm(tx, on.who["Ana"].user_id, on.proposal),
}


async def leave(db: Database, who: Caller) -> None:
    """Delete an account, up to the point where the rows are deleted. These are several transactions."""
    await erasure.end(db, await erasure.begin(db, who.user_id, GRACE))


HOST_LEAVES = "the host deletes their account"
LEAVING = {"a guest deletes their account": "Ben", HOST_LEAVES: "Hedi"}


def action_of(name: str, on: Scene, said: list[str]) -> Action:
    """The act, repeated after a conflict with a concurrent transaction. ``said`` gets the reason if it is refused."""

    async def once(db: Database) -> None:
        if name in LEAVING:
            await leave(db, on.who[LEAVING[name]])
            return
        async with db.transaction() as tx:
            await DEEDS[name](tx, on)

    async def act(db: Database) -> None:
        for _ in range(5):
            try:
                await once(db)
            except TransactionConflict:
                continue
            except Unavailable:
                raise
            except Failure as refused:
                said.append(f"{name}: {refused.why}")
            return
        raise AssertionError(f"{name}: it lost again and again")

    return act


# --- how it ends --------------------------------------------------------------------------------------------------

# Publications of subjects that do not exist.
ORPHANS = """
    select kind, subject_id from publications p
     where (kind = 'rsvp' and not exists (select 1 from attendances a where a.id = p.subject_id))
        or (kind = 'event' and not exists (select 1 from events e where e.id = p.subject_id))
"""


# The final state, and who was refused for which reason.
Ending = tuple[dict[str, Any], list[str]]


async def ends(db: Database, on: Scene) -> dict[str, Any]:
    """The final state, with names instead of ids."""
    async with db.reader() as reader:
        names = {caller.user_id: name for name, caller in on.who.items()}
        event = await event_by_id(reader, on.event.id)
        assert event is not None
        rows = await reader.fetch(
            "select id, user_id, status, source, offered_until, pending_for from attendances"
            " where event_id = :id order by waitlist_number, user_id",
            id=event.id,
        )
        published = await reader.fetch(
            "select kind, subject_id, user_id, state from publications"
            " where subject_id in :ids order by kind, subject_id",
            ids=[event.id, *(row["id"] for row in rows)],
        )
        hosts = await reader.fetch("select user_id, state from event_co_hosts where event_id = :id", id=event.id)
        blocks = await reader.fetch(
            "select user_id, blocked_id from user_blocks where user_id in :ids",
            ids=[one.user_id for one in on.who.values()],
        )
        told = await reader.fetch(
            "select user_id, kind from notifications where subject_id = :id order by kind, user_id", id=event.id
        )
    of_whom = {row["id"]: names.get(row["user_id"], "somebody") for row in rows}
    return {
        "event": (event.status, event.content.capacity, event.deleted_at is None, names[event.author_id]),
        "answers": sorted(
            (
                of_whom[row["id"]],
                row["status"],
                row["source"],
                row["offered_until"] is not None,
                row["pending_for"] or "",
            )
            for row in rows
        ),
        "waitlist": [of_whom[row["id"]] for row in rows if row["status"] == "waitlisted"],
        "publications": sorted(
            (row["kind"], of_whom.get(row["subject_id"], ""), names.get(row["user_id"], "somebody"), row["state"])
            for row in published
        ),
        "hosts": sorted((names[row["user_id"]], row["state"]) for row in hosts),
        "blocks": sorted((names[row["user_id"]], names[row["blocked_id"]]) for row in blocks),
        "notifications": sorted((names.get(row["user_id"], "somebody"), row["kind"]) for row in told),
    }


async def check_invariants(reader: Reader, on: Scene) -> None:
    event = await event_by_id(reader, on.event.id)
    assert event is not None
    assert event.content.capacity is not None
    taken = await attendance_queries.seats_held(reader, event.id)
    # If a host reduces the number of places, nobody is removed.
    assert taken <= max(event.content.capacity, 2)
    rows = await reader.fetch(
        "select 1 from attendances where event_id = :id and status = 'waitlisted' and offered_until is null",
        id=event.id,
    )
    if taken < event.content.capacity and not event.is_cancelled and not event.is_gone:
        assert not rows, "somebody waits while a place is free"
    orphans = await reader.fetch(ORPHANS)
    assert not [dict(row) for row in orphans]


async def in_turn(db: Database, number: int, names: tuple[str, str]) -> Ending:
    """How it ends if one acts after the other."""
    on, said = await scene(db, number), list[str]()
    for name in names:
        await action_of(name, on, said)(db)
    async with db.reader() as reader:
        await check_invariants(reader, on)
    return await ends(db, on), sorted(said)


async def meanwhile(db: Database, number: int, names: tuple[str, str]) -> Ending:
    """How it ends if one acts while the host's account is being deleted, which takes several transactions. The event is
    hidden until it has been handed over.
    """
    (other,) = (name for name in names if name != HOST_LEAVES)
    on = await scene(db, number)
    await leave(db, on.who[LEAVING[HOST_LEAVES]])
    return await ends(db, on), [f"{other}: {GeneralReason.NO_SUCH_EVENT.value}"]


def differences(found: Ending, allowed: Sequence[Ending]) -> list[str]:
    """What each allowed ending has instead."""
    return [
        ", ".join(
            [f"{key}: {found[0][key]} instead of {value}" for key, value in state.items() if found[0][key] != value]
            + [f"refused: {found[1]} instead of {said}"] * (found[1] != said)
        )
        for state, said in allowed
    ]


ALL = (*DEEDS, *LEAVING)
PAIRS = [(one, other) for index, one in enumerate(ALL) for other in ALL[index + 1 :]]
# Each run of the suite tries some pairs, with some stops, and the pair that once failed. More examples try more pairs.
FAILED_ONCE = ("the host deletes the event", HOST_LEAVES)
TRIED = sorted({FAILED_ONCE, *random.Random(7).sample(PAIRS, k=examples(len(PAIRS) // 2))})
STEPS = {"sqlite": 1000, "postgresql": 17 if examples(4) == 1 else 1}


@pytest.mark.parametrize("pair", TRIED, ids=" and ".join)
async def test_acts_at_the_same_moment_end_as_if_in_turn(
    make_database: MakeDatabase, clock: HandClock, engine: Engine, pair: tuple[str, str]
) -> None:
    clock.turn(NOW - clock.now())
    db, numbers = await make_database("openmeet", clock=clock), count(1)
    allowed = [await in_turn(db, next(numbers), names) for names in (pair, pair[::-1])]
    allowed += [await meanwhile(db, next(numbers), pair) for name in pair if name == HOST_LEAVES]
    for names in (pair, pair[::-1]):
        at, is_stopped = 2, True
        while is_stopped:
            on, said = await scene(db, next(numbers)), list[str]()
            first, second = (action_of(name, on, said) for name in names)
            is_stopped = await run_actions_interleaved(db, first, second, at)
            where = f"{names[0]} stopped before statement {at}"
            async with db.reader() as reader:
                await check_invariants(reader, on)
            found = await ends(db, on), sorted(said)
            assert found in allowed, f"{where}: {differences(found, allowed)}"
            at += STEPS[engine]
