"""Where computations run."""

import asyncio
import contextvars
import threading

import pytest

from groundwork.threads import AT_ONCE_BYTES, compute

_NAME = contextvars.ContextVar("name", default="nobody")


def _place() -> tuple[int, str]:
    return threading.get_ident(), _NAME.get()


@pytest.mark.parametrize("size", [0, AT_ONCE_BYTES, AT_ONCE_BYTES + 1])
async def test_only_large_computations_leave_the_event_loop(size: int) -> None:
    _NAME.set("ana")
    place, name = await compute(size, _place)
    assert (place == threading.get_ident()) is (size <= AT_ONCE_BYTES)
    assert name == "ana"


async def test_large_computations_run_one_after_another() -> None:
    running = []

    def work(number: int) -> int:
        running.append(number)
        assert len(running) == 1
        running.remove(number)
        return threading.get_ident()

    places = await asyncio.gather(*(compute(AT_ONCE_BYTES + 1, work, number) for number in range(20)))
    assert len(set(places)) == 1


async def test_errors_of_a_large_computation_reach_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        await compute(AT_ONCE_BYTES + 1, lambda: 1 // 0)
