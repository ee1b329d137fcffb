"""Our own Lexicons as records of a repository, under a domain whose DNS the operator controls.

Source: Lexicon specification, "Lexicon Publication and Resolution". A record's key is its NSID. A TXT record under
exactly that NSID's domain names the repository.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import msgspec

from at_network.xrpc_client import XrpcClient
from at_protocol.data.model import Value
from at_protocol.lexicon.authority import own_name
from at_protocol.lexicon.catalog import Catalog
from at_protocol.lexicon.publication import COLLECTION, authority_name, read_publication
from at_protocol.syntax.at_uri import AtUri
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid, parse_nsid
from at_protocol.syntax.record_key import parse_record_key
from groundwork.errors import Refused
from openmeet.network.publishing.repository_calls import get_record, put_record
from openmeet.outbox.reasons import PublicationReason


@dataclass(frozen=True, slots=True)
class PublishedLexicon:
    """One of our Lexicons in the repository. ``is_changed``: it was missing or different and has been written."""

    nsid: Nsid
    uri: str
    is_changed: bool


def own_documents(authority: str) -> list[tuple[Nsid, dict[str, Value]]]:
    """Return every Lexicon of this project as the record to publish under an authority, by name."""
    catalog = Catalog(authority)
    documents = []
    for name in catalog.names():
        text = catalog.text(name) if name.startswith(own_name("", authority)) else None
        if text is None:
            continue
        nsid = parse_nsid(name)
        record = {"$type": str(COLLECTION), **cast("dict[str, Value]", msgspec.json.decode(text))}
        read_publication(nsid, record)  # others must be able to read what we publish
        documents.append((nsid, record))
    return documents


async def publish(client: XrpcClient, did: Did, authority: str) -> list[PublishedLexicon]:
    """Write Lexicons that are missing or different. Raises the errors of the calls."""
    done = []
    for nsid, record in own_documents(authority):
        uri = AtUri(did, COLLECTION, parse_record_key(nsid))
        current = await get_record(client, uri)
        is_changed = current is None or current.record != record
        if is_changed:
            await put_record(client, uri, record, replaced_cid=None if current is None else current.cid)
        done.append(PublishedLexicon(nsid, str(uri), is_changed))
    return done


def dns_entries(names: Sequence[Nsid], did: Did) -> list[str]:
    """Return the zone file lines that point to these Lexicons. Raises Refused if a name is too long for DNS."""
    entries: dict[str, None] = {}
    for nsid in names:
        name = authority_name(nsid)
        if name is None:
            raise Refused(PublicationReason.NAME_TOO_LONG_FOR_DNS, nsid=nsid)
        entries[f'{name}. TXT "did={did}"'] = None
    return list(entries)
