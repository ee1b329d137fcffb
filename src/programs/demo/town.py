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


KITCHEN: Final = TownVenue("Kiezküche", "Weddingstraße 12", "52.5485, 13.3612")
CINEMA: Final = TownVenue("Kino Lichtblick", "Kottbusser Damm 22", "52.4917, 13.4229")
LIBRARY: Final = TownVenue("Bibliothek am Ufer", "Paul-Lincke-Ufer 30", "52.4943, 13.4260")
STUDIO: Final = TownVenue("Atelier Süd", "Sonnenallee 98", "52.4811, 13.4358")
AIRFIELD: Final = TownVenue("Südwiesen, north gate", "Tempelhofer Damm", "52.4751, 13.4018")
GYM: Final = TownVenue("Turnhalle Oderberg", "Oderberger Straße 57", "52.5402, 13.4066")
CAFE: Final = TownVenue("Café Morgenlicht", "Kastanienallee 85", "52.5388, 13.4092")
WORKSHOP: Final = TownVenue("Werkhof 47", "Skalitzer Straße 47", "52.4994, 13.4290")
HALL: Final = TownVenue("Gemeindesaal St. Anna", "Boxhagener Straße 40", "52.5117, 13.4590")
BOATHOUSE: Final = TownVenue("Bootshaus Spree", "Köpenicker Straße 187", "52.5032, 13.4411")
STATION: Final = TownVenue("S-Bahnhof Friedrichshagen, ticket machine", "Schöneicher Straße 1", "52.4575, 13.6239")
SQUARE: Final = TownVenue("Weddingstraße, at the fountain", "Weddingstraße", "52.5489, 13.3620")
MUSEUM: Final = TownVenue("Museum am Kanal, front steps", "Tempelhofer Ufer 4", "52.4980, 13.3835")


# Why an event is cancelled.
REASONS: Final = (
    "The room has a burst pipe. We’ll look for another day.",
    "I’m ill, sorry. See you at the next one.",
    "Too few of us this time.",
)

# What people write in a chat: who says it, and what. 0 is the host, the others are guests.
CONVERSATIONS: Final = (
    (
        (0, "Hello everybody! Ask me anything here."),
        (1, "Is there a place to lock up a bicycle?"),
        (0, "Yes, in the second courtyard."),
        (1, "Great, see you there."),
        (2, "Is there a step at the door? I come with a pram."),
        (0, "One, and I’ll carry it with you."),
    ),
    (
        (0, "I’ll be at the door a quarter of an hour early."),
        (1, "Can I bring my sister along?"),
        (0, "If she answers here as well, gladly."),
        (1, "She just did!"),
    ),
    (
        (1, "What should we bring?"),
        (0, "Something to drink, and good shoes."),
        (2, "I can take two people in my car from Südkreuz."),
        (1, "I’d love to, thank you!"),
        (3, "Me too, if there is still room."),
        (2, "There is."),
    ),
    (
        (1, "How long will it take?"),
        (0, "About three hours, with a break."),
        (1, "Perfect."),
        (2, "Can I come later? I work until seven."),
        (0, "Of course. Ring twice."),
    ),
)


class Gathering(NamedTuple):
    """Something that happens. ``titles``: the first is also the one of a club. ``venues``: none for online. ``start``: HH:MM;
    ``length``: minutes; ``places``: of a limit, 0 for none; ``weekday``: 0 is Monday, -1 any day.
    """

    titles: tuple[str, ...]
    topic: str
    text: str
    venues: tuple[TownVenue, ...]
    start: str
    length: int
    places: int = 0
    weekday: int = -1


GATHERINGS: Final = (
    Gathering(
        (
            "Supper club: six strangers, one table",
            "Supper club: everything from one pumpkin",
            "Supper club: my grandmother’s dumplings",
            "Supper club: breakfast for dinner",
        ),
        "food",
        "Six people who have never met, one long table, three courses. I cook, you bring a bottle of something and a"
        " story about the last dish you ruined.\n\nEverything is vegetarian; tell me about allergies.",
        (KITCHEN, CAFE),
        "19:30",
        180,
        6,
    ),
    Gathering(
        (
            "Film night: Tampopo, with noodles",
            "Film night: Playtime, on the big screen",
            "Film night: Paris, Texas",
            "Film night: The Gleaners and I",
            "Film night: short films from the neighbourhood",
        ),
        "film",
        "We watch it in the original, with subtitles. Afterwards there is soup, and everybody may say what they made of it.",
        (CINEMA,),
        "20:00",
        150,
        40,
        4,
    ),
    Gathering(
        (
            "Repair café",
            "Repair café: bicycles",
            "Repair café: lamps, toasters, radios",
            "Mend your jeans",
        ),
        "crafts",
        "Bring what is broken: toasters, trousers, bicycles. We have tools, tea and patience.",
        (WORKSHOP, HALL),
        "14:00",
        240,
        0,
        5,
    ),
    Gathering(
        ("Sunrise run on the old airfield", "Ten slow kilometres", "First five kilometres: a run for beginners"),
        "sports",
        "An easy pace, nobody is left behind. Coffee at the gate afterwards.",
        (AIRFIELD,),
        "07:15",
        60,
    ),
    Gathering(
        ("Choir rehearsal: open evening", "Sing a Bach chorale in one evening", "Rounds and canons for everyone"),
        "music",
        "Four voices, no audition. Come and sing along for one evening.",
        (HALL,),
        "19:30",
        120,
        0,
        2,
    ),
    Gathering(
        (
            "Board games for people who lose gracefully",
            "Two-player games: bring a friend or find one",
            "Long game night: one game, five hours",
            "Chess and cake",
        ),
        "games",
        "Short games first, long ones after ten. Rules are explained, snacks are shared.",
        (CAFE, LIBRARY),
        "19:00",
        210,
        24,
        3,
    ),
    Gathering(
        ("Lake walk around the Müggelsee", "Through the town forest to Rahnsdorf", "Along the Spree to Erkner"),
        "outdoors",
        "Eighteen flat kilometres at an easy pace. We meet at the ticket machine and take the train back together.",
        (STATION,),
        "10:00",
        330,
        20,
        6,
    ),
    Gathering(
        (
            "Reading club: short stories in the original",
            "Reading club: Clarice Lispector",
            "Reading club: Julio Cortázar",
            "Poems, read aloud twice",
        ),
        "books",
        "One text an evening, read aloud in turns. Nobody needs to have prepared anything.",
        (LIBRARY, CAFE),
        "18:30",
        120,
        12,
    ),
    Gathering(
        ("Build your first synthesizer", "Solder a radio", "A weather station for your balcony"),
        "technology",
        "A soldering iron, twelve parts, one terrible noise. All material is here.",
        (WORKSHOP,),
        "18:00",
        180,
        10,
    ),
    Gathering(
        (
            "Language café: German and everything else",
            "Turkish for neighbours",
            "Sign language: the first hundred signs",
        ),
        "languages",
        "Tables by language, an hour each way. Beginners sit in the middle.",
        (CAFE, KITCHEN),
        "18:00",
        120,
    ),
    Gathering(
        ("Watercolour for the rest of us", "Portraits in ten minutes", "Linocut: cards of your own"),
        "arts",
        "Paper, brushes and paint are on the table. We look out of the window and try.",
        (STUDIO,),
        "16:00",
        150,
        14,
        6,
    ),
    Gathering(
        (
            "Street party on Weddingstraße",
            "Flea market in the courtyard",
            "Lantern walk with the children of the street",
        ),
        "community",
        "Tables out, cars away. Bring a cake, an instrument or a chair.",
        (SQUARE,),
        "15:00",
        360,
        0,
        5,
    ),
    Gathering(
        ("Slow yoga before work", "Stretching for people who sit", "Breathe: half an hour of quiet"),
        "health",
        "Mats are here. Nobody checks whether you sleep.",
        (GYM, STUDIO),
        "07:30",
        60,
        18,
    ),
    Gathering(
        ("Ask a data engineer anything", "Ask a nurse anything", "Freelance taxes: ask somebody who does them"),
        "technology",
        "An hour of questions on work, pay and burnout. Cameras optional.",
        (),
        "18:00",
        60,
    ),
    Gathering(
        ("Lindy hop: first steps", "Forró for absolute beginners", "Tea dance, with a live band"),
        "dance",
        "No partner, no experience, flat shoes.",
        (GYM, BOATHOUSE),
        "20:00",
        150,
        60,
        1,
    ),
    Gathering(
        ("Seed swap and balcony talk", "Birds of the old airfield", "Trees of our street"),
        "outdoors",
        "Bring questions and warm shoes. Take more home than you brought.",
        (AIRFIELD,),
        "11:00",
        150,
        0,
        5,
    ),
    Gathering(
        ("Museum morning for parents with prams", "Puppet theatre for the very small", "Crawling orchestra"),
        "family",
        "Lifts, snacks, no shushing. We stay as long as the smallest of us likes.",
        (MUSEUM,),
        "10:00",
        90,
        15,
    ),
    Gathering(
        ("The night sky without a telescope", "Moons of Jupiter, through a telescope", "Listening to bats"),
        "science",
        "What can be seen and heard from the middle of a city. Blankets help.",
        (AIRFIELD, BOATHOUSE),
        "21:00",
        90,
        30,
    ),
    Gathering(
        ("Neighbourhood assembly: the new crossing", "Tenants ask a lawyer", "What happens to the old post office?"),
        "politics",
        "The plan, the planners, your questions. Translation into Turkish and Arabic.",
        (HALL, LIBRARY),
        "18:30",
        120,
    ),
    Gathering(
        ("Silent book club", "Letters: an afternoon of writing by hand"),
        "books",
        "An hour of quiet side by side, then anyone who likes stays for tea.",
        (LIBRARY,),
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
