"""Static files by name."""

from pathlib import Path

import pytest

from groundwork.http.static_files import StaticFiles


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    """One of them would never be served."""
    for folder in ("shared", "own"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "base.css").write_text("p {}")
    with pytest.raises(ValueError, match="have the same name"):
        StaticFiles([tmp_path / "shared", tmp_path / "own"])
    (tmp_path / "own" / "base.css").rename(tmp_path / "own" / "frame.css")
    assert len(StaticFiles([tmp_path / "shared", tmp_path / "own"]).routes()) > 0
