"""Verification of a finished import: read the new database back and compare it with the survey."""

from at_protocol.data.cid import Cid
from at_protocol.syntax.did import Did
from aurora_locus.reference_import.survey import Progress, Survey
from aurora_locus.repository import reader
from groundwork.database.transaction import Database
from groundwork.errors import Unavailable

_COUNTS = {
    "accounts": "select count(*) from accounts",
    "records": "select count(*) from records",
    "blocks": "select count(*) from blocks",
    "app passwords": "select count(*) from app_passwords",
    "sessions": "select count(*) from sessions",
    "invite codes": "select count(*) from invite_codes",
}
_BLOCKS_AT_ONCE = 1000
_LAST = "select last from sequencer where id = 1"


async def verify(db: Database, findings: Survey, progress: Progress) -> None:
    """Compare counts and heads, and every stored block with its CID. Raises Unavailable, naming the differences."""
    differing = []
    async with db.reader() as reader:
        for noun, statement in _COUNTS.items():
            row = await reader.fetch_one(statement)
            imported_count = 0 if row is None else int(row[0])
            if imported_count != findings.counts.get(noun, 0):
                differing.append(f"{imported_count} {noun} instead of {findings.counts.get(noun, 0)}")
        last = await reader.fetch_one(_LAST)
    if last is None or last[0] != findings.next_after:
        differing.append(f"the firehose stands elsewhere than at {findings.next_after}")
    for done, person in enumerate(findings.people):
        progress(done, len(findings.people), f"(comparing) {person.new_handle}")
        differing += await _differing_blocks(db, person.did)
    if differing:
        raise Unavailable("The imported data differs from the original: " + "; ".join(differing) + ".")


async def _differing_blocks(db: Database, did: Did) -> list[str]:
    head = await reader.find_head(db, did)
    if head is None:
        return [f"{did} has no repository"]
    after, has_head = b"", False
    while page := await reader.blocks_after(db, head.did, after, limit=_BLOCKS_AT_ONCE):
        for key, small in page:
            cid = Cid(key)
            has_head = has_head or cid == head.commit
            block = (await reader.load_raw_blocks(db, did, [key])).get(key) if small is None else small
            if block is None or not cid.names(block):
                return [f"the block {cid} of {did} has other bytes"]
        after = page[-1][0]
    return [] if has_head else [f"the head of {did} is not among its blocks"]
