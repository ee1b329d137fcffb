"""CIDs as text in records (Lexicon's format ``cid``): the loose syntax of any version 1 CID in any base.

This server writes only the strict form of ``at_protocol.data.cid``, and links contain only that form.
"""

import re
from typing import NewType

from at_protocol.failures import Malformed

CidText = NewType("CidText", str)

_SYNTAX = re.compile(r"[a-zA-Z0-9+=]{8,256}")
_VERSION_0 = re.compile(r"Qm[1-9A-HJ-NP-Za-km-z]{44}")


def parse_cid_text(text: str) -> CidText:
    """Return the text unchanged if it is a CID. Raises Malformed (kind ``cid``)."""
    if _SYNTAX.fullmatch(text) is None:
        raise Malformed("cid", text, "not 8 to 256 characters of a multibase alphabet")
    if _VERSION_0.fullmatch(text) is not None:
        raise Malformed("cid", text, "a version 0 CID")
    return CidText(text)
