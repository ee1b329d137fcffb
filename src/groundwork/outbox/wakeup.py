"""Wakes the payers of this process when something was owed in it. A hint, never a promise: other processes look by the clock.

``bell`` makes an event that ``ring`` sets; whoever owes rings after the commit. A bell that nobody holds any more is
forgotten.
"""

import asyncio
from weakref import WeakSet

_BELLS: WeakSet[asyncio.Event] = WeakSet()


def new_wakeup() -> asyncio.Event:
    """An event that is set whenever a debt of this process has become durable; its holder clears it."""
    made = asyncio.Event()
    _BELLS.add(made)
    return made


def wake_dispatchers() -> None:
    """Something is owed. To be called on the event loop, after the commit (``Transaction.after_commit``)."""
    for one in _BELLS:
        one.set()
