"""Authorization of moderators, checked once per request."""

from starlette.requests import Request

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import InvalidInput, NotFound
from openmeet.domain.moderation import model, moderators
from openmeet.domain.moderation.model import ModeratedKind, ModerationReason, Subject
from openmeet.domain.users.model import Caller
from openmeet.domain.validation import GeneralReason
from openmeet.web.site.caller import caller_of
from openmeet.web.site.services import services


async def moderator_of(reader: Reader, request: Request) -> Caller:
    """The caller, who must be a moderator. Raises NotSignedIn, Forbidden."""
    caller = caller_of(request)
    await moderators.require_moderator(reader, caller, services(request).settings.moderators)
    return caller


def subject_of(kind: str, subject_id: str) -> Subject:
    """The subject that a request names. Raises NotFound for an unknown kind, InvalidInput for an invalid host."""
    if kind not in set(ModeratedKind):
        raise NotFound(ModerationReason.NO_SUCH_SUBJECT)
    if kind == ModeratedKind.HOST:
        return model.check_host(subject_id)
    return Subject(ModeratedKind(kind), subject_id.strip())


def position_of(cursor: str) -> tuple[Instant, str] | None:
    """Decode a cursor. Raises InvalidInput."""
    if not cursor:
        return None
    at, _, subject = cursor.partition(":")
    if not (at.isascii() and at.isdigit() and len(at) <= 18 and subject):
        raise InvalidInput("cursor", GeneralReason.INVALID_CURSOR)
    return Instant(int(at)), subject
