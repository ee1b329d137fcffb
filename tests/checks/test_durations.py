"""Recorded durations, and how a run is compared with them."""

from pathlib import Path

import pytest
from checks.durations import Record, comparison

from checks import durations


def test_only_recorded_files_are_compared_and_in_the_time_of_the_machine() -> None:
    recorded = Record(0.1, {"a": {"wall": 9.0, "cpu": 10.0}, "gone": {"wall": 99.0, "cpu": 99.0}})
    new = {"wall": 99.0, "cpu": 99.0}
    assert not comparison(recorded, Record(0.1, {"a": {"wall": 99.0, "cpu": 11.9}, "new": new}), "cpu")[0]
    assert comparison(recorded, Record(0.1, {"a": {"wall": 1.0, "cpu": 12.1}}), "cpu")[0]
    assert not comparison(recorded, Record(0.14, {"a": {"wall": 9.0, "cpu": 16.7}}), "cpu")[0]
    assert comparison(recorded, Record(0.07, {"a": {"wall": 9.0, "cpu": 8.5}}), "cpu")[0]
    assert not comparison(Record(0.0, {}), Record(0.1, {"a": new}), "cpu")[0]


def test_a_machine_of_another_speed_is_not_compared() -> None:
    for pace in (0.01, 1.0):
        has_grown, (line,) = comparison(Record(0.1, {"a": {"cpu": 1.0}}), Record(pace, {"a": {"cpu": 99.0}}), "cpu")
        assert not has_grown
        assert line.startswith("NOT COMPARED")


def test_a_short_run_is_compared_with_its_own_tests() -> None:
    recorded = Record(0.1, {"a": {"wall": 9.0, "cpu": 10.0, "short": 1.0}, "b": {"wall": 9.0, "cpu": 10.0}})
    ran = Record(0.1, {"a": {"cpu": 1.1}, "b": {"cpu": 5.0}})
    assert not comparison(recorded, ran, "short")[0]
    assert comparison(recorded, Record(0.1, {"a": {"cpu": 1.3}}), "short")[0]


def test_the_files_that_grew_most_are_named() -> None:
    recorded = Record(0.1, {f"file {number}": {"cpu": 1.0} for number in range(20)})
    ran = Record(0.1, {f"file {number}": {"cpu": 1.0 + number} for number in range(20)})
    has_grown, (_, sentence, *files) = comparison(recorded, ran, "cpu")
    assert has_grown
    assert durations.RECORD_COMMAND in sentence
    assert [line.split("  ")[-1] for line in files] == [f"file {number}" for number in range(19, 9, -1)]


def test_folders_are_recorded_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders are recorded one after the other. Times are converted to the speed of the machine that recorded first,
    and files that no longer exist are dropped.
    """
    monkeypatch.chdir(tmp_path)
    for name in ("checks", "tests"):
        (tmp_path / name).mkdir()
    for name in ("tests/test_a.py", "tests/test_b.py", "tests/test_gone.py"):
        (tmp_path / name).touch()
    times = {"wall": 4.0, "cpu": 2.0, "short": 2.0}
    durations.write_record(Record(0.0, {}), Record(0.1, {"tests/test_a.py": times, "tests/test_gone.py": times}))
    (tmp_path / "tests/test_gone.py").unlink()
    durations.write_record(durations.read_record(), Record(0.2, {"tests/test_b.py": times}))
    halved = {"wall": 4.0, "cpu": 1.0, "short": 1.0}
    assert durations.read_record() == Record(0.1, {"tests/test_a.py": times, "tests/test_b.py": halved})


def test_a_short_run_records_only_its_own_processor_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("checks", "tests"):
        (tmp_path / name).mkdir()
    for name in ("tests/test_a.py", "tests/test_b.py", "tests/test_new.py"):
        (tmp_path / name).touch()
    times = {"wall": 4.0, "cpu": 2.0, "short": 1.0}
    durations.write_record(Record(0.0, {}), Record(0.1, {"tests/test_a.py": times, "tests/test_b.py": times}))
    ran = {"wall": 9.0, "cpu": 8.0, "short": 6.0}
    durations.write_short_record(
        durations.read_record(), Record(0.2, {"tests/test_a.py": ran, "tests/test_new.py": ran})
    )
    files = {"tests/test_a.py": {**times, "short": 3.0}, "tests/test_b.py": times, "tests/test_new.py": {"short": 3.0}}
    assert durations.read_record() == Record(0.1, files)


def test_files_are_listed_without_running_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("checks", "tests"):
        (tmp_path / name).mkdir()
    for name in ("tests/test_a.py", "tests/test_new.py", "tests/not_a_test.py"):
        (tmp_path / name).touch()
    times = {"wall": 4.0, "cpu": 2.0}
    before = Record(0.1, {"tests/test_a.py": times, "tests/test_gone.py": times})
    problems = durations.problems(durations.test_files(["tests"]), before)
    assert [problem.partition(":")[0] for problem in problems] == ["tests/test_gone.py", "tests/test_new.py"]
    durations.write_record(Record(0.0, {}), Record(0.1, {"tests/test_a.py": times}))
    durations.list_files()
    assert durations.read_record() == Record(0.1, {"tests/test_a.py": times, "tests/test_new.py": {}})
