"""Callbacks that run after a durable commit."""

import asyncio
from collections.abc import Callable, Iterable


def run_calls(calls: Iterable[Callable[[], None]]) -> None:
    """Run the callbacks in order on the event loop. They must not raise, but if one does, the others still run."""
    for call in calls:
        try:
            call()
        except Exception as failure:  # noqa: BLE001 - an edge: logged, because the commit is durable
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a call after the commit raised", "exception": failure}
            )
