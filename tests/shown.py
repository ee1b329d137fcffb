"""What a page says to its readers, without what only programs read."""

import re


def words_of(html: str) -> str:
    """The words between the tags. Tokens, identifiers and addresses in attributes may hold any three letters by chance."""
    return " ".join(re.sub("<[^>]+>", " ", html).split())
