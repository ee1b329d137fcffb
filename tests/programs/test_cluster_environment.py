"""The environment that ``openmeet cluster`` gives its processes for the communities they serve."""

import subprocess
from pathlib import Path

from programs import cluster, dev_accounts
from programs.cluster_environment import HOST, OPERATOR, ClusterOptions, environment_of
from programs.platform_settings import read_installation_settings


def environment(folder: Path, *communities: str) -> dict[str, str]:
    wishes = ClusterOptions(
        folder, "postgresql://db/cluster", "amqp://broker/", "redis://cache:6379/0", "mine", 3000, 8080, communities
    )
    return environment_of("web", wishes, dev_accounts.make(3000), port=9000, plc_url="http://127.0.0.1:2582", keys="")


def test_without_names_there_is_one_community(tmp_path: Path):
    found = read_installation_settings(None, environment(tmp_path))
    assert list(found) == ["default"]
    assert found["default"].public_url == f"http://{HOST}:8080"


def test_shell_gets_the_environment_of_the_processes(tmp_path: Path):
    """One file, readable by its owner only, gives a shell the same environment, so that operators' commands find the
    cluster.
    """
    wishes = ClusterOptions(
        tmp_path, "postgresql://db/it's", "amqp://broker/", "redis://cache:6379/0", "mine", 3000, 8080
    )
    home = dev_accounts.make(3000)
    members, _ = cluster._members(wishes, home)
    cluster._MembersFile(wishes, home, members).write_environment()
    path = tmp_path / cluster.ENVIRONMENT_FILE
    assert path.stat().st_mode & 0o077 == 0
    told = subprocess.run(["/bin/sh", "-c", f". {path}; env -0"], env={}, capture_output=True, check=True).stdout
    found = dict(line.split("=", 1) for line in told.decode().split("\0") if line)
    for member in members:
        if member.role in {"pds", "scheduler"}:
            ports = {"PDS_PORT", "OPENMEET_OPERATIONS_PORT"}
            assert {name: found[name] for name in member.environment if name not in ports} == {
                name: value for name, value in member.environment.items() if name not in ports
            }
    assert read_installation_settings(None, found)["default"].operators == (OPERATOR,)


def test_no_other_program_gets_the_port_of_a_member(tmp_path: Path):
    """Members listen on ports that the system gives to nobody who does not ask for them, so that they are still free
    when a member is restarted.
    """
    wishes = ClusterOptions(
        tmp_path, "postgresql://db/cluster", "amqp://broker/", "redis://cache:6379/0", "mine", 3000, 8080
    )
    _, ports = cluster._members(wishes, dev_accounts.make(3000))
    chosen = [port for some in ports.values() for port in some]
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert len(set(chosen)) == len(chosen) == sum(cluster.COUNTS.values())
    assert not [port for port in chosen if first <= port <= last]


def test_each_name_is_a_community_at_a_host_name_of_its_own(tmp_path: Path):
    """Each name is a community with a host name, a schema and queues of its own, read alike by every process of the
    cluster.
    """
    found = read_installation_settings(None, environment(tmp_path, "village", "north-side"))
    assert list(found) == ["default", "village", "north-side"]
    assert found["north-side"].public_url == "http://north-side.localhost:8080"
    assert found["north-side"].site_name == "North side"
    assert found["north-side"].database_schema == "tenant_north_side"
    assert found["north-side"].broker_name == "mine-north-side"
