"""What the demo town is made of: names, places, and what happens there. All of it is invented."""

from typing import Final, NamedTuple

ZONE: Final = "Europe/Berlin"
TOWN: Final = "Berlin"
COUNTRY: Final = "DE"

PEOPLE: Final = (
    *("Eva Kowalska", "Nora Lindqvist", "Jonas Becker", "Priya Raman", "Samuel Adeyemi", "Marta Silva"),
    *("Tom O’Brien", "Aylin Demir", "Bruno Keller", "Chiara Conti", "Dao Nguyen", "Elif Yıldız"),
    *("Felix Brandt", "Grace Mensah", "Hana Sato", "Ibrahim Khalil", "Julia Hoffmann", "Karim Haddad"),
    *("Lena Vogel", "Mateo García", "Nadia Petrova", "Oskar Weiß", "Paula Jansen", "Quentin Moreau"),
    *("Rosa Albrecht", "Sven Nilsson", "Tala Rahimi", "Ulrike Maier", "Vera Schulz", "William Okafor"),
    *("Xenia Papadaki", "Yusuf Kaya", "Zofia Nowak", "Anton Richter", "Bea Lorenz", "Cem Aydın"),
    *("Dora Fischer", "Emil Sørensen", "Fatou Diallo", "Gustav Ohlin"),
)


class TownVenue(NamedTuple):
    """A venue. ``point``: latitude and longitude."""

    name: str
    street: str
    point: str


PLACES: Final = (
    TownVenue("Kiezküche", "Weddingstraße 12", "52.5485, 13.3612"),
    TownVenue("Kino Moviemento", "Kottbusser Damm 22", "52.4917, 13.4229"),
    TownVenue("Bibliothek am Ufer", "Paul-Lincke-Ufer 30", "52.4943, 13.4260"),
    TownVenue("Atelier Süd", "Sonnenallee 98", "52.4811, 13.4358"),
    TownVenue("Südwiesen, north gate", "Tempelhofer Damm", "52.4751, 13.4018"),
    TownVenue("Turnhalle Oderberg", "Oderberger Straße 57", "52.5402, 13.4066"),
    TownVenue("Café Morgenrot", "Kastanienallee 85", "52.5388, 13.4092"),
    TownVenue("Werkhof 47", "Skalitzer Straße 47", "52.4994, 13.4290"),
    TownVenue("Gemeindesaal St. Anna", "Boxhagener Straße 40", "52.5117, 13.4590"),
    TownVenue("Bootshaus Spree", "Köpenicker Straße 187", "52.5032, 13.4411"),
)


# What people write in a chat: each line by the next of them.
CONVERSATIONS: Final = (
    (
        "Hello everybody! Ask me anything here.",
        "Is there a place to lock up a bicycle?",
        "Yes, in the second courtyard.",
        "Great, see you there.",
    ),
    (
        "I’ll be at the door a quarter of an hour early.",
        "Can I bring my sister along?",
        "If she answers here as well, gladly.",
    ),
    (
        "What should we bring?",
        "Something to drink, and good shoes.",
        "I can take two people in my car from Südkreuz.",
        "I’d love to, thank you!",
        "Me too, if there is still room.",
    ),
    ("How long will it take?", "About three hours, with a break.", "Perfect."),
)


class Gathering(NamedTuple):
    """Something that happens. ``start``: HH:MM; ``length``: minutes; ``places``: of a limit, 0 for none; ``weekday``:
    0 is Monday, -1 any day.
    """

    title: str
    topic: str
    text: str
    start: str
    length: int
    places: int = 0
    weekday: int = -1
    is_online: bool = False


GATHERINGS: Final = (
    Gathering(
        "Supper club: six strangers, one table",
        "food",
        "Six people who have never met, one long table, three courses. I cook, you bring a bottle of something and a"
        " story about the last dish you ruined.\n\nEverything is vegetarian; tell me about allergies.",
        "19:30",
        180,
        6,
    ),
    Gathering(
        "Film night: Tampopo, with noodles",
        "film",
        "A western about soup. We watch it, then we eat what we have seen.",
        "20:00",
        150,
        40,
        4,
    ),
    Gathering(
        "Repair café",
        "crafts",
        "Bring what is broken: toasters, trousers, bicycles. We have tools, tea and patience.",
        "14:00",
        240,
        0,
        5,
    ),
    Gathering(
        "Sunrise run on the old airfield",
        "sports",
        "Eight easy kilometres, nobody is left behind. Coffee at the gate afterwards.",
        "07:15",
        60,
    ),
    Gathering(
        "Choir rehearsal: open evening",
        "music",
        "Four voices, no audition. Come and sing along for one evening.",
        "19:30",
        120,
        0,
        2,
    ),
    Gathering(
        "Board games for people who lose gracefully",
        "games",
        "Short games first, long ones after ten. Rules are explained, snacks are shared.",
        "19:00",
        210,
        24,
        3,
    ),
    Gathering(
        "Lake walk around the Müggelsee",
        "outdoors",
        "Eighteen flat kilometres with a swim for the brave. We meet at the ticket machine.",
        "10:00",
        330,
        20,
        6,
    ),
    Gathering(
        "Reading club: short stories in the original",
        "books",
        "One story an evening, read aloud in turns. This time: Clarice Lispector.",
        "18:30",
        120,
        12,
    ),
    Gathering(
        "Build your first synthesizer",
        "technology",
        "A soldering iron, twelve parts, one terrible noise. All material is here.",
        "18:00",
        180,
        10,
    ),
    Gathering(
        "Language café: German and everything else",
        "languages",
        "Tables by language, an hour each way. Beginners sit in the middle.",
        "18:00",
        120,
    ),
    Gathering(
        "Watercolour for the rest of us",
        "arts",
        "Paper, brushes and paint are on the table. We look out of the window and try.",
        "16:00",
        150,
        14,
        6,
    ),
    Gathering(
        "Street party on Weddingstraße",
        "community",
        "Tables out, cars away. Bring a cake, an instrument or a chair.",
        "15:00",
        360,
        0,
        5,
    ),
    Gathering("Slow yoga before work", "health", "Mats are here. Nobody checks whether you sleep.", "07:30", 60, 18),
    Gathering(
        "Ask a data engineer anything",
        "technology",
        "An hour of questions on pipelines, pay and burnout. Cameras optional.",
        "18:00",
        60,
        is_online=True,
    ),
    Gathering(
        "Lindy hop: first steps",
        "dance",
        "No partner, no experience, flat shoes. Live band from nine.",
        "20:00",
        150,
        60,
        1,
    ),
    Gathering(
        "Seed swap and balcony talk",
        "outdoors",
        "Tomatoes, beans, advice. Take more than you brought.",
        "11:00",
        150,
        0,
        5,
    ),
    Gathering(
        "Museum morning for parents with prams",
        "family",
        "Lifts, snacks, no shushing. We look at three pictures and leave.",
        "10:00",
        90,
        15,
    ),
    Gathering(
        "The night sky without a telescope",
        "science",
        "What can be seen with bare eyes from the middle of a city. Blankets help.",
        "21:00",
        90,
        30,
    ),
    Gathering(
        "Neighbourhood assembly: the new crossing",
        "politics",
        "The plan, the planners, your questions. Translation into Turkish and Arabic.",
        "18:30",
        120,
    ),
    Gathering(
        "Silent book club",
        "books",
        "An hour of reading side by side, then anyone who likes stays for tea.",
        "17:00",
        120,
        20,
        6,
    ),
)


class Club(NamedTuple):
    """A group, and what it does regularly. ``rule``: an RRULE."""

    name: str
    text: str
    gathering: int
    rule: str


CLUBS: Final = (
    Club("Thursday games", "Board games, every week, in the same corner.", 5, "FREQ=WEEKLY;BYDAY=TH"),
    Club("Early runners", "We run before the city wakes up.", 3, "FREQ=WEEKLY;BYDAY=TU,FR"),
    Club("Kreuzberg repair crew", "Mend it, don’t bin it.", 2, "FREQ=MONTHLY;BYDAY=1SA"),
    Club("Choir without auditions", "Four voices, one rule: sing.", 4, "FREQ=WEEKLY;BYDAY=WE"),
    Club("Language tables", "Talk badly, often.", 9, "FREQ=WEEKLY;BYDAY=MO"),
    Club("Film and noodles", "One film, one dish.", 1, "FREQ=MONTHLY;BYDAY=-1FR"),
    Club("Slow mornings", "Yoga for people with jobs.", 12, "FREQ=WEEKLY;BYDAY=MO,WE,FR"),
    Club("Short stories", "Read aloud, in turns.", 7, "FREQ=WEEKLY;INTERVAL=2;BYDAY=TH"),
)
