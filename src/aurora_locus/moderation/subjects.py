"""Subjects of decisions: parsing and writing the unions of ``com.atproto.admin``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import RecordKey
from aurora_locus.i18n.sentences import gettext_noop, localizable
from groundwork.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class AccountSubject:
    """A whole account."""

    did: Did


@dataclass(frozen=True, slots=True)
class RecordSubject:
    """The record at a path, whatever its content is."""

    did: Did
    collection: Nsid
    rkey: RecordKey

    @property
    def uri(self) -> str:
        return f"at://{self.did}/{self.collection}/{self.rkey}"


@dataclass(frozen=True, slots=True)
class BlobSubject:
    """A blob of one account."""

    did: Did
    cid: Cid


Subject = AccountSubject | RecordSubject | BlobSubject


def parse_subject(value: Mapping[str, Any]) -> Subject:
    """Parse a subject that was validated with its Lexicon. Raises InvalidInput for an unknown type."""
    match value.get("$type"):
        case "com.atproto.admin.defs#repoRef":
            return AccountSubject(Did(value["did"]))
        case "com.atproto.repo.strongRef":
            return record_at(value["uri"])
        case "com.atproto.admin.defs#repoBlobRef":
            return blob_of(Did(value["did"]), value["cid"])
        case other:
            raise InvalidInput(
                "subject",
                localizable("This server moderates accounts, records and files, not %(other)s.", other=other),
            )


def record_at(uri: str) -> RecordSubject:
    """Parse an AT URI with a DID as a record. Raises InvalidInput."""
    parsed = parse_at_uri(uri)
    if not parsed.authority.startswith("did:") or parsed.collection is None or parsed.rkey is None:
        raise InvalidInput("subject", gettext_noop("Use the DID to identify the record: at://did/collection/key."))
    return RecordSubject(Did(parsed.authority), parsed.collection, parsed.rkey)


def blob_of(did: Did, cid: str) -> BlobSubject:
    """Parse the CID of a blob of this account. Raises InvalidInput."""
    try:
        return BlobSubject(did, Cid.parse(cid))
    except Malformed as error:
        raise InvalidInput("subject", f"{cid} is not a CID of this protocol: {error.why}.") from None


def subject_value(subject: Subject, record_cid: Cid | None) -> dict[str, object]:
    """Return the subject in its Lexicon's form. A record needs its current CID."""
    match subject:
        case AccountSubject():
            return {"$type": "com.atproto.admin.defs#repoRef", "did": subject.did}
        case RecordSubject():
            return {"$type": "com.atproto.repo.strongRef", "uri": subject.uri, "cid": str(record_cid)}
        case BlobSubject():
            return {"$type": "com.atproto.admin.defs#repoBlobRef", "did": subject.did, "cid": str(subject.cid)}
