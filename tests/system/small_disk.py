"""A small file system that tests fill up."""

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.servers import Servers

# Called with True to fill the disk, and with False to free space again.
FillDisk = Callable[[Servers | None, bool], None]


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[FillDisk]:
    """An eight-megabyte file system for the PDS's folder, which is filled with ballast: "no space left on device"."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system is not allowed here; the file size limit is tried instead")

    def fill(_servers: Servers | None, is_full: bool) -> None:
        ballast = folder / "ballast"
        if not is_full:
            ballast.unlink()
            return
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))

    try:
        yield fill
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
