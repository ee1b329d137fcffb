"""Wake the tasks of this process that wait for something to be committed. This is only a hint: other processes poll."""

import asyncio
from weakref import WeakSet


class Wakeups:
    """The events that ``wake`` sets. An event that is no longer referenced is dropped."""

    def __init__(self) -> None:
        self._events: WeakSet[asyncio.Event] = WeakSet()

    def new(self) -> asyncio.Event:
        """Return an event for a task that waits. The task clears it before it looks for work."""
        event = asyncio.Event()
        self._events.add(event)
        return event

    def wake(self) -> None:
        """Wake the tasks. Call it on the event loop after the commit (``Transaction.after_commit``)."""
        for one in self._events:
            one.set()
