"""How property tests choose their examples: the same ones in every run of the suite, new ones in ``make soak``.

A failure that depends on chance says nothing about the change under review; chance is for looking for failures, and has a run
of its own that writes down what it finds (docs/decisions/0087-fail-the-run-when-a-test-fails-without-reruns.md).
"""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture import providers

# Examples of a property whose test names no number: in ``make soak``, and in the suite, where they are the same in every run.
EXAMPLES, FIXED_EXAMPLES = 100, 40

# In the suite.
FIXED = "openmeet"
# With ``--hypothesis-profile``, and a seed beside it.
EXPLORING = "exploring"


def register_profiles() -> None:
    """Called once per process, before any test is imported: decorators copy what is in force then."""
    # How long an example takes is no fact about the code: machines are shared.
    shared = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile(FIXED, shared, derandomize=True, max_examples=FIXED_EXAMPLES)
    settings.register_profile(EXPLORING, shared, print_blob=True, max_examples=EXAMPLES)
    settings.load_profile(FIXED)
    # Hypothesis draws some values from the constants of all modules that happen to be imported; which those are
    # depends on the tests that ran before in the same process. Those of its own list are always the same.
    providers._get_local_constants = lambda: providers._local_constants  # type: ignore[attr-defined]


def run_one_property() -> None:
    """Called once per process, before the first test.

    The first property of a process registers a random generator, and Hypothesis asks the garbage collector who holds it. While
    another thread collects garbage, the answer is nobody, and that property fails.
    """

    @settings(max_examples=1)
    @given(st.none())
    def holds(_value: None) -> None: ...

    holds()


def examples(count: int) -> int:
    """How many of them to draw: all when looking for failures, a quarter in the suite, for ``settings(max_examples=…)``."""
    return count if settings.get_current_profile_name() == EXPLORING else -(-count // 4)
