"""Preparation for the tests: detect what is installed on this machine, install missing programs, and report those that
could not be installed.

Debian's ``chromium`` (in CI also two web servers and promtool) is installed with apt if it is missing and we are root.
Nothing else is installed outside the project's folders. If something cannot be installed, that is an error with
``CI=true`` where the Makefile requires it. Otherwise a message is printed.
"""

import os
import shutil
import subprocess
import sys

from checks import reference, synapse


def debian_packages() -> None:
    """Install missing Debian packages, if we are allowed to.

    The reverse proxies and Prometheus are installed only in CI, because installing one starts a server on port 80 or
    9090.
    """
    wanted = {"chromium": "chromium"}
    if os.environ.get("CI") == "true":
        wanted |= {"nginx": "nginx-light", "caddy": "caddy", "promtool": "prometheus"}
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    missing = [package for program, package in wanted.items() if not shutil.which(program, path=path)]
    if not missing or not shutil.which("apt-get") or os.geteuid() != 0:
        return
    print(f"Installing {', '.join(missing)} for the tests (once) …", flush=True)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    if subprocess.run(install, check=False, env=environment, **quiet).returncode:
        subprocess.run(["apt-get", "update", "-qq"], check=False, env=environment, **quiet)
        if subprocess.run(install, check=False, env=environment, **quiet).returncode:
            print(
                f"{', '.join(missing)} could not be installed; tests that need them will be skipped.", file=sys.stderr
            )


def peers() -> int:
    """Install the servers that tests talk to: the reference PDS and Synapse. Returns the exit status."""
    status = 0
    for name, what, install in (
        ("reference", "REFERENCE PDS", reference.install),
        ("synapse", "HOMESERVER SYNAPSE", synapse.install),
    ):
        try:
            install()
        except (reference.CannotInstall, synapse.CannotInstallSynapse) as problem:
            print(f"THE {what} COULD NOT BE INSTALLED; tests with it are skipped: {problem}", file=sys.stderr)
            is_required = name in os.environ.get("OPENMEET_CI_REQUIRES", "").split()
            if os.environ.get("CI") == "true" and is_required:
                status = 1
    return status


if __name__ == "__main__":
    debian_packages()
    sys.exit(peers())
