"""Moderation actions in a room, as sentences for its hosts and for moderators."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.chat.audit_log import ModerationAct, RoomAct
from openmeet.domain.identities.queries import shown_names
from openmeet.i18n.catalogue import LazyText, gettext, lazy


@dataclass(frozen=True, slots=True)
class ActLine:
    """What a moderator did, in words."""

    words: str
    reason: str
    at: Instant


_ACT_LABELS: Final[Mapping[ModerationAct, LazyText]] = {
    ModerationAct.REMOVED: lazy("%(who)s removed a message by %(name)s."),
    ModerationAct.RESTORED: lazy("%(who)s brought back a message by %(name)s."),
    ModerationAct.HELD: lazy("%(who)s hid a message by %(name)s."),
    ModerationAct.RELEASED: lazy("%(who)s approved a message by %(name)s."),
    ModerationAct.MUTED: lazy("%(who)s muted %(name)s."),
    ModerationAct.UNMUTED: lazy("%(who)s let %(name)s write again."),
    ModerationAct.BANNED: lazy("%(who)s banned %(name)s."),
    ModerationAct.UNBANNED: lazy("%(who)s let %(name)s back in."),
    ModerationAct.CLOSED: lazy("%(who)s closed the chat."),
    ModerationAct.REOPENED: lazy("%(who)s opened the chat again."),
    ModerationAct.SETTINGS: lazy("%(who)s changed the settings."),
    ModerationAct.DISMISSED: lazy("%(who)s dismissed reports about a message by %(name)s."),
    ModerationAct.OBJECTED: lazy("%(who)s objected to a removal."),
    ModerationAct.UPHELD: lazy("%(who)s decided that a message by %(name)s stays removed."),
    ModerationAct.GUEST_INVITED: lazy("%(who)s invited a guest from Matrix."),
    ModerationAct.GUEST_REMOVED: lazy("%(who)s removed a guest from Matrix."),
    ModerationAct.GUEST_BANNED: lazy("%(who)s banned a guest from Matrix."),
}


async def act_lines(reader: Reader, acts: Sequence[RoomAct]) -> list[ActLine]:
    """Moderation actions in a room as lines, in order."""
    people = [one for act in acts for one in (act.by_user_id, act.user_id) if one is not None]
    names = await shown_names(reader, people)
    return [
        ActLine(
            _ACT_LABELS[act.act].filled(
                who=names[act.by_user_id] if act.by_user_id else gettext("This site"),
                name=names[act.user_id] if act.user_id else gettext("somebody"),
            ),
            act.reason,
            act.at,
        )
        for act in acts
    ]
