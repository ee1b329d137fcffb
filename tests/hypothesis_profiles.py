"""How property tests choose their examples: the same ones in every run of the suite, new ones in ``make soak``.

A failure that depends on chance says nothing about the change under review. Random search has its own run, which
records what it finds (docs/decisions/0087-fail-the-run-when-a-test-fails-without-reruns.md).
"""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture import providers

# The number of examples for a test that does not set one, in ``make soak`` and in the suite.
EXAMPLES, FIXED_EXAMPLES = 100, 40

# The profile of the suite.
FIXED = "openmeet"
# The profile of ``make soak``, given by ``--hypothesis-profile`` together with a seed.
EXPLORING = "exploring"


def register_profiles() -> None:
    """Called once per process before any test is imported, because decorators copy the current profile."""
    # No deadline: on shared machines the duration of an example says nothing about the code.
    shared = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile(FIXED, shared, derandomize=True, max_examples=FIXED_EXAMPLES)
    settings.register_profile(EXPLORING, shared, print_blob=True, max_examples=EXAMPLES)
    settings.load_profile(FIXED)
    # Hypothesis draws some values from the constants of all imported modules, and which modules are imported depends on
    # the tests that ran before in the same process. Its own list of constants is always the same.
    providers._get_local_constants = lambda: providers._local_constants  # type: ignore[attr-defined]


def run_one_property() -> None:
    """Called once per process, before the first test.

    The first property of a process registers a random generator, and Hypothesis asks the garbage collector for
    references to it. If another thread collects garbage at that moment, there seem to be none and the property fails.
    """

    @settings(max_examples=1)
    @given(st.none())
    def holds(_value: None) -> None: ...

    holds()


def examples(count: int) -> int:
    """The number of examples for ``settings(max_examples=…)``: all of them when looking for failures, a quarter in the
    suite.
    """
    return count if settings.get_current_profile_name() == EXPLORING else -(-count // 4)
