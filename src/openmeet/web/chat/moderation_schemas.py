"""Moderation of chat in the JSON API: what is sent and answered."""

import msgspec

from openmeet.domain.chat.acts import ModerationAct, RoomAct
from openmeet.domain.chat.sanctions import MessageReport, Sanction, SanctionKind
from openmeet.domain.moderation.model import ReportReason
from openmeet.i18n.formatting import iso


class ChatReportWanted(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A report. ``words`` are needed if the reason is ``other``. ``toTenant``: to the moderators of the site instead of the hosts."""

    reason: ReportReason
    words: str = ""
    to_tenant: bool = False


class ChatObjectionWanted(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Why the removal of one’s message is wrong; the moderators who removed it read this."""

    words: str


class ChatRemovalShown(msgspec.Struct, rename="camel"):
    """Why moderators removed a message of the caller. ``text``: of the message, as long as it can be restored, 30 days.
    ``objection``: what the caller said against it, null for nothing. ``isDecided``: the message stays removed; ``decision``: why.
    """

    reason: str
    at: str
    text: str
    objection: str | None
    is_decided: bool
    decision: str


class SanctionWanted(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Mute or ban somebody. ``until``: without it until it is lifted."""

    kind: SanctionKind
    reason: str
    until: str | None = None


class SanctionShown(msgspec.Struct, rename="camel"):
    """A sanction in force."""

    person_id: str
    kind: SanctionKind
    reason: str
    until: str | None
    decided_by: str
    at: str
    # By the moderators of the community, who alone lift it.
    of_site: bool


class SanctionList(msgspec.Struct, rename="camel"):
    """Sanctions of one person in a room; empty where none is in force."""

    sanctions: list[SanctionShown]


class ActShown(msgspec.Struct, rename="camel"):
    """What a host did. ``actedBy``: null for the program."""

    id: str
    act: ModerationAct
    message_id: str | None
    person_id: str | None
    acted_by: str | None
    reason: str
    until: str | None
    at: str


class MessageReportShown(msgspec.Struct, rename="camel"):
    """A report about a message of the room. It does not say who reported."""

    id: str
    message_id: str
    reason: ReportReason
    words: str
    at: str


class ChatObjectionShown(msgspec.Struct, rename="camel"):
    """An objection of the author of a removed message that waits for a decision: restore the message, or uphold the removal."""

    message_id: str
    words: str
    reason: str


class ModerationShown(msgspec.Struct, rename="camel"):
    """Acts, the newest first, and what waits for a decision: reports, objections, held messages (``held``: their ids).
    ``cursor`` leads to earlier acts.
    """

    acts: list[ActShown]
    reports: list[MessageReportShown]
    objections: list[ChatObjectionShown]
    held: list[str]
    cursor: str | None


def sanction_shown(one: Sanction) -> SanctionShown:
    return SanctionShown(
        one.user_id,
        one.kind,
        one.reason,
        None if one.until is None else iso(one.until),
        one.by_user_id,
        iso(one.at),
        one.of_site,
    )


def act_shown(one: RoomAct) -> ActShown:
    return ActShown(
        one.id,
        one.act,
        one.message_id,
        one.user_id,
        one.by_user_id,
        one.reason,
        None if one.until is None else iso(one.until),
        iso(one.at),
    )


def report_shown(one: MessageReport) -> MessageReportShown:
    return MessageReportShown(one.id, one.message_id, one.reason, one.words, iso(one.at))
