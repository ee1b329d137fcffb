"""Greetings use a first name only if the display name clearly contains one."""

import pytest

from openmeet.domain.users.model import first_name


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("Eva Kowalska", "Eva"),
        ("Tom O’Brien", "Tom"),
        ("Anna-Lena Groß", "Anna-Lena"),
        ("Elif Yıldız", "Elif"),
        ("Ana de la Cruz", "Ana"),
        ("Мария Иванова", "Мария"),
        ("Eva", "Eva"),
        ("ana.test", "ana.test"),
        ("Dr. Jonas Weber", "Dr. Jonas Weber"),
        ("Frau Weber", "Frau Weber"),
        ("The Gardeners", "The Gardeners"),
        ("film club", "film club"),
        ("Film Club", "Film Club"),
        ("Kreuzberg Repair Crew", "Kreuzberg Repair Crew"),
        ("BERLIN GAMES", "BERLIN GAMES"),
        ("J. Weber", "J. Weber"),
        ("Eva & Tom", "Eva & Tom"),
        ("山田 太郎", "山田 太郎"),
        ("Eva Kowalska 🎲", "Eva Kowalska 🎲"),
        ("", ""),
    ],
)
def test_first_names_are_recognised(name: str, called: str) -> None:
    assert first_name(name) == called
