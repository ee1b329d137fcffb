"""Names in the namespace that the homeserver reserves for us: users ``@_om_…`` and aliases ``#_om_…``.

Ids that come back from a homeserver are only compared with these and never parsed for meaning: room ids of version 12
have no server part (Matrix specification, Room Version 12).
"""

import re
from typing import Final

from openmeet.domain.chat.mirroring import NAMESPACE

# The registration's `sender_localpart`. Synapse answers /sync with 500 for this user, so the bridge never acts as it.
SENDER: Final = "_om_sender"
PREFIX: Final = NAMESPACE
# All our users have the same single device: without a device, Synapse forgets transaction ids when it restarts.
DEVICE: Final = "OPENMEET"

# Matrix specification, Appendices, User Identifiers: at most 255 bytes; the historical grammar allows any printable
# ASCII except a colon in the name.
_USER_ID = re.compile(r"@[\x21-\x39\x3b-\x7e]{1,200}:[A-Za-z0-9.\-\[\]:]{1,200}")
_EVENT_ID = re.compile(r"\$[\x21-\x7e]{1,254}")
# CS API, Content repository: the id of a file is opaque, but uses only these characters.
_MEDIA_URI = re.compile(r"mxc://[A-Za-z0-9.\-\[\]:]{1,200}/[A-Za-z0-9_\-]{1,255}")
_ROOM_ID = re.compile(r"![\x21-\x7e]{1,254}")


def bot_localpart(tenant: str) -> str:
    """The localpart of the bot, the user that creates, moderates and reads a community's rooms.

    It never changes, because the power of a room's creator cannot be transferred (Room Version 12).
    """
    return f"{PREFIX}{tenant}_keeper"


def room_alias(tenant: str, room_id: str) -> str:
    """The localpart of a room's alias. Every room is created with it, so that it can be found if the response is lost."""
    return f"{PREFIX}{tenant}_{room_id}"


def full_alias(tenant: str, server_name: str, room_id: str) -> str:
    """The alias of a room that we created, as people type it."""
    return f"#{room_alias(tenant, room_id)}:{server_name}"


def is_user_id(value: object) -> bool:
    """Whether this is a valid user id: ``@name:server``, at most 255 characters."""
    return isinstance(value, str) and len(value) <= 255 and _USER_ID.fullmatch(value) is not None


def is_event_id(value: object) -> bool:
    """Whether this is a valid event id, which is opaque after ``$``."""
    return isinstance(value, str) and _EVENT_ID.fullmatch(value) is not None


def is_room_id(value: object) -> bool:
    """Whether this is a valid room id, which is opaque after ``!``."""
    return isinstance(value, str) and _ROOM_ID.fullmatch(value) is not None


def is_media_uri(value: object) -> bool:
    """Whether this is a valid address of a file on a homeserver."""
    return isinstance(value, str) and _MEDIA_URI.fullmatch(value) is not None
