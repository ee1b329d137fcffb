"""User-Agent headers as browsers send them, and hostile ones."""

import pytest

from groundwork.http.devices import UNKNOWN_DEVICE, Device, device_of

_KHTML = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        (f"Mozilla/5.0 (X11; Linux x86_64) {_KHTML} Chrome/142.0.0.0 Safari/537.36", Device("Chrome", "Linux")),
        (f"Mozilla/5.0 (Windows NT 10.0) {_KHTML} Chrome/142.0 Safari/537.36 Edg/142.0", Device("Edge", "Windows")),
        (
            f"Mozilla/5.0 (Linux; Android 15; SM-S931B) {_KHTML} SamsungBrowser/28.0 Chrome/130.0 Mobile Safari/537.36",
            Device("Samsung Internet", "Android"),
        ),
        ("Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0", Device("Firefox", "Android")),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Mobile Safari/604.1",
            Device("Safari", "iPhone"),
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) AppleWebKit/605 Version/18.0 Safari/605",
            Device("Safari", "Mac"),
        ),
    ],
)
def test_browsers_are_recognised(user_agent: str, device: Device) -> None:
    assert device_of(user_agent) == device


def test_unknown_programs_have_no_name() -> None:
    assert device_of("") == device_of("curl/8.5.0") == device_of("<script>alert(1)</script>") == UNKNOWN_DEVICE


def test_only_the_beginning_of_a_header_is_read() -> None:
    assert device_of("x" * 100_000 + "Firefox/145.0") == UNKNOWN_DEVICE
