"""Preserve what other apps wrote: keys whose meaning did not change stay byte for byte. Also handles the sentence that
we add to a description.
"""

from collections.abc import Iterable, Mapping

from at_protocol.data.model import Value
from openmeet.network.records.collections import ORIGIN_KEYS


def with_fields(before: Mapping[str, Value], fields: Mapping[str, Value]) -> dict[str, Value]:
    """The record ``before`` with our fields; None removes a field. All other keys stay."""
    record = dict(before)
    for name, value in fields.items():
        if value is None:
            record.pop(name, None)
        else:
            record[name] = value
    return record


def keep_unchanged_keys(
    record: dict[str, Value],
    before: Mapping[str, Value],
    meanings: Iterable[tuple[str, object, object]],
) -> None:
    """Copy fields whose meaning did not change from the old record, so that another app's spelling of them stays.

    ``record`` will replace ``before``. ``meanings``: (key, its meaning before, its meaning now).
    """
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
    """Return the sentence that we added, according to the record's mark; empty if there is none."""
    text = origin_mark_of(record).get(KEY)
    return text if isinstance(text, str) else ""


def origin_mark_of(record: Mapping[str, object] | None) -> Mapping[str, object]:
    """Return the record's origin mark, in any spelling; empty if it has none."""
    for name in ORIGIN_KEYS if record is not None else ():
        origin = (record or {}).get(name)
        if isinstance(origin, Mapping):
            return origin
    return {}


def ends_in(description: str, sentence: str) -> bool:
    """Whether the description ends with the unchanged sentence."""
    return bool(sentence) and (description == sentence or description.endswith(_GAP + sentence))


def without_sentence(description: str, sentence: str) -> str:
    """Return the description without the sentence that we added: the author's own text."""
    if not ends_in(description, sentence):
        return description
    return description[: -len(sentence)].removesuffix(_GAP)


def with_sentence(description: str, sentence: str) -> str:
    """Return the author's text followed by our sentence."""
    if not sentence:
        return description
    return f"{description}{_GAP}{sentence}" if description else sentence
