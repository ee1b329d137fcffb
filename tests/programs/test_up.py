"""`openmeet up` writes the settings that it runs with, so that a role or command that reads them works on the same
network.
"""

from pathlib import Path

from aurora_locus import settings as pds_settings
from groundwork.settings import Secret, read_file, read_settings
from openmeet.settings import Settings
from plc_directory.settings import PlcSettings
from programs.up import keep_settings


def test_role_reads_its_port_and_the_admin_password(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    site = Settings(public_url="http://127.0.0.1:18080", port=18080, pds_admin_password=Secret("of the operator"))
    pds = pds_settings.PdsSettings(
        hostname="localhost", service_name="Aurora Locus", admin_password=Secret("of the operator")
    )
    keep_settings(site, pds, PlcSettings(port=12582), path)
    kept = read_file(path)
    assert (kept["openmeet"]["port"], kept["openmeet"]["pds_admin_password"]) == (18080, "of the operator")
    assert kept["pds"]["service_name"] == "Aurora Locus"
    read = read_settings(Settings, prefix="OPENMEET_", environment={}, table=kept["openmeet"])
    assert (read.port, read.public_url, read.pds_admin_password.reveal()) == (18080, site.public_url, "of the operator")
