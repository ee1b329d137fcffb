"""Accounts and events that labels are about: by which names labels refer to them, and which of them are hidden."""

from collections.abc import Mapping, Sequence
from typing import Final

from groundwork.database.transaction import Reader
from openmeet.domain.moderation.labels import hides_event, hides_person
from openmeet.domain.moderation.model import ModeratedKind, Subject
from openmeet.domain.paging import Page

# For each subject, selects the latest valid label that hides it.
_IS_NEWEST: Final = """
    l.hides = 1 and l.negated = 0 and not exists (
      select 1 from labels lo where lo.subject = l.subject and lo.hides = 1 and lo.negated = 0
         and (lo.received_at, lo.source, lo.value, lo.cid) > (l.received_at, l.source, l.value, l.cid)
    )
"""


async def held_subjects(reader: Reader, page: Page) -> tuple[list[Subject], str | None]:
    """One page of accounts and events that labels hide, and the cursor. Events of a labelled account are listed with
    the account.

    Latest label first. Each subject is read only at its latest label. This lets the database stop at the end of the
    page.
    """
    rows = await reader.fetch(
        f"""
        select kind, id, received_at from (
          select * from (
            select '{ModeratedKind.DID}' as kind, i.did as id, l.received_at from labels l
                join identities i on i.did = l.subject
             where {_IS_NEWEST} and {hides_person("i.user_id")} {page.clause("l.received_at", "i.did")}
          ) dids
          union all
          select * from (
            select '{ModeratedKind.EVENT}' as kind, e.id, l.received_at from labels l
                join events e on e.record_uri = l.subject
             where {_IS_NEWEST} and e.deleted_at is null and {hides_event("e")} {page.clause("l.received_at", "e.id")}
          ) of_events
        ) found where 1 = 1 {page.clause("received_at", "id")}
        """,
        **page.values,
    )
    page_rows, cursor = page.cut(rows, lambda one: (one["received_at"], one["id"]))
    return [Subject(ModeratedKind(row["kind"]), row["id"]) for row in page_rows], cursor


async def dids_and_uris(reader: Reader, subjects: Sequence[Subject]) -> Mapping[str, list[str]]:
    """The DIDs and record URIs by which labels refer to these subjects."""
    names_by_subject: dict[str, list[str]] = {one.id: [one.id] for one in subjects if one.kind is ModeratedKind.DID}
    events = [one.id for one in subjects if one.kind is ModeratedKind.EVENT]
    persons = [one.id for one in subjects if one.kind is ModeratedKind.PERSON]
    if events:
        rows = await reader.fetch(
            "select e.id as id, e.record_uri as name from events e where e.id in :ids and e.record_uri is not null"
            " union select e.id, i.did from events e join identities i on i.user_id = e.author_id where e.id in :ids"
            " order by 1, 2",
            ids=events,
        )
        for row in rows:
            names_by_subject.setdefault(row["id"], []).append(row["name"])
    if persons:
        rows = await reader.fetch("select user_id, did from identities where user_id in :ids order by did", ids=persons)
        for row in rows:
            names_by_subject.setdefault(row["user_id"], []).append(row["did"])
    return names_by_subject


async def held_among(reader: Reader, subjects: Sequence[Subject]) -> set[str]:
    """The subjects that a label hides or whose events it hides."""
    held_ids: set[str] = set()
    for kind, sql in (
        (ModeratedKind.EVENT, f"select e.id as id from events e where e.id in :ids and {hides_event('e')}"),
        (
            ModeratedKind.DID,
            f"select i.did as id from identities i where i.did in :ids and {hides_person('i.user_id')}",
        ),
        (ModeratedKind.PERSON, f"select u.id as id from users u where u.id in :ids and {hides_person('u.id')}"),
    ):
        ids = [one.id for one in subjects if one.kind is kind]
        if ids:
            held_ids |= {row["id"] for row in await reader.fetch(sql, ids=ids)}
    return held_ids
