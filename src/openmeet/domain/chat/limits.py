"""How often one person may write, in the browser, by the API and from Matrix alike."""

from typing import Final

from groundwork.rate_limit.contract import Limit

MESSAGES_PER_MINUTE: Final = Limit("chat_minute", 20, 60)
MESSAGES_IN_ONE_ROOM: Final = Limit("chat_burst", 5, 10)
# Of everybody in one room.
MESSAGES_OF_EVERYBODY_IN_ROOM: Final = Limit("chat_room", 50, 1)
# Edits, reactions and votes: each is pushed to everybody who has the chat open.
CHANGES: Final = (Limit("chat_change_minute", 60, 60), Limit("chat_change_hour", 1_000, 3_600))
CHANGES_IN_ONE_ROOM: Final = Limit("chat_change_burst", 20, 10)


def messages_per_hour(messages: int) -> Limit:
    """``messages``: as the settings have it."""
    return Limit("chat_hour", messages, 3_600)
