"""Wakeup on events of other processes.

On PostgreSQL every commit sends a notification. Readers page by number; the number in the notification only saves a
read for those who already have that event. Polling every two seconds covers notifications that were lost with a
connection. On SQLite there is only polling, because a second process is just an operator's command.
"""

import asyncio
from collections.abc import Callable

from aurora_locus.sequencer.live_events import LiveEvents
from groundwork.database.notifications import listen
from groundwork.database.open_ import POSTGRES

LOOK_SECONDS = 2.0
_HEAD_START_SECONDS = 0.003


def channel(schema: str) -> str:
    """The name of the channel that the trigger in the migrations notifies."""
    return f"{schema}_events"


async def run_wakeup(live: LiveEvents, database_url: str, schema: str) -> None:
    """Wake subscribers for events of other processes, until cancelled."""
    polling = asyncio.create_task(_poll(live.start_catch_up), name="pds log looking")
    try:
        if database_url.startswith(POSTGRES):
            await listen(database_url, channel(schema), lambda payload: _listen(live, payload))
        else:
            await polling
    finally:
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)


def _listen(live: LiveEvents, payload: str) -> None:
    """Handle a notification. Without a number, events may have been announced that we missed."""
    if not payload:
        live.start_catch_up()
        return
    # Our own commits send notifications too. The in-process announcement is cheaper, so it gets a head start.
    asyncio.get_running_loop().call_later(_HEAD_START_SECONDS, _catch_up_to, live, int(payload))


def _catch_up_to(live: LiveEvents, number: int) -> None:
    if live.buffer.head < number:
        live.start_catch_up()


async def _poll(start_catch_up: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        start_catch_up()
