"""String formats of the Lexicon language, mapped to their parsers. A format that is not listed is not checked (section
4).
"""

from collections.abc import Callable, Mapping

from at_protocol.syntax.at_identifier import parse_at_identifier
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.cid_text import parse_cid_text
from at_protocol.syntax.datetime import parse_datetime
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.handle import parse_handle
from at_protocol.syntax.language import parse_language
from at_protocol.syntax.nsid import parse_nsid
from at_protocol.syntax.record_key import parse_record_key
from at_protocol.syntax.tid import parse_tid
from at_protocol.syntax.uri import parse_uri

FORMATS: Mapping[str, Callable[[str], object]] = {
    "at-identifier": parse_at_identifier,
    "at-uri": parse_at_uri,
    "cid": parse_cid_text,
    "datetime": parse_datetime,
    "did": parse_did,
    "handle": parse_handle,
    "language": parse_language,
    "nsid": parse_nsid,
    "record-key": parse_record_key,
    "tid": parse_tid,
    "uri": parse_uri,
}
