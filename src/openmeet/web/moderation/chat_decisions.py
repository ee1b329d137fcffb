"""Decisions of the site’s moderators about a message that was reported to them. Shared by the pages and the API."""

from enum import StrEnum

from groundwork.database.transaction import Transaction
from groundwork.errors import NotFound
from groundwork.sealing import Sealer
from openmeet.domain.chat import messages, objections, sanctions
from openmeet.domain.chat.model import ChatMessageId
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.chat.sanctions import SanctionKind
from openmeet.domain.users.model import Caller


class SiteDecision(StrEnum):
    """The possible decisions."""

    REMOVE = "remove"
    RESTORE = "restore"
    DISMISS = "dismiss"
    UPHOLD = "uphold"
    BAN = "ban"
    UNBAN = "unban"


async def decide(
    tx: Transaction, moderator: Caller, message: ChatMessageId, act: SiteDecision, reason: str, sealer: Sealer
) -> None:
    """Decide about a message, or about whether its author may stay in that chat. The caller has checked that
    ``moderator`` is a moderator.

    Raises NotFound if nothing was reported to the moderators or there is nobody to ban. Also raises InvalidForm,
    InvalidInput, Refused.
    """
    chat_message, room = await messages.lock_moderated_message(tx, moderator, message, of_site=True)
    match act:
        case SiteDecision.REMOVE:
            await messages.remove(tx, moderator, message, reason, sealer, of_site=True)
        case SiteDecision.RESTORE:
            await messages.restore(tx, moderator, message, sealer, of_site=True)
        case SiteDecision.DISMISS:
            await sanctions.dismiss_reports(tx, moderator, message, of_site=True)
        case SiteDecision.UPHOLD:
            await objections.uphold(tx, moderator, message, reason, of_site=True)
        case SiteDecision.BAN | SiteDecision.UNBAN if chat_message.user_id is None:
            raise NotFound(ChatReason.NO_SUCH_MESSAGE)
        case SiteDecision.BAN if chat_message.user_id is not None:
            await sanctions.sanction(
                tx, moderator, room.id, chat_message.user_id, SanctionKind.BAN, reason=reason, of_site=True
            )
        case SiteDecision.UNBAN if chat_message.user_id is not None:
            await sanctions.lift(
                tx, moderator, room.id, chat_message.user_id, reason, kind=SanctionKind.BAN, of_site=True
            )
