"""Take down an account, a record or a blob, or lift that; deactivate an account, or undo that."""

from collections.abc import Mapping
from typing import Any

from aurora_locus.accounts.registry import Registry
from aurora_locus.moderation import takedowns
from aurora_locus.moderation.subjects import AccountSubject, BlobSubject, RecordSubject, Subject, parse_subject
from aurora_locus.moderation.takedowns import NO_REFERENCE
from aurora_locus.xrpc.com_atproto_admin.get_subject_status import takedown_value
from aurora_locus.xrpc.method import Call, Outcome
from groundwork.database.transaction import Writer
from groundwork.errors import InvalidInput
from groundwork.telemetry.logs import log


async def run(registry: Registry, call: Call) -> Outcome:
    """With neither decision an account's status is announced once more. Raises NotFound, InvalidInput."""
    subject = parse_subject(call.body["subject"])
    takedown, deactivated = call.body.get("takedown"), call.body.get("deactivated")
    _require_sensible(subject, takedown, deactivated)
    await registry.db.write(lambda w: _decide(w, registry, subject, takedown, deactivated))
    async with registry.db.reader() as reader:
        decision = await takedowns.find(reader, subject)
    log.info("subject.decided", did=subject.did, is_taken_down=decision.takedown is not None)
    return {"subject": call.body["subject"], "takedown": takedown_value(decision)}


def _require_sensible(
    subject: Subject, takedown: Mapping[str, Any] | None, deactivated: Mapping[str, Any] | None
) -> None:
    if deactivated is not None and not isinstance(subject, AccountSubject):
        raise InvalidInput("deactivated", "Only an account is deactivated.")
    if takedown and deactivated and takedown["applied"] and not deactivated["applied"]:
        raise InvalidInput("deactivated", "An account is not taken down and reactivated at once.")
    if takedown and not takedown.get("ref", "x").isprintable():
        raise InvalidInput("takedown", "The reference has characters that cannot be shown.")


def _decide(
    w: Writer,
    registry: Registry,
    subject: Subject,
    takedown: Mapping[str, Any] | None,
    deactivated: Mapping[str, Any] | None,
) -> None:
    is_applied = bool(takedown and takedown["applied"])
    reference = (takedown.get("ref") or NO_REFERENCE) if takedown and is_applied else None
    match subject:
        case AccountSubject():
            takedowns.decide_account(
                w,
                registry.repositories,
                subject.did,
                takedown=reference,
                lift=takedown is not None and not is_applied,
                deactivated=None if deactivated is None else deactivated["applied"],
            )
        case RecordSubject():
            if takedown is not None:
                takedowns.decide_record(w, subject, reference)
        case BlobSubject():
            if takedown is not None:
                takedowns.decide_blob(w, subject, reference)
