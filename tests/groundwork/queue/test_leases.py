"""A worker's record of its leased messages, compared with a simple model."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.hypothesis_profiles import examples

from groundwork.clock import Instant
from groundwork.queue.contract import Delivery, Message
from groundwork.queue.leases import BrokerMessage, LeaseBook

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 3)),
        st.tuples(st.just("take"), st.integers(1, 4)),
        st.tuples(st.just("complete"), st.integers(0, 50)),
        st.tuples(st.just("postpone"), st.integers(0, 50)),
        st.tuples(st.just("turn"), st.integers(1, 15)),
        st.tuples(st.just("clear"), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=examples(300), deadline=None)
@given(STEPS)
def test_partitions_stay_in_order_with_one_leased_message(steps):
    """After any sequence of completing, postponing and forgetting, the next message is the model's first one of its
    partition.
    """
    held, now, tag = LeaseBook(), 0, 0
    lines: dict[str, list[int]] = {}
    free_at: dict[str, int] = {}
    current: dict[str, Delivery] = {}
    given_out: list[Delivery] = []
    for verb, number in steps:
        if verb == "add":
            tag += 1
            partition = f"p{number}"
            lines.setdefault(partition, []).append(tag)
            if len(lines[partition]) == 1:
                free_at[partition] = 0
            held.add(BrokerMessage(tag, Message("k", partition, b"", str(tag)), 0, Instant(tag)))
        elif verb == "take":
            taken = held.take(number, Instant(now), Instant(now + 10))
            expected = [p for p, line in lines.items() if line and free_at[p] <= now]
            assert len(taken) == min(number, len(expected))
            assert len({d.message.partition for d in taken}) == len(taken)
            for delivery in taken:
                partition = delivery.message.partition
                assert partition in expected
                assert delivery.message.message_id == str(lines[partition][0])
                free_at[partition] = now + 10
                current[partition] = delivery
            given_out += taken
        elif verb in {"complete", "postpone"} and given_out:
            delivery = given_out[number % len(given_out)]
            partition = delivery.message.partition
            is_current = current.get(partition) is delivery
            assert (held.find(delivery) is not None) == is_current
            if verb == "complete":
                held.complete(delivery)
            else:
                held.postpone(delivery, Instant(now + 5))
            if is_current:
                del current[partition]
                if verb == "complete":
                    lines[partition].pop(0)
                free_at[partition] = 0 if verb == "complete" else now + 5
        elif verb == "turn":
            now += number
        elif verb == "clear":
            held.clear()
            lines.clear()
            current.clear()
        assert len(held) == sum(map(len, lines.values()))
        assert held.oldest_at() == min((line[0] for line in lines.values() if line), default=None)
