"""Search for a part of a text with ``like``, on both engines."""

# Zero-width (non-)joiners, which only decide how letters are drawn. Persian words are written with and without them.
_JOINERS = ("\u200c", "\u200d")


def escape_like(text: str) -> str:
    """Escape the wildcards of a pattern for ``like … escape '!'``."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def without_joiners(text: str) -> str:
    """Return the text without zero-width joiners, to compare it with ``without_joiners_sql``."""
    for joiner in _JOINERS:
        text = text.replace(joiner, "")
    return text


def without_joiners_sql(expression: str) -> str:
    """Return the value of an SQL expression without zero-width joiners, as SQL."""
    for joiner in _JOINERS:
        expression = f"replace({expression}, '{joiner}', '')"
    return expression
