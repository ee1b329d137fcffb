"""Send a report to this host. If a service moderates for the host, or the caller names one, the call is proxied to it
(``elsewhere``).
"""

from typing import Any

from at_protocol.syntax.datetime import format_datetime
from aurora_locus.accounts.registry import Registry
from aurora_locus.moderation import reports
from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """Store a report. Owners of taken-down accounts may report too, because that is how they appeal. Raises
    InvalidInput.
    """
    report = await reports.make(registry, call.did, call.body)
    response: dict[str, Any] = {
        "id": report.id,
        "reasonType": report.reason_type,
        "subject": call.body["subject"],
        "reportedBy": report.reported_by,
        "createdAt": format_datetime(report.created_at),
    }
    return response | ({"reason": report.reason} if report.reason else {})
