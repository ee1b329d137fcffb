"""The columns of ``publications``, and those that statements set together, as parts of an ``update``.

- The subject: ``kind``, ``subject_id``; ``user_id``, in whose repository the record belongs; ``revision``, the newest one,
  and ``edited_at``, its time; ``completed_revision``, the newest one for which nothing is left to send. It also increases
  when nothing was sent: the record already had the content, was deleted, or must not be written. What was really sent is
  in ``chosen_*``.
- When to try next: ``state``, ``reason``, ``due_at``; ``attempts``, the failures since the last success or edit;
  ``changed_at``. ``awaited_server``: the server that the row is set aside for until it is called again.
- The lease: ``lease``, its number; ``leased_until``; ``needs_recheck``, something that the handler's decision depends on
  has changed since the lease began.
- The record: ``did``, also of one that was deleted; ``uri``, once a key has been chosen.
- The write in flight, or the last one: ``chosen_cid``, ``chosen_body``, and ``chosen_revision``, of which they were made.
  ``earlier_cids``: earlier writes that may still arrive. ``deleting_cid``: the version that a delete without a response
  was for.
- The base, the last version that we and the PDS agreed on: ``base_cid``, ``base_body``, ``base_rev``.
- Merging: ``edits``, made here and in no record yet; ``merged``, the subject's values at the last merge or deletion, with
  which they are compared to find later edits; ``was_merged``, whether the base contains another app's change;
  ``merge_rounds`` since the last edit.
- The limit on writes without an edit: ``writes`` since ``writes_since``.
- ``is_withdrawn``: its person does not want the record to be published. ``was_deleted_elsewhere``: somebody
  else deleted it.
"""

from typing import Final

# A delete without a response was for the earlier base. But if only the rev is later, the delete can still take effect.
SET_BASE: Final = (
    "base_cid = :cid, base_body = :body, base_rev = :rev, "
    "deleting_cid = case when base_cid = :cid then deleting_cid else null end"
)

# There is no record any more. ``did`` stays, because the next record goes into the same repository.
FORGET_RECORD: Final = (
    "uri = null, chosen_cid = null, chosen_body = null, chosen_revision = null, earlier_cids = '', "
    "base_cid = null, base_body = null, base_rev = null, deleting_cid = null, was_merged = 0"
)

# Only where the base contains the edits or they are given up.
FORGET_EDITS: Final = "edits = null, merged = null"

# Our own version is the base. ``merged`` is still that of the version that was sent.
COMPLETE_WRITE: Final = (
    "earlier_cids = '', was_deleted_elsewhere = 0, "
    f"was_merged = case when merged is null then 0 else was_merged end, {FORGET_EDITS}"
)

RESET_ATTEMPTS: Final = "attempts = 0, merge_rounds = 0"

# Whatever made the row due may also have changed which server it is for.
DUE_FROM_NOW: Final = "due_at = :now, changed_at = :now, awaited_server = null"

END_LEASE: Final = "leased_until = null"

# The handler that runs now holds another number, so its result changes nothing, whatever the new state is.
BREAK_LEASE: Final = "lease = lease + 1, leased_until = null"

# A handler may be working on the row.
MAYBE_LEASED: Final = "state in ('sending', 'retracting')"
# The handler may have decided before this change. It leaves the row due.
RECHECK_IF_LEASED: Final = f"needs_recheck = case when {MAYBE_LEASED} then 1 else needs_recheck end"
