"""The text that a page shows to its readers."""

import re


def visible_text(html: str) -> str:
    """The text between the tags. Tokens, identifiers and addresses in attributes are left out, because they can contain
    any three letters by chance.
    """
    return " ".join(re.sub("<[^>]+>", " ", html).split())
