"""Keys of first records: the key of the first record of an event, series or group follows from its id.

After a restore from a backup in which it has no record yet, it is written to the same key again, and the record that is
already there is found (decision 0066). The key is a TID of the moment when the id was made.
"""

from uuid import UUID

from at_protocol.failures import Malformed
from at_protocol.syntax.record_key import RecordKey
from at_protocol.syntax.tid import MAX_MICROSECONDS, from_microseconds, parse_tid, to_clock_id, to_microseconds


def first_key(subject_id: str) -> RecordKey:
    """Return the key of the first record of an event, series or group."""
    bits = UUID(subject_id).int
    # UUIDv7 (``groundwork.uuid7``): 48 bits of milliseconds, a version, 4096 steps of a millisecond, random bits.
    milliseconds, (microseconds, rest) = bits >> 80, divmod((bits >> 64 & 0xFFF) * 1000, 4096)
    # Steps within one microsecond are a thousand apart, so two of one process never share a key.
    clock_id = rest // 1000 << 7 | bits & 0x7F
    return RecordKey(from_microseconds((milliseconds * 1000 + microseconds) & MAX_MICROSECONDS, clock_id))


def ids_with_first_key(rkey: str) -> tuple[str, str] | None:
    """Return the lowest and the highest id that can have this first key; None if no id has it.

    Not every id between the two has the key: compare ``first_key``.
    """
    try:
        tid = parse_tid(rkey)
    except Malformed:
        return None
    milliseconds, microseconds = divmod(to_microseconds(tid), 1000)
    step = -(-microseconds * 4096 // 1000) + (to_clock_id(tid) >> 7)
    if step >= 4096:
        return None
    time = f"{milliseconds:012x}"
    start = f"{time[:8]}-{time[8:]}-7{step:03x}"
    return f"{start}-0000-000000000000", f"{start}-ffff-ffffffffffff"
