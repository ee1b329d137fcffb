"""Links of guests' letters: derived from the installation's key, so that none is at rest (invariant 8). Pure."""

import re

from groundwork.signing_key import SigningKey
from openmeet.domain.guest_rsvps.model import GuestAnswerId

_TOKEN = re.compile(r"([0-9a-f-]{36})\.([0-9a-f]{32})")


def token_of(key: SigningKey, answer_id: GuestAnswerId) -> str:
    """What the link carries; it confirms this answer and does nothing else."""
    proof = key.digest(b"guest answer\x00" + answer_id.encode()).hex()
    return f"{answer_id}.{proof[:32]}"


def answer_in(key: SigningKey, token: str) -> GuestAnswerId | None:
    """The answer that a link stands for; None where it was made up."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        return None
    answer_id = GuestAnswerId(found[1])
    return answer_id if key.made(token, lambda one: token_of(one, answer_id)) else None
