"""docs/rollout.md names every flag once, and only metrics that exist."""

import re

from openmeet.feature_flags.flags import Flag
from tests.docs.tables import DOCS, rows, section

TEXT = (DOCS / "rollout.md").read_text(encoding="utf-8")


def test_every_flag_has_its_step() -> None:
    named = [
        name for row in section("rollout.md", "2. Flags, in this order") for name in re.findall(r"`([a-z-]+)`", row[1])
    ]
    assert sorted(named) == sorted(Flag)


def test_every_metric_is_measured() -> None:
    measured = {row[0].strip("`") for row in rows("metrics.md")}
    assert set(re.findall(r"`(openmeet_[a-z_]+)", TEXT)) <= measured
