"""Extract the first name from a display name, for greetings. Pure."""

from typing import Final

# A name that begins with one of these is used as a whole, because a family name follows, or the name is not a person's.
_IN_FRONT: Final = frozenset({"The", "Die", "Der", "Das", "Dr", "Prof", "Mr", "Mrs", "Ms", "Herr", "Frau", "Team"})
# Particles of family names, which are written in lower case.
_PARTICLES: Final = frozenset(
    {"de", "del", "della", "der", "den", "di", "da", "dos", "la", "le", "van", "von", "zu", "bin", "ibn"}
)
# Words that are not family names and often end the name of a group.
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
    """Return the first word of a name that clearly has a first name, otherwise the whole name.

    It clearly has one if it consists of two to four capitalized words (apart from particles such as "von"), does not
    begin with a title or an article, and does not end with a word for a group. Names in scripts without capitals,
    handles and single words are returned whole.
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
    """Whether a word looks like part of a name: Eva, O’Brien, Anna-Lena, Yıldız."""
    letters = word.replace("’", "").replace("'", "").replace("-", "")
    return len(letters) > 1 and letters.isalpha() and word[0].isupper() and any(one.islower() for one in letters)
