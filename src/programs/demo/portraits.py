"""Portraits of the demo town's people, drawn as SVG. There are no photographs, and nothing is downloaded."""

import random
from dataclasses import dataclass
from typing import Final

import resvg_py

# Colours of the skin, its shadow, and of lips and cheeks.
_SKINS: Final = (
    ("#f8d9c0", "#e8bb9b", "#dd8a76"),
    ("#f1c7a3", "#dba982", "#cf7f68"),
    ("#dba77c", "#c18a5f", "#b4654e"),
    ("#b97f56", "#9c6541", "#8f4a3c"),
    ("#8d5a3b", "#71442a", "#6b3229"),
    ("#633d28", "#4c2c1b", "#4a211c"),
)
_HAIRS: Final = {
    "black": ("#26201f", "#3d3431"),
    "brown": ("#5a3a28", "#74503a"),
    "chestnut": ("#7d4526", "#98603c"),
    "blond": ("#d8b06a", "#e8cb93"),
    "red": ("#b4532a", "#cd7245"),
    "grey": ("#a9a6a2", "#c6c4c0"),
    "white": ("#e3e0da", "#f3f1ec"),
}
# Colours of the background and of the clothes that go with it.
_GROUNDS: Final = (
    ("#f3c969", "#2e5e6e"),
    ("#a8cdbd", "#c0503a"),
    ("#efb3a0", "#2f4a6b"),
    ("#b9c6e4", "#e0a03c"),
    ("#d9c7e8", "#3f6b52"),
    ("#f0d9b5", "#7a3b57"),
    ("#9fc3d9", "#f1ece2"),
    ("#cfd8a3", "#4b4a7c"),
    ("#e8a87c", "#26413c"),
)
# As large as the largest stored size.
SIDE: Final = 256


@dataclass(frozen=True, slots=True)
class Look:
    """What a person looks like. ``skin``: from light (0) to dark (5). ``wears``: glasses, a beard and so on."""

    skin: int
    colour: str
    hair: str
    wears: tuple[str, ...] = ()


def portrait(look: Look, name: str) -> bytes:
    """The portrait as PNG. Details that ``Look`` does not specify follow from the name."""
    svg = _svg(look, random.Random(name))  # noqa: S311 - a drawing
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, width=SIDE, height=SIDE, skip_system_fonts=True))


def _svg(look: Look, dice: random.Random) -> str:
    ground, cloth = dice.choice(_GROUNDS)
    skin, shade, red = _SKINS[look.skin]
    hair, shine = _HAIRS[look.colour]
    back, front = _HAIR[look.hair]
    wide = dice.choice((58, 61, 64))
    face = (
        f'<ellipse cx="{128 - wide}" cy="122" rx="11" ry="16" fill="{shade}"/><ellipse cx="{128 + wide}" cy="122" rx="11" ry="16" fill="{shade}"/>'
        f'<path d="M{128 - wide} 104Q{128 - wide} 46 128 46T{128 + wide} 104Q{128 + wide} 190 128 190T{128 - wide} 104" fill="{skin}"/>'
    )
    parts = [
        f'<rect width="256" height="256" fill="{ground}"/><circle cx="{dice.choice((40, 216))}" cy="70" r="150" fill="#fff" opacity=".16"/>',
        back.format(hair=hair, shine=shine, cloth=cloth),
        f'<path d="M98 160h60v52q-30 24-60 0z" fill="{shade}"/>',
        _clothes(dice, cloth, skin),
        face if look.hair != "scarf" else face.replace("<ellipse", '<ellipse opacity="0"'),
        _face(dice, look, skin, shade, red, hair),
        front.format(hair=hair, shine=shine, cloth=cloth),
        *(_WORN[one].format(hair=hair, shade=shade, red=red, cloth=cloth) for one in look.wears if one in _WORN),
    ]
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="22 4 212 212">{"".join(parts)}</svg>'


def _clothes(dice: random.Random, cloth: str, skin: str) -> str:
    body = f'<path d="M16 262q2-62 62-72 24 24 50 24t50-24q60 10 62 72z" fill="{cloth}"/>'
    match dice.choice(("tee", "shirt", "roll", "stripes", "hood")):
        case "shirt":
            return f'{body}<path d="M82 186l46 38-26 22-30-54zM174 186l-46 38 26 22 30-54z" fill="#fffaf0"/><path d="M128 226v30" stroke="#fffaf0" stroke-width="3" opacity=".6"/>'
        case "roll":
            return f'{body}<path d="M92 178q36 18 72 0l4 30q-40 20-80 0z" fill="{cloth}"/><path d="M90 196q38 18 76 0" fill="none" stroke="#000" stroke-width="3" opacity=".14"/>'
        case "stripes":
            lines = "".join(
                f'<path d="M{18 + n} {222 + 16 * n // 8}q110 26 {220 - 2 * n} 0" fill="none" stroke="#fffaf0" stroke-width="6" opacity=".75"/>'
                for n in (0, 8, 16)
            )
            return f'{body}{lines}<path d="M94 186q34 30 68 0l6 8q-40 34-80 0z" fill="{skin}"/>'
        case "hood":
            return f'{body}<path d="M70 190q58 66 116 0l12 12q-26 50-70 50t-70-50z" fill="#000" opacity=".16"/><path d="M108 226v26M148 226v26" stroke="#fffaf0" stroke-width="4" stroke-linecap="round"/>'
        case _:
            return f'{body}<path d="M92 186q36 40 72 0l6 4q-10 34-42 34t-42-34z" fill="{skin}"/>'


def _face(dice: random.Random, look: Look, skin: str, shade: str, red: str, hair: str) -> str:
    brow = "#8d8a86" if look.colour in {"grey", "white"} else hair
    eye, gap = dice.choice((4.6, 5.2)), dice.choice((25, 27))
    smile = dice.choice((10, 13, 16))
    eyes = (
        "".join(
            f'<path d="M{x - 8} 121q8-9 16 0" fill="none" stroke="#2a211d" stroke-width="4" stroke-linecap="round"/>'
            for x in (128 - gap, 128 + gap)
        )
        if "laughs" in look.wears
        else "".join(
            f'<circle cx="{x}" cy="119" r="{eye}" fill="#2a211d"/><circle cx="{x + 1.6}" cy="117.4" r="1.4" fill="#fff"/>'
            for x in (128 - gap, 128 + gap)
        )
    )
    brows = "".join(
        f'<path d="M{x - 10} {103 if side < 0 else 101}q10-{dice.choice((5, 7))} 20 {2 if side > 0 else -2}" fill="none" stroke="{brow}" stroke-width="4.5" stroke-linecap="round"/>'
        for x, side in ((128 - gap, -1), (128 + gap, 1))
    )
    beard = _BEARDS.get(next((one for one in look.wears if one in _BEARDS), ""), "").format(hair=hair, skin=skin)
    mouth = (
        f'<path d="M106 151q22 {smile * 2} 44 0z" fill="#7a2f2b"/><path d="M110 152q18 5 36 0l-3 4q-15 4-30 0z" fill="#fff"/>'
        if "laughs" in look.wears
        else f'<path d="M111 153q17 {smile} 34 0" fill="none" stroke="{red if look.skin < 4 else "#2f1512"}" stroke-width="4.5" stroke-linecap="round"/>'
    )
    cheeks = f'<ellipse cx="{128 - gap - 14}" cy="142" rx="11" ry="7" fill="{red}" opacity=".28"/><ellipse cx="{128 + gap + 14}" cy="142" rx="11" ry="7" fill="{red}" opacity=".28"/>'
    nose = f'<path d="M127 122q-5 14-3 16 4 3 9 1" fill="none" stroke="{shade}" stroke-width="4" stroke-linecap="round" stroke-linejoin="round"/>'
    freckles = (
        "".join(
            f'<circle cx="{x}" cy="{y}" r="1.5" fill="{shade}"/>'
            for x, y in ((98, 136), (105, 140), (93, 143), (151, 140), (158, 136), (163, 143))
        )
        if "freckles" in look.wears
        else ""
    )
    return cheeks + beard + brows + eyes + nose + freckles + mouth


_BEARDS: Final = {
    "beard": '<path d="M66 122q2 34 14 48 18 24 48 24t48-24q12-14 14-48-8 18-22 20-18-6-40-6t-40 6q-14-2-22-20z" fill="{hair}"/><path d="M104 150q24-10 48 0-4 16-24 16t-24-16z" fill="{skin}"/>',
    "stubble": '<path d="M66 124q2 34 14 46 18 22 48 22t48-22q12-12 14-46-8 18-22 20-18-4-40-4t-40 4q-14-2-22-20z" fill="{hair}" opacity=".22"/>',
    "moustache": '<path d="M100 149q12-12 28-6 16-6 28 6-16 4-28-1-12 5-28 1z" fill="{hair}"/>',
}
_WORN: Final = {
    "glasses": '<g fill="#fff" fill-opacity=".18" stroke="#2a211d" stroke-width="4"><circle cx="101" cy="120" r="17"/><circle cx="155" cy="120" r="17"/></g><path d="M118 117q10-6 20 0M84 117l-18-4M172 117l18-4" fill="none" stroke="#2a211d" stroke-width="4"/>',
    "frames": '<g fill="#fff" fill-opacity=".16" stroke="#7a3b22" stroke-width="5"><rect x="82" y="106" width="36" height="27" rx="8"/><rect x="138" y="106" width="36" height="27" rx="8"/></g><path d="M118 115h20M82 113l-16-3M174 113l16-3" fill="none" stroke="#7a3b22" stroke-width="4"/>',
    "rings": '<circle cx="65" cy="146" r="6" fill="none" stroke="#e2b34a" stroke-width="3.5"/><circle cx="191" cy="146" r="6" fill="none" stroke="#e2b34a" stroke-width="3.5"/>',
    "studs": '<circle cx="67" cy="138" r="3.5" fill="#f4f1ea"/><circle cx="189" cy="138" r="3.5" fill="#f4f1ea"/>',
    "flower": '<g transform="translate(188 74)"><g fill="#f4f1ea"><circle cx="0" cy="-9" r="7"/><circle cx="9" cy="-2" r="7"/><circle cx="5" cy="8" r="7"/><circle cx="-5" cy="8" r="7"/><circle cx="-9" cy="-2" r="7"/></g><circle r="5" fill="#e2b34a"/></g>',
}


def _curls(around: tuple[tuple[int, int, int], ...], fill: str = "{hair}") -> str:
    return "".join(f'<circle cx="{x}" cy="{y}" r="{r}" fill="{fill}"/>' for x, y, r in around)


# Hair behind the head, and in front of it.
_HAIR: Final = {
    "crop": (
        "",
        '<path d="M64 110Q56 36 128 36T192 110Q188 84 172 74 128 84 86 74 68 84 64 110z" fill="{hair}"/><path d="M86 58q36-20 76-4" fill="none" stroke="{shine}" stroke-width="6" stroke-linecap="round"/>',
    ),
    "part": (
        "",
        '<path d="M64 112Q54 34 130 34T192 112Q188 86 176 80 138 84 108 62 88 84 72 86 66 96 64 112z" fill="{hair}"/><path d="M112 56q28 18 58 20" fill="none" stroke="{shine}" stroke-width="5" stroke-linecap="round"/>',
    ),
    "quiff": (
        "",
        '<path d="M64 108Q62 78 74 68 66 30 112 32 172 18 186 56 194 76 192 108 186 86 174 80 130 70 84 82 70 88 64 108z" fill="{hair}"/><path d="M92 52q40-18 78 4" fill="none" stroke="{shine}" stroke-width="6" stroke-linecap="round"/>',
    ),
    "buzz": (
        "",
        '<path d="M66 104Q62 42 128 42T190 104Q184 78 170 72 128 64 86 72 72 78 66 104z" fill="{hair}" opacity=".72"/>',
    ),
    "bald": (
        "",
        '<path d="M64 116q-4-20 4-30 2 16 0 32zM192 116q4-20-4-30-2 16 0 32z" fill="{hair}"/><path d="M100 60q16-8 34-6" fill="none" stroke="#fff" stroke-width="6" stroke-linecap="round" opacity=".3"/>',
    ),
    "curly": (
        _curls(((70, 84, 24), (186, 84, 24), (64, 112, 16), (192, 112, 16))),
        _curls(((80, 66, 22), (104, 52, 24), (134, 48, 24), (162, 56, 23), (180, 74, 18), (74, 84, 15)))
        + _curls(((106, 46, 5), (140, 40, 6), (166, 52, 5)), "{shine}"),
    ),
    "afro": (
        '<circle cx="128" cy="92" r="88" fill="{hair}"/>'
        + _curls(
            ((52, 72, 22), (62, 130, 26), (204, 72, 22), (194, 130, 26), (90, 26, 22), (168, 26, 22), (128, 14, 22))
        ),
        '<path d="M58 116Q54 42 128 42T198 116Q188 78 128 76T58 116z" fill="{hair}"/>',
    ),
    "bob": (
        '<path d="M54 176Q40 34 128 34T202 176Q194 186 176 184L80 184Q62 186 54 176z" fill="{hair}"/>',
        '<path d="M62 116Q58 40 128 40T194 116Q192 90 180 82 140 92 110 66 92 90 76 92 64 100 62 116z" fill="{hair}"/><path d="M112 58q24 16 54 18" fill="none" stroke="{shine}" stroke-width="5" stroke-linecap="round"/>',
    ),
    "fringe": (
        '<path d="M52 190Q36 34 128 34T204 190Q190 200 172 194L84 194Q66 200 52 190z" fill="{hair}"/>',
        '<path d="M62 116Q58 38 128 38T194 116Q192 100 186 96 128 104 70 96 64 100 62 116z" fill="{hair}"/><path d="M84 62q42-16 86 0" fill="none" stroke="{shine}" stroke-width="6" stroke-linecap="round"/>',
    ),
    "long": (
        '<path d="M56 112Q48 30 128 30T200 112Q206 190 216 236L170 244 86 244 40 236Q50 190 56 112z" fill="{hair}"/>',
        '<path d="M62 122Q58 38 128 38T194 122Q190 88 176 78 144 76 128 56 112 76 80 78 66 88 62 122z" fill="{hair}"/><path d="M132 50q30 10 46 30" fill="none" stroke="{shine}" stroke-width="5" stroke-linecap="round"/>',
    ),
    "waves": (
        '<path d="M58 104Q48 30 128 30T198 104Q220 130 204 156 224 184 206 214 210 240 176 244L80 244Q46 240 50 214 32 184 52 156 36 130 58 104z" fill="{hair}"/>',
        '<path d="M62 118Q56 38 126 38T194 118Q190 92 176 82 132 86 108 60 94 84 76 90 64 100 62 118z" fill="{hair}"/><path d="M114 54q26 20 60 24" fill="none" stroke="{shine}" stroke-width="5" stroke-linecap="round"/>',
    ),
    "bun": (
        '<circle cx="128" cy="26" r="25" fill="{hair}"/><path d="M112 20q14-12 30-2" fill="none" stroke="{shine}" stroke-width="5" stroke-linecap="round"/>',
        '<path d="M63 112Q58 38 128 38T193 112Q190 86 174 78 150 66 128 66T82 78Q66 86 63 112z" fill="{hair}"/><path d="M92 60q34-16 70 0" fill="none" stroke="{shine}" stroke-width="5" stroke-linecap="round"/>',
    ),
    "tail": (
        '<path d="M176 70q56 6 44 84-4 34-30 44 10-40-2-74z" fill="{hair}"/>',
        '<path d="M63 112Q58 36 128 36T193 112Q190 86 174 78 146 62 108 66 78 74 72 88 66 96 63 112z" fill="{hair}"/><path d="M96 56q34-14 70 4" fill="none" stroke="{shine}" stroke-width="5" stroke-linecap="round"/>',
    ),
    "braids": (
        '<path d="M60 110Q52 34 128 34T196 110l2 30q-70 20-140 0z" fill="{hair}"/>'
        + _curls(
            (
                (52, 150, 15),
                (48, 174, 15),
                (46, 198, 14),
                (48, 220, 12),
                (204, 150, 15),
                (208, 174, 15),
                (210, 198, 14),
                (208, 220, 12),
            )
        ),
        '<path d="M62 118Q58 38 128 38T194 118Q190 88 176 80 142 78 128 54 114 78 80 80 66 88 62 118z" fill="{hair}"/>',
    ),
    "scarf": (
        '<path d="M46 130Q40 24 128 24T210 130Q214 200 222 250L34 250Q42 200 46 130z" fill="{cloth}"/>',
        '<path fill-rule="evenodd" d="M50 130Q44 26 128 26T206 130Q206 206 128 212T50 130zM74 112Q74 176 128 190 182 176 182 112 178 70 128 68T74 112z" fill="{cloth}"/><path d="M74 196q54 34 112-4-10 44-52 48-40 0-60-44z" fill="{cloth}"/><path d="M80 200q50 28 100-4" fill="none" stroke="#000" stroke-width="4" opacity=".16"/><path d="M66 78q22-38 70-38" fill="none" stroke="#fff" stroke-width="5" stroke-linecap="round" opacity=".22"/>',
    ),
    "beanie": (
        '<path d="M58 120q-6 40 2 56h136q8-16 2-56z" fill="{hair}"/>',
        '<path d="M58 92Q56 22 128 22T198 92z" fill="{cloth}"/><rect x="52" y="76" width="152" height="28" rx="13" fill="{cloth}"/><rect x="52" y="76" width="152" height="28" rx="13" fill="#000" opacity=".14"/><circle cx="128" cy="18" r="13" fill="#f4f1ea"/>',
    ),
}
