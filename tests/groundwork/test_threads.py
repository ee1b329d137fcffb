"""Where computations run."""

import asyncio
import contextvars
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from groundwork import threads
from groundwork.errors import TooMany, Unavailable
from groundwork.threads import AT_ONCE_BYTES, ClientComputations, compute

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


@contextmanager
def busy_thread() -> Iterator[None]:
    """The thread for computations is busy during the block."""
    is_over = threading.Event()
    running = asyncio.ensure_future(compute(AT_ONCE_BYTES + 1, is_over.wait))
    try:
        yield
    finally:
        is_over.set()
        assert not running.cancelled()


async def test_client_with_many_computations_delays_others_by_one() -> None:
    computations, done = ClientComputations(), list[str]()
    with busy_thread():
        tasks = [
            asyncio.ensure_future(computations.compute(client, AT_ONCE_BYTES + 1, done.append, f"{client}{number}"))
            for client, number in [*(("mallory", number) for number in range(50)), ("ada", 0), ("ada", 1)]
        ]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert [name for name in done if name.startswith("mallory")] == [f"mallory{number}" for number in range(50)]
    assert done.index("ada0") == 1
    assert done.index("ada1") <= 3


async def test_waiting_computations_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of one client with TooMany, those of all together with Unavailable. What has ended or was given up makes
    room.
    """
    size = AT_ONCE_BYTES + 1
    monkeypatch.setattr(threads, "CLIENT_BYTES", 2 * size)
    monkeypatch.setattr(threads, "ALL_CLIENTS_BYTES", 5 * size)
    computations = ClientComputations()
    with busy_thread():
        tasks = [
            asyncio.ensure_future(computations.compute(client, size, len, "four")) for client in ("a", "a", "b", "b")
        ]
        await asyncio.sleep(0)
        with pytest.raises(TooMany):
            await computations.compute("a", size, len, "four")
        assert await computations.compute("a", AT_ONCE_BYTES, len, "four") == 4
        last = asyncio.ensure_future(computations.compute("c", size, len, "four"))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await computations.compute("d", size, len, "four")
        for given_up in (last, tasks[1]):
            given_up.cancel()
        await asyncio.wait([last, tasks[1]])
        tasks = [*tasks[:1], *tasks[2:], asyncio.ensure_future(computations.compute("a", size, len, "four"))]
        await asyncio.sleep(0)
    assert await asyncio.gather(*tasks) == [4] * 4
    assert await asyncio.gather(*(computations.compute("a", size, len, "four") for _ in range(2))) == [4, 4]


async def test_everything_computed_for_a_client_is_counted_and_waits_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a request computes counts for its client, without being told so at each place."""
    size = AT_ONCE_BYTES + 1
    computations, done = ClientComputations(), list[str]()

    async def ask(client: str, name: str) -> None:
        with computations.used_by(client):
            await compute(size, done.append, name)

    with busy_thread():
        names = [*(("mallory", f"mallory{number}") for number in range(20)), ("ada", "ada")]
        tasks = [asyncio.ensure_future(ask(*name)) for name in names]
        await asyncio.sleep(0)
        monkeypatch.setattr(threads, "CLIENT_BYTES", 20 * size)
        with pytest.raises(TooMany):
            await ask("mallory", "one more")
    await asyncio.gather(*tasks)
    assert done.index("ada") == 1
    assert len(done) == 21


async def test_computations_that_others_wait_for_are_never_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "CLIENT_BYTES", 0)
    with ClientComputations().used_by("ada"):
        with threads.never_refused():
            assert await compute(AT_ONCE_BYTES + 1, len, "four") == 4
        with pytest.raises(TooMany):
            await compute(AT_ONCE_BYTES + 1, len, "four")
    with threads.never_refused():
        assert await compute(AT_ONCE_BYTES + 1, len, "four") == 4
