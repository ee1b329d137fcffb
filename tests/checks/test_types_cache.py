"""The cache of mypy is discarded if the installed packages differ from those it was built with."""

from pathlib import Path

import pytest

from checks import types_cache


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(types_cache, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(types_cache, "_MARK", tmp_path / "cache" / "installed")
    return tmp_path / "cache"


def remember(cache: Path) -> Path:
    kept = cache / "a module"
    kept.write_text("as it was")
    return kept


def test_cache_is_kept_while_packages_are_unchanged(cache: Path) -> None:
    types_cache.forget_if_stale()
    kept = remember(cache)
    types_cache.forget_if_stale()
    assert kept.exists()


def test_cache_is_discarded_if_packages_change(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    types_cache.forget_if_stale()
    kept = remember(cache)
    monkeypatch.setattr(types_cache, "distributions", list)
    types_cache.forget_if_stale()
    assert not kept.exists()


def test_cache_without_a_package_list_is_discarded(cache: Path) -> None:
    cache.mkdir()
    kept = remember(cache)
    types_cache.forget_if_stale()
    assert not kept.exists()
