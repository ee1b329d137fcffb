"""Messages of the reasons of ``openmeet.network.ingestion.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "ingestion.no_such_event": mark("There is no such event."),
    "ingestion.no_such_series": mark("There is no such series."),
    "ingestion.hosts_only": mark("Only the host of this series can change it."),
    "ingestion.no_such_decision": mark("There is no such decision."),
    "ingestion.not_reversible": mark("This decision cannot be reversed here. Edit it by hand instead."),
    "ingestion.no_picture": mark("There is no such picture."),
    "ingestion.no_pds": mark("The account names no server that has its data."),
    "ingestion.other_bytes": mark("The PDS sent other bytes than the record names."),
    "ingestion.not_a_record_uri": mark("This is not the URI of one record."),
    "ingestion.proof_without_record": mark("The proof does not include the record."),
    "ingestion.rev_ahead": mark("The revision is more than five minutes in the future."),
    "ingestion.outdated": mark(
        "Older messages about this repository arrived while it was compared with what is known of it."
    ),
    "ingestion.no_rev": mark("The repository has an old format, without a revision."),
    "ingestion.not_served_completely": mark("The repository was not served as it is."),
    "ingestion.clock_ahead": mark(
        "The clock of the repository’s server is more than five minutes ahead. Nothing is read until then."
    ),
    "ingestion.unreadable_records": mark("The records of %(did)s cannot be read: %(what)s is not valid."),
    "ingestion.no_such_flag": mark("There is no such flag. Choose from: %(flags)s."),
    "ingestion.why_needed": mark("Say why, in at most %(most)s characters. It’s kept with the change."),
    "ingestion.collection_not_read": mark(
        "This site doesn’t read the collection %(collection)s. It reads %(collections)s."
    ),
    "ingestion.too_many_accounts": mark("%(host)s has more than %(most)s accounts. Ask a relay instead."),
    "ingestion.invalid_answer": mark("%(host)s sent an invalid answer to %(method)s."),
    "ingestion.too_many_records": mark("%(did)s has more than %(most)s records in %(collection)s, so none are read."),
    "ingestion.no_such_message": mark("There is no such message. It was delivered again or discarded."),
    "ingestion.name_too_long_for_dns": mark("The name %(nsid)s is too long for DNS."),
}
