"""Run the callbacks that wait for a durable commit."""

import asyncio
from collections.abc import Callable, Iterable


def run_calls(calls: Iterable[Callable[[], None]]) -> None:
    """Call them in order on the event loop; one that raises, although it must not, does not stop the others."""
    for call in calls:
        try:
            call()
        except Exception as failure:  # noqa: BLE001 - an edge: reported, the commit stands
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a call after the commit raised", "exception": failure}
            )
