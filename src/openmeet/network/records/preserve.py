"""Keys of a record that mean what they meant before stay as they were, byte for byte, however we would have written them."""

from collections.abc import Iterable, Mapping

from at_protocol.data.model import Value
from openmeet.network.records.collections import ORIGIN_KEYS


def keep_what_means_the_same(
    record: dict[str, Value],
    before: Mapping[str, Value],
    meanings: Iterable[tuple[str, object, object]],
) -> None:
    """``record`` is to stand in place of ``before``. ``meanings``: (key, what is read by it before, and now)."""
    for key, was, now in meanings:
        if was != now:
            continue
        if key in before:
            record[key] = before[key]
        else:
            record.pop(key, None)


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
