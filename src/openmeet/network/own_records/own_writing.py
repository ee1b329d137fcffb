"""What everybody's hands may write into their own repository: a record by the calendar's Lexicons, at an address in it."""

from at_protocol.data import json_form
from at_protocol.data.model import Value
from at_protocol.failures import Malformed
from at_protocol.lexicon.catalog import Catalog
from at_protocol.lexicon.validate import validate_record
from at_protocol.syntax.at_uri import AtUri, parse_at_uri
from at_protocol.syntax.nsid import Nsid
from groundwork.errors import InvalidInput, NotFound
from openmeet.domain.identities.model import Identity

_catalog = Catalog()


def checked(collection: Nsid, record: dict[str, Value], field: str) -> dict[str, Value]:
    """The record, which others can read. Raises InvalidInput, about this field of the form."""
    try:
        validate_record(_catalog, str(collection), record)
        json_form.to_json(record)
    except Malformed as wrong:
        raise InvalidInput(field, f"Other apps could not read this: {wrong.why}.") from None
    return record


def own_uri(identity: Identity, collection: Nsid, rkey: str) -> AtUri:
    """Raises NotFound for a key that can be none."""
    try:
        return parse_at_uri(f"at://{identity.did}/{collection}/{rkey}")
    except Malformed:
        raise NotFound("There is no such record in your repository.") from None
