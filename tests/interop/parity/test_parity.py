"""Compares with the reference PDS: the same requests get the same responses, apart from the differences that the table
lists.
"""

import pytest

from tests.external_dependencies import needs
from tests.interop.parity.comparing import patterns
from tests.interop.parity.conftest import Comparisons
from tests.interop.parity.deliberate import DELIBERATE
from tests.interop.parity.groups import GROUPS

pytestmark = needs("reference")


@pytest.mark.parametrize("group", GROUPS)
async def test_responses_equal_those_of_the_reference(comparisons: Comparisons, group: str) -> None:
    found = await comparisons.of(group)
    assert found.requests
    assert not found.unexplained, "\n\n".join(found.unexplained)


async def test_every_deliberate_difference_still_exists(comparisons: Comparisons) -> None:
    """Each pattern in the table of deliberate differences still matches a difference, so that fixed differences are
    removed from the table.
    """
    needed = {each for group in GROUPS for each in (await comparisons.of(group)).needed}
    idle = [f"{row.why}: {pattern}" for row in DELIBERATE for case, pattern in sorted(patterns(row) - needed, key=str)]
    assert idle == []
