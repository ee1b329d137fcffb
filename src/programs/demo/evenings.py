"""Evening events of the demo town: dinners, stages, screens, games and talks. All of it is invented."""

from typing import Final

from programs.demo import gathering
from programs.demo.gathering import EventTemplate

EVENINGS: Final = (
    EventTemplate(
        "food",
        (gathering.KITCHEN, gathering.CAFE),
        "19:30",
        180,
        ("table",),
        (
            (
                "Supper club: six strangers, one table",
                (
                    "Six people who have never met, one long table, three courses. I cook, you bring a bottle of "
                    "something and a story about the last dish you ruined.\n\nEverything is vegetarian. Tell me about "
                    "allergies."
                ),
            ),
            (
                "Supper club: everything from one pumpkin",
                "Soup, gnocchi, pie: one pumpkin of eleven kilos, and we finish it together.",
            ),
            (
                "Supper club: my grandmother’s dumplings",
                "She never wrote the recipe down. I have watched her hands for thirty years, and we’ll fold two hundred.",
            ),
            (
                "Ramen from scratch",
                "The broth has been on since yesterday. We pull noodles, season eggs and eat loudly.",
            ),
        ),
        (
            (
                "Abendbrot mit Fremden",
                (
                    "Brot, Käse, eingelegtes Gemüse und Leute, die du noch nicht kennst. Bring etwas mit, das du "
                    "selbst eingemacht hast."
                ),
            ),
            (
                "Ein Topf, zwölf Löffel: Eintopfabend",
                "Jeder bringt eine Zutat, gekocht wird zusammen. Bis jetzt ist es immer etwas geworden.",
            ),
        ),
        places=6,
    ),
    EventTemplate(
        "film",
        (gathering.CINEMA,),
        "20:00",
        150,
        ("cinema",),
        (
            (
                "Film night: Tampopo, with noodles",
                "We watch it in the original, with subtitles. Afterwards there are noodles, for obvious reasons.",
            ),
            (
                "Film night: Playtime, on the big screen",
                "Tati in 70 mm is a city you can get lost in. Sit in the front rows.",
            ),
            (
                "Film night: Paris, Texas",
                "Ry Cooder’s guitar, a red cap, a phone through glass. Soup afterwards, and nobody has to talk.",
            ),
            ("Film night: The Gleaners and I", "Varda, a small camera and potatoes in the shape of hearts."),
        ),
        (
            (
                "Kurzfilme aus dem Kiez",
                (
                    "Sieben Filme, keiner länger als zehn Minuten, alle im Umkreis von zwei Kilometern gedreht. Die "
                    "meisten Macher sitzen im Saal."
                ),
            ),
            (
                "Stummfilm mit Klavier: Menschen am Sonntag",
                "Berlin 1930, ein Sommertag am Wannsee. Hana spielt dazu, ohne Noten.",
            ),
        ),
        places=40,
        weekday=4,
    ),
    EventTemplate(
        "music",
        (gathering.HALL,),
        "19:30",
        120,
        ("stage",),
        (
            ("Choir rehearsal: open evening", "Four voices, no audition. Come and sing along for one evening."),
            (
                "Sing a Bach chorale in one evening",
                "Twelve bars, four voices. At half past nine we sing it once from beginning to end.",
            ),
            ("Georgian table songs", "Three voices, no vibrato, much volume. Nino teaches by ear."),
        ),
        (
            ("Kanons für alle", "Vom Himmel auf bis hinunter in den Keller: wir singen, bis es im Treppenhaus hallt."),
            (
                "Singen gegen den November",
                "Eine Stunde Lieder, die jeder kennt, am Klavier begleitet. Tee gibt es auch.",
            ),
        ),
        weekday=2,
    ),
    EventTemplate(
        "music",
        (gathering.BOATHOUSE, gathering.CELLAR),
        "20:30",
        150,
        ("stage",),
        (
            ("Open stage: three songs each", "Sign up at the door. Three songs, no backing tracks, a friendly room."),
            (
                "Blue Monday: jam session",
                "The house trio plays one set, then the stage is yours. Charts for forty standards are on the piano.",
            ),
            ("Listening evening: one record, twice", "Once in the dark, once with talk. This month it’s “Pink Moon”."),
            ("Modular synthesizers, live and unplanned", "Four cases, no presets. Ear plugs at the bar."),
        ),
        (
            (
                "Wohnzimmerkonzert: Cello und Schleifen",
                "Fatou spielt Cello gegen sich selbst, vierfach. Kissen sind da, Stühle nur für Rücken.",
            ),
            ("Brass im Bootshaus", "Elf Bläser, ein Steg, kein Strom. Wer ein Horn hat, bringt es mit."),
        ),
        places=45,
    ),
    EventTemplate(
        "games",
        (gathering.CAFE, gathering.LIBRARY),
        "19:00",
        210,
        ("board",),
        (
            (
                "Board games for people who lose gracefully",
                "Short games first, long ones after ten. Rules are explained, snacks are shared.",
            ),
            ("Two-player games: bring a friend or find one", "Hive, Lost Cities, Patchwork. We draw lots every hour."),
            (
                "Long game night: one game, five hours",
                "Six players, one map, a timer for negotiations. Bring a sandwich.",
            ),
            (
                "Go for beginners",
                "Nine lines by nine, and you know all the rules after a minute. The rest takes a life.",
            ),
        ),
        (
            (
                "Schach und Kuchen",
                "Zehn Bretter, zwei Uhren, drei Kuchen. Anfänger spielen gegen Leute, die reden dürfen.",
            ),
            (
                "Rollenspiel: ein Abend, eine Geschichte",
                "Du brauchst weder Regeln noch Würfel. Wir spielen eine Bahnfahrt, die nicht ankommt.",
            ),
        ),
        places=24,
    ),
    EventTemplate(
        "languages",
        (gathering.CAFE, gathering.KITCHEN),
        "18:00",
        120,
        ("cups",),
        (
            (
                "Language café: German and everything else",
                "Tables by language, an hour each way. Beginners sit in the middle.",
            ),
            ("Turkish for neighbours", "What you say at the baker’s, on the stairs and when the baby is born."),
            ("Stammtisch français", "On parle, on se trompe, on recommence. Mit Wein."),
        ),
        (
            (
                "Gebärdensprache: die ersten hundert Zeichen",
                "Vera ist gehörlos und unterrichtet. Wir reden an diesem Abend kein Wort.",
            ),
            ("Deutsch für Briefe vom Amt", "Bring den Brief mit. Wir lesen ihn zusammen und schreiben die Antwort."),
        ),
        places=30,
    ),
    EventTemplate(
        "books",
        (gathering.LIBRARY, gathering.CAFE),
        "18:30",
        120,
        ("shelves",),
        (
            (
                "Reading club: short stories in the original",
                "One text an evening, read aloud in turns. Nobody needs to have prepared anything.",
            ),
            ("Reading club: Clarice Lispector", "“The Smallest Woman in the World”, eleven pages. Copies are there."),
            ("Poems, read aloud twice", "Bring one that is not yours. The second time we listen for the line breaks."),
            ("Translators at work", "Three translations of one page, and the people who made them."),
        ),
        (
            (
                "Lesekreis: Irmgard Keun",
                "„Das kunstseidene Mädchen“, die ersten fünfzig Seiten. Wer mehr gelesen hat, verrät nichts.",
            ),
            ("Krimiabend im Lesesaal", "Zwei Autorinnen, ein Mord, und jede hat eine andere Lösung."),
        ),
        places=20,
    ),
    EventTemplate(
        "technology",
        (gathering.WORKSHOP,),
        "18:00",
        180,
        ("desk",),
        (
            (
                "Build your first synthesizer",
                "A soldering iron, twelve parts, one terrible noise. All material is here.",
            ),
            ("Solder a radio", "Medium wave, one transistor. At night you’ll hear Spain."),
            (
                "Lightning talks: five minutes, no slides",
                "Twelve people, twelve things they learned. The clock is a kitchen timer.",
            ),
            (
                "Write your first program with a neighbour",
                "Two chairs, one keyboard, a small game by the end of the evening.",
            ),
        ),
        (
            (
                "Wetterstation für den Balkon",
                "Ein Sensor, ein Funkmodul, eine Karte. Am Ende sind wir zwanzig Messpunkte mehr.",
            ),
            (
                "Linux für Laptops, die sonst weggeworfen werden",
                "Bring ein altes Gerät und ein Backup. Um neun läuft es wieder.",
            ),
        ),
        places=12,
    ),
    EventTemplate(
        "dance",
        (gathering.GYM, gathering.BOATHOUSE),
        "20:00",
        150,
        ("stage",),
        (
            ("Lindy hop: first steps", "No partner, no experience, flat shoes."),
            ("Tango for two left feet", "An hour of walking, then an hour of walking together."),
            ("Forró at the boathouse", "A class at eight, a band at nine, the last boat at half past eleven."),
        ),
        (
            ("Bal folk mit Live-Musik", "Drehleier, Geige, Akkordeon. Die Tänze werden angesagt."),
            ("Offene Tanzfläche, ohne Alkohol", "Ab acht laut, um halb elf Schluss. Das Licht bleibt gedimmt."),
        ),
        places=60,
    ),
    EventTemplate(
        "politics",
        (gathering.HALL, gathering.LIBRARY),
        "18:30",
        120,
        ("street",),
        (
            (
                "Neighbourhood assembly: the new crossing",
                "The plan, the planners, your questions. Translation into Turkish and Arabic.",
            ),
            ("What happens to the old post office?", "Four ideas, ten minutes each, then we vote with beans."),
        ),
        (
            (
                "Mieterberatung: Nebenkosten verstehen",
                "Eine Anwältin, ein Beamer, eure Abrechnungen. Persönliches bleibt persönlich.",
            ),
            (
                "Nachbarschaftsversammlung zur Straßenraumumgestaltung",
                "Weniger Autos, mehr Bänke? Die Entwürfe hängen ab 18 Uhr.",
            ),
        ),
    ),
    EventTemplate(
        "science",
        (gathering.AIRFIELD, gathering.BOATHOUSE),
        "21:00",
        90,
        ("stars",),
        (
            ("The night sky without a telescope", "Five constellations you’ll find again without us. Bring a blanket."),
            ("Moons of Jupiter, through a telescope", "Galileo saw four. So will you, if the clouds let us."),
            (
                "Ask an astronomer anything",
                "Dao worked at the observatory in Chile. No question is too small for the universe.",
            ),
        ),
        (
            ("Fledermäuse hören", "Mit Detektoren am Ufer entlang. Kinder dürfen wach bleiben."),
            ("Sternschnuppen zählen", "Liegestühle, Decken, Thermoskannen. Wir zählen laut."),
        ),
        places=30,
    ),
    EventTemplate(
        "technology",
        (),
        "19:00",
        60,
        ("desk", "cups"),
        (
            ("Ask a data engineer anything", "An hour of questions on work, pay and burnout. Cameras optional."),
            ("Ask a nurse anything", "Shifts, pay, what you should do before you go to the emergency room."),
            ("Remote, and not lonely", "Six people who work from home say what helps. Then breakout rooms of three."),
        ),
        (("Steuern für Selbstständige", "Jemand, der es beruflich macht, beantwortet eine Stunde lang alles."),),
    ),
    EventTemplate(
        "arts",
        (gathering.CELLAR, gathering.CINEMA),
        "20:00",
        120,
        ("stage",),
        (
            ("Improv theatre: say yes", "Six people, no script, your suggestions. The front row is safe."),
            ("Stand-up in a second language", "Eight comedians, none of them born here. English, mostly."),
            (
                "Story night: the wrong train",
                "True stories, told without notes. Names in the hat from half past seven.",
            ),
            ("Pub quiz, without sports questions", "Teams of five, found at the door. The prize is a cheese."),
        ),
        (
            ("Poetry Slam im Keller", "Sechs Minuten pro Text, keine Requisiten, das Publikum entscheidet."),
            ("Hörspiel im Dunkeln", "Vierzig Minuten, vier Lautsprecher, Augen zu."),
        ),
        places=50,
    ),
    EventTemplate(
        "crafts",
        (gathering.CAFE, gathering.LIBRARY),
        "18:30",
        150,
        ("cups",),
        (
            ("Knitting and complaining", "Any yarn, any mood. Ulrike picks up dropped stitches."),
            ("Darn your socks in good company", "Wooden mushrooms for twelve. Bring the holes."),
            ("Calligraphy with a broad pen", "One alphabet, slowly, and your name at the end."),
        ),
        (
            ("Häkeln für Anfänger", "Luftmasche, feste Masche, Topflappen. Nadeln gibt es zum Leihen."),
            (
                "Quilten: ein Quadrat pro Abend",
                "Nach neun Abenden hast du eine Decke, oder einen Grund weiterzukommen.",
            ),
        ),
        places=14,
    ),
    EventTemplate(
        "learning",
        (gathering.LIBRARY, gathering.HALL),
        "19:00",
        105,
        ("shelves", "desk", "cups"),
        (
            (
                "The city under the city: tunnels and pipes",
                "A retired engineer, two hundred slides, one key that still fits.",
            ),
            ("How bridges stay up", "Spaghetti, glue, a bucket of sand. The best one holds forty kilos."),
            ("What your phone knows about you", "We look together, and switch off what nobody needs."),
            ("Podcast in one evening", "Two microphones, one topic, cut and published before the bar closes."),
        ),
        (
            ("Wie liest man eine Stadtkarte von 1910?", "Wir suchen unsere Straßen und finden Brauereien."),
            ("Wikipedia schreiben: Frauen unseres Bezirks", "Zwölf Biografien fehlen noch. Quellen liegen bereit."),
        ),
        places=26,
    ),
)
