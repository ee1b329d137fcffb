"""Files with secrets: their content and who may read them."""

import stat
from pathlib import Path

from groundwork import private_file


def test_only_the_owner_may_read_it_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret"
    private_file.write(path, b"one")
    private_file.write(path, b"two")
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_second_writer_keeps_the_file_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "key"
    private_file.write_once(path, b"one")
    private_file.write_once(path, b"two")
    assert path.read_bytes() == b"one"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
