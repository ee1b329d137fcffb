"""Settings: their sources, and how they are refused."""

import dataclasses
import pickle
from enum import StrEnum
from pathlib import Path
from typing import Literal

import pytest

from groundwork.settings import (
    Bytes,
    Seconds,
    Secret,
    SettingsRefused,
    as_written,
    describe,
    misspelt,
    parse_bytes,
    parse_seconds,
    read_file,
    read_settings,
    setting,
)


class Mode(StrEnum):
    FAST = "fast"
    SLOW = "slow"


@dataclasses.dataclass(frozen=True, slots=True)
class Example:
    hostname: str = setting("localhost", doc="Where people find it.")
    port: int = setting(2583, doc="The port.")
    dev_mode: bool = setting(False, doc="Loosens checks.")
    relays: tuple[str, ...] = setting((), doc="Whom to tell.", older_names=("PDS_CRAWLERS",))
    patience: Seconds = setting(10.0, doc="How long to wait.")
    limit: Bytes = setting(5 * 1024 * 1024, doc="The largest blob.")
    password: Secret | None = setting(None, doc="Of the operator.")
    folder: Path = setting(Path("var"), doc="Where files live.")
    mode: Mode = setting(Mode.FAST, doc="How.")
    colour: Literal["red", "blue"] = setting("red", doc="Which.")


def read(environment=None, table=None):
    return read_settings(Example, prefix="PDS_", environment=environment or {}, table=table)


def test_everything_has_a_default():
    assert read() == Example()


def test_the_environment_is_read_by_type():
    settings = read(
        {
            "PDS_HOSTNAME": "pds.example",
            "PDS_PORT": "80",
            "PDS_DEV_MODE": "yes",
            "PDS_RELAYS": "https://a.example, https://b.example",
            "PDS_PATIENCE": "5m",
            "PDS_LIMIT": "100MB",
            "PDS_FOLDER": "/srv/pds",
            "PDS_MODE": "slow",
            "PDS_COLOUR": "blue",
            "OTHER": "ignored",
        }
    )
    assert settings == Example(
        hostname="pds.example",
        port=80,
        dev_mode=True,
        relays=("https://a.example", "https://b.example"),
        patience=300.0,
        limit=100_000_000,
        folder=Path("/srv/pds"),
        mode=Mode.SLOW,
        colour="blue",
    )


def test_environment_before_file_before_default():
    settings = read({"PDS_PORT": "1"}, {"port": 2, "hostname": "from.file", "relays": ["https://a.example"]})
    assert (settings.port, settings.hostname, settings.relays) == (1, "from.file", ("https://a.example",))


def test_an_empty_variable_is_absent():
    assert read({"PDS_PORT": " "}).port == 2583


def test_an_older_name_counts():
    assert read({"PDS_CRAWLERS": "https://a.example"}).relays == ("https://a.example",)


def test_two_names_that_differ_are_refused():
    with pytest.raises(SettingsRefused, match="PDS_RELAYS and PDS_CRAWLERS are the same setting"):
        read({"PDS_RELAYS": "https://a.example", "PDS_CRAWLERS": "https://b.example"})


def test_all_problems_are_reported_at_once_by_name():
    with pytest.raises(SettingsRefused) as refused:
        read(
            {"PDS_PORT": "many", "PDS_DEV_MODE": "perhaps", "PDS_PATIENCE": "5", "PDS_LIMIT": "big", "PDS_MODE": "odd"},
            {"hostnme": "x", "colour": "green"},
        )
    said = "\n".join(refused.value.sentences)
    for name in ("PDS_PORT", "PDS_DEV_MODE", "PDS_PATIENCE", "PDS_LIMIT", "PDS_MODE", "hostnme", "colour"):
        assert name in said


def test_the_meant_name_is_suggested():
    with pytest.raises(SettingsRefused, match=r"'hostnme', which is not a setting here\. Did you mean 'hostname'\?"):
        read(table={"hostnme": "x"})
    with pytest.raises(SettingsRefused, match=r"'colour_of_sky', which is not a setting here\.$"):
        read(table={"colour_of_sky": "x"})


def test_misspelt_variables_are_reported():
    """A variable like PDS_SERVICE_PORT, which a container platform sets, is not."""
    environment = ("PDS_HOSTNAM", "PDS_PORT", "PDS_CRAWLERS", "PDS_SERVICE_PORT", "PDS_PORT_3000_TCP", "OTHER_PORTT")
    assert misspelt(environment, Example, "PDS_") == ["PDS_HOSTNAM is not a setting. Did you mean PDS_HOSTNAME?"]


def test_a_setting_without_default_must_be_given():
    @dataclasses.dataclass(frozen=True)
    class Strict:
        key: Secret = setting(doc="The key.")

    with pytest.raises(SettingsRefused, match="X_KEY is not set"):
        read_settings(Strict, prefix="X_", environment={})


def test_a_secret_does_not_print_or_pickle():
    secret = read({"PDS_PASSWORD": "hunter2"}).password
    assert secret.reveal() == "hunter2"
    assert "hunter2" not in f"{secret} {secret!r} {[secret]} {read({'PDS_PASSWORD': 'hunter2'})}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("30s", 30), ("5m", 300), ("2h", 7200), ("7d", 604800), ("1.5h", 5400), ("0", 0)],
)
def test_durations_are_read_with_their_units(text, seconds):
    assert parse_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["5", "m", "", "-5m", "5 weeks", "5mm", "1e3s", "٣s"])
def test_invalid_durations_are_refused(text):
    with pytest.raises(ValueError, match="duration"):
        parse_seconds(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("5MiB", 5242880), ("100MB", 100_000_000), ("512 KiB", 524288), ("5242880", 5242880), ("1.5GiB", 1610612736)],
)
def test_sizes_are_read_with_their_units(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1", "5mib", "5 Mb", "0x10"])
def test_invalid_sizes_are_refused(text):
    with pytest.raises(ValueError, match="size"):
        parse_bytes(text)


def test_settings_are_read_from_a_table_of_the_file(tmp_path):
    path = tmp_path / "openmeet.toml"
    path.write_text('[pds]\nport = 80\npatience = "1m"\n')
    assert read(table=read_file(path)["pds"]).patience == 60.0
    assert read_file(None) == {}


def test_unreadable_files_are_reported_with_a_message(tmp_path):
    path = tmp_path / "openmeet.toml"
    with pytest.raises(SettingsRefused, match="cannot be read"):
        read_file(path)
    path.write_text("port = = 80")
    with pytest.raises(SettingsRefused, match="not TOML"):
        read_file(path)


def test_the_ledger_lists_every_setting_without_secrets():
    lines = {line.name: line.default for line in describe(Example, "PDS_")}
    assert len(lines) == len(dataclasses.fields(Example))
    assert lines["PDS_DEV_MODE"] == "false"
    assert lines["PDS_MODE"] == "fast"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1_209_600.0, "14d"), (90_000.0, "25h"), (60.0, "1m"), (0.25, "250ms"), (0.0, "0")],
)
def test_durations_are_written_in_the_largest_unit(seconds: float, text: str) -> None:
    assert as_written(seconds, Seconds) == text


@pytest.mark.parametrize(("size", "text"), [(5 * 1024**3, "5GiB"), (12_000_000, "12MB"), (1536, "1536"), (0, "0")])
def test_sizes_are_written_in_the_largest_unit(size: int, text: str) -> None:
    assert as_written(size, Bytes) == text


@pytest.mark.parametrize("password", ["s3/cret", "s3#cret", "s3?cret", "s3[cret"])
def test_url_with_an_unescaped_password_is_refused_without_showing_it(password: str):
    with pytest.raises(SettingsRefused) as refused:
        read({"PDS_HOSTNAME": f"amqp://ana:{password}@db.example/town"})
    (sentence,) = refused.value.sentences
    assert sentence.startswith("PDS_HOSTNAME is a URL that cannot be read: ")
    assert "%2F for a slash" in sentence
    assert "s3" not in sentence


def test_urls_and_other_texts_are_kept():
    for text in ("https://a.example:8080/{z}/{x}@2x.png", "sqlite:///var/a@b.db", "embedded:", "a.example", "[::1]"):
        assert read({"PDS_HOSTNAME": text}).hostname == text


def test_items_of_a_list_may_contain_two_urls():
    pair = "ws://10.0.0.1:3000=http://localhost:3001"
    assert read({"PDS_RELAYS": f"{pair},ws://b.example"}).relays == (pair, "ws://b.example")


@pytest.mark.parametrize("url", ["https://a:port", "ws://a:port=https://b", "ws://a=https://b:port", "https://a:99999"])
def test_unreadable_url_in_a_list_is_refused(url: str):
    with pytest.raises(SettingsRefused, match="PDS_RELAYS has a URL that cannot be read"):
        read({"PDS_RELAYS": f"ws://b.example,{url}"})
