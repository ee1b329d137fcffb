"""Whom somebody may be told the name of, by an address that has only a number in it: those whom they meet here anyway.

A number is no secret for ever: it stands in links, in answers of the API, in files that people take along. It names nobody to whoever
has only that.
"""

from typing import Final

from groundwork.database.transaction import Reader
from openmeet.domain.events.visibility import is_hidden, is_public
from openmeet.domain.groups.model import INSIDE
from openmeet.domain.users.model import UserId

_INSIDE: Final = ", ".join(f"'{role.value}'" for role in sorted(INSIDE))

# Hosts, of what everybody may see; who is in a group with one; who answered to what one hosts, or hosts what one answered to or is invited
# to; who answered, not in private, to what one answered to as well; whom one kept away when one knew them.
_MAY_KNOW: Final = f"""
    select 1 as found from users u where u.id = :person and (
      u.id = :viewer
      or exists (select 1 from events e where e.author_id = u.id and {is_public("e")} and not {is_hidden("e")}
                   and e.is_held = 0 and e.deleted_at is null)
      or exists (select 1 from event_hosts h join events e on e.id = h.event_id
                  where h.user_id = u.id and h.state = 'accepted' and {is_public("e")} and not {is_hidden("e")}
                    and e.is_held = 0 and e.deleted_at is null)
      or exists (select 1 from groups g where g.owner_id = u.id and g.deleted_at is null and g.visibility <> 'private')
      or exists (select 1 from group_members t join group_members m on m.group_id = t.group_id
                  where t.user_id = u.id and m.user_id = :viewer and m.role in ({_INSIDE}) and t.role <> 'left')
      or exists (select 1 from attendances t join events e on e.id = t.event_id
                  where t.user_id = u.id and t.status <> 'invited'
                    and (e.author_id = :viewer or exists (select 1 from event_hosts h where h.event_id = e.id
                                                            and h.user_id = :viewer and h.state = 'accepted')))
      or exists (select 1 from attendances m join events e on e.id = m.event_id
                  where m.user_id = :viewer
                    and (e.author_id = u.id or exists (select 1 from event_hosts h where h.event_id = e.id
                                                          and h.user_id = u.id and h.state = 'accepted')))
      or exists (select 1 from attendances m join attendances t on t.event_id = m.event_id
                  where m.user_id = :viewer and t.user_id = u.id and t.is_private = 0
                    and t.status in ('attending', 'attended', 'interested'))
      or exists (select 1 from person_blocks k where k.user_id = :viewer and k.blocked_id = u.id and k.is_known = 1)
      or exists (select 1 from mutes q where q.user_id = :viewer and q.subject = u.id and q.is_known = 1))
"""


async def may_know(reader: Reader, viewer: UserId | None, person: UserId) -> bool:
    """Whether this person may be named to the viewer. False for who is not there, too."""
    return await reader.fetch_one(_MAY_KNOW, person=person, viewer=viewer or "") is not None
