"""The files in deploy/ match the product: the settings and roles exist, and systemd accepts the units."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from aurora_locus.settings import PdsSettings
from groundwork.settings import names_of
from openmeet.settings import Settings
from openmeet.tenants.configured import VARIABLE, read_tenants
from programs.cli import ROLES
from tests.external_dependencies import ROOT

DEPLOY = ROOT / "deploy"
KNOWN = names_of(Settings, "OPENMEET_") | names_of(PdsSettings, "PDS_") | {VARIABLE}
UNITS = sorted(path.name for path in (DEPLOY / "systemd").iterdir() if path.suffix in {".service", ".target"})


def test_every_setting_in_deploy_exists():
    """Every setting in deploy/ exists; a misspelt one would silently do nothing."""
    unknown = {}
    for path in (*DEPLOY.rglob("*.yml"), *DEPLOY.rglob("*.env.example"), *DEPLOY.rglob("*.service")):
        names = set(re.findall(r"\b(?:OPENMEET|PDS)_[A-Z_]+\b", path.read_text())) - KNOWN
        if names:
            unknown[path.name] = sorted(names)
    assert unknown == {}


def test_compose_starts_roles_that_exist():
    """Compose runs two instances of each scalable role, and declares every volume and dependency."""
    document = yaml.safe_load((DEPLOY / "compose/compose.yml").read_text())
    commands = [service["command"][0] for service in document["services"].values() if "build" in service]
    assert set(commands) == set(ROLES) - {"up", "plc", "cluster"}
    assert {kind: commands.count(kind) for kind in ("web", "pds", "event-processor", "publisher")} == dict.fromkeys(
        ("web", "pds", "event-processor", "publisher"), 2
    )
    for name, service in document["services"].items():
        assert set(service.get("depends_on", {})) <= set(document["services"]), name
        assert {volume.partition(":")[0] for volume in service.get("volumes", [])} <= set(document["volumes"]), name


def test_variables_of_compose_are_documented():
    wanted = set(re.findall(r"\$\{([A-Z_]+)", (DEPLOY / "compose/compose.yml").read_text()))
    named = set(re.findall(r"`([A-Z_]+)`", (ROOT / "docs/deployment.md").read_text()))
    assert wanted <= named


@pytest.mark.parametrize("where", ["docs/deployment.md", "deploy/systemd/openmeet.env.example"])
def test_example_communities_are_parsed(where: str):
    (shown,) = re.findall(r"TENANTS='(.*)'", (ROOT / where).read_text())
    assert list(read_tenants({}, {VARIABLE: shown})) == ["default", "village"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="missing dependency: systemd-analyze")
@pytest.mark.parametrize("name", UNITS)
def test_systemd_reads_the_units(tmp_path: Path, name: str):
    """systemd accepts the syntax and directives of the units. A program that exists replaces ours."""
    for unit in UNITS:
        text = (DEPLOY / "systemd" / unit).read_text()
        text = re.sub(r"/opt/openmeet/.venv/bin/openmeet", "/bin/true", text)
        text = re.sub(r"^(User|EnvironmentFile)=.*$", "", text, flags=re.MULTILINE)
        (tmp_path / unit.replace("@.", "@web.")).write_text(text)
    checked = tmp_path / name.replace("@.", "@web.")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(checked)], capture_output=True, text=True, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if name.partition(".")[0].rstrip("@") in line]
    assert complaints == []


def test_prometheus_scrapes_what_compose_runs():
    services = set(yaml.safe_load((DEPLOY / "compose/compose.yml").read_text())["services"])
    document = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    targets = [one for job in document["scrape_configs"] for part in job["static_configs"] for one in part["targets"]]
    assert {one.partition(":")[0] for one in targets} == services - {"database", "broker", "cache"}
