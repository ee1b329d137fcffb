"""The authority of this project's own Lexicons, and the alternative spellings that readers accept."""

OWN_AUTHORITY = "openmeet.lexicon"

# The default names cannot be resolved by DNS, because their domain would be lexicon.openmeet. An operator can therefore
# publish the documents under a domain of their own. Other installations then encounter those spellings.
READ_AUTHORITIES = (OWN_AUTHORITY, "net.openmeet")


def own_name(name: str, authority: str = OWN_AUTHORITY) -> str:
    """``own_name("series")`` is ``openmeet.lexicon.series``."""
    return f"{authority}.{name}"


def own_spellings(name: str, authority: str = OWN_AUTHORITY) -> tuple[str, ...]:
    """Return every spelling of one of our own names that a reader accepts. The spelling that we write comes first."""
    rest = (own_name(name, other) for other in READ_AUTHORITIES if other != authority)
    return (own_name(name, authority), *rest)
