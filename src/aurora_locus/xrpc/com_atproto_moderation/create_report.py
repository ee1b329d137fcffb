"""Send a report to this host. If a service moderates for the host, or the caller names one, the call is proxied to it
(``xrpc.proxied_calls``).
"""

from typing import Any

from at_protocol.syntax.datetime import format_datetime
from aurora_locus.accounts.limits import CREATE_REPORT
from aurora_locus.accounts.model import SessionScope
from aurora_locus.moderation import reports
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.limits import per_account
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure
from groundwork.errors import NotSignedIn

_APPEALS = frozenset({"com.atproto.moderation.defs#reasonAppeal", "tools.ozone.report.defs#reasonAppeal"})


async def create_report(call: XrpcCall) -> Outcome:
    """Store a report. The owner of a taken-down account may only appeal. Raises InvalidInput, NotSignedIn."""
    is_taken_down = call.caller is not None and call.caller.scope is SessionScope.TAKENDOWN
    if is_taken_down and call.body["reasonType"] not in _APPEALS:
        raise NotSignedIn("This account has been taken down. It can only appeal.", name="AccountTakedown")
    report = await reports.make(call.registry, call.did, call.body)
    response: dict[str, Any] = {
        "id": report.id,
        "reasonType": report.reason_type,
        "subject": call.body["subject"],
        "reportedBy": report.reported_by,
        "createdAt": format_datetime(report.created_at),
    }
    return response | ({"reason": report.reason} if report.reason else {})


METHOD = procedure(
    "com.atproto.moderation.createReport", create_report, AccessLevel.ACCESS, charges=per_account(*CREATE_REPORT)
)
