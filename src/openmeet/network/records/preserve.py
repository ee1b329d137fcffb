"""Keys of a record that mean what they meant before stay as they were, byte for byte, however we would have written them."""

from collections.abc import Iterable, Mapping

from at_protocol.data.model import Value


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
