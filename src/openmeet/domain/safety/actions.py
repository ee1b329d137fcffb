"""Report, block and mute, with their consequences for RSVPs, messages and lists."""

from groundwork.database.transaction import Transaction
from groundwork.errors import NotFound, Refused
from openmeet.domain.attendance import reevaluation
from openmeet.domain.groups import membership_queries
from openmeet.domain.moderation import blocks, model, reports
from openmeet.domain.moderation.model import AbuseReport, ModeratedKind, ReportReason, Subject
from openmeet.domain.safety import subjects
from openmeet.domain.safety.subjects import ReportedSubject, SafetyReason
from openmeet.domain.series import follower_queries
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.model import Caller, UserId
from openmeet.domain.validation import GeneralReason


async def report(
    tx: Transaction, caller: Caller, thing: ModeratedKind, address: str, reason: ReportReason, words: str
) -> AbuseReport:
    """File a report to the moderators. A repetition updates the open report. Raises NotFound, Refused (``OwnThing``)."""
    reported = await subjects.by_address(tx, thing, address, caller.user_id)
    if reported.owner == caller.user_id:
        raise Refused(SafetyReason.OWN_CONTENT, name="OwnThing")
    return await reports.put(tx, caller.user_id, reported.subject, reason, words)


async def block(tx: Transaction, caller: Caller, other: UserId) -> bool:
    """Block a user: their RSVPs to the caller's upcoming events end, and they can no longer see the caller's non-public
    content.

    They stay in the caller's groups until they are removed from them. False if already blocked. Raises NotFound,
    Refused (``Oneself``).
    """
    if other == caller.user_id:
        raise Refused(SafetyReason.CANNOT_BLOCK_ONESELF, name="Oneself")
    if await user_queries.by_id(tx, other) is None:
        raise NotFound(GeneralReason.NO_SUCH_PERSON)
    is_known = await subjects.may_know(tx, caller.user_id, other)
    if not await blocks.block(tx, caller.user_id, other, is_known=is_known):
        return False
    await follower_queries.leave_series_of_host(tx, caller.user_id, other)
    await membership_queries.end_following_of_host(tx, caller.user_id, other)
    await reevaluation.end_upcoming_rsvps(tx, other, host=caller.user_id, actor_id=caller.user_id)
    return True


async def unblock(tx: Transaction, caller: Caller, other: UserId) -> None:
    """Unblock a user, who may then RSVP again. Ended RSVPs are not restored. Raises NotFound."""
    if not await blocks.unblock(tx, caller.user_id, other):
        raise NotFound(SafetyReason.NOT_BLOCKED)


async def mute(tx: Transaction, caller: Caller, subject: Subject) -> ReportedSubject:
    """Mute a user or a group. Raises NotFound, Refused (``NotMutable``, ``Oneself``)."""
    model.require_kind_to_mute(subject)
    if subject.id == caller.user_id:
        raise Refused(SafetyReason.CANNOT_MUTE_ONESELF, name="Oneself")
    reported = (await subjects.described(tx, [subject]))[subject.id]
    is_known = subject.thing is not ModeratedKind.PERSON or await subjects.may_know(
        tx, caller.user_id, UserId(subject.id)
    )
    if not reported.is_there:
        raise NotFound(SafetyReason.NO_SUCH_PERSON_OR_GROUP)
    if subject.thing is ModeratedKind.GROUP:
        # A hidden group gives the same error as one that does not exist.
        await subjects.by_address(tx, ModeratedKind.GROUP, reported.path.rpartition("/")[2], caller.user_id)
    await blocks.mute(tx, caller.user_id, subject, is_known=is_known)
    return reported


async def unmute(tx: Transaction, caller: Caller, subject: Subject) -> None:
    """Unmute a user or a group. Raises NotFound."""
    if not await blocks.unmute(tx, caller.user_id, subject.id):
        raise NotFound(SafetyReason.NOT_MUTED)
