"""Conditions at the end of a simulation about who takes part in events, and about the records of earlier owners.

Like the judge, this module depends on no program.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tests.simulation.oracle import Change, expect, moment_of

if TYPE_CHECKING:
    from tests.simulation.simulation_facts import Facts
    from tests.simulation.simulation_memory import Memory

# Answers by which somebody takes part in an event.
TAKING_PART = {"attending", "interested", "pending", "waitlisted"}


def check_blocks(facts: "Facts") -> None:
    """Check that nobody attends, or waits for, an event of somebody who blocks them, also if the event was handed over."""
    for row in facts.attendances:
        event = facts.events[row["event_id"]]
        if event["removed_at"] or event["deleted_at"]:
            continue
        if (event["author_id"], row["user_id"]) not in facts.blocks:
            continue
        expect(
            row["status"] in {"declined", "rejected", "attended"},
            f"{row['user_id']} is {row['status']} at {event['id']}, whose host blocks them",
        )


def was_blocked(memory: "Memory", event: Any, user_id: str) -> bool:
    """Whether a host or the group of the event ever blocked this person. Then their answer may differ from their record:
    a block ends answers and writes nothing to the person's repository.
    """
    return (event["group_id"], user_id) in memory.banned or any(
        other == user_id and (host == event["author_id"] or event["id"] in memory.handed_over)
        for host, other in memory.blocked
    )


def check_superseded(facts: "Facts") -> None:
    """Check that records of earlier owners lead to an event, and that those that OpenMeet wrote are gone if their event
    is gone or is no longer public.
    """
    for uri, row in facts.superseded.items():
        event = facts.events.get(row["subject_id"])
        expect(event is not None, f"the superseded record {uri} belongs to no event")
        assert event is not None
        if uri in facts.records and not row["is_authors"] and facts.events_with.get(uri) != event["id"]:
            expect(event["deleted_at"] is None, f"{uri} is public, and its event {event['id']} was deleted")
            expect(event["visibility"] == "public", f"{uri} is public, and {event['id']} is {event['visibility']}")


def versions_until(handed_over_at: int, versions: Iterable[Change]) -> list[Change]:
    """The versions that were written before an event was handed over. By design, later ones change nothing, also while
    the new owner has no record: only people who may edit the event on OpenMeet change it, and its former owner may no
    longer be one of them.
    """
    return [one for one in versions if moment_of(one.rev) < handed_over_at]


def check_groups(facts: "Facts") -> None:
    """Check that each group has its one owner, and that people who left a group, or were banned from it, no longer take
    part in its private events.
    """
    owners: dict[str, list[str]] = {}
    for (group_id, user_id), role in facts.members.items():
        if role == "owner":
            owners.setdefault(group_id, []).append(user_id)
    for group_id, owner_id in facts.groups.items():
        expect(owners.get(group_id) == [owner_id], f"{group_id} of {owner_id} has the owners {owners.get(group_id)}")
    for row in facts.attendances:
        event = facts.events[row["event_id"]]
        is_over = event["removed_at"] or event["deleted_at"]
        if is_over or event["visibility"] != "private" or row["user_id"] in facts.hosts_of(event):
            continue
        role = facts.members.get((event["group_id"], row["user_id"]))
        expect(
            role not in {"left", "banned"} or row["status"] not in TAKING_PART,
            f"{row['user_id']} is {row['status']} at {event['id']}, and {role} in its group {event['group_id']}",
        )
