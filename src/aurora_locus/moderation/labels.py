"""Labels that the host's moderators put on accounts and records, signed with the server's label key.

Source: label specification ("Label Schema and Data Model", "Signature"): the signature is over the DRISL-CBOR of the
label without ``sig``. The table is append-only: of several labels with the same subject and value the newest counts,
and a negation removes the label. Readers check ``exp``; expired labels are no longer served.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.data.model import Value
from at_protocol.failures import Malformed, Misuse
from at_protocol.sync.labels import MAX_VALUE_BYTES, signed_bytes, unsigned_label
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.datetime import format_datetime
from at_protocol.syntax.did import Did, parse_did
from aurora_locus.i18n.sentences import gettext_noop, localizable
from aurora_locus.moderation import audit_log
from aurora_locus.moderation.roles import AuditContext, OperatorAction
from groundwork.clock import Instant
from groundwork.database.expressions import escape_like
from groundwork.database.transaction import Database, Reader, Row, Writer
from groundwork.errors import InvalidInput

MAX_PATTERNS = 100

_NEXT = "update label_sequencer set last = last + 1 where id = 1 returning last"
_HEAD = "select last from label_sequencer where id = 1"
_INSERT = """
    insert into labels (seq, src, uri, cid, val, neg, cts, exp, sig)
    values (:seq, :src, :uri, :cid, :val, :neg, :cts, :exp, :sig)
"""
_COLUMNS = "l.seq, l.src, l.uri, l.cid, l.val, l.neg, l.cts, l.exp, l.sig"
_AFTER = f"select {_COLUMNS} from labels l where l.seq > :position order by l.seq limit :limit"
# The label is in force: not replaced by a later one, not negated, not expired.
_HOLDS = """
    l.neg = 0 and (l.exp is null or l.exp > :now)
       and not exists (select 1 from labels n
                        where n.uri = l.uri and n.val = l.val and n.src = l.src
                          and coalesce(n.cid, '') = coalesce(l.cid, '') and n.seq > l.seq)
"""
_QUERY = f"""
    select {_COLUMNS} from labels l
     where l.seq > :position and ({{patterns}}) and {_HOLDS}
     order by l.seq
     limit :limit
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One label as served, with its sequence number."""

    seq: int
    src: Did
    uri: str
    cid: str | None
    val: str
    neg: bool
    cts: str
    exp: str | None
    sig: bytes

    def unsigned(self) -> dict[str, Value]:
        """Return the fields that the signature covers, as a record without ``sig``."""
        return unsigned_label(
            src=self.src,
            uri=self.uri,
            val=self.val,
            cts=self.cts,
            cid=self.cid,
            is_negated=self.neg,
            exp=self.exp,
        )


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels of one server: the DID that issues them, the signing key, and the waiting subscribers of this process."""

    db: Database
    src: Did
    key: K256PrivateKey
    waiting: set[asyncio.Event] = field(default_factory=set)

    def wake(self) -> None:
        """Wake the waiting subscribers, because there are new labels."""
        for event in self.waiting:
            event.set()


async def put(
    labels: Labels,
    audit: AuditContext,
    subject: str,
    value: str,
    *,
    cid: str | None = None,
    negate: bool = False,
    expires_at: Instant | None = None,
) -> None:
    """Put a label on an account (its DID) or a record (its AT URI, optionally one version of it), or negate it.

    Raises InvalidInput, Forbidden.
    """
    _require_subject(subject)
    if not value or len(value.encode()) > MAX_VALUE_BYTES or not value.isprintable():
        raise InvalidInput(
            "value",
            localizable("A label’s value must have 1 to %(max_value_bytes)s bytes.", max_value_bytes=MAX_VALUE_BYTES),
        )

    def work(w: Writer) -> None:
        if expires_at is not None and expires_at <= w.now:
            raise InvalidInput("expires", gettext_noop("Choose an end date in the future for the label."))
        exp = None if expires_at is None else format_datetime(expires_at)
        after = {"value": value, "negated": negate} | ({} if cid is None else {"cid": cid})
        audit_log.append(w, audit, OperatorAction.LABEL, subject, after=after)
        # This comes last, because the row that assigns numbers stays locked until the commit.
        row = w.fetch_one(_NEXT)
        if row is None:
            raise Misuse("the label sequencer has lost its row: the migrations have not run")
        seq = int(row["last"])
        label = Label(
            seq=seq,
            src=labels.src,
            uri=subject,
            cid=cid,
            val=value,
            neg=negate,
            cts=format_datetime(w.now),
            exp=exp,
            sig=b"",
        )
        w.execute(
            _INSERT,
            seq=seq,
            src=label.src,
            uri=label.uri,
            cid=cid,
            val=value,
            neg=int(negate),
            cts=label.cts,
            exp=exp,
            sig=labels.key.sign(signed_bytes(label.unsigned())),
        )
        w.after_commit(labels.wake)

    await labels.db.write(work)


async def query(reader: Reader, patterns: Sequence[str], *, after: int, limit: int) -> list[Label]:
    """Return labels in force, ordered by number. Each pattern is a whole URI, or a prefix followed by ``*``.

    Raises InvalidInput for too many patterns, or a ``*`` in another place.
    """
    if not patterns or len(patterns) > MAX_PATTERNS:
        raise InvalidInput(
            "uriPatterns", localizable("Ask for 1 to %(max_patterns)s patterns at a time.", max_patterns=MAX_PATTERNS)
        )
    clauses, values = [], {}
    for number, pattern in enumerate(patterns):
        beginning, star, rest = pattern.partition("*")
        if rest:
            raise InvalidInput("uriPatterns", gettext_noop("Only the end of a pattern can be *."))
        if not pattern.isprintable():
            continue
        values[f"p{number}"] = f"{escape_like(beginning)}%" if star else pattern
        # On SQLite `like` ignores case, so the prefix is compared again.
        clauses.append(
            f"(l.uri like :p{number} escape '!' and substr(l.uri, 1, {len(beginning)}) = :b{number})"
            if star
            else f"l.uri = :p{number}"
        )
        if star:
            values[f"b{number}"] = beginning
    if not clauses:
        return []
    sql = _QUERY.format(patterns=" or ".join(clauses))
    rows = await reader.fetch(sql, position=after, limit=limit, now=format_datetime(reader.now), **values)
    return [_label(row) for row in rows]


async def after(reader: Reader, position: int, limit: int) -> list[Label]:
    """Return every label and negation above a number, in order."""
    return [_label(row) for row in await reader.fetch(_AFTER, position=position, limit=limit)]


async def last_number(reader: Reader) -> int:
    """Return the number of the newest label."""
    row = await reader.fetch_one(_HEAD)
    return 0 if row is None else int(row["last"])


def _require_subject(subject: str) -> None:
    try:
        if subject.startswith("did:"):
            parse_did(subject)
            return
        uri = parse_at_uri(subject)
        parse_did(uri.authority)
    except Malformed as error:
        raise InvalidInput(
            "subject", localizable("A label applies to a DID, or to a record addressed by DID: %(why)s.", why=error.why)
        ) from None
    if uri.collection is None or uri.rkey is None:
        raise InvalidInput(
            "subject", gettext_noop("Label an account by its DID, or a record by at://did/collection/key.")
        )


def _label(row: Row) -> Label:
    return Label(
        seq=row["seq"],
        src=Did(row["src"]),
        uri=row["uri"],
        cid=row["cid"],
        val=row["val"],
        neg=bool(row["neg"]),
        cts=row["cts"],
        exp=row["exp"],
        sig=bytes(row["sig"]),
    )


def as_record(label: Label) -> Mapping[str, Value]:
    """Return the label in the data model, including the signature."""
    return {**label.unsigned(), "sig": label.sig}
