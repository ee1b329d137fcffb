"""Rate limits for writing in chats. The same limits apply in the browser, the API and Matrix."""

from typing import Final

from groundwork.rate_limit.contract import Limit

MESSAGES_PER_MINUTE: Final = Limit("chat_minute", 20, 60)
MESSAGES_IN_ONE_ROOM: Final = Limit("chat_burst", 5, 10)
# For all people in one room together.
MESSAGES_OF_EVERYBODY_IN_ROOM: Final = Limit("chat_room", 50, 1)
# Edits, reactions and votes. Each is pushed to everyone who has the chat open.
CHANGES: Final = (Limit("chat_change_minute", 60, 60), Limit("chat_change_hour", 1_000, 3_600))
CHANGES_IN_ONE_ROOM: Final = Limit("chat_change_burst", 20, 10)


def messages_per_hour(messages: int) -> Limit:
    """The limit for new messages per hour. ``messages`` is the number from the settings."""
    return Limit("chat_hour", messages, 3_600)
