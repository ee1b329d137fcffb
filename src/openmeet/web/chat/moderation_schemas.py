"""Request and response types of chat moderation in the JSON API."""

import msgspec

from openmeet.domain.chat.audit_log import ModerationAct, RoomAct
from openmeet.domain.chat.sanctions import MessageReport, Sanction, SanctionKind
from openmeet.domain.moderation.model import ReportReason
from openmeet.i18n.formatting import iso, iso_or_none


class ChatReportWanted(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A report. ``words`` is required if the reason is ``other``. ``toTenant`` sends it to the moderators of the site
    instead of the hosts.
    """

    reason: ReportReason
    words: str = ""
    to_tenant: bool = False


class ChatObjectionWanted(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Why the caller objects to the removal of their message. The moderators who removed it will read this."""

    words: str


class ChatRemovalShown(msgspec.Struct, rename="camel"):
    """Why moderators removed a message of the caller. ``text`` is the text of the message while it can still be
    restored (30 days). ``objection`` is the caller's objection, or null. ``isDecided`` means that the objection was
    rejected and the message stays removed; ``decision`` says why.
    """

    reason: str
    at: str
    text: str
    objection: str | None
    is_decided: bool
    decision: str


class SanctionWanted(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Mute or ban somebody. Without ``until``, the sanction lasts until it is lifted."""

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
    # Imposed by the moderators of the site, and only they can lift it.
    of_site: bool


class SanctionList(msgspec.Struct, rename="camel"):
    """The sanctions of one person in a room that are in force. May be empty."""

    sanctions: list[SanctionShown]


class ActShown(msgspec.Struct, rename="camel"):
    """An action of a host. ``actedBy`` is null if the software acted automatically."""

    id: str
    act: ModerationAct
    message_id: str | None
    person_id: str | None
    acted_by: str | None
    reason: str
    until: str | None
    at: str


class MessageReportShown(msgspec.Struct, rename="camel"):
    """A report about a message of the room. It does not say who made the report."""

    id: str
    message_id: str
    reason: ReportReason
    words: str
    at: str


class ChatObjectionShown(msgspec.Struct, rename="camel"):
    """An author's objection to the removal of their message. It waits for a decision: restore the message, or uphold
    the removal.
    """

    message_id: str
    words: str
    reason: str


class ModerationShown(msgspec.Struct, rename="camel"):
    """Actions, newest first, and everything that waits for a decision: reports, objections, and held messages (``held``
    has their ids). ``cursor`` leads to earlier actions.
    """

    acts: list[ActShown]
    reports: list[MessageReportShown]
    objections: list[ChatObjectionShown]
    held: list[str]
    cursor: str | None


def sanction_shown(sanction: Sanction) -> SanctionShown:
    return SanctionShown(
        sanction.user_id,
        sanction.kind,
        sanction.reason,
        iso_or_none(sanction.until),
        sanction.by_user_id,
        iso(sanction.at),
        sanction.of_site,
    )


def act_shown(act: RoomAct) -> ActShown:
    return ActShown(
        act.id,
        act.act,
        act.message_id,
        act.user_id,
        act.by_user_id,
        act.reason,
        iso_or_none(act.until),
        iso(act.at),
    )


def report_shown(report: MessageReport) -> MessageReportShown:
    return MessageReportShown(report.id, report.message_id, report.reason, report.words, iso(report.at))
