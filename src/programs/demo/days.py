"""Daytime events of the demo town: workshops, walks, sports, gardens and children. All of it is invented."""

from typing import Final

from programs.demo import gathering
from programs.demo.gathering import EventTemplate

DAYS: Final = (
    EventTemplate(
        "crafts",
        (gathering.WORKSHOP, gathering.HALL),
        "14:00",
        240,
        ("workshop",),
        (
            ("Repair café", "Bring what is broken: toasters, trousers, bicycles. We have tools, tea and patience."),
            ("Repair café: bicycles", "Two stands, all spare parts that fit a bike from 1985, and Oskar."),
            ("Mend your jeans", "Sashiko, patches, a good thread. You’ll sit longer than you planned."),
            ("Build a stool from one board", "One plank, six cuts, no screws. You take it home."),
        ),
        (
            (
                "Lampen, Toaster, Radios: Elektrosprechstunde",
                "Wir schrauben auf, du hältst die Lampe. Sieben von zehn gehen wieder.",
            ),
            (
                "Messer schärfen wie in Solingen",
                "Drei Steine, ein Winkel, viel Geduld. Höchstens zwei Messer pro Person.",
            ),
        ),
        weekday=5,
    ),
    EventTemplate(
        "crafts",
        (gathering.STUDIO, gathering.WORKSHOP),
        "15:00",
        180,
        ("easel", "workshop"),
        (
            ("Linocut: cards of your own", "Twelve lines are enough for a bird. Ink, rollers and a press are there."),
            ("Bind a notebook", "Coptic stitch, eighty pages, a cover from an old map."),
            ("Natural dyes: onion, walnut, rust", "White wool goes in, and nobody knows exactly what comes out."),
        ),
        (
            ("Keramik: eine Tasse in drei Stunden", "Daumenschale, Henkel, fertig. Gebrannt wird nächste Woche."),
            ("Körbe flechten aus Weide", "Die Ruten sind seit gestern im Wasser. Bring eine alte Hose an."),
        ),
        places=10,
    ),
    EventTemplate(
        "sports",
        (gathering.AIRFIELD,),
        "07:15",
        60,
        ("runners",),
        (
            ("Sunrise run on the old airfield", "An easy pace, nobody is left behind. Coffee at the gate afterwards."),
            ("Ten slow kilometres", "So slow that we can talk. Who talks too much leads."),
            ("Intervals on the old runway", "Six times eight hundred metres, with a tailwind at least three times."),
        ),
        (
            ("Die ersten fünf Kilometer", "Laufen, gehen, laufen. Nach acht Wochen am Stück."),
            ("Lauf mit Kinderwagen", "Breite Wege, eine Pause am Spielplatz, Windeln zum Tauschen."),
        ),
    ),
    EventTemplate(
        "outdoors",
        (gathering.STATION,),
        "10:00",
        330,
        ("lake", "hills"),
        (
            (
                "Lake walk around the Müggelsee",
                (
                    "Eighteen flat kilometres at an easy pace. We meet at the ticket machine and take the train back "
                    "together."
                ),
            ),
            ("Along the Spree to Erkner", "Water on the left all day. Swimming for the brave."),
            ("Winter swim, for two minutes", "In together, out together. Sauna tent and ginger tea."),
            ("Sketching walk: draw what you’d photograph", "Five stops, ten minutes each. Any pen will do."),
        ),
        (
            (
                "Durch den Stadtforst nach Rahnsdorf",
                "Vierzehn Kilometer Sand und Kiefern, am Ende die Fähre und eine Suppe.",
            ),
            (
                "Pilze, die man stehen lässt",
                "Drei Stunden im Wald mit Jana, die zwanzig Jahre Beratung macht. Gegessen wird nichts.",
            ),
        ),
        places=20,
        weekday=6,
    ),
    EventTemplate(
        "outdoors",
        (gathering.BOATHOUSE,),
        "13:00",
        180,
        ("boats",),
        (
            (
                "Paddle to the power station and back",
                "Nine kilometres in canoes for three. Life jackets are in the shed.",
            ),
            ("Clean the river by canoe", "Gloves, grabbers, a scale. The record is a safe."),
            ("Sunset on the water", "A slow tour past the bridges, with lanterns on the way back."),
        ),
        (
            ("Rudern für Neugierige", "Vierer mit Steuerfrau. Ihr werdet nass, aber nicht sehr."),
            ("Segeln: Knoten und Kommandos", "Trocken geübt auf dem Steg, dann zu zweit in die Jolle."),
        ),
        places=18,
    ),
    EventTemplate(
        "arts",
        (gathering.STUDIO,),
        "16:00",
        150,
        ("easel",),
        (
            (
                "Watercolour for the rest of us",
                "Paper, brushes and paint are on the table. We look out of the window and try.",
            ),
            ("Portraits in ten minutes", "You sit, you draw, you sit. Nobody keeps a drawing of themselves."),
            ("Collage from one newspaper", "Scissors, glue, last Saturday’s edition. By six it says something else."),
            ("Offenes Atelier: komm gucken", "Sechs Leute zeigen, woran sie gerade scheitern."),
        ),
        (("Aktzeichnen am Sonntag", "Kurze Posen zuerst, am Ende eine lange. Ein Modell, elf Hocker."),),
        places=14,
        weekday=6,
    ),
    EventTemplate(
        "community",
        (gathering.SQUARE,),
        "15:00",
        360,
        ("street",),
        (
            ("Street party on Weddingstraße", "Tables out, cars away. Bring a cake, an instrument or a chair."),
            (
                "Lantern walk with the children of the street",
                "We start at the fountain when it gets dark. Songs on a sheet.",
            ),
            ("Soup for the street", "Four pots, eighty bowls, two folding tables. Everyone who is cold is welcome."),
        ),
        (
            ("Hofflohmarkt", "Vierzig Höfe, eine Karte. Aufbau ab zwei, gehandelt wird bis zum Schluss."),
            ("Kleidertausch für alle Größen", "Bring höchstens zehn Teile, nimm, was dir steht. Ein Spiegel ist da."),
            ("Nachbarn stellen sich vor", "Zwölf Leute, je drei Minuten: was ich kann, und was ich brauche."),
        ),
        weekday=5,
    ),
    EventTemplate(
        "health",
        (gathering.GYM, gathering.STUDIO),
        "07:30",
        60,
        ("studio",),
        (
            ("Slow yoga before work", "Mats are here. Nobody checks whether you sleep."),
            ("Stretching for people who sit", "Hips, neck, wrists: forty minutes, and you stand up taller."),
            ("Tai chi in the hall", "The long form, from the left, again. Beginners stand in the middle."),
        ),
        (
            ("Eine halbe Stunde Stille", "Sitzen, atmen, Glocke. Danach sagt keiner etwas, und das ist schön."),
            ("Pilates am Morgen", "Kleine Bewegungen, lange gehalten. Bring ein Handtuch mit."),
        ),
        places=18,
    ),
    EventTemplate(
        "outdoors",
        (gathering.GARDEN,),
        "11:00",
        150,
        ("garden",),
        (
            ("Seed swap and balcony talk", "Bring what you saved, take what you can plant. Envelopes are there."),
            ("Trees of our street", "Eleven species in four hundred metres, and one that should not be there."),
            ("Birds of the old airfield", "Larks, kestrels, a harrier if we’re lucky. Binoculars to lend."),
            ("Plant garlic now, eat it in July", "Four beds, two hundred cloves, one spell against snails."),
        ),
        (
            ("Beete winterfest machen", "Laub, Mulch, ein Feuer in der Tonne. Stiefel an."),
            ("Kompost für Ungeduldige", "Was hinein darf, was stinkt, und warum Würmer keine Zwiebeln mögen."),
        ),
        weekday=5,
    ),
    EventTemplate(
        "family",
        (gathering.MUSEUM, gathering.LIBRARY),
        "10:00",
        90,
        ("shelves", "cups"),
        (
            (
                "Museum morning for parents with prams",
                "Lifts, snacks, no shushing. We stay as long as the smallest of us likes.",
            ),
            ("Crawling orchestra", "Pots, bells, one violin. For ears under two years."),
            ("Fathers’ breakfast", "Coffee, crumbs, forty toy cars. Mothers sleep."),
        ),
        (
            (
                "Puppentheater für die ganz Kleinen",
                "Ein Bär, ein Koffer, zwanzig Minuten. Danach darf man den Bären anfassen.",
            ),
            ("Vorlesen auf Arabisch und Deutsch", "Abwechselnd, Seite um Seite. Karim macht die Stimmen."),
        ),
        places=15,
    ),
    EventTemplate(
        "sports",
        (gathering.GYM,),
        "17:30",
        90,
        ("runners", "studio"),
        (
            ("Table tennis, round the table", "Two tables, everybody runs. Rackets are there."),
            ("Climbing for people afraid of heights", "Two metres are enough for today. Mats are thick."),
        ),
        (
            ("Frauenfußball für Anfängerinnen", "Kein Training, kein Trainer, nur spielen. Halle, also helle Sohlen."),
            ("Badminton am Feierabend", "Vier Felder, Schläger zum Leihen, gemischte Doppel."),
        ),
        places=16,
    ),
    EventTemplate(
        "learning",
        (gathering.LIBRARY, gathering.HALL),
        "17:00",
        120,
        ("cups", "shelves"),
        (
            ("Silent book club", "An hour of quiet side by side, then anyone who likes stays for tea."),
            ("Letters: an afternoon of writing by hand", "Paper, stamps, addresses you had forgotten."),
            ("How to read a contract", "Bring one. We find the sentence that matters."),
        ),
        (
            ("Erste Hilfe für Kinder und Säuglinge", "Zwei Puppen, eine Kinderärztin, alle Fragen."),
            ("Excel ohne Angst", "Drei Funktionen, mehr braucht fast niemand. Laptop mitbringen."),
        ),
        places=20,
        weekday=6,
    ),
    EventTemplate(
        "business",
        (gathering.CAFE, gathering.WORKSHOP),
        "08:30",
        75,
        ("cups", "desk"),
        (
            ("Breakfast for people who work for themselves", "One question each, answered by the table. No pitches."),
            ("Price your work", "Say your number out loud, ten times. It gets easier at six."),
            ("Job search, together", "Applications are read by strangers who are kind and honest."),
        ),
        (("Gründen ohne Investor", "Drei Läden aus dem Kiez zeigen ihre Zahlen."),),
        places=16,
    ),
    EventTemplate(
        "faith",
        (gathering.HALL,),
        "18:00",
        90,
        ("stage", "cups"),
        (
            ("Taizé singing by candlelight", "Short songs, long silence. No creed needed."),
            ("Organ, heard from the inside", "We climb up behind the pipes. Ear plugs and flat shoes."),
        ),
        (("Interreligiöses Gespräch: Fasten", "Eine Imamin, ein Rabbi, eine Pfarrerin, eine Linsensuppe."),),
    ),
)
