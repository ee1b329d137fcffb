"""Exports share the memory for what they have read and not sent yet."""

import tracemalloc

import pytest

from at_protocol.repo import car
from aurora_locus.repository.export import export
from aurora_locus.repository.repositories import Repositories
from groundwork.memory_budget import MemoryBudget
from tests.aurora_locus.hosted_repository import HostedRepository

BUDGET = 3_000_000


async def write_notes(ada: HostedRepository, name: str, text: str = "") -> None:
    for start in range(0, 400, 100):
        numbers = range(start, start + 100)
        await ada.write(*(ada.prepare(f"{name}{number}", {"text": text, "n": number}) for number in numbers))


async def test_downloads_that_are_not_read_hold_little_memory_together(
    repositories: Repositories, ada: HostedRepository
) -> None:
    """Whoever opens many downloads and does not read them gets the whole file in the end, but little memory
    meanwhile.
    """
    await write_notes(ada, "k", "x" * 5000)
    whole = b"".join([chunk async for chunk in export(repositories, ada.did)])
    assert len(whole) > 2_000_000
    repositories.export_memory = MemoryBudget(BUDGET)
    downloads = [export(repositories, ada.did) for _ in range(20)]
    tracemalloc.start()
    try:
        begun = [await anext(one) for one in downloads]
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 12_000_000
    assert begun[-1] + b"".join([chunk async for chunk in downloads[-1]]) == whole
    for one in downloads:
        await one.aclose()  # type: ignore[attr-defined]  # what it is besides its contract
    assert repositories.export_memory.left == BUDGET


@pytest.mark.parametrize("left", [0, 100_000])
async def test_file_is_complete_however_little_memory_is_left(
    repositories: Repositories, ada: HostedRepository, left: int
) -> None:
    await write_notes(ada, "k")
    since = (await repositories.head(ada.did)).rev
    await write_notes(ada, "m")
    for rev in (None, since):
        with_plenty = b"".join([chunk async for chunk in export(repositories, ada.did, rev)])
        repositories.export_memory, ample = MemoryBudget(left), repositories.export_memory
        with_little = b"".join([chunk async for chunk in export(repositories, ada.did, rev)])
        assert repositories.export_memory.left == left
        repositories.export_memory = ample
        assert car.read(with_little).blocks == car.read(with_plenty).blocks
