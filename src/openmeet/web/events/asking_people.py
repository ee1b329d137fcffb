"""People who ask to join an event or a group, as lists in which each of them can be approved or declined. Used where
requests are one of several things: on the home page and among the notifications.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request

from groundwork.database.transaction import Reader
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups.model import Group, GroupId, GroupRole, Membership
from openmeet.domain.host_tasks.decisions import GroupRequests
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.page_paths import event_path, group_path
from openmeet.domain.users.model import UserId
from openmeet.i18n.catalogue import gettext
from openmeet.web.attendance.view import JoinRequestRow, oldest_join_requests
from openmeet.web.site.faces import Avatar, Portraits, avatar_of, portraits_of

# People in one list. A link leads to all.
MAX_PEOPLE: Final = 8
# The requests to several events are read together.
_READ_PEOPLE: Final = 4 * MAX_PEOPLE
# Lists of groups. The requests of further groups have only a link.
_MAX_GROUPS: Final = 4
# The query parameter that names the list in which somebody was decided about. It stays open.
_OPENED: Final = "asking"


@dataclass(frozen=True, slots=True)
class DecisionButton:
    """A button of the list's form, with its name and value. ``spoken`` is its label for screen readers."""

    words: str
    spoken: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class AskingPerson:
    """``said`` is what they answered when they asked, or how often they came before. ``party`` includes them."""

    user_id: UserId
    name: str
    face: Avatar
    party: int
    said: str
    buttons: tuple[DecisionButton, ...]


@dataclass(frozen=True, slots=True)
class AskingList:
    """Those who have waited longest. ``action`` is the path of the form, and ``hidden`` are its hidden fields. ``path``
    is the page with all of them. ``everybody`` approves several at once; None if there is only one person.
    """

    key: str
    action: str
    path: str
    people: tuple[AskingPerson, ...]
    everybody: DecisionButton | None
    hidden: tuple[tuple[str, str], ...] = ()

    def only(self, user_id: UserId | None) -> "AskingList | None":
        """The list with this person alone; None if they are not in it."""
        people = tuple(one for one in self.people if one.user_id == user_id)
        return replace(self, key=f"{self.key}-{user_id}", people=people, everybody=None) if people else None


@dataclass(frozen=True, slots=True)
class ReturnPath:
    """The page with lists of people who ask to join, to which a host’s decision about one of them returns. ``path``
    includes its query. ``opened`` is the key of the list that is unfolded; empty for none.
    """

    path: str
    opened: str

    def at(self, key: str) -> str:
        """The path with this list open and in view."""
        separator = "&" if "?" in self.path else "?"
        return f"{self.path}{separator}{urlencode({_OPENED: key})}#asking-{key}"


def return_path_of(request: Request) -> ReturnPath:
    query = urlencode([(name, value) for name, value in request.query_params.multi_items() if name != _OPENED])
    path = request.url.path + (f"?{query}" if query else "")
    return ReturnPath(path, request.query_params.get(_OPENED, ""))


async def asking_by_event(
    reader: Reader, events: Sequence[Event], viewer: UserId, numbers: Mapping[EventId, int]
) -> dict[EventId, AskingList]:
    """The requests to these events, which the viewer hosts. ``numbers``: how many requests each event has. An event
    whose requests are all newer than many to the other events is left out.
    """
    rows = await oldest_join_requests(reader, events, viewer, limit=_READ_PEOPLE) if events else []
    lists = {}
    for event in events:
        if of_event := [row for row in rows if row.slug == event.slug]:
            lists[event.id] = _list_of_event(event, of_event[:MAX_PEOPLE], numbers[event.id])
    return lists


def _list_of_event(event: Event, rows: Sequence[JoinRequestRow], number: int) -> AskingList:
    path = f"{event_path(event.slug)}/attendees"
    people = tuple(
        AskingPerson(
            row.user_id,
            row.name,
            row.face,
            row.party,
            row.past,
            (
                DecisionButton(
                    gettext("Approve"),
                    gettext("Approve %(name)s: %(title)s", name=row.name, title=row.title),
                    "only",
                    f"approve:{row.attendance_id}",
                ),
                _decline_button("only", f"remove:{row.attendance_id}", row.name, row.title),
            ),
        )
        for row in rows
    )
    words = gettext("Approve all %(number)s", number=number)
    everybody = DecisionButton(words, f"{words}: {event.title}", "act", "approve_all") if number > 1 else None
    return AskingList(event.id, path, f"{path}?tab=asking", people, everybody)


async def asking_by_group(
    reader: Reader, requests: Sequence[GroupRequests], viewer: UserId
) -> dict[GroupId, AskingList]:
    """The requests to the first of these groups."""
    memberships = {
        one.group.id: await group_queries.members(
            reader, one.group.id, (GroupRole.PENDING,), after=None, limit=MAX_PEOPLE
        )
        for one in requests[:_MAX_GROUPS]
    }
    ids = [one.user_id for several in memberships.values() for one in several]
    names = await shown_names(reader, ids)
    portraits = await portraits_of(reader, viewer, ids)
    return {
        one.group.id: _list_of_group(one.group, asking, names, portraits)
        for one in requests
        if (asking := memberships.get(one.group.id))
    }


def _list_of_group(
    group: Group, asking: Sequence[Membership], names: Mapping[UserId, str], portraits: Portraits
) -> AskingList:
    path, title = f"{group_path(group.slug)}/requests", group.details.name
    people = tuple(
        AskingPerson(
            one.user_id,
            names[one.user_id],
            avatar_of(one.user_id, names[one.user_id], portraits),
            1,
            one.answer,
            (
                DecisionButton(
                    gettext("Let in"),
                    gettext("Let in %(name)s: %(title)s", name=names[one.user_id], title=title),
                    "one",
                    f"approve {one.user_id}",
                ),
                _decline_button("one", f"decline {one.user_id}", names[one.user_id], title),
            ),
        )
        for one in asking
    )
    words = gettext("Let %(number)s people in", number=len(asking))
    everybody = DecisionButton(words, f"{words}: {title}", "decision", "approve") if len(asking) > 1 else None
    return AskingList(group.id, path, path, people, everybody, tuple((f"ask-{one.user_id}", "on") for one in asking))


def _decline_button(field: str, value: str, name: str, title: str) -> DecisionButton:
    return DecisionButton(
        gettext("Decline"), gettext("Decline %(name)s: %(title)s", name=name, title=title), field, value
    )
