"""Both servers, shared by all comparisons, and their responses to each group of requests."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.interop.parity.app_view import GROUPS as WITH_SERVICES
from tests.interop.parity.comparing import Comparison, compare
from tests.interop.parity.groups import GROUPS
from tests.interop.parity.sides import Sides, open_sides


@pytest.fixture(scope="session")
async def sides(tmp_path_factory: pytest.TempPathFactory, sqlite_templates: Path) -> AsyncIterator[Sides]:
    async with open_sides(tmp_path_factory.mktemp("parity"), sqlite_templates) as opened:
        yield opened


@pytest.fixture(scope="session")
async def sides_with_services(tmp_path_factory: pytest.TempPathFactory, sqlite_templates: Path) -> AsyncIterator[Sides]:
    async with open_sides(tmp_path_factory.mktemp("parity"), sqlite_templates, has_services=True) as opened:
        yield opened


@dataclass
class Comparisons:
    """The comparisons by group. Each group is run once, by the first test that needs it."""

    sides: Sides
    sides_with_services: Sides
    known: dict[str, Comparison] = field(default_factory=dict)

    async def of(self, group: str) -> Comparison:
        if group not in self.known:
            sides = self.sides_with_services if group in WITH_SERVICES else self.sides
            self.known[group] = compare(group, await sides.both(GROUPS[group]))
        return self.known[group]


@pytest.fixture(scope="session")
def comparisons(sides: Sides, sides_with_services: Sides) -> Comparisons:
    return Comparisons(sides, sides_with_services)
