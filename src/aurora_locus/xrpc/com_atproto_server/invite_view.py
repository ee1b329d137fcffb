"""An invite code as its owner and the administration see it."""

from typing import Any

from at_protocol.syntax.datetime import format_datetime
from aurora_locus.accounts.invites import InviteCode


def invite_view(code: InviteCode) -> dict[str, Any]:
    """Return an invite code in the Lexicon's form. ``available`` counts all uses including past ones, which clients
    subtract.
    """
    return {
        "code": code.code,
        "available": code.left + len(code.uses),
        "disabled": code.is_disabled,
        "forAccount": code.for_account,
        "createdBy": code.created_by,
        "createdAt": format_datetime(code.created_at),
        "uses": [{"usedBy": did, "usedAt": format_datetime(at)} for did, at in code.uses],
    }
