"""Decisions about accounts, records and blobs: each with its audit log entry, in one transaction.

The log entry is written before the announcement, which is the last call in a transaction (``sequencer.log``).
"""

from dataclasses import dataclass

from at_protocol.syntax.did import Did
from aurora_locus.accounts.registry import Registry
from aurora_locus.blobs.sweep import move_to_place
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.moderation import audit_log, takedowns
from aurora_locus.moderation.roles import AuditContext, OperatorAction, OperatorRole, PdsOperator
from aurora_locus.moderation.subjects import AccountSubject, BlobSubject, RecordSubject, Subject
from aurora_locus.moderation.takedowns import AccountDecisions
from groundwork.clock import Instant
from groundwork.database.transaction import Writer
from groundwork.errors import Failure, InvalidInput
from groundwork.isolation import each_alone
from groundwork.telemetry.logs import log

# Actor in the audit log when a suspension expires.
CLOCK = PdsOperator("clock", OperatorRole.MODERATOR)


@dataclass(frozen=True, slots=True)
class SubjectStatusRequest:
    """The intended status of an account; None leaves a value unchanged. ``takedown`` is the reference of a takedown,
    ``lift`` lifts it. A suspension lasts until ``suspended_until``, or until it is lifted.
    """

    takedown: str | None = None
    lift: bool = False
    suspended: bool | None = None
    suspended_until: Instant | None = None
    deactivated: bool | None = None


async def decide_account(registry: Registry, audit: AuditContext, did: Did, request: SubjectStatusRequest) -> None:
    """Apply the decision and announce the resulting status. If nothing is decided, the status is announced again.

    Raises NotFound, Forbidden, and InvalidInput for a suspension whose end is in the past.
    """

    def work(w: Writer) -> None:
        if request.suspended_until is not None and request.suspended_until <= w.now:
            raise InvalidInput("until", gettext_noop("Choose an end date in the future for the suspension."))
        before = takedowns.decisions(w, did)
        acts = _make(w, did, request)
        after = takedowns.decisions(w, did)
        for act in acts or [OperatorAction.ANNOUNCE]:
            audit_log.append(w, audit, act, did, before=_values(before), after=_values(after))
        takedowns.announce(w, registry.repositories, did)

    await registry.db.write(work)


def _make(w: Writer, did: Did, request: SubjectStatusRequest) -> list[OperatorAction]:
    acts = []
    if request.takedown is not None:
        takedowns.take_down_account(w, did, request.takedown)
        acts.append(OperatorAction.TAKE_DOWN)
    elif request.lift:
        takedowns.lift_takedown(w, did)
        acts.append(OperatorAction.RESTORE)
    if request.suspended is True:
        takedowns.suspend(w, did, request.suspended_until)
        acts.append(OperatorAction.SUSPEND)
    elif request.suspended is False:
        takedowns.end_suspension(w, did)
        acts.append(OperatorAction.END_SUSPENSION)
    if request.deactivated is not None:
        takedowns.set_deactivated(w, did, deactivated=request.deactivated)
        acts.append(OperatorAction.DEACTIVATE if request.deactivated else OperatorAction.REACTIVATE)
    return acts


async def decide_content(
    registry: Registry, audit: AuditContext, subject: RecordSubject | BlobSubject, takedown: str | None
) -> None:
    """Take a record or a blob down with this reference; None lifts the takedown. Raises NotFound, Forbidden."""

    def work(w: Writer) -> None:
        if isinstance(subject, RecordSubject):
            before = takedowns.decide_record(w, subject, takedown)
        else:
            before = takedowns.decide_blob(w, subject, takedown)
        act = OperatorAction.RESTORE if takedown is None else OperatorAction.TAKE_DOWN
        audit_log.append(w, audit, act, name_of(subject), before={"takedown": before}, after={"takedown": takedown})

    await registry.db.write(work)
    if isinstance(subject, BlobSubject):
        await _move_file(registry, subject)


async def _move_file(registry: Registry, subject: BlobSubject) -> None:
    """Move the file into quarantine or back. If the store is unavailable, the daily scan does it later."""
    try:
        await move_to_place(registry.repositories.blobs, subject.did, subject.cid)
    except Failure as failure:
        log.warning("blob.not_moved", did=subject.did, kind=type(failure).__name__)


async def end_suspensions(registry: Registry) -> int:
    """End expired suspensions and return how many."""
    async with registry.db.reader() as reader:
        due = await takedowns.expired_suspensions(reader)
    audit = AuditContext(CLOCK, gettext_noop("The suspension is over."))
    return await each_alone(
        "suspensions", due, lambda did: registry.db.write(lambda w: _end_if_over(w, registry, did, audit))
    )


def _end_if_over(w: Writer, registry: Registry, did: Did, audit: AuditContext) -> bool:
    before = takedowns.decisions(w, did)
    # It may have been prolonged since the list was read.
    if before.suspended_until is None or before.suspended_until > w.now:
        return False
    takedowns.end_suspension(w, did)
    after = takedowns.decisions(w, did)
    audit_log.append(w, audit, OperatorAction.END_SUSPENSION, did, before=_values(before), after=_values(after))
    takedowns.announce(w, registry.repositories, did)
    return True


def name_of(subject: Subject) -> str:
    """The subject's name in the audit log."""
    match subject:
        case AccountSubject():
            return subject.did
        case RecordSubject():
            return subject.uri
        case BlobSubject():
            return f"at://{subject.did}/blob/{subject.cid}"


def _values(decisions: AccountDecisions) -> dict[str, object]:
    values: dict[str, object] = {"status": decisions.status.value}
    if decisions.takedown is not None:
        values["takedown"] = decisions.takedown
    if decisions.suspended_at is not None:
        values["suspended_until"] = decisions.suspended_until
    return values
