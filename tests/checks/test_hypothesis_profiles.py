"""Property tests draw the same examples in every run, independent of what ran before in the same process."""

import os
import subprocess
import sys

from tests.external_dependencies import ROOT
from tests.hypothesis_profiles import FIXED_EXAMPLES


def drawn(*modules: str, hash_seed: str) -> list[str]:
    command = [sys.executable, "-m", "tests.checks.examples_drawn", *modules]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_examples_do_not_depend_on_what_is_imported():
    """Examples do not depend on imported modules, although Hypothesis by default draws from the constants of all of
    them.
    """
    alone = drawn(hash_seed="1")
    assert len(alone) == FIXED_EXAMPLES
    assert drawn("openmeet.domain.icalendar.read", "openmeet.web.site.layout", hash_seed="2") == alone
