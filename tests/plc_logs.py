"""Whole audit logs of a PLC directory."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from at_protocol.identity.plc_log import Acceptance, PlcLogEntry, accept
from at_protocol.identity.plc_operation import OperationRefused, PlcRefusal
from at_protocol.syntax.did import Did


def append_to_log(log: Sequence[PlcLogEntry], acceptance: Acceptance) -> list[PlcLogEntry]:
    """Return the log after an acceptance."""
    nullified = set(acceptance.nullified)
    return [replace(entry, nullified=True) if entry.cid in nullified else entry for entry in log] + [acceptance.entry]


def validate_log(did: Did, entries: Iterable[PlcLogEntry]) -> list[PlcLogEntry]:
    """Replay an audit log in order and return the current chain. Raises OperationRefused for an invalid step or entry."""
    entries_in_order = list(entries)
    log: list[PlcLogEntry] = []
    for entry in entries_in_order:
        acceptance = accept(log, did, entry.operation, entry.created_at)
        if acceptance.entry.cid != entry.cid:
            raise OperationRefused(PlcRefusal.IMPROPER_OPERATION, str(entry.cid), "the CID is not the operation's")
        log = append_to_log(log, acceptance)
    if not log:
        raise OperationRefused(PlcRefusal.IMPROPER_OPERATION, did, "an empty log")
    if [entry.nullified for entry in log] != [entry.nullified for entry in entries_in_order]:
        raise OperationRefused(PlcRefusal.MISORDERED_OPERATION, did, "the log marks other operations as nullified")
    return [entry for entry in log if not entry.nullified]
