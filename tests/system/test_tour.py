"""``make tour`` as a test: the main functions of the product, step by step, with real processes."""

import re
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE, STDOUT


async def test_tour_succeeds():
    """Its exit status is 0. If it is not, the test fails with the whole output."""
    process = await create_subprocess_exec(sys.executable, "-m", "tests.system.tour", stdout=PIPE, stderr=STDOUT)
    printed, _ = await process.communicate()
    assert process.returncode == 0, printed.decode()
    assert re.search(rb"All \d+ checks passed", printed)
