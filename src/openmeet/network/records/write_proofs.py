"""Proofs that this site wrote a version of a record itself, and when.

Marks and links in our records can be copied or changed by every app that may write to the repository. They must not
make anything more public than its owner decided here. After a restore from a backup, the proof shows that the owner had
decided to publish after the backup was made. It is an HMAC with a key of the site over the URI, the subject and the time.
Another app's edit of the record keeps it.
"""

from base64 import urlsafe_b64encode
from collections.abc import Mapping

from at_protocol.data.model import Value
from at_protocol.failures import Malformed
from at_protocol.syntax.datetime import format_datetime, parse_datetime
from groundwork.clock import Instant
from groundwork.signing_key import SigningKey
from openmeet.network.records.collections import PROOF_KEY, PROOF_KEYS


def with_proof(
    record: Mapping[str, Value], key: SigningKey, *, uri: str, subject_id: str, at: Instant
) -> dict[str, Value]:
    """Return the record with the proof that this site writes it now, for this event, series or group."""
    written_at = format_datetime(at)
    name = next((name for name in PROOF_KEYS if name in record), PROOF_KEY)
    proof: Value = {"$type": name, "writtenAt": written_at, "digest": _digest(key, uri, subject_id, written_at)}
    return {**record, name: proof}


def proven_at(record: Mapping[str, object], key: SigningKey | None, *, uri: str, subject_id: str) -> Instant | None:
    """Return when this site wrote the record; None if it does not prove that."""
    proof = next((record[name] for name in PROOF_KEYS if isinstance(record.get(name), Mapping)), None)
    if key is None or not isinstance(proof, Mapping):
        return None
    written_at, digest = proof.get("writtenAt"), proof.get("digest")
    if not isinstance(written_at, str) or not isinstance(digest, str):
        return None
    if not key.verifies(digest, lambda one: _digest(one, uri, subject_id, written_at)):
        return None
    try:
        return Instant(parse_datetime(written_at))
    except Malformed:
        return None


def _digest(key: SigningKey, uri: str, subject_id: str, written_at: str) -> str:
    return urlsafe_b64encode(key.digest(f"{uri}\n{subject_id}\n{written_at}".encode())).decode().rstrip("=")
