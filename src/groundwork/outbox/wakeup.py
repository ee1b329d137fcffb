"""Wake the dispatchers of this process after a commit that enqueued a job."""

from typing import Final

from groundwork.wakeups import Wakeups

_DISPATCHERS: Final = Wakeups()

new_wakeup = _DISPATCHERS.new
wake_dispatchers = _DISPATCHERS.wake
