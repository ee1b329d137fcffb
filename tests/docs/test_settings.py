"""docs/settings.md lists the settings that every program reads."""

import re

import pytest

from aurora_locus import settings as pds
from groundwork.settings import describe, read_settings
from openmeet import settings as openmeet
from openmeet.tenants.configured import OWN
from plc_directory import settings as plc
from tests.docs.tables import bare, section
from tests.external_dependencies import ROOT

KINDS = {
    "OPENMEET_": ("Events platform", openmeet.Settings),
    "PDS_": ("Aurora Locus", pds.PdsSettings),
    "PLC_": ("PLC directory", plc.PlcSettings),
}


@pytest.mark.parametrize("prefix", KINDS)
def test_every_setting_is_listed_with_default_and_meaning(prefix: str) -> None:
    heading, kind = KINDS[prefix]
    documented = {(bare(name), bare(default), what) for name, default, what in section("settings.md", heading)}
    in_code = {(one.name, one.default, one.description) for one in describe(kind, prefix)}
    assert documented == in_code


@pytest.mark.parametrize("prefix", KINDS)
def test_every_default_can_be_written_as_it_is_listed(prefix: str) -> None:
    """A duration or a size without its unit would be refused."""
    _, kind = KINDS[prefix]
    environment = {one.name: one.default for one in describe(kind, prefix) if one.default != "(secret)"}
    assert read_settings(kind, prefix=prefix, environment=environment) == kind()


def test_settings_of_a_community_are_listed() -> None:
    assert {bare(row[0]) for row in section("settings.md", "Several communities")} == OWN


@pytest.mark.parametrize("page", ["operating.md", "privacy.md"])
def test_retention_times_in_sentences_are_those_of_the_settings(page: str) -> None:
    """``docs/privacy.md`` is made from ``domain/personal_data``, whose sentences name the numbers of days, too."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    named = [(name, days) for days, name in re.findall(r"(\d+) days\b[^.|`]*\(`OPENMEET_(\w+_KEPT_DAYS)`\)", text)]
    named += re.findall(r"`OPENMEET_(\w+_KEPT_DAYS)` \((\d+)\)", text)
    assert named
    defaults = openmeet.Settings()
    assert {pair for pair in named if int(pair[1]) != getattr(defaults, pair[0].lower())} == set()
