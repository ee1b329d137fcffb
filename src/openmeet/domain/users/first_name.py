"""The first name in a display name, for greetings. Pure."""

from typing import Final

# A name with one of these in front is addressed as a whole: what follows is a family name, or no person's name.
_IN_FRONT: Final = frozenset({"The", "Die", "Der", "Das", "Dr", "Prof", "Mr", "Mrs", "Ms", "Herr", "Frau", "Team"})
# These belong to a family name and are written small.
_PARTICLES: Final = frozenset(
    {"de", "del", "della", "der", "den", "di", "da", "dos", "la", "le", "van", "von", "zu", "bin", "ibn"}
)
# Nobody's family name, and often the end of a group's name.
_GROUPS: Final = frozenset(
    {
        "Bar",
        "Café",
        "Chor",
        "Choir",
        "Club",
        "Collective",
        "Community",
        "Crew",
        "Events",
        "Group",
        "Gruppe",
        "Kollektiv",
    }
    | {
        "Lab",
        "Library",
        "Network",
        "Netzwerk",
        "Orchestra",
        "Orchester",
        "Society",
        "Studio",
        "Team",
        "Union",
        "Verein",
    }
)
_MOST_WORDS: Final = 4


def first_name(display_name: str) -> str:
    """The first word of a name that clearly has a first name; otherwise the whole name.

    It clearly has one if it is two to four words with a capital and small letters each, particles such as "von" apart,
    and neither begins with a title or an article nor ends with a word for a group. Names in scripts without capitals, handles and single words stay whole.
    """
    words = display_name.split()
    first = words[0] if words else ""
    is_clear = (
        1 < len(words) <= _MOST_WORDS
        and _is_name(first)
        and first not in _IN_FRONT
        and _is_name(words[-1])
        and words[-1] not in _GROUPS
        and all(word in _PARTICLES or _is_name(word) for word in words[1:-1])
    )
    return first if is_clear else display_name


def _is_name(word: str) -> bool:
    """Such as Eva, O’Brien, Anna-Lena, Yıldız."""
    letters = word.replace("’", "").replace("'", "").replace("-", "")
    return len(letters) > 1 and letters.isalpha() and word[0].isupper() and any(one.islower() for one in letters)
