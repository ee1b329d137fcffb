"""Take down an account, a record or a blob, or lift the takedown; deactivate or reactivate an account."""

from collections.abc import Mapping
from typing import Any

from aurora_locus.moderation import subject_actions
from aurora_locus.moderation.subject_actions import SubjectStatusRequest
from aurora_locus.moderation.subjects import AccountSubject, Subject, parse_subject
from aurora_locus.moderation.takedowns import NO_REFERENCE
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.com_atproto_admin.operator import audit_of
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure
from groundwork.errors import InvalidInput
from groundwork.telemetry.logs import log


async def update_subject_status(call: XrpcCall) -> Outcome:
    """Take down or restore an account, record or blob; deactivate or reactivate an account (``updateSubjectStatus``).

    If the request contains no decision about an account, its current status is announced again. Raises NotFound,
    InvalidInput.
    """
    subject = parse_subject(call.body["subject"])
    takedown, deactivated = call.body.get("takedown"), call.body.get("deactivated")
    _require_sensible(subject, takedown, deactivated)
    is_applied = bool(takedown and takedown["applied"])
    reference = (takedown.get("ref") or NO_REFERENCE) if takedown and is_applied else None
    audit = audit_of(call, (takedown or {}).get("ref", ""))
    if isinstance(subject, AccountSubject):
        request = SubjectStatusRequest(
            takedown=reference,
            lift=takedown is not None and not is_applied,
            deactivated=None if deactivated is None else deactivated["applied"],
        )
        await subject_actions.decide_account(call.registry, audit, subject.did, request)
    elif takedown is not None:
        await subject_actions.decide_content(call.registry, audit, subject, reference)
    log.info("subject.decided", did=subject.did, is_taken_down=is_applied)
    response: dict[str, Any] = {"subject": call.body["subject"]}
    return response if takedown is None else {**response, "takedown": takedown}


def _require_sensible(
    subject: Subject, takedown: Mapping[str, Any] | None, deactivated: Mapping[str, Any] | None
) -> None:
    if deactivated is not None and not isinstance(subject, AccountSubject):
        raise InvalidInput("deactivated", "Only an account can be deactivated.")
    if takedown and deactivated and takedown["applied"] and not deactivated["applied"]:
        raise InvalidInput("deactivated", "An account cannot be taken down and reactivated at the same time.")
    if takedown and not takedown.get("ref", "x").isprintable():
        raise InvalidInput("takedown", "The reference has characters that cannot be shown.")


METHOD = procedure("com.atproto.admin.updateSubjectStatus", update_subject_status, AccessLevel.MODERATOR)
