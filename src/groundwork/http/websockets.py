"""Servers of WebSockets that only send."""

from starlette.types import Receive


async def until_disconnected(receive: Receive) -> None:
    """Read and discard whatever the other side sends, until it disconnects."""
    while (await receive())["type"] != "websocket.disconnect":
        continue
