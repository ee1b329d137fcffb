"""What labellers say about a thing, for moderators: in words, and what it hides here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.moderation import labels
from openmeet.domain.moderation.labels import Label, hides_event, hides_person
from openmeet.domain.moderation.model import Subject, Thing
from openmeet.domain.paging import Page

# Things on the page of what waits; who is decided about makes room for the next.
MOST_LISTED: Final = 25

# Of the labels that hide and hold, the last that was heard about its subject: one for each subject.
_IS_NEWEST: Final = """
    l.hides = 1 and l.negated = 0 and not exists (
      select 1 from labels lo where lo.subject = l.subject and lo.hides = 1 and lo.negated = 0
         and (lo.heard_at, lo.source, lo.value, lo.cid) > (l.heard_at, l.source, l.value, l.cid)
    )
"""


@dataclass(frozen=True, slots=True)
class Labelled:
    """What is said about one thing. ``is_held``: for that, nobody else sees it, or what they host."""

    words: list[tuple[str, Instant]]
    is_held: bool
    labels: list[Label]


async def of_each(reader: Reader, subjects: Sequence[Subject]) -> dict[str, Labelled]:
    """By the subject's id; of an event also what is said about who hosts it. Without those about whom nothing is said."""
    names = await _names(reader, subjects)
    said = await labels.about(reader, [name for known in names.values() for name in known])
    held = await _held(reader, [one for one in subjects if any(name in said for name in names.get(one.id, ()))])
    found = {}
    for one in subjects:
        own = [label for name in names.get(one.id, ()) for label in said.get(name, ())]
        if own:
            found[one.id] = Labelled([(_words(one, label), label.labelled_at) for label in own], one.id in held, own)
    return found


async def waiting(reader: Reader, page: Page) -> tuple[list[Subject], str | None]:
    """A page of the accounts and events that labels hide here, and the cursor; events of a labelled account are with the account.

    First whose newest label came last. Each is read at that label, so that the database can stop where the page ends.
    """
    rows = await reader.fetch(
        f"""
        select thing, id, heard_at from (
          select * from (
            select '{Thing.DID}' as thing, i.did as id, l.heard_at from labels l join identities i on i.did = l.subject
             where {_IS_NEWEST} and {hides_person("i.user_id")} {page.clause("l.heard_at", "i.did")}
          ) dids
          union all
          select * from (
            select '{Thing.EVENT}' as thing, e.id, l.heard_at from labels l join events e on e.record_uri = l.subject
             where {_IS_NEWEST} and e.deleted_at is null and {hides_event("e")} {page.clause("l.heard_at", "e.id")}
          ) of_events
        ) found where 1 = 1 {page.clause("heard_at", "id")}
        """,
        **page.values,
    )
    found, cursor = page.cut(rows, lambda one: (one["heard_at"], one["id"]))
    return [Subject(Thing(row["thing"]), row["id"]) for row in found], cursor


async def _names(reader: Reader, subjects: Sequence[Subject]) -> Mapping[str, list[str]]:
    """Under which names labels are about these: DIDs, and uris of records."""
    found: dict[str, list[str]] = {one.id: [one.id] for one in subjects if one.thing is Thing.DID}
    events = [one.id for one in subjects if one.thing is Thing.EVENT]
    persons = [one.id for one in subjects if one.thing is Thing.PERSON]
    if events:
        rows = await reader.fetch(
            "select e.id as id, e.record_uri as name from events e where e.id in :ids and e.record_uri is not null"
            " union select e.id, i.did from events e join identities i on i.user_id = e.author_id where e.id in :ids"
            " order by 1, 2",
            ids=events,
        )
        for row in rows:
            found.setdefault(row["id"], []).append(row["name"])
    if persons:
        rows = await reader.fetch("select user_id, did from identities where user_id in :ids order by did", ids=persons)
        for row in rows:
            found.setdefault(row["user_id"], []).append(row["did"])
    return found


async def _held(reader: Reader, subjects: Sequence[Subject]) -> set[str]:
    """Those of them that a label hides, or whose events it hides."""
    held: set[str] = set()
    for thing, sql in (
        (Thing.EVENT, f"select e.id as id from events e where e.id in :ids and {hides_event('e')}"),
        (Thing.DID, f"select i.did as id from identities i where i.did in :ids and {hides_person('i.user_id')}"),
        (Thing.PERSON, f"select u.id as id from users u where u.id in :ids and {hides_person('u.id')}"),
    ):
        ids = [one.id for one in subjects if one.thing is thing]
        if ids:
            held |= {row["id"] for row in await reader.fetch(sql, ids=ids)}
    return held


def _words(subject: Subject, label: Label) -> str:
    """Who says what of whom; of an event told apart from what is said of its host."""
    whom = " (its host)" if subject.thing is Thing.EVENT and label.subject.startswith("did:") else ""
    which = " (one version of it)" if label.cid else ""
    return f"{label.value}{whom}{which}, by {label.source}"
