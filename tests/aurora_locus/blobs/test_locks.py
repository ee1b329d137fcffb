"""Locks of one account."""

import asyncio

from at_protocol.syntax.did import Did
from aurora_locus.blobs.locks import Locks
from tests.timeouts import TIMEOUT_SECONDS

ADA, BEN = Did("did:plc:" + "a" * 24), Did("did:plc:" + "b" * 24)


async def test_one_at_a_time_in_order_of_arrival():
    locks = Locks()
    order: list[int] = []
    inside = 0

    async def visit(number: int) -> None:
        nonlocal inside
        async with locks.hold(ADA):
            inside += 1
            assert inside == 1
            await asyncio.sleep(0)
            order.append(number)
            inside -= 1

    await asyncio.gather(*(visit(number) for number in range(10)))
    assert order == list(range(10))


async def test_different_accounts_do_not_wait_for_each_other():
    locks = Locks()
    async with locks.hold(ADA), asyncio.timeout(TIMEOUT_SECONDS), locks.hold(BEN):
        pass


async def test_idle_accounts_and_cancelled_waiters_leave_no_lock():
    locks = Locks()
    async with locks.hold(ADA):
        waiting = asyncio.create_task(_enter(locks))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    await _enter(locks)
    assert locks._held == {}


async def _enter(locks: Locks) -> None:
    async with locks.hold(ADA):
        pass
