"""The expected series, groups and memberships at the end, computed only from the set of changes: no order, no database,
no shared code.

A series or group is its newest record. An event is a date of the series that it names if the series exists and has the
same author. If several events name the same date, the one with the smallest URI is the date. A person is a member of a
group if their own record and the group's acceptance, which names that record, both exist. Of several roles that the
group gives, the greatest counts.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tests.simulation.oracle import EVENT, Change

SERIES = "openmeet.lexicon.series"
GROUP = "openmeet.lexicon.group"
MEMBERSHIP = "openmeet.lexicon.groupMembership"
ACCEPTANCE = "openmeet.lexicon.groupAcceptance"
GROUP_EVENT = "openmeet.lexicon.groupEvent"
SERIES_LINK = "openmeet.lexicon.seriesLink"
GROUP_LINK = "openmeet.lexicon.groupLink"
# Roles as they are named in records, the greatest first.
ROLES = ("owner", "admin", "moderator", "member")


@dataclass(frozen=True)
class Belonging:
    """Names and rules by series, dates by series, names by group, roles by (group, DID), and the group of each event
    that has one.
    """

    series: dict[str, tuple[str, str]]
    dates: dict[tuple[str, str], str]
    groups: dict[str, str]
    members: dict[tuple[str, str], str]
    events: dict[str, str]


def belonging(changes: Iterable[Change]) -> Belonging:
    """The final state that these changes must lead to in any order and with any repetition."""
    newest: dict[str, Change] = {}
    for change in changes:
        if change.uri not in newest or change.rev > newest[change.uri].rev:
            newest[change.uri] = change
    living = [one for one in newest.values() if one.value is not None]

    def of(collection: str) -> list[Change]:
        return sorted((one for one in living if one.collection == collection), key=lambda one: one.uri)

    series = {one.uri: (one.value["name"], one.value["rrule"][0]) for one in of(SERIES)}
    groups = {one.uri: one.value["name"] for one in of(GROUP)}
    dates: dict[tuple[str, str], str] = {}
    for one in of(EVENT):
        link = one.value.get(SERIES_LINK)
        if link is None:
            continue
        uri = link["series"]["uri"]
        if uri in series and uri.split("/")[2] == one.did:
            dates.setdefault((uri, link["recurrenceId"]), one.uri)
    statements = {one.uri: one for one in of(MEMBERSHIP)}
    members: dict[tuple[str, str], str] = {}
    for one in of(ACCEPTANCE):
        group, member = one.value["group"], one.value["member"]
        said = statements.get(one.value["membership"]["uri"])
        is_groups = group in groups and group.split("/")[2] == one.did
        if not is_groups or said is None or said.did != member or said.value["group"] != group:
            continue
        role = one.value["role"].rpartition("#")[2]
        known = members.get((group, member))
        if known is None or ROLES.index(role) < ROLES.index(known):
            members[group, member] = role
    listed = {
        (one.value["group"], one.value["event"]["uri"])
        for one in of(GROUP_EVENT)
        if one.value["group"].split("/")[2] == one.did
    }
    events: dict[str, str] = {}
    for one in of(EVENT):
        link = one.value.get(GROUP_LINK)
        if link is None or link["group"] not in groups:
            continue
        if link["group"].split("/")[2] == one.did or (link["group"], one.uri) in listed:
            events[one.uri] = link["group"]
    return Belonging(series, dates, groups, members, events)
