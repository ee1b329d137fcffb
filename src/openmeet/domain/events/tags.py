"""Free words that an event is found by: one spelling each, so that what is meant alike is found together. Pure."""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from groundwork.errors import InvalidInput
from openmeet.i18n.markdown import one_line

MAX_TAGS: Final = 10
MAX_TAG: Final = 40

# What separates tags in one field, in the scripts that have a comma of their own.
_SEPARATORS: Final = str.maketrans(dict.fromkeys(",;\n\r，、؛،；", ","))


def normalised(text: str) -> str:
    """The one spelling of a tag: composed, in lower case, spaces tidied, without the mark that some write before it.

    Empty where nothing is left that anybody could look for.
    """
    # Folding may take characters apart again, and composing may bring letters that fold: twice is enough for both.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).casefold()
    tag = one_line(unicodedata.normalize("NFKC", folded)).translate(_SEPARATORS).replace(",", " ")
    tag = " ".join(tag.split()).lstrip("#＃ ").strip()
    return tag if any(char.isalnum() for char in tag) else ""


def tags_in(typed: str, field: str = "tags") -> tuple[str, ...]:
    """Tags as typed in one field, separated by commas; doubles count once, in the order typed. Raises InvalidInput."""
    return checked(typed.translate(_SEPARATORS).split(","), field)


def checked(texts: Iterable[str], field: str = "tags") -> tuple[str, ...]:
    """These tags in their one spelling. Raises InvalidInput for too many and for too long ones."""
    found = tuple(dict.fromkeys(filter(None, map(normalised, texts))))
    if len(found) > MAX_TAGS:
        raise InvalidInput(field, f"At most {MAX_TAGS} tags; these are {len(found)}.")
    too_long = next((tag for tag in found if len(tag) > MAX_TAG), None)
    if too_long is not None:
        raise InvalidInput(field, f"A tag has at most {MAX_TAG} characters; “{too_long[:MAX_TAG]}…” is longer.")
    return found


def joined(tags: Sequence[str]) -> str:
    """The tags as a form shows them; ``tags_in`` reads them back."""
    return ", ".join(tags)
