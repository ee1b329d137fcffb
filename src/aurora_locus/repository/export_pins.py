"""Export pins: rows that tell other processes on the same database to keep the blocks below an export's root.

On PostgreSQL several servers share a database, so each export inserts a pin. An operator's command also inserts a pin
for each export. Inserting the pin and every commit briefly lock the row of the repository. So an export either begins
after a commit, at the new root, or its pin is visible to the commit. The server of an SQLite file tracks its own
exports in memory, without pins.
"""

from at_protocol.syntax.did import Did
from aurora_locus.repository.writer import collect_unused
from groundwork.clock import HOUR, Instant
from groundwork.database.transaction import Writer

# A process renews its pins during housekeeping. If one was not renewed for this long, its process has ended.
SILENCE = HOUR

_LOCK = "update repositories set rev = rev where did = :did"
_PIN = "insert into export_pins (id, did, touched_at) values (:id, :did, :now)"
_UNPIN = "delete from export_pins where id = :id"
_FIND = "select 1 from export_pins where did = :did"
_TOUCH = "update export_pins set touched_at = :now where id = :id"
_SILENT = "select id, did from export_pins where touched_at <= :before"


def pin(w: Writer, did: Did, export: str) -> None:
    """Pin a repository for an export. Read its head after this call."""
    w.execute(_LOCK, did=did)
    w.execute(_PIN, id=export, did=did, now=w.now)


def unpin(w: Writer, did: Did, export: str) -> None:
    """Remove the pin. If it was the last one, the blocks kept for exports are deleted."""
    w.execute(_LOCK, did=did)
    w.execute(_UNPIN, id=export)
    collect(w, did)


def collect(w: Writer, did: Did) -> None:
    """Delete the blocks kept for exports, unless another export is running."""
    if not is_pinned(w, did):
        collect_unused(w, did)


def is_pinned(w: Writer, did: Did) -> bool:
    """Whether an export is running in any process. Call this after changing the repository's row in this transaction."""
    return w.fetch_one(_FIND, did=did) is not None


def renew(w: Writer, exports: list[str]) -> None:
    """Renew the export pins of this process."""
    w.execute_many(_TOUCH, [{"id": export, "now": w.now} for export in exports])


def list_stale(w: Writer) -> list[tuple[str, Did]]:
    """Return the pins that were not renewed for so long that their processes must have ended."""
    return [(row["id"], Did(row["did"])) for row in w.fetch(_SILENT, before=Instant(w.now - SILENCE))]
