"""Records of groups and series made here, and what a group says of its members, as they come back: an echo, or another app's word."""

from typing import Final

from at_protocol.data import cbor
from at_protocol.failures import Malformed
from groundwork.database.transaction import Transaction
from openmeet.domain.series.model import SeriesId
from openmeet.network.ingestion import local_groups, local_series, merge_local, remote_groups
from openmeet.network.ingestion.events import Here, Version, version_of, version_seen
from openmeet.network.ingestion.parsed_messages import Outcome, Reading
from openmeet.network.records import links, seen
from openmeet.network.records.group import read_group
from openmeet.network.records.group_statements import Saying, read_statement
from openmeet.network.records.message import RecordMessage
from openmeet.network.records.reader import Unmappable
from openmeet.network.records.seen import Seen, Standing
from openmeet.network.records.series import read_series
from openmeet.outbox.publication_leases import Publication
from openmeet.outbox.publications import Kind, State

KINDS: Final = frozenset({Kind.GROUP, Kind.SERIES, Kind.ACCEPTANCE})


async def put(
    tx: Transaction, here: Here, reading: Reading, known: Seen | None, owned: Publication, *, is_echo: bool
) -> Outcome:
    """A version of a record that we write; its group or series is locked."""
    message = reading.message
    standing = Standing.RAW if reading.reason else Standing.MAPPED
    is_same = known is not None and known.cid == message.cid
    is_newest = await seen.put(
        tx, message, standing=standing, reason=reading.reason, subject_uri=reading.subject_uri or message.uri
    )
    if owned.kind is Kind.ACCEPTANCE and (is_newest or is_same):
        if reading.statement is not None:
            await remote_groups.take_in(tx, message.did, message.uri, reading.statement)
        else:
            await remote_groups.take_out(tx, Saying.ACCEPTANCE, message.uri)
    if not is_newest:
        has_base = owned.base_rev is not None and known is not None and owned.base_rev < known.rev
        if is_echo or (is_same and has_base):
            # With the base settled, the version that overtook it is joined anew.
            await _rejoin(tx, here, message, owned)
        return Outcome.ECHO if is_echo else Outcome.KNOWN
    if is_echo:
        return Outcome.ECHO
    if is_same and known is not None and known.standing is standing:
        return Outcome.KNOWN
    await take_over(tx, here, version_of(message), owned)
    return Outcome.RAW if reading.reason else Outcome.APPLIED


async def take_over(tx: Transaction, here: Here, version: Version, owned: Publication) -> None:
    """Join a version that another app wrote with what is said here."""
    try:
        record = cbor.decode(version.body)
        match owned.kind:
            case Kind.GROUP:
                await local_groups.take_over(tx, here, version, read_group(version.collection, record), owned)
            case Kind.SERIES:
                await local_series.take_over_series(tx, here, version, read_series(version.collection, record), owned)
            case _:
                said = read_statement(version.collection, version.did, record)
                await local_groups.take_over_membership(tx, version, said, owned)
    except (Unmappable, Malformed) as wrong:
        await merge_local.keep_ours(tx, owned, version, why=wrong.why)


async def delete(tx: Transaction, message: RecordMessage, owned: Publication) -> None:
    """The record is gone: by us, or by another app, which is its owner's word about the network and none about what is here."""
    if owned.kind is Kind.ACCEPTANCE:
        await remote_groups.take_out(tx, Saying.ACCEPTANCE, message.uri)
    if owned.state is not State.RETRACTING:
        await lose(tx, uri=message.uri, rev=message.rev, owned=owned)
    elif owned.kind is Kind.SERIES:
        await links.note_series(tx, SeriesId(owned.subject_id), None)
    else:
        await links.note(tx, owned.kind, owned.subject_id, uri=None, cid=None)


async def lose(tx: Transaction, *, uri: str, rev: str, owned: Publication) -> None:
    """Another app has deleted it."""
    match owned.kind:
        case Kind.GROUP:
            await local_groups.lose(tx, uri=uri, rev=rev, owned=owned)
        case Kind.SERIES:
            await local_series.lose(tx, uri=uri, rev=rev, owned=owned)
        case _:
            await local_groups.lose_membership(tx, uri=uri, rev=rev, owned=owned)


async def _rejoin(tx: Transaction, here: Here, message: RecordMessage, owned: Publication) -> None:
    newest = await seen.find(tx, message.uri)
    version = None if newest is None else version_seen(newest)
    if version is not None and version.cid != owned.base_cid:
        await take_over(tx, here, version, owned)
