"""Merge another app's version of our record with edits made here. ``local_groups`` and ``local_series`` use all of it,
``local_events`` what it has in common with them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic

from at_protocol.data import cbor, json_form
from at_protocol.data.model import Value
from groundwork.clock import Instant
from groundwork.database.transaction import Transaction
from groundwork.errors import Explanation, Reason, encode_explanation
from openmeet.domain.events.model import RecordOrigin
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.merge_decisions.model import FieldDecision, MergeReason, MergeSide
from openmeet.network.ingestion.three_way_merge import MergeInput, MergeResult, MergeRule, MergeSides, T, encode_edits
from openmeet.network.records.reading_notes import shortened
from openmeet.network.records.reasons import RecordReason
from openmeet.network.records.versions import moment_of_rev
from openmeet.outbox import ingested_changes
from openmeet.outbox.ingested_changes import UnsentEdits
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import RecordVersion

# Maximum number of characters shown of an unreadable version: enough to type its content again.
_MAX_SHOWN: Final = 1_000


@dataclass(frozen=True, slots=True)
class MergedEdits(Generic[T]):
    """The result of a merge with edits made here. ``edits``: edits since the base. ``merged``: the result of merging
    them with theirs.
    """

    edits: Mapping[str, Any]
    merged: MergeResult[T]


def agreed_record(publication: Publication, version: RecordVersion, now: Instant) -> dict[str, Value] | None:
    """Return the record that edits made here are compared with; None if everything in ``version`` counts as an edit.

    A record that is attached again after a restore from a backup has no agreed version. Such a record is newer than
    what is here, unless that was edited later.
    """
    body = publication.base_body or publication.chosen_body
    if body is None and publication.edited_at <= moment_of_rev(version.rev, now):
        return None
    return record_of(body or version.body)


def compared_value(rule: MergeRule[T], publication: Publication, base: T) -> T:
    """Return the value that ours is compared with to find the edits made here: the result of the last merge, or else the
    agreed version.
    """
    return base if publication.merged is None else rule.decode(publication.merged)


def unsent_edits(rule: MergeRule[T], publication: Publication, base: T, ours: T) -> UnsentEdits:
    """Return what is kept when another app has deleted the record: the edits made here that it did not contain, and
    ``ours``, with which later edits are compared.
    """
    edits: dict[str, Any] = {}
    if publication.has_unsent_revision:
        edits = {} if publication.edits is None else rule.decode_edits(publication.edits)
        edits.update(rule.edits_between(compared_value(rule, publication, base), ours))
    return UnsentEdits(encode_edits(edits), rule.encode(ours))


def merge_version(
    rule: MergeRule[T],
    publication: Publication,
    version: RecordVersion,
    now: Instant,
    sides: MergeSides[T],
    fixed_values: Mapping[str, Any],
) -> MergedEdits[T]:
    """Merge another app's version with ours.

    ``fixed_values``: fields that count as edited here whenever theirs differ, even if nobody has edited them.
    """
    edits = {} if publication.edits is None else rule.decode_edits(publication.edits)
    edits.update(rule.edits_between(compared_value(rule, publication, sides.base), sides.ours))
    edits.update((name, value) for name, value in fixed_values.items() if value != getattr(sides.theirs, name))
    facts = merge_input(publication, version, now, RecordOrigin.HERE)
    return MergedEdits(edits, rule.merge(sides.base, edits, sides.theirs, facts))


def merge_input(publication: Publication, version: RecordVersion, now: Instant, origin: RecordOrigin) -> MergeInput:
    """Return the input for merging another app's version with the last edit made here."""
    return MergeInput(
        origin=origin,
        ours_at=publication.edited_at,
        theirs_at=moment_of_rev(version.rev, now),
        ours_cid=publication.chosen_cid or "",
        theirs_cid=version.cid,
    )


async def store_merge(
    tx: Transaction, rule: MergeRule[T], publication: Publication, version: RecordVersion, result: MergedEdits[T]
) -> None:
    """Store each decision, and enqueue our remaining edits. If there are none, theirs becomes the new base."""
    await merge_decisions.store(
        tx,
        uri=version.uri,
        theirs_rev=version.rev,
        ours_revision=publication.revision,
        decisions=result.merged.decisions,
    )
    if publication.has_unsent_revision or result.edits:
        merged = rule.encode(result.merged.value)
        await ingested_changes.remember_merge(tx, uri=version.uri, edits=encode_edits(result.edits), merged=merged)
    else:
        await ingested_changes.accept_foreign_version(tx, version)


async def store_unapplied_version(
    tx: Transaction, publication: Publication, version: RecordVersion, *, why: Explanation | Reason
) -> None:
    """Store a version that cannot be applied, as a decision for our content, so that the host can read the reason and
    the changes in it. It stays in the repository.
    """
    before, after = record_of(publication.base_body), record_of(version.body)
    changed = {key: value for key, value in after.items() if before.get(key) != value}
    description = json.dumps(json_form.to_json(changed), ensure_ascii=False)
    decision = FieldDecision(
        "record",
        "",
        "",
        not_applied(why, description if changed else ""),
        MergeReason.MANUAL_EDIT_IS_KEPT,
        MergeSide.OURS,
    )
    await merge_decisions.store(
        tx, uri=version.uri, theirs_rev=version.rev, ours_revision=publication.revision, decisions=(decision,)
    )


def not_applied(why: Explanation | Reason, record: str) -> str:
    """Return why their version was not applied, together with the beginning of it. Stored as their value."""
    return encode_explanation(RecordReason.THEIRS_NOT_APPLIED(problem=why, record=shortened(record, _MAX_SHOWN)))


def record_of(body: bytes | None) -> dict[str, Value]:
    """Return a stored body as a map."""
    value = None if body is None else cbor.decode(body)
    return value if isinstance(value, dict) else {}
