"""Link a Matrix account: the owner copies a code from our page into a direct chat with the keeper, which proves that
the account is theirs.
"""

import re
from typing import Final

from groundwork.database.transaction import Transaction
from groundwork.outbox import jobs
from openmeet.domain.chat import matrix_guests, matrix_people
from openmeet.matrix import content
from openmeet.matrix.bridge import Bridge
from openmeet.matrix.calls import JsonObject
from openmeet.outbox.kinds import JobKind

_CODE: Final = re.compile(r"\s*([2-9A-Za-z]{10})\s*")


async def apply(tx: Transaction, bridge: Bridge, matrix_room: str, event: JsonObject) -> None:
    """Apply one event of a direct chat. The keeper replies to any message and then leaves, so each guess at a code
    requires a new invitation.
    """
    incoming = content.incoming(event)
    if not isinstance(incoming, content.IncomingMessage) or bridge.is_ours(incoming.sender):
        return
    code = _CODE.fullmatch(incoming.text)
    linked = None if code is None else await matrix_people.link(tx, incoming.sender, code[1])
    if linked is not None:
        await matrix_guests.become_person(tx, incoming.sender, linked)
    verb = "unlinked" if linked is None else "linked"
    await jobs.enqueue_again(tx, JobKind.MATRIX_CALL, [f"{verb} {matrix_room}"])
