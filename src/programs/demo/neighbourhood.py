"""What neighbours of the demo town organise in German: concerts, tours, markets, meals, courses. All of it is invented."""

from typing import Final

from programs.demo import gathering
from programs.demo.gathering import EventTemplate

NEIGHBOURHOOD: Final = (
    EventTemplate(
        "music",
        (gathering.HALL, gathering.CELLAR),
        "19:00",
        120,
        ("stage",),
        (),
        (
            ("Konzert: Streichquartett aus der Nachbarschaft", "Haydn, eine Pause mit Suppe, dann Schostakowitsch."),
            (
                "Familienkonzert: der Kontrabass stellt sich vor",
                "Er ist groß, er brummt, und jedes Kind darf einmal zupfen.",
            ),
            ("Chorkonzert: Lieder vom Wasser", "Vierzig Stimmen, kein Strom. Bei den Refrains singt der Saal mit."),
            ("Kammerkonzert: Schubert zu vier Händen", "Zwei Leute, ein Klavier, kein Platz für die Ellbogen."),
            ("Orgelkonzert bei Kerzenlicht", "Dreißig Minuten Bach, danach Stille und Tee."),
            ("Trommeln für Anfänger", "Zwölf Djemben, ein Rhythmus, und die Nachbarn wissen Bescheid."),
        ),
        places=60,
    ),
    EventTemplate(
        "sports",
        (gathering.SQUARE, gathering.AIRFIELD),
        "10:00",
        240,
        ("hills", "runners"),
        (),
        (
            (
                "Fahrradtour durch die Dörfer",
                "Fünfzig flache Kilometer, zwei Pausen, ein Kuchen. Wir fahren so schnell wie der Langsamste.",
            ),
            ("Radtour an der alten Grenze", "Auf dem Mauerweg nach Süden, mit vier Geschichten an vier Stellen."),
            (
                "Stadtradeln: einmal um die Innenstadt",
                "Wir bleiben zusammen, auch an den Ampeln. Licht und Klingel sind Pflicht.",
            ),
            (
                "Fahrradkurs für Erwachsene",
                "Wer es als Kind nicht gelernt hat, lernt es hier. Räder und Geduld sind da.",
            ),
        ),
        weekday=6,
    ),
    EventTemplate(
        "sports",
        (gathering.AIRFIELD, gathering.GARDEN),
        "18:30",
        75,
        ("runners",),
        (),
        (
            ("Lauftreff für alle", "Drei Gruppen, drei Geschwindigkeiten. Umziehen könnt ihr euch im Bauwagen."),
            ("Staffellauf der Straßen", "Jede Straße stellt vier Leute. Der Pokal ist ein Gartenzwerg."),
            ("Nordic Walking mit Aussicht", "Stöcke zum Leihen, zwei Hügel, danach Tee."),
        ),
    ),
    EventTemplate(
        "community",
        (gathering.HALL, gathering.CAFE),
        "15:00",
        120,
        ("cups",),
        (),
        (
            (
                "Kaffee und Kuchen für alle über siebzig",
                "Und für alle, die gern zuhören. Abholung mit der Rikscha auf Anruf.",
            ),
            (
                "Kuchenbuffet für Neue im Kiez",
                "Wer dieses Jahr hergezogen ist, sitzt neben jemandem, der schon immer hier wohnt.",
            ),
            ("Kaffeeklatsch mit Büchertausch", "Drei Bücher bringen, drei mitnehmen. Über das vierte wird geredet."),
            ("Spaziergang mit Hund und ohne", "Eine Stunde am Kanal. Leinen kann man tauschen."),
        ),
    ),
    EventTemplate(
        "community",
        (gathering.SQUARE, gathering.HALL),
        "11:00",
        300,
        ("street",),
        (),
        (
            (
                "Straßenfest mit langer Tafel",
                "Sechzig Meter Tisch, jedes Haus deckt ein Stück. Ab vier spielt die Blaskapelle.",
            ),
            ("Flohmarkt für Kindersachen", "Größe 50 bis 140, Bücher, Roller. Der Erlös vom Kuchen geht an die Kita."),
            ("Bücherflohmarkt", "Ein Meter Bücher für fünf Euro. Vorgelesen wird umsonst."),
            ("Fahrradmarkt: gebraucht und geprüft", "Jedes Rad wird einmal angesehen, bevor es den Hof verlässt."),
        ),
        weekday=6,
    ),
    EventTemplate(
        "food",
        (gathering.KITCHEN,),
        "18:30",
        180,
        ("table",),
        (),
        (
            (
                "Kochabend: wir kochen, was da ist",
                "Der Großmarkt schenkt uns Kisten. Um sechs wissen wir, was es gibt.",
            ),
            (
                "Kochkurs: Maultaschen wie bei Oma",
                "Ulrike zeigt, wie man faltet. Vierzig Stück gehen auf jeden Teller.",
            ),
            ("Brot backen mit Sauerteig", "Der Teig heißt Hermann und ist elf Jahre alt. Jeder nimmt ein Glas mit."),
            ("Weinprobe: sechs Gläser Silvaner", "Bruno kennt die Winzer beim Vornamen. Wasser und Brot sind dabei."),
            ("Marmelade einkochen", "Zwölf Kilo Pflaumen, dreißig Gläser. Gläser mit Deckel bitte mitbringen."),
            ("Käsefondue am großen Tisch", "Wer sein Brot verliert, erzählt etwas."),
        ),
        places=12,
    ),
    EventTemplate(
        "games",
        (gathering.CAFE, gathering.LIBRARY),
        "19:00",
        180,
        ("board",),
        (),
        (
            ("Spieleabend für Neugierige", "Vier Tische, vier Spiele, nach einer Stunde wird gewechselt."),
            ("Skatturnier um den goldenen Buben", "Drei Runden, kein Startgeld. Der Preis ist eine Salami."),
            ("Doppelkopf lernen", "Re, Kontra und warum die Füchse weinen. Danach spielt ihr mit."),
            (
                "Tischkicker: das große Kneipenturnier",
                "Zweierteams, auch am Abend gelost. Wer drehen will, dreht zu Hause.",
            ),
        ),
        places=24,
    ),
    EventTemplate(
        "outdoors",
        (gathering.STATION,),
        "09:30",
        360,
        ("hills", "lake"),
        (),
        (
            ("Wanderung von See zu See", "Neunzehn Kilometer, drei Badestellen, eine Fischbude."),
            ("Vogelstimmen am See", "Um halb zehn singen noch fünf Arten. Mehr behält ohnehin keiner."),
            ("Kräuterwanderung am Stadtrand", "Giersch, Knoblauchsrauke, Vogelmiere. Am Ende gibt es Pesto."),
            ("Familienwanderung mit Schatzsuche", "Sechs Kilometer, für Beine ab vier Jahren. Der Schatz ist essbar."),
        ),
        places=25,
        weekday=6,
    ),
    EventTemplate(
        "family",
        (gathering.GARDEN,),
        "15:30",
        90,
        ("garden",),
        (),
        (
            ("Märchenstunde: Frau Holle", "Diesmal aus der Sicht der Bettdecke. Für Kinder ab fünf."),
            ("Drachen bauen und steigen lassen", "Papier, Leisten, Schnur. Der Wind ist bestellt."),
            ("Kinderyoga: Hund, Katze, Baum", "Für Kinder von vier bis acht. Eltern trinken nebenan Kaffee."),
            ("Spielplatzfest", "Eierlauf, Sackhüpfen, Wasserbahn. Wechselsachen nicht vergessen."),
        ),
        places=20,
    ),
    EventTemplate(
        "crafts",
        (gathering.WORKSHOP, gathering.STUDIO),
        "17:00",
        180,
        ("workshop", "easel"),
        (),
        (
            ("Nähkurs: die erste Tasche", "Vier Maschinen, ein Schnitt, keine Vorkenntnisse."),
            ("Möbel bauen aus Paletten", "Säge, Schleifer, Schrauben sind da. Splitter ziehen wir auch."),
            ("Fahrradwerkstatt: Bremsen und Schaltung", "Oskar erklärt, ihr schraubt. Bringt das Rad geputzt mit."),
            ("Siebdruck: dein Plakat in drei Farben", "Ein Motiv, drei Siebe, zwanzig Blatt. Alte Hemden anziehen."),
        ),
        places=10,
    ),
    EventTemplate(
        "learning",
        (gathering.LIBRARY, gathering.MUSEUM),
        "18:00",
        90,
        ("shelves",),
        (),
        (
            ("Vortrag: warum die Straße so heißt", "Zwölf Schilder, zwölf Leben, zwei davon besser als ihr Ruf."),
            (
                "Stadtführung: Hinterhöfe und Brunnen",
                "Zwei Kilometer, neun Höfe. Wir dürfen überall hinein, wenn wir leise sind.",
            ),
            (
                "Ausstellung: Fotos aus vierzig Küchen",
                "Die Fotografin führt herum. Danach stellt jemand Töpfe auf den Herd.",
            ),
            ("Lesung: Briefe aus dem Seitenflügel", "Gefunden beim Renovieren, gelesen von den Enkeln."),
        ),
        places=30,
    ),
)
