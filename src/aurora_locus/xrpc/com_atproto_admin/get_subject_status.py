"""Return the decisions about an account, a record or a blob."""

from typing import Any

from at_protocol.syntax.did import Did
from aurora_locus.moderation import takedowns
from aurora_locus.moderation.subjects import AccountSubject, Subject, blob_of, record_at, subject_value
from aurora_locus.moderation.takedowns import NO_REFERENCE, SubjectStatus
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.method import Outcome, XrpcCall, query
from groundwork.errors import InvalidInput


async def get_subject_status(call: XrpcCall) -> Outcome:
    """Return whether an account, record or blob is taken down. Raises NotFound if the subject is not on this server."""
    subject = _subject(call)
    async with call.registry.db.reader() as reader:
        decision = await takedowns.find(reader, subject)
    response: dict[str, Any] = {
        "subject": subject_value(subject, decision.record_cid),
        "takedown": takedown_value(decision),
    }
    if decision.is_deactivated is not None:
        response["deactivated"] = {"applied": decision.is_deactivated}
    return response


def takedown_value(decision: SubjectStatus) -> dict[str, Any]:
    """Return whether the subject is taken down, and with which reference."""
    if decision.takedown is None:
        return {"applied": False}
    reference = {} if decision.takedown == NO_REFERENCE else {"ref": decision.takedown}
    return {"applied": True, **reference}


def _subject(call: XrpcCall) -> Subject:
    did, uri, blob = (call.parameters.get(name) for name in ("did", "uri", "blob"))
    if blob is not None:
        if did is None:
            raise InvalidInput("did", "Name the account that owns the blob (did).")
        return blob_of(Did(did), blob)
    if uri is not None:
        return record_at(uri)
    if did is not None:
        return AccountSubject(Did(did))
    raise InvalidInput("", "Name an account (did), a record (uri) or a blob (did and blob).")


METHOD = query("com.atproto.admin.getSubjectStatus", get_subject_status, AccessLevel.MODERATOR)
