"""docs/settings.md says what every program reads."""

import pytest

from aurora_locus import settings as pds
from groundwork.settings import describe
from openmeet import settings as openmeet
from plc_directory import settings as plc
from tests.ledgers.tables import bare, rows

KINDS = {
    "OPENMEET_": openmeet.Settings,
    "PDS_": pds.Settings,
    "PLC_": plc.PlcSettings,
}


@pytest.mark.parametrize("prefix", KINDS)
def test_every_setting_is_listed_with_default_and_meaning(prefix: str) -> None:
    documented = {
        (bare(name), bare(default), what)
        for name, default, what in rows("settings.md")
        if bare(name).startswith(prefix)
    }
    in_code = {(one.name, one.default, one.what) for one in describe(KINDS[prefix], prefix)}
    assert documented == in_code
