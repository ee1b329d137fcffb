"""Rows that promise: leased, paid, postponed, given up; a crash repeats and never loses."""

import pytest
from tests.databases import MakeDatabase

from groundwork.clock import HOUR, SECOND, HandClock, Instant
from groundwork.database.transaction import Database
from groundwork.errors import Refused, RemoteFailed, TooMany
from groundwork.outbox import jobs, retry
from groundwork.outbox.dispatcher import Paying, lease, run_once
from groundwork.outbox.jobs import DebtState, Job


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet")


async def owe(db: Database, subject: str = "s", revision: int = 1) -> None:
    async with db.transaction() as tx:
        await jobs.owe(tx, "kind", subject, revision)


async def found(db: Database, subject: str = "s") -> Job:
    async with db.reader() as reader:
        debt = await jobs.find(reader, "kind", subject)
    assert debt is not None
    return debt


class _Payer:
    """Pays as told: each call takes the next failure, then succeeds."""

    def __init__(self, *failures: Exception) -> None:
        self.failures, self.paid = list(failures), []

    async def pay(self, debt: Job) -> None:
        self.paid.append((debt.subject, debt.revision))
        if self.failures:
            raise self.failures.pop(0)


async def test_paid_once(db: Database):
    payer = _Payer()
    await owe(db)
    assert await run_once(db, {"kind": Paying(payer.pay)}) == 1
    assert await run_once(db, {"kind": Paying(payer.pay)}) == 0
    await owe(db)
    assert await run_once(db, {"kind": Paying(payer.pay)}) == 0
    assert payer.paid == [("s", 1)]


async def test_newer_revision_is_due_again(db: Database):
    payer = _Payer()
    await owe(db)
    await run_once(db, {"kind": Paying(payer.pay)})
    await owe(db, revision=2)
    await run_once(db, {"kind": Paying(payer.pay)})
    assert payer.paid == [("s", 1), ("s", 2)]


async def test_revision_owed_while_paying_is_not_lost(db: Database):
    await owe(db)

    async def pay(_debt: Job) -> None:
        await owe(db, revision=2)

    await run_once(db, {"kind": Paying(pay)})
    assert (await found(db)).state is DebtState.DUE


async def test_what_is_owed_for_later_while_paying_waits_until_then(db: Database, clock: HandClock):
    """A payer that has to come back says when, by owing it once more."""
    await owe(db)
    later = Instant(clock.now() + HOUR)

    async def pay(debt: Job) -> None:
        async with db.transaction() as tx:
            await jobs.owe(tx, "kind", debt.subject, debt.revision + 1, due_at=later)

    assert await run_once(db, {"kind": Paying(pay)}) == 1
    assert await run_once(db, {"kind": Paying(pay)}) == 0
    assert ((await found(db)).state, (await found(db)).due_at) == (DebtState.DUE, later)


async def test_asked_again_in_the_same_instant_while_paying_is_paid_again(db: Database):
    """By clocks that stand, or stand differently: whoever asks last is answered by a payment that begins after that."""

    async def ask() -> None:
        async with db.transaction() as tx:
            await jobs.owe_again(tx, "kind", ["s", "s"])

    paid: list[int] = []

    async def pay(debt: Job) -> None:
        paid.append(debt.revision)
        if len(paid) == 1:
            await ask()

    await ask()
    assert [await run_once(db, {"kind": Paying(pay)}) for _ in range(3)] == [1, 1, 0]
    assert paid == [paid[0], paid[0] + 1]
    await ask()
    assert (await found(db)).state is DebtState.DUE


async def test_payer_that_died_is_replaced_when_its_lease_ends(db: Database, clock: HandClock):
    await owe(db)
    assert len(await lease(db, "kind", limit=10, seconds=60)) == 1
    assert await lease(db, "kind", limit=10, seconds=60) == []
    clock.turn(61 * SECOND)
    payer = _Payer()
    assert await run_once(db, {"kind": Paying(payer.pay)}) == 1


async def test_failure_that_may_pass_is_postponed(db: Database, clock: HandClock):
    payer = _Payer(RemoteFailed("away"), TooMany("slow down", after_seconds=120))
    await owe(db)
    await run_once(db, {"kind": Paying(payer.pay)})
    debt = await found(db)
    assert (debt.state, debt.attempts, debt.reason) == (DebtState.DUE, 1, "away")
    clock.turn(10 * SECOND)
    await run_once(db, {"kind": Paying(payer.pay)})
    assert (await found(db)).due_at == clock.now() + 120 * SECOND


async def test_failure_that_will_not_pass_waits_for_a_person(db: Database, clock: HandClock):
    payer = _Payer(Refused("no"))
    await owe(db)
    await run_once(db, {"kind": Paying(payer.pay)})
    clock.turn(24 * HOUR)
    assert await run_once(db, {"kind": Paying(payer.pay)}) == 0
    async with db.reader() as reader:
        assert [debt.reason for debt in await jobs.failed(reader)] == ["Refused: no"]
        assert [(kind, state, n) for kind, state, n, _ in await jobs.waiting(reader)] == [
            ("kind", DebtState.GIVEN_UP, 1)
        ]
    async with db.transaction() as tx:
        assert await jobs.wake(tx, "kind", "s")
    assert await run_once(db, {"kind": Paying(payer.pay)}) == 1


async def test_unforeseen_failure_is_tried_a_few_times(db: Database, clock: HandClock):
    payer = _Payer(*(KeyError("bug") for _ in range(10)))
    await owe(db)
    for _ in range(10):
        await run_once(db, {"kind": Paying(payer.pay)})
        clock.turn(HOUR)
    assert len(payer.paid) == retry.DEFAULT.unforeseen_tries
    assert (await found(db)).state is DebtState.GIVEN_UP


async def test_one_failure_does_not_touch_the_others(db: Database):
    await owe(db, "a")
    await owe(db, "b")

    async def pay(debt: Job) -> None:
        if debt.subject == "a":
            raise Refused("no")

    await run_once(db, {"kind": Paying(pay)})
    assert (await found(db, "b")).state is DebtState.PAID


async def test_paid_debts_are_forgotten_in_the_end(db: Database, clock: HandClock):
    await owe(db)
    await run_once(db, {"kind": Paying(_Payer().pay)})
    clock.turn(HOUR)
    async with db.transaction() as tx:
        assert await jobs.forget_paid(tx, tx.now) == 1
        assert not await jobs.forget(tx, "kind", "s")


@pytest.mark.parametrize("attempts", [1, 2, 5, 50, 5000])
def test_waits_grow_to_a_limit(attempts: int):
    for jitter in (0.0, 0.5, 0.999):
        seconds = retry.wait_seconds(attempts, jitter)
        assert 0 < seconds <= retry.DEFAULT.longest_seconds
    assert retry.wait_seconds(attempts, 0.5, asked_seconds=9000) == 9000
