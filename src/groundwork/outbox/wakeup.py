"""Wake the dispatchers of this process after a commit that enqueued a job. This is only a hint: other processes poll.

``new_wakeup`` creates an event that ``wake_dispatchers`` sets. An event that is no longer referenced is dropped.
"""

import asyncio
from weakref import WeakSet

_EVENTS: WeakSet[asyncio.Event] = WeakSet()


def new_wakeup() -> asyncio.Event:
    """Return an event that is set whenever this process has committed a job. The dispatcher that holds it clears it."""
    event = asyncio.Event()
    _EVENTS.add(event)
    return event


def wake_dispatchers() -> None:
    """Wake the dispatchers because a job was enqueued. Call it on the event loop after the commit
    (``Transaction.after_commit``).
    """
    for one in _EVENTS:
        one.set()
