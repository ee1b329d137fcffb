"""The people and clubs of the demo town. All of it is invented."""

from typing import Final, NamedTuple

from programs.demo.days import DAYS
from programs.demo.evenings import EVENINGS
from programs.demo.gathering import EventTemplate, EventTexts
from programs.demo.neighbourhood import NEIGHBOURHOOD
from programs.demo.portraits import Look

ZONE: Final = "Europe/Berlin"
TOWN: Final = "Berlin"
COUNTRY: Final = "DE"

GATHERINGS: Final = (*EVENINGS, *DAYS, *NEIGHBOURHOOD)


def gathering_of(title: str) -> tuple[EventTemplate, EventTexts]:
    """The kind of event that has this title, and its texts."""
    return next((gathering, one) for gathering in GATHERINGS for one in gathering.happenings() if one.title == title)


# The people and what they look like. As on any site, some have no picture.
LOOKS: Final[dict[str, Look | None]] = {
    "Eva Kowalska": Look(0, "chestnut", "bob", ("studs",)),
    "Nora Lindqvist": Look(0, "blond", "fringe", ("frames",)),
    "Jonas Becker": Look(1, "brown", "quiff", ("stubble",)),
    "Priya Raman": Look(3, "black", "long", ("rings",)),
    "Samuel Adeyemi": Look(5, "black", "buzz", ("beard", "laughs")),
    "Marta Silva": Look(2, "brown", "waves", ("laughs",)),
    "Tom O’Brien": Look(0, "red", "crop", ("beard", "freckles")),
    "Aylin Demir": Look(1, "black", "tail", ("rings", "laughs")),
    "Bruno Keller": Look(0, "grey", "bald", ("frames", "moustache")),
    "Chiara Conti": Look(1, "brown", "curly", ("studs",)),
    "Dao Nguyen": Look(1, "black", "part", ("glasses",)),
    "Elif Yıldız": Look(1, "black", "scarf", ("laughs",)),
    "Felix Brandt": Look(0, "blond", "part", ()),
    "Grace Mensah": Look(5, "black", "afro", ("rings", "laughs")),
    "Hana Sato": Look(1, "black", "fringe", ()),
    "Ibrahim Khalil": Look(3, "black", "crop", ("beard",)),
    "Julia Hoffmann": Look(0, "red", "waves", ("freckles",)),
    "Karim Haddad": Look(2, "black", "curly", ("stubble", "glasses")),
    "Lena Vogel": None,
    "Mateo García": Look(2, "brown", "beanie", ("stubble", "laughs")),
    "Nadia Petrova": Look(0, "blond", "bun", ("studs",)),
    "Oskar Weiß": Look(0, "white", "crop", ("beard",)),
    "Paula Jansen": Look(1, "chestnut", "tail", ("freckles", "laughs")),
    "Quentin Moreau": Look(1, "brown", "curly", ("moustache",)),
    "Rosa Albrecht": Look(0, "grey", "bob", ("glasses", "laughs")),
    "Sven Nilsson": None,
    "Tala Rahimi": Look(2, "black", "waves", ("flower",)),
    "Ulrike Maier": Look(0, "white", "bun", ("frames",)),
    "Vera Schulz": Look(0, "brown", "bob", ("glasses",)),
    "William Okafor": Look(5, "black", "quiff", ("laughs",)),
    "Xenia Papadaki": Look(2, "black", "long", ("studs", "laughs")),
    "Yusuf Kaya": Look(2, "black", "buzz", ("stubble",)),
    "Zofia Nowak": Look(0, "blond", "braids", ("freckles",)),
    "Anton Richter": None,
    "Bea Lorenz": Look(1, "red", "fringe", ("rings",)),
    "Cem Aydın": Look(2, "brown", "part", ("beard", "laughs")),
    "Dora Fischer": None,
    "Emil Sørensen": Look(0, "blond", "beanie", ("glasses",)),
    "Fatou Diallo": Look(4, "black", "braids", ("laughs",)),
    "Gustav Ohlin": Look(0, "grey", "part", ("moustache",)),
}
PEOPLE: Final = tuple(LOOKS)

# What some of them say about themselves.
ABOUT: Final[dict[str, str]] = {
    "Eva Kowalska": "I run before breakfast and read slowly. Ask me about pierogi.",
    "Nora Lindqvist": "I cook for strangers. There is always one chair more than you think.",
    "Jonas Becker": "Fahrräder, Filme und zu viel Kaffee. Ich wohne um die Ecke vom Kino.",
    "Priya Raman": "I sing alto and repair toasters, sometimes at the same time.",
    "Samuel Adeyemi": "New in town since March. I bring the board games, you bring the snacks.",
    "Marta Silva": "Portuguese, loud, good at finding the last table in a full room.",
    "Aylin Demir": "Ich baue Geräte, die Krach machen, und zeige gern, wie das geht.",
    "Bruno Keller": "Winzersohn im Ruhestand. Wer fragt, bekommt eine lange Antwort.",
    "Chiara Conti": "I draw people on trains. If it looks like you, it’s yours.",
    "Grace Mensah": "Choir, garden, two children. I’m the one with the big umbrella.",
    "Ibrahim Khalil": "Long walks, short stories. I read aloud to anyone who sits still.",
    "Julia Hoffmann": "Lesekreis, Seitenflügel, Sauerteig. In dieser Reihenfolge.",
    "Karim Haddad": "Ich mache die Stimmen beim Vorlesen, alle.",
    "Oskar Weiß": "Fahrradmechaniker seit 1979. Bringt Geduld mit, ich habe auch welche.",
    "Rosa Albrecht": "Ich kenne jeden Hof in der Straße und die meisten Katzen.",
    "Ulrike Maier": "Stricken, Maultaschen, Widerspruch.",
    "Yusuf Kaya": "I count stars for a living and for fun.",
}

# What some kinds of events cost, by language. About the others, nothing is said.
PRICES: Final[dict[str, dict[str, str]]] = {
    "en": {
        "books": "Free",
        "community": "Free",
        "crafts": "5 € for materials",
        "family": "Free",
        "film": "8 €, 5 € with a student card",
        "languages": "Free",
        "music": "10 € at the door",
        "outdoors": "Free",
    },
    "de": {
        "books": "Kostenlos",
        "community": "Kostenlos",
        "crafts": "5 € fürs Material",
        "family": "Kostenlos",
        "film": "8 €, ermäßigt 5 €",
        "languages": "Kostenlos",
        "music": "10 € an der Tür",
        "outdoors": "Kostenlos",
    },
}

# Reasons for cancelling an event, by language.
REASONS: Final[dict[str, tuple[str, ...]]] = {
    "en": (
        "The room has a burst pipe. We’ll look for another day.",
        "I’m ill, sorry. See you at the next one.",
        "Too few of us this time.",
    ),
    "de": (
        "Die Heizung ist ausgefallen, und es wird nicht wärmer.",
        "Ich bin krank und hole den Termin nach.",
        "Wir sind diesmal zu wenige.",
    ),
}


class Club(NamedTuple):
    """A group and its regular event, which has the title of a gathering. ``rule``: an RRULE. ``scene``: the subject of
    its picture; empty if it has its generated cover.
    """

    name: str
    text: str
    title: str
    rule: str
    scene: str


CLUBS: Final = (
    Club(
        "Thursday games",
        "Board games, every week, in the same corner.",
        "Board games for people who lose gracefully",
        "FREQ=WEEKLY;BYDAY=TH",
        "board",
    ),
    Club(
        "Early runners",
        "We run before the city wakes up.",
        "Sunrise run on the old airfield",
        "FREQ=WEEKLY;BYDAY=TU,FR",
        "runners",
    ),
    Club("Kreuzberg repair crew", "Mend it, don’t bin it.", "Repair café", "FREQ=MONTHLY;BYDAY=1SA", "workshop"),
    Club(
        "Choir without auditions",
        "Four voices, one rule: sing.",
        "Choir rehearsal: open evening",
        "FREQ=WEEKLY;BYDAY=WE",
        "",
    ),
    Club(
        "Language tables",
        "Talk badly, often.",
        "Language café: German and everything else",
        "FREQ=WEEKLY;BYDAY=MO",
        "cups",
    ),
    Club(
        "Film and noodles",
        "One film, one dish.",
        "Film night: Tampopo, with noodles",
        "FREQ=MONTHLY;BYDAY=-1FR",
        "cinema",
    ),
    Club(
        "Slow mornings", "Yoga for people with jobs.", "Slow yoga before work", "FREQ=WEEKLY;BYDAY=MO,WE,FR", "studio"
    ),
    Club(
        "Short stories",
        "Read aloud, in turns.",
        "Reading club: short stories in the original",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=TH",
        "shelves",
    ),
    Club(
        "Gartenfreunde Gleisdreieck",
        "Vierzig Beete, ein Schlauch, viele Meinungen.",
        "Kompost für Ungeduldige",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=SA",
        "garden",
    ),
    Club(
        "Kiezküche",
        "Wir kochen, was da ist, und essen zusammen.",
        "Kochabend: wir kochen, was da ist",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU",
        "table",
    ),
    Club(
        "Lauftreff Südwiesen",
        "Drei Gruppen, drei Geschwindigkeiten, ein Bauwagen.",
        "Lauftreff für alle",
        "FREQ=WEEKLY;BYDAY=TH",
        "",
    ),
    Club(
        "Nachbarschaftscafé St. Anna",
        "Kaffee, Kuchen und Zeit.",
        "Kaffee und Kuchen für alle über siebzig",
        "FREQ=WEEKLY;BYDAY=TU",
        "cups",
    ),
    Club(
        "Radeln am Sonntag",
        "So schnell wie der Langsamste.",
        "Fahrradtour durch die Dörfer",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU",
        "hills",
    ),
)
