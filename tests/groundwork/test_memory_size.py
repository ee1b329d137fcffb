"""The estimate of memory is about what the interpreter allocates."""

import tracemalloc
from dataclasses import dataclass

import pytest

from groundwork.errors import NotFound
from groundwork.memory_size import memory_bytes


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    tags: tuple[str, ...]


@pytest.mark.parametrize(
    "make",
    [
        lambda: b"x" * 1_000_000,
        lambda: "é" * 1_000_000,
        lambda: [[] for _ in range(10_000)],
        lambda: {f"key {number}": {} for number in range(10_000)},
        lambda: tuple(f"{number}é" for number in range(10_000)),
        lambda: {number: float(number) for number in range(10_000)},
        lambda: [Row(f"name {number}", (f"a{number}", f"b{number}")) for number in range(10_000)],
        lambda: [NotFound(f"There is no {number}.") for number in range(1_000)],
        lambda: frozenset(f"{number}" for number in range(10_000)),
    ],
)
def test_estimate_is_close_to_what_is_allocated(make):
    tracemalloc.start()
    try:
        value = make()
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert 0.95 * taken < memory_bytes(value) < 2 * taken
