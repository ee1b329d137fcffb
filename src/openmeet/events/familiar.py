"""Whose events are shown where nobody asked for anything: THE rule of what of the network stands by itself (design, section 5.12).

A search shows everything that is public. The front page, its feed, the sitemap and news show what was made here, and of the network what is
by people who signed in here or whom a group follows. What must wait, or is hidden, is in neither: that stands before both.
"""

from typing import Final

# The DIDs whose events stand by themselves.
FAMILIAR_DIDS: Final = (
    "select i.did from identities i join users u on u.id = i.user_id where u.kind = 'person'"
    " union select f.did from group_follows f"
)


def is_familiar(table: str) -> str:
    """The condition under which an event stands by itself; it is asked of single events, and of lists that are short anyway."""
    return (
        f"({table}.origin = 'here'"
        f" or exists (select 1 from users fu where fu.id = {table}.author_id and fu.kind = 'person')"
        f" or exists (select 1 from group_follows ff where ff.did = {table}.record_did))"
    )
