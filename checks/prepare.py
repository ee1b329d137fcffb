"""Before the tests: see what this machine has, install what can be installed, say what cannot.

Debian's ``chromium`` is installed by apt where we are root and it is missing. Nothing else is installed outside the
project's own folders.
"""

import os
import shutil
import subprocess
import sys


def chromium() -> None:
    """Install Debian's chromium when we may and it is missing."""
    if shutil.which("chromium") or not shutil.which("apt-get") or os.geteuid() != 0:
        return
    print("Installing chromium for the browser tests (once) …", flush=True)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]
    if subprocess.run(install, check=False, env=environment, **quiet).returncode:
        subprocess.run(["apt-get", "update", "-qq"], check=False, env=environment, **quiet)
        if subprocess.run(install, check=False, env=environment, **quiet).returncode:
            print("chromium could not be installed; the browser tests will say so.", file=sys.stderr)


if __name__ == "__main__":
    chromium()
