"""Files with secrets: readable only by their owner, and written atomically."""

import contextlib
import os
from pathlib import Path


def touch(path: Path) -> None:
    """Create an empty file and its folder if they do not exist, for a caller that fills it afterwards."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def write(path: Path, content: bytes) -> None:
    """Replace the file's content. It is durable when this returns."""
    _draft(path, content).replace(path)
    sync_folder(path.parent)


def write_once(path: Path, content: bytes) -> None:
    """Write the file if it does not exist. If several programs do this at once, only the first one writes it."""
    draft = _draft(path, content)
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)  # unlike a rename, this never replaces a file that another process has just written
    draft.unlink()
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: of files that were renamed into it, and of folders made in it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _draft(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return draft
