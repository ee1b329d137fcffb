"""Labels: signed statements by a labeler about an account or a record.

Source: label specification ("Label Schema and Data Model", "Signature"). The signature covers the DRISL-CBOR of the
label without ``sig``, with every received field, including unknown ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from at_protocol.crypto.did_key import PublicKey
from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.data.model import Value
from at_protocol.failures import Malformed
from at_protocol.sync.frames import Frame
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.datetime import parse_datetime
from at_protocol.syntax.did import Did, parse_did

VERSION: Final = 1
MAX_VALUE_BYTES: Final = 128
# Fragments in a labeler's DID document: its key and its service, and the service's type.
LABEL_KEY: Final = "atproto_label"
LABELER_SERVICE: Final = "atproto_labeler"
LABELER_TYPE: Final = "AtprotoLabeler"
SUBSCRIBE_LABELS: Final = "com.atproto.label.subscribeLabels"
LABELS_FRAME: Final = "#labels"
# Deployed labelers send one label per frame; their batch jobs send a few dozen.
MAX_LABELS: Final = 1_000


@dataclass(frozen=True, slots=True)
class SignedLabel:
    """One label.

    ``subject`` is a DID or the AT URI of a record. If ``cid`` is set, the label applies to this version only.
    ``created_at`` and ``expires_at`` are UTC microseconds. ``signed`` holds the bytes covered by ``signature``.
    """

    source: Did
    subject: str
    cid: str | None
    value: str
    is_negated: bool
    created_at: int
    expires_at: int | None
    signed: bytes
    signature: bytes


def unsigned_label(
    *, src: Did, uri: str, val: str, cts: str, cid: str | None = None, is_negated: bool = False, exp: str | None = None
) -> dict[str, Value]:
    """Return the signed content of a label: every field that is present, as data model values."""
    fields: dict[str, Value] = {"ver": VERSION, "src": src, "uri": uri, "val": val, "cts": cts}
    if cid is not None:
        fields["cid"] = cid
    if is_negated:
        fields["neg"] = True
    if exp is not None:
        fields["exp"] = exp
    return fields


def signed_bytes(label: Mapping[str, Value]) -> bytes:
    """Return the bytes that a label's signature covers."""
    return cbor.encode({name: value for name, value in label.items() if name != "sig"})


def labels_in(frame: Frame) -> tuple[int, list[Value]]:
    """Return the sequence number of a ``#labels`` frame, and its undecoded labels. Raises Malformed."""
    seq, labels = frame.payload.get("seq"), frame.payload.get("labels")
    if type(seq) is not int or seq < 1:
        raise Malformed("labels", seq, "the frame has no number")
    if not isinstance(labels, list) or len(labels) > MAX_LABELS:
        raise Malformed("labels", seq, f"the frame has no list of at most {MAX_LABELS} labels")
    return seq, labels


def subject_of(label: Value) -> str:
    """Return the claimed subject of a label, unverified. Empty if there is none."""
    subject = label.get("uri") if isinstance(label, dict) else None
    return subject if isinstance(subject, str) else ""


def read_label(label: Value) -> SignedLabel:
    """Parse a label from a frame. Verify its signature with ``is_signed_by``. Raises Malformed."""
    if not isinstance(label, dict):
        raise Malformed("label", label, "not a map")
    if label.get("ver", VERSION) != VERSION:
        raise Malformed("label", label.get("ver"), "an unknown version")
    value, negated, cid, expires, signature = (label.get(name) for name in ("val", "neg", "cid", "exp", "sig"))
    if not isinstance(value, str) or not 0 < len(value.encode()) <= MAX_VALUE_BYTES or not value.isprintable():
        raise Malformed("label", value, f"its value is not text of 1 to {MAX_VALUE_BYTES} bytes")
    if negated is not None and not isinstance(negated, bool):
        raise Malformed("label", negated, "neg is neither true nor false")
    if not isinstance(signature, bytes):
        raise Malformed("label", value, "it is not signed")
    return SignedLabel(
        source=parse_did(_text(label, "src")),
        subject=_subject(_text(label, "uri")),
        cid=None if cid is None else str(Cid.parse(_text(label, "cid"))),
        value=value,
        is_negated=negated is True,
        created_at=parse_datetime(_text(label, "cts")),
        expires_at=None if expires is None else parse_datetime(_text(label, "exp")),
        signed=signed_bytes(label),
        signature=signature,
    )


def is_signed_by(label: SignedLabel, key: PublicKey) -> bool:
    """Whether this key made the signature."""
    return key.verify(label.signed, label.signature)


def _subject(text: str) -> str:
    """Return a DID, or the full AT URI of a record with a DID; nothing else can be looked up. Raises Malformed."""
    if text.startswith("did:"):
        return parse_did(text)
    uri = parse_at_uri(text)
    parse_did(uri.authority)
    if uri.collection is None or uri.rkey is None:
        raise Malformed("label", text, "neither a DID nor the URI of a record")
    return text


def _text(label: Mapping[str, Value], name: str) -> str:
    text = label.get(name)
    if not isinstance(text, str):
        raise Malformed("label", name, "is missing or not text")
    return text
