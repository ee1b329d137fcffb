"""Chat conversations of the demo town, as pairs of speaker and text. Speaker 0 is the host, the others are guests."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from groundwork.clock import DAY, HOUR, MINUTE, SECOND, Instant
from groundwork.database.transaction import Database, Transaction
from openmeet.domain.chat import messages, rooms
from openmeet.domain.chat.model import NewMessage, RoomKind, RoomSubject
from openmeet.domain.users.model import Caller
from programs.demo.earlier import EarlierTransaction
from programs.demo.town import ZONE

# People write within this many days before today, in these hours. The last message is still of the same day.
_DAYS: Final = 6
_FIRST_HOUR: Final = 9
_LAST_HOUR: Final = 19
_LONGEST_PAUSE: Final = 35 * MINUTE

Conversation = tuple[tuple[int, str], ...]

CONVERSATIONS: Final[dict[str, tuple[Conversation, ...]]] = {
    "en": (
        (
            (0, "Hello everybody! Ask me anything here."),
            (1, "Is there a place to lock up a bicycle?"),
            (0, "Yes, in the second courtyard, behind the blue door."),
            (1, "Great, see you there."),
            (2, "Is there a step at the door? I come with a pram."),
            (0, "One, and I’ll carry it with you."),
            (2, "Thank you! That’s the reason I usually stay at home."),
        ),
        (
            (0, "I’ll be at the door a quarter of an hour early."),
            (1, "Can I bring my sister along? She’s visiting from Porto."),
            (0, "If she answers here as well, gladly."),
            (1, "She just did!"),
            (2, "Then we’re two from Portugal. Bem-vinda!"),
        ),
        (
            (1, "What should we bring?"),
            (0, "Something to drink, and good shoes."),
            (2, "I can take two people in my car from Südkreuz."),
            (1, "I’d love to, thank you!"),
            (3, "Me too, if there is still room."),
            (2, "There is. 18:20 at the taxi rank, grey Skoda, a dent on the left."),
        ),
        (
            (1, "How long will it take?"),
            (0, "About three hours, with a break."),
            (1, "Perfect."),
            (2, "Can I come later? I work until seven."),
            (0, "Of course. Ring twice, I’ll hear it."),
        ),
        (
            (0, "Kleine Änderung: der Eingang ist heute hinten, über den Hof. Vorne wird gestrichen."),
            (1, "Danke für die Info! Ist der Aufzug frei?"),
            (0, "Ja, der Schlüssel hängt daran."),
            (2, "I don’t read German so well: back entrance, elevator works?"),
            (1, "Exactly. Through the yard, second door on the right."),
            (2, "You’re kind, thanks."),
        ),
        (
            (1, "Thanks for last time, it was lovely. I still have somebody’s green scarf."),
            (2, "That’s mine! I had given it up."),
            (1, "I’ll bring it on Thursday."),
            (
                0,
                (
                    "The lost property box also has: one glove, a bike light, and a book with a train ticket to "
                    "Leipzig in it."
                ),
            ),
            (3, "The ticket is my bookmark. I’m coming for it."),
        ),
        (
            (0, "Weather: dry, seven degrees, wind from the east. We go."),
            (1, "Gloves?"),
            (0, "Gloves."),
            (2, "I have a spare pair in size M."),
            (1, "You’re my hero, I only have mittens."),
            (3, "Bin ich zu langsam, wenn ich für zehn Kilometer anderthalb Stunden brauche?"),
            (0, "Nein. Wir sind heute zu dritt in dem Tempo, das passt."),
        ),
        (
            (1, "Is it vegan, or vegetarian?"),
            (0, "Vegetarian, and everything vegan has a green flag."),
            (2, "I’m allergic to hazelnuts, sorry to be complicated."),
            (0, "Not complicated at all. I’ve crossed them off the list, there will be none in the room."),
            (2, "Thank you so much."),
            (3, "Soll ich Brot mitbringen? Ich backe morgen sowieso."),
            (0, "Ja bitte! Zwei Laibe, wenn der Ofen mitmacht."),
        ),
        (
            (1, "Who plays what? I’d bring the clarinet."),
            (2, "Upright bass, if somebody helps me on the stairs."),
            (3, "I can help carry. I also sing, but only from the second beer on."),
            (0, "The piano was tuned on Monday, it has never been this good."),
            (1, "All of Me in C, to warm up?"),
            (2, "In C, and not too fast please."),
        ),
        (
            (1, "I’m on the waitlist, is there any hope?"),
            (0, "Two people usually cancel on the day. Keep the evening free until six."),
            (1, "I’m in! Just got the mail."),
            (0, "Told you. See you at half past seven."),
            (2, "Sorry, that was me, my child has a fever. Next time!"),
            (0, "Get well soon, little one."),
        ),
        (
            (1, "Can my daughter come? She’s eleven and very serious about this."),
            (0, "Serious elevens are the best. I’ll keep a chair at the front."),
            (1, "She says thank you, and asks whether there’s a certificate."),
            (0, "There will be one now."),
            (2, "I want one, too."),
            (3, "Me too, to be honest."),
        ),
        (
            (1, "Train is cancelled, I’ll be twenty minutes late. Start without me!"),
            (0, "We’ll keep your place. U8 still runs."),
            (2, "I’m stuck in the same one. Are you the one with the huge plant?"),
            (1, "It’s a monstera and it’s sensitive."),
            (2, "I’m waving."),
            (0, "I love this town."),
        ),
        (
            (1, "Is the room heated?"),
            (0, "It is, since Tuesday. Bring socks anyway."),
            (1, "Wool ones. Done."),
        ),
    ),
    "de": (
        (
            (1, "Moin! Ist das auch was, wenn man noch nie dabei war?"),
            (0, "Gerade dann. Die Hälfte ist jedes Mal neu."),
            (2, "Ich war letzten Monat zum ersten Mal da und bin sofort ins Gespräch gekommen."),
            (1, "Okay, überredet. Ich bringe Kuchen mit."),
            (3, "Was für einen? Nur für die Planung …"),
            (1, "Zwetschge."),
            (0, "Damit ist der Abend gerettet."),
        ),
        (
            (0, "Ich habe die Seiten eingescannt, sie liegen am Tresen aus, zwölf Exemplare."),
            (1, "Wie weit sollten wir sein?"),
            (0, "Bis zum Ende des zweiten Kapitels. Wer weiter ist, hält dicht."),
            (2, "Ich bin durch und sage nur: der Bruder."),
            (1, "JULIA."),
            (2, "Ich habe nichts gesagt."),
        ),
        (
            (0, "Schön, dass du kommst! Der Türcode ist 0417."),
            (1, "Danke! Bin um zehn vor da und helfe mit den Stühlen."),
            (0, "Du bist großartig."),
        ),
        (
            (1, "Ich komme das erste Mal. Woran erkenne ich euch?"),
            (0, "An der roten Thermoskanne. Und daran, dass alle gleichzeitig reden."),
            (2, "Ich trage eine gelbe Mütze, sprich mich ruhig an."),
            (1, "Gelbe Mütze, rote Kanne, merke ich mir."),
        ),
        (
            (1, "Gibt es einen Aufzug? Ich bin mit dem Rollstuhl da."),
            (0, "Ja, im Hof rechts. Die Toilette ist auch umgebaut."),
            (1, "Prima, dann bin ich dabei."),
            (2, "Ich halte dir die schwere Tür auf, die fällt immer zu."),
        ),
        (
            (0, "Es sind noch zwei Plätze frei. Wer kennt jemanden?"),
            (1, "Meine Kollegin! Sie meldet sich gleich an."),
            (2, "Und mein Bruder, wenn er bis dahin wieder gesund ist."),
            (0, "Gute Besserung! Sagt bitte bis morgen Bescheid."),
        ),
        (
            (1, "Was soll ich mitbringen?"),
            (0, "Nur gute Laune und Hausschuhe."),
            (2, "Ich habe noch Apfelkuchen, ein ganzes Blech."),
            (3, "Dann bringe ich Sahne."),
            (0, "So mag ich das."),
        ),
        (
            (0, "Die Ringbahn fährt am Wochenende nicht. Nehmt die Tram, sie hält vor der Tür."),
            (1, "Danke! Ich komme mit dem Rad, kann man es irgendwo anschließen?"),
            (0, "Im Hof, gleich neben den Tonnen."),
            (2, "Wer fährt danach Richtung Neukölln? Zu zweit ist es schöner."),
            (1, "Ich! Bis zum Hermannplatz."),
        ),
        (
            (1, "Darf mein Hund mit? Er schläft nur und seufzt."),
            (0, "Seufzen ist erlaubt. Bring ihm eine Decke mit."),
            (2, "Wie heißt er?"),
            (1, "Herr Schmidt."),
        ),
        (
            (1, "Ich schaffe es erst um halb acht, fangt ruhig an."),
            (0, "Kein Problem, die Tür ist nicht abgeschlossen."),
            (2, "Mir geht es genauso, ich warte unten auf dich."),
        ),
        (
            (0, "Danke an alle, die letztes Mal aufgeräumt haben. Es war in zehn Minuten fertig."),
            (1, "Eine Schüssel mit blauem Rand ist bei mir gelandet. Wem gehört sie?"),
            (2, "Meiner Oma. Ich hole sie am Sonntag, und du bekommst dafür Kuchen."),
            (1, "Sie steht schon an der Tür."),
        ),
        (
            (1, "Gibt es noch Karten an der Abendkasse?"),
            (0, "Zehn Stück, ab einer Stunde vorher. Wer zuerst da ist, sitzt vorn."),
            (2, "Ich halte dir eine zurück, wenn du mir den Platz am Gang lässt."),
            (1, "Abgemacht."),
        ),
        (
            (1, "Reicht mein Deutsch? Ich lerne seit einem Jahr."),
            (0, "Sicher. Und wenn ein Wort fehlt, fragen wir in die Runde."),
            (2, "Ich verstehe auch nur die Hälfte, und ich bin hier geboren."),
        ),
        (
            (0, "Der Wetterbericht sagt Regen ab vier. Wir machen es trotzdem, mit Plane."),
            (1, "Ich bringe noch zwei Schirme mit."),
            (2, "Und ich heißen Apfelsaft."),
        ),
    ),
}


async def converse(
    db: Database,
    dice: random.Random,
    people: Sequence[Caller],
    kind: RoomKind,
    subject: RoomSubject,
    language: str,
) -> None:
    """Write a short conversation among these people, at one of the last days. The first one is the host."""
    fitting = [one for one in CONVERSATIONS[language] if all(who < len(people) for who, _ in one)]
    conversation = dice.choice(fitting)
    # Not from ``dice``, so that the times do not decide what else is in the town.
    clock = random.Random(f"{people[0].display_name} {people[-1].display_name} {conversation}")  # noqa: S311 - chooses times

    async def write(tx: Transaction) -> None:
        times = _times(clock, len(conversation), tx.now)
        opened = EarlierTransaction(tx, times[0])
        room, _ = await rooms.open_room(opened, people[0], await rooms.target_of(opened, kind, subject))
        for (who, text), at in zip(conversation, times, strict=True):
            await messages.send(EarlierTransaction(tx, at), people[who], room.id, NewMessage(text=text))

    await db.batch(write)


def _times(clock: random.Random, number: int, now: Instant) -> list[Instant]:
    """When each message of a conversation was written: in the daytime, with a few minutes between them, before ``now``."""
    today = (
        datetime.fromtimestamp(now / 1e6, UTC)
        .astimezone(ZoneInfo(ZONE))
        .replace(hour=0, minute=0, second=0, microsecond=0)
    )
    at = (
        int(today.timestamp() * 1e6)
        + clock.randrange(_FIRST_HOUR * HOUR, _LAST_HOUR * HOUR)
        - clock.randrange(_DAYS) * DAY
    )
    times = []
    for _ in range(number):
        times.append(at)
        at += clock.randrange(20 * SECOND, _LONGEST_PAUSE)
    late = DAY if times[-1] >= now else 0
    return [Instant(one - late) for one in times]
