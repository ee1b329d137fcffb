"""Circuit breakers: when a failing server is no longer called, and when it is tried again."""

import pytest

from at_network.circuits import FIRST_PAUSE, LONGEST_BUSY, LONGEST_PAUSE, OPENS_AFTER, Circuits, CircuitState
from groundwork.clock import HOUR, MINUTE, SECOND, HandClock, Instant
from groundwork.errors import CircuitOpen, NotFound, RemoteFailed, RemoteSlow, TooMany

HERE, THERE = "https://a.example", "https://b.example"
SLOW = RemoteSlow("a.example did not answer in time.")


@pytest.fixture
def clock() -> HandClock:
    return HandClock(Instant(1_772_366_400_000_000))


@pytest.fixture
def circuits(clock: HandClock) -> Circuits:
    return Circuits(clock)


def fail(circuits: Circuits, times: int = OPENS_AFTER) -> None:
    for _ in range(times):
        circuits.note(HERE, SLOW)


def test_it_opens_after_several_failures_in_a_row_and_for_this_server_alone(circuits: Circuits):
    fail(circuits, OPENS_AFTER - 1)
    circuits.note(HERE, None)
    fail(circuits, OPENS_AFTER - 1)
    circuits.check(HERE)
    fail(circuits, 1)
    with pytest.raises(CircuitOpen) as refused:
        circuits.check(HERE)
    assert refused.value.after_seconds == FIRST_PAUSE / SECOND
    circuits.check(THERE)
    assert circuits.open_ones() == [HERE]


@pytest.mark.parametrize(
    "answer", [None, NotFound("nothing"), RemoteFailed("odd", status=404)], ids=["well", "no", "odd"]
)
def test_any_response_counts_as_reachable(circuits: Circuits, answer: Exception | None):
    fail(circuits, OPENS_AFTER - 1)
    circuits.note(HERE, answer)  # type: ignore[arg-type]
    fail(circuits, OPENS_AFTER - 1)
    assert circuits.state_of(HERE) is CircuitState.CLOSED


def test_one_call_tries_when_it_is_half_open(circuits: Circuits, clock: HandClock):
    fail(circuits)
    clock.turn(FIRST_PAUSE)
    assert circuits.state_of(HERE) is CircuitState.HALF_OPEN
    circuits.check(HERE)
    with pytest.raises(CircuitOpen):
        circuits.check(HERE)
    circuits.note(HERE, None)
    assert circuits.state_of(HERE) is CircuitState.CLOSED


def test_pauses_grow_up_to_a_bound(circuits: Circuits, clock: HandClock):
    fail(circuits)
    pauses = []
    for _ in range(8):
        until = circuits.of(HERE).open_until
        assert until is not None
        pauses.append((until - clock.now()) // SECOND)
        clock.turn(until - clock.now())
        circuits.check(HERE)
        circuits.note(HERE, SLOW)
    assert pauses == [30, 60, 120, 240, 480, 900, 900, LONGEST_PAUSE // SECOND]


def test_unfinished_trial_call_does_not_block_later_trials(circuits: Circuits, clock: HandClock):
    fail(circuits)
    clock.turn(FIRST_PAUSE)
    circuits.check(HERE)
    clock.turn(MINUTE)
    circuits.check(HERE)


def test_rate_limit_of_one_account_does_not_open_the_circuit(circuits: Circuits, clock: HandClock):
    circuits.note(HERE, TooMany("slower", after_seconds=60), account="did:plc:a")
    circuits.note(HERE, TooMany("slower", after_seconds=60), account="did:plc:a")
    assert circuits.state_of(HERE) is CircuitState.CLOSED
    circuits.note(HERE, TooMany("slower", after_seconds=90), account="did:plc:b")
    assert circuits.of(HERE).open_until == clock.now() + 90 * SECOND
    clock.turn(2 * MINUTE)
    circuits.note(HERE, None)
    circuits.note(HERE, TooMany("slower", after_seconds=7200), account="did:plc:a")
    clock.turn(3 * HOUR)
    circuits.note(HERE, TooMany("slower", after_seconds=60), account="did:plc:b")
    assert circuits.state_of(HERE) is CircuitState.CLOSED, "the limit of the first account is over"
    circuits.note(HERE, TooMany("slower", after_seconds=7200))
    assert circuits.of(HERE).open_until == clock.now() + LONGEST_BUSY, (
        "a limit that names no account applies to the server, and lasts minutes"
    )


def test_circuit_changes_are_shared_between_programs(clock: HandClock):
    one, other = Circuits(clock), Circuits(clock)
    fail(one)
    told = one.changed()
    assert [circuit.service for circuit in told] == [HERE]
    one.note_stored(told)
    assert one.changed() == []
    other.adopt(told)
    assert other.open_ones() == [HERE]
    clock.turn(FIRST_PAUSE)
    other.check(HERE)
    other.note(HERE, None)
    assert [circuit.open_until for circuit in other.changed()] == [None]
    one.adopt([])
    assert one.state_of(HERE) is CircuitState.CLOSED


def test_a_change_while_another_is_stored_is_still_due(clock: HandClock):
    """A circuit that changes while it is being stored is stored again, and other programs' states do not replace it
    meanwhile.
    """
    circuits = Circuits(clock)
    fail(circuits)
    being_stored = circuits.changed()
    circuits.adopt([])
    assert circuits.state_of(HERE) is CircuitState.OPEN
    clock.turn(FIRST_PAUSE)
    circuits.check(HERE)
    circuits.note(HERE, None)
    circuits.note_stored(being_stored)
    assert [circuit.open_until for circuit in circuits.changed()] == [None]


def test_servers_called_least_recently_are_forgotten(clock: HandClock):
    """Strangers name servers, so the memory for those that fail is limited."""
    circuits = Circuits(clock, max_servers=2)
    for number in range(4):
        for _ in range(OPENS_AFTER):
            circuits.note(f"https://{number}.example", SLOW)
    assert circuits.open_ones() == ["https://2.example", "https://3.example"]
    circuits.check("https://0.example")
