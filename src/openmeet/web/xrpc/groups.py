"""Group queries: one group, and the events of a group."""

from openmeet.domain.groups import queries, rules
from openmeet.domain.groups.model import INSIDE, Group, GroupRole
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.page_paths import group_path
from openmeet.domain.search import my_event_lists
from openmeet.domain.search.group_event_lists import coming_in_group
from openmeet.domain.search.my_event_lists import position_of
from openmeet.i18n.formatting import iso
from openmeet.web.xrpc.call import LexiconCall, Query
from openmeet.web.xrpc.resolve import group_at
from openmeet.web.xrpc.schemas import GroupEvents, GroupView, OneGroup
from openmeet.web.xrpc.views import views_of


async def get_group(call: LexiconCall) -> OneGroup:
    """Answer ``getGroup``: one group, as the caller may see it. Raises NotFound (``GroupNotFound``)."""
    group, role = await group_at(call, "uri")
    return OneGroup(group=await _group_view(call, group, role))


async def list_group_events(call: LexiconCall) -> GroupEvents:
    """Answer ``listGroupEvents``: one page of a group's upcoming events. Raises NotFound (``GroupNotFound``),
    InvalidInput (``InvalidCursor``).
    """
    group, role = await group_at(call, "group")
    after, limit = my_event_lists.unpack(call.text("cursor")), call.number("limit")
    member = call.viewer if rules.may(role, GroupPermission.VIEW) else None
    events = await coming_in_group(call.reader, group.id, after, limit + 1, member=member)
    return GroupEvents(
        group=await _group_view(call, group, role),
        events=await views_of(call, events[:limit]),
        cursor=my_event_lists.pack(position_of(events[limit - 1])) if len(events) > limit else None,
    )


async def _group_view(call: LexiconCall, group: Group, role: GroupRole | None) -> GroupView:
    counts = await queries.counts(call.reader, group.id)
    details = group.details
    return GroupView(
        uri=group.network.record_uri,
        url=f"{call.public_url}{group_path(group.slug)}",
        name=details.name,
        description=details.description,
        locality=details.locality,
        country=details.country,
        time_zone=details.time_zone,
        visibility=details.visibility.value,
        join_policy=details.join_policy.value,
        members=sum(counts.get(one, 0) for one in INSIDE),
        role=None if role is None else role.value,
        created_at=iso(group.created_at),
        updated_at=iso(group.updated_at),
    )


QUERIES = (Query("getGroup", get_group), Query("listGroupEvents", list_group_events))
