"""The sentence that we add to a description, and the exact taking away of it.

The record's mark of origin keeps the sentence as it was written. Where the description still ends in it, it is ours and no part of
what the author says; where somebody altered it, it is the author's text from then on, and none is added again.
"""

from collections.abc import Mapping

from openmeet.network.records.collections import ORIGIN_KEYS

KEY = "sentence"
_GAP = "\n\n"


def sentence_in(record: Mapping[str, object] | None) -> str:
    """The sentence that a record's mark says was added; empty where none was."""
    said = mark_of(record).get(KEY)
    return said if isinstance(said, str) else ""


def mark_of(record: Mapping[str, object] | None) -> Mapping[str, object]:
    """The record's mark of origin, under any spelling; empty where it has none."""
    for name in ORIGIN_KEYS if record is not None else ():
        mark = (record or {}).get(name)
        if isinstance(mark, Mapping):
            return mark
    return {}


def ends_in(description: str, sentence: str) -> bool:
    """Whether the sentence stands there unaltered."""
    return bool(sentence) and (description == sentence or description.endswith(_GAP + sentence))


def without(description: str, sentence: str) -> str:
    """The author's own text."""
    if not ends_in(description, sentence):
        return description
    return description[: -len(sentence)].removesuffix(_GAP)


def with_sentence(description: str, sentence: str) -> str:
    """The author's text and ours."""
    if not sentence:
        return description
    return f"{description}{_GAP}{sentence}" if description else sentence
