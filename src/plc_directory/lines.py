"""Export lines in the public directory's two formats (did:plc method 0.3, "HTTP API")."""

from at_protocol.syntax.datetime import format_datetime
from plc_directory.store import ExportedOperation


def sequenced(line: ExportedOperation) -> dict[str, object]:
    """Return an export line in the current format, with a sequence number to resume from."""
    return {
        "type": "sequenced_op",
        "operation": line.operation,
        "did": line.did,
        "cid": line.cid,
        "createdAt": format_datetime(line.created_at),
        "seq": line.seq,
    }


def timed(line: ExportedOperation) -> dict[str, object]:
    """Return an export line in the older format, which is ordered by time alone."""
    return {
        "did": line.did,
        "operation": line.operation,
        "cid": line.cid,
        "nullified": line.nullified,
        "createdAt": format_datetime(line.created_at),
    }
