"""Where a record of a group stands, or stands no more: what knows it, and what follows from it."""

from at_protocol.syntax.at_uri import parse_at_uri
from groundwork.database.transaction import Transaction
from openmeet.domain.events import queries as events
from openmeet.domain.events.publication import owe_attributions
from openmeet.domain.groups import publication, queries, record_queries
from openmeet.domain.groups.model import GroupId, MemberId
from openmeet.outbox import publications
from openmeet.outbox.publications import Kind


async def note(tx: Transaction, kind: Kind, subject_id: str, *, uri: str | None, cid: str | None) -> None:
    """A record of this kind stands at ``uri``, or nowhere any more."""
    if kind is Kind.GROUP:
        group_id = GroupId(subject_id)
        await _keep_address(tx, group_id, uri)
        if await record_queries.set_record(tx, group_id, uri, cid):
            await look_at_what_names(tx, group_id)
        elif cid is not None:
            await record_queries.set_cid(tx, group_id, cid)
    elif kind is Kind.MEMBERSHIP:
        did = None if uri is None else parse_at_uri(uri).authority
        await record_queries.set_statement(tx, MemberId(subject_id), uri, did)
        await publications.look_again(tx, kind=Kind.ACCEPTANCE, subject_ids=[subject_id], is_edit=True)


async def _keep_address(tx: Transaction, group_id: GroupId, uri: str | None) -> None:
    """The address of a record that is taken back stays the group's: members go on naming it, and publishing again writes there."""
    if uri is not None:
        await record_queries.drop_former(tx, uri)
        return
    group = await queries.by_id(tx, group_id)
    address = None if group is None or group.deleted_at is not None else group.network.record_uri
    if address is not None:
        cid = await record_queries.record_cid(tx, group_id)
        await record_queries.note_former(tx, group_id, address, cid or "", is_there=False)


async def look_at_what_names(tx: Transaction, group_id: GroupId) -> None:
    """Every record that names the group is decided anew: what members say, what is said of them, its events."""
    await publication.look_at_members(tx, group_id)
    former = await record_queries.former_records(tx, group_id)
    await publications.look_again(tx, kind=Kind.FORMER_GROUP, subject_ids=former, is_edit=True)
    events_of = await events.ids_in_group(tx, group_id)
    await publications.look_again(tx, kind=Kind.EVENT, subject_ids=events_of, is_edit=True)
    await owe_attributions(tx, group_id)
