"""Facts that people should know about a conversation: who reads and writes, from when and until when, and who else can
see it.
"""

from openmeet.domain.chat.model import AudienceSwitch, HistoryMode, Room, RoomKind, RoomRetention
from openmeet.i18n.catalogue import gettext
from openmeet.web.chat.room_pages import RoomPage

_OF_HOSTS = {RoomKind.HOSTS, RoomKind.DIRECT}


def room_facts(room_page: RoomPage, kept_days: int) -> list[str]:
    """The facts, one sentence each. ``kept_days`` is the maximum number of days for which this site keeps messages. 0
    means no limit.
    """
    room, kind = room_page.room, room_page.target.kind
    facts = _access_facts(kind, room, has_group=room_page.group_id is not None)
    if room is not None and room.history is HistoryMode.SINCE_JOINING:
        facts.append(gettext("New people see messages from the day they join."))
    elif room is not None and room.history_floor:
        facts.append(gettext("New people can read what was said since the hosts allowed it."))
    elif kind not in _OF_HOSTS:
        facts.append(gettext("New people can read what was said before."))
    if kind in {RoomKind.EVENT, RoomKind.DATE}:
        facts.append(gettext("The chat closes 30 days after the event."))
    if room is not None and room.retention is RoomRetention.AFTER_DATE:
        facts.append(gettext("Messages are deleted 30 days after the date."))
    retention_days = {RoomRetention.YEAR: 365, RoomRetention.QUARTER: 90}.get(room.retention, 0) if room else 0
    days = min((each for each in (retention_days, kept_days) if each), default=0)
    if days:
        facts.append(gettext("Messages are deleted after %(days)s days.", days=str(days)))
    if room is not None and room.is_mirrored:
        facts.append(
            gettext("This chat is also on Matrix. The operator of the Matrix server can read everything we forward.")
        )
    facts.append(gettext("Messages aren’t end-to-end encrypted."))
    return facts


def _access_facts(kind: RoomKind, room: Room | None, *, has_group: bool) -> list[str]:
    """Who can read and who can write, according to the room's settings."""

    def chosen(switch: AudienceSwitch, value: str) -> bool:
        return room is not None and room.switch(switch) == value

    match kind:
        case RoomKind.HOSTS:
            return [gettext("Only hosts and co-hosts can read this.")]
        case RoomKind.DIRECT:
            return [gettext("Only you and the hosts can read this.")]
        case RoomKind.CHANNEL if chosen(AudienceSwitch.ANNOUNCEMENTS, "yes"):
            return [gettext("Members of the group can read this. Only organisers can write.")]
        case RoomKind.CHANNEL:
            return [gettext("Members of the group can read and write here.")]
        case _:
            pass
    only_going = not chosen(AudienceSwitch.INTERESTED, "write") and room is not None
    if kind is RoomKind.SERIES:
        facts = [
            gettext("Everyone going to a date, or who was there in the last 30 days, can write here.")
            if only_going
            else gettext("Everyone who answered an upcoming date, or one in the last 30 days, can write here.")
        ]
    else:
        facts = [
            gettext("Everyone who is going can read and write here.")
            if only_going
            else gettext("Everyone who answered can read and write here.")
        ]
    if chosen(AudienceSwitch.INTERESTED, "read"):
        facts.append(gettext("People who said maybe can read."))
    if has_group and not chosen(AudienceSwitch.MEMBERS, "none"):
        facts.append(gettext("Members of the group can write, too."))
    if kind is RoomKind.SERIES and not chosen(AudienceSwitch.FOLLOWERS, "none"):
        facts.append(gettext("Followers can read."))
    if chosen(AudienceSwitch.PENDING, "read"):
        facts.append(gettext("People who are invited or waiting for approval can read."))
    if chosen(AudienceSwitch.ANYBODY, "read"):
        facts.append(gettext("Anyone can read this, even without an account."))
    return facts
