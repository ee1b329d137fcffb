"""The hyphen of “e-mail” in HTML e-mails. Mail programs would break the line there, and the narrow column of a phone then
begins with “Mail”.
"""

import re
from typing import Final

# A text between two tags. Styles and titles have no markup inside.
_TEXT: Final = re.compile(r"(<(?:style|title)\b.*?</(?:style|title)>)|(?<=>)[^<]+", re.DOTALL)
_WORD: Final = re.compile(r"\b[Ee]-[Mm]ails?\b")


def keep_hyphens(html: str) -> str:
    """The same HTML, in which “e-mail” stays in one line. A non-breaking hyphen would have another shape in some fonts."""
    return _TEXT.sub(lambda found: found[0] if found[1] else _WORD.sub(_in_one_line, found[0]), html)


def _in_one_line(word: re.Match[str]) -> str:
    return f'<span style="white-space: nowrap">{word[0]}</span>'
