"""How property tests choose their examples: the same ones in every run of the suite, new ones in ``make soak``.

A failure that depends on chance says nothing about the change under review; chance is for looking for failures, and has a run
of its own that writes down what it finds (docs/decisions/0087-a-failing-test-fails.md).
"""

from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

# In the suite.
FIXED = "openmeet"
# With ``--hypothesis-profile``, and a seed beside it.
EXPLORING = "exploring"


def register_profiles() -> None:
    """Called once per process, before any test is imported: decorators copy what is in force then."""
    # How long an example takes is no fact about the code: machines are shared.
    shared = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile(FIXED, shared, derandomize=True)
    settings.register_profile(EXPLORING, shared, print_blob=True)
    settings.load_profile(FIXED)
    # Hypothesis draws some values from the constants of all modules that happen to be imported; which those are
    # depends on the tests that ran before in the same process. Those of its own list are always the same.
    providers._get_local_constants = lambda: providers._local_constants  # type: ignore[attr-defined]
