"""Tasks that run concurrently and fail like one call."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def run_concurrently() -> AsyncIterator[asyncio.TaskGroup]:
    """Run tasks concurrently. The first failure cancels the others and is raised unchanged."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
