"""Indoor scenes: stages, tables, shelves, workshops. Each function draws an SVG of 1500 by 1000 from its random
generator.
"""

import random

from programs.demo.brushes import HOURS, canvas, fade, mix, ridge


def stage(dice: random.Random) -> str:
    one, two = dice.choice(
        (("#ff5d73", "#5b7cff"), ("#ffb14a", "#c04bff"), ("#34d0c3", "#ff6b5e"), ("#f7e06e", "#ff4f8b"))
    )
    night = dice.choice(("#140f26", "#1a0f1c", "#0c1524"))
    beams = "".join(
        f'<path d="M{x - 14} -10h28L{x + lean + 190} 1000H{x + lean - 190}z" fill="url(#{dice.choice("ab")})" opacity=".5"/>'
        for x, lean in ((250, 320), (500, 110), (750, 0), (1000, -110), (1250, -320))
    )
    lamps = "".join(
        f'<circle cx="{x}" cy="14" r="26" fill="#fff"/><circle cx="{x}" cy="14" r="70" fill="url(#h)"/>'
        for x in (250, 500, 750, 1000, 1250)
    )
    crowd = "".join(
        f'<g transform="translate({x} {870 + dice.randrange(-40, 70)})"><circle r="{(r := dice.randrange(44, 58))}"/><path d="M{-r * 1.7:.0f} 240q0-{200} {r * 1.7:.0f}-{190}t{r * 1.7:.0f} 190z"/>'
        + (
            f'<path d="M{r} 60L{r + dice.randrange(20, 60)} -{dice.randrange(90, 150)}" stroke="#07050d" stroke-width="26" stroke-linecap="round"/>'
            if dice.random() < 0.5
            else ""
        )
        + "</g>"
        for x in range(-20, 1540, 104)
    )
    band = dice.choice(
        (
            '<path d="M742 640h16v-190h-16z"/><circle cx="750" cy="440" r="20"/><path d="M690 720q0-120 60-120t60 120z"/><circle cx="750" cy="560" r="42"/>',
            '<path d="M560 720V560h300q90 0 90 70v90h-24v-90H584v90z"/><path d="M560 560q150-200 330-120l-10 120z"/><circle cx="500" cy="560" r="40"/><path d="M450 720q0-120 52-120t60 120z"/>',
            '<circle cx="640" cy="540" r="40"/><path d="M586 720q0-136 54-136t58 136z"/><path d="M620 640l210-90 8 20-210 96z"/><circle cx="870" cy="550" r="40"/><path d="M816 720q0-130 54-130t58 130z"/><path d="M900 660h150v60H900z"/>',
        )
    )
    return (
        f"<defs>{fade('a', one + '/.95', one + '/0')}{fade('b', two + '/.95', two + '/0')}{fade('h', '#fff/.8', '#fff/0', is_round=True)}{fade('f', one + '/.55', one + '/0', is_round=True)}</defs>"
        f'{canvas(night)}<ellipse cx="750" cy="700" rx="760" ry="330" fill="url(#f)"/>{beams}{lamps}<rect y="715" width="1500" height="290" fill="#0b0812"/><g fill="#0b0812">{band}</g><g fill="#07050d">{crowd}</g>'
    )


def table(dice: random.Random) -> str:
    wood, line = dice.choice(
        (
            ("#b98352", "#a06d3f"),
            ("#d9b083", "#c79a69"),
            ("#6d4a36", "#5c3c2a"),
            ("#e9e2d6", "#dad0bf"),
            ("#34505a", "#2b434c"),
        )
    )
    planks = "".join(f'<path d="M0 {y}h1500" stroke="{line}" stroke-width="6"/>' for y in range(140, 1000, 172))
    dishes = "".join(
        _bowl(dice, x + dice.randrange(-24, 24), y + dice.randrange(-24, 24), r)
        for x, y, r in (
            (750, 490, 215),
            (330, 300, 150),
            (1180, 300, 155),
            (360, 760, 155),
            (1160, 760, 165),
            (30, 540, 130),
            (1480, 540, 130),
            (750, 20, 120),
            (760, 980, 120),
        )
    )
    leaves = "".join(
        f'<ellipse cx="{dice.randrange(40, 1460)}" cy="{dice.randrange(40, 960)}" rx="26" ry="10" fill="#5d7d44" transform="rotate({dice.randrange(180)} 750 500)" opacity=".85"/>'
        for _ in range(14)
    )
    return f"{canvas(wood)}{planks}{leaves}{dishes}"


def _bowl(dice: random.Random, x: int, y: int, r: int) -> str:
    rim, inner = dice.choice(
        (("#fbf6ec", "#efe6d6"), ("#2f4858", "#253a47"), ("#c9d6cf", "#b4c5bc"), ("#e6b89c", "#d6a384"))
    )
    food = dice.choice(("#d9642f", "#e5b43c", "#8aa34a", "#a3323a", "#f0d9a4", "#7a4a2c"))
    bits = "".join(
        f'<circle cx="{x + dice.uniform(-0.5, 0.5) * r:.0f}" cy="{y + dice.uniform(-0.5, 0.5) * r:.0f}" r="{r * dice.uniform(0.05, 0.13):.0f}" fill="{dice.choice(("#fff4d8", "#4d7a3c", "#f2c14e", "#c8452f", mix(food, "#000000", 0.25)))}"/>'
        for _ in range(16)
    )
    return (
        f'<ellipse cx="{x + r * 0.08:.0f}" cy="{y + r * 0.12:.0f}" rx="{r}" ry="{r}" fill="#000" opacity=".18"/><circle cx="{x}" cy="{y}" r="{r}" fill="{rim}"/><circle cx="{x}" cy="{y}" r="{r * 0.84:.0f}" fill="{inner}"/>'
        f'<circle cx="{x}" cy="{y}" r="{r * 0.74:.0f}" fill="{food}"/>{bits}<path d="M{x - r * 0.66:.0f} {y - r * 0.5:.0f}A{r * 0.84:.0f} {r * 0.84:.0f} 0 0 1 {x + r * 0.1:.0f} {y - r * 0.83:.0f}" fill="none" stroke="#fff" stroke-width="{r * 0.05:.0f}" stroke-linecap="round" opacity=".6"/>'
    )


def workshop(dice: random.Random) -> str:
    wall = dice.choice(("#3f5e63", "#c9714e", "#e2c48d", "#53627c"))
    holes = "".join(f'<circle cx="{x}" cy="{y}" r="5"/>' for x in range(40, 1500, 75) for y in range(40, 640, 75))
    tools = (
        '<path d="M0 0h26v150H0zM-34-62h94v62h-94z"/>',
        '<path d="M-8-60a46 46 0 1 1 44 0v190a22 22 0 0 1-44 0zM2-110v34h24v-34z" fill-rule="evenodd"/>',
        '<path d="M0-60h20v120H0zM-8 60h36v90H-8z"/>',
        '<path d="M-70-40h150l30 120h-150zM-96-60h40v160h-40z" transform="rotate(90)"/>',
        '<path d="M0-90l24 0 12 120-14 120h-20l-14-120z"/>',
    )
    hung = "".join(
        f'<g transform="translate({x} {dice.randrange(220, 300)})" fill="{dice.choice(("#f4ede0", "#1e2a2e", "#e2a13b"))}">{dice.choice(tools)}</g>'
        for x in (150, 320, 1180, 1350)
    )
    frame, tyre = dice.choice(
        (("#e2543b", "#1c1c20"), ("#f2c14e", "#1c1c20"), ("#7fc7b5", "#1c1c20"), ("#f4ede0", "#1c1c20"))
    )
    bike = (
        f'{_wheel(500, tyre)}{_wheel(1010, tyre)}<g fill="none" stroke="{frame}" stroke-width="22" stroke-linecap="round" stroke-linejoin="round"><path d="M500 640L620 420H930L740 640H500M740 640L610 396M1010 640L920 370"/></g>'
        f'<path d="M560 384h110" stroke="{tyre}" stroke-width="30" stroke-linecap="round"/><path d="M900 366q60-30 100 6 10 40-36 44" fill="none" stroke="{tyre}" stroke-width="18" stroke-linecap="round"/><circle cx="740" cy="640" r="40" fill="none" stroke="{tyre}" stroke-width="14"/><path d="M740 640l36 70m-14 0h44" stroke="{tyre}" stroke-width="14" stroke-linecap="round"/>'
    )
    return f'{canvas(wall)}<g fill="#000" opacity=".16">{holes}</g>{hung}<rect y="816" width="1500" height="190" fill="#8c5f3c"/><rect y="816" width="1500" height="26" fill="#a97a52"/><ellipse cx="750" cy="830" rx="520" ry="20" fill="#000" opacity=".25"/>{bike}'


def _wheel(x: int, tyre: str) -> str:
    return (
        f'<circle cx="{x}" cy="640" r="176" fill="none" stroke="{tyre}" stroke-width="22"/><circle cx="{x}" cy="640" r="158" fill="none" stroke="#c9c5bd" stroke-width="7"/>'
        + "".join(
            f'<path d="M{x} 640v-158" stroke="#d9d5cd" stroke-width="3" transform="rotate({angle} {x} 640)"/>'
            for angle in range(0, 360, 24)
        )
        + f'<circle cx="{x}" cy="640" r="18" fill="{tyre}"/>'
    )


def cinema(dice: random.Random) -> str:
    seat = dice.choice(("#8f2436", "#2d4a6b", "#9a5a1e"))
    top, low, sun, far, near = dice.choice(HOURS)
    film = f'<g transform="translate(300 130) scale(.6 .46)"><clipPath id="c"><rect width="1500" height="1000"/></clipPath><g clip-path="url(#c)"><rect width="1500" height="1000" fill="url(#s)"/><circle cx="{dice.randrange(300, 1200)}" cy="420" r="130" fill="{sun}"/><path d="{ridge(dice, 760, 260, 4)}" fill="{far}"/><path d="{ridge(dice, 900, 220, 5)}" fill="{near}"/></g></g>'
    rows = "".join(
        f'<g fill="{mix(seat, "#0a0608", 0.62 - row * 0.2)}">'
        + "".join(
            f'<path d="M{x} 1010v-{230 - row * 20}q0-60 60-60h{60 + row * 20}q60 0 60 60v{230 - row * 20}z" transform="translate(0 {row * 84 - 40})"/>'
            for x in range(-90 - row * 70, 1500, 210 + row * 26)
        )
        + "</g>"
        for row in range(3)
    )
    heads = "".join(
        f'<circle cx="{x + dice.randrange(-16, 16)}" cy="{758 + dice.randrange(-12, 12)}" r="52" fill="#120b0e"/>'
        for x in range(120, 1500, 210)
        if dice.random() < 0.75
    )
    return f"<defs>{fade('s', top, low, sun)}{fade('g', sun + '/.5', sun + '/0', is_round=True)}</defs>{canvas('#170f14')}<ellipse cx='750' cy='420' rx='900' ry='560' fill='url(#g)'/>{film}<path d='M0 0h150q30 320-40 760H0zM1500 0h-150q-30 320 40 760h110z' fill='{mix(seat, '#170f14', 0.45)}'/>{heads}{rows}"


def board(dice: random.Random) -> str:
    felt = dice.choice(("#2f5d50", "#7b3b46", "#3c4a78", "#b98352"))
    lands = ("#d9a441", "#7da453", "#4a7f57", "#c8704a", "#a7a39a", "#e6d19a")
    tiles = []
    for row, y in enumerate(range(-60, 1100, 172)):
        for x in range(-100 + (row % 2) * 99, 1640, 198):
            if (x - 750) ** 2 / 3 + (y - 480) ** 2 < 190_000:
                fill = dice.choice(lands)
                tiles.append(
                    f'<path d="M{x} {y - 112}l97 56v112l-97 56-97-56v-112z" fill="{fill}" stroke="#fbf1dc" stroke-width="9"/><circle cx="{x}" cy="{y}" r="34" fill="#fbf1dc"/><circle cx="{x - 10}" cy="{y}" r="5" fill="#5a3b22"/><circle cx="{x + 10}" cy="{y}" r="5" fill="#5a3b22"/>'
                )
    pieces = "".join(
        f'<g transform="translate({dice.randrange(330, 1170)} {dice.randrange(180, 800)})" fill="{dice.choice(("#d93f3f", "#2f6fd0", "#f3f0e8", "#f0a62e"))}" stroke="#000" stroke-opacity=".25" stroke-width="4"><circle cy="-56" r="25"/><path d="M-62-14q24-26 62-24t62 24l-6 20-30 2 30 60h-40L0 34-16 68h-40l30-60-30-2z"/></g>'
        for _ in range(9)
    )
    dice_drawn = "".join(
        f'<g transform="translate({x} {y}) rotate({dice.randrange(60)})"><rect x="-58" y="-58" width="116" height="116" rx="24" fill="#fbf6ec"/><g fill="#2b2320"><circle r="12"/><circle cx="-30" cy="-30" r="12"/><circle cx="30" cy="30" r="12"/></g></g>'
        for x, y in ((150, 800), (330, 900), (1330, 160))
    )
    return f"<defs>{fade('v', '#000/0', '#000/.45', is_round=True)}</defs>{canvas(felt)}{''.join(tiles)}{pieces}{dice_drawn}<rect width='1500' height='1000' fill='url(#v)' opacity='.5'/>"


def shelves(dice: random.Random) -> str:
    wall, wood = dice.choice(
        (("#efe3cf", "#8c5f3c"), ("#35505a", "#c39a6b"), ("#6d3f48", "#d9b083"), ("#d8ddc9", "#6b5138"))
    )
    inks = ("#b5462f", "#2f5d73", "#d9a441", "#4e6b4a", "#7a3b57", "#e9dcc3", "#26323a", "#c98b5e", "#8fa9b5")
    rows = []
    for y in (330, 640, 950):
        x = -10.0
        while x < 1510:
            width, height = dice.randrange(26, 64), dice.randrange(170, 258)
            if dice.random() < 0.06:
                rows.append(
                    f'<g transform="translate({x + 50} {y})"><path d="M-44 0l-10-80h108l-10 80z" fill="#c8704a"/><path d="M0-80q-60-90-90-50 40 0 90 50 10-120 60-120-20 60-60 120 50-60 100-40-40 0-100 40z" fill="#5d8450"/></g>'
                )
                x += 130
                continue
            ink = dice.choice(inks)
            lean = f' transform="rotate(7 {x:.0f} {y})"' if dice.random() < 0.05 else ""
            rows.append(
                f'<g{lean}><rect x="{x:.0f}" y="{y - height}" width="{width}" height="{height}" rx="4" fill="{ink}"/><rect x="{x:.0f}" y="{y - height + 26}" width="{width}" height="10" fill="#fff" opacity=".35"/><rect x="{x:.0f}" y="{y - 44}" width="{width}" height="6" fill="#000" opacity=".2"/></g>'
            )
            x += width + dice.choice((2, 3, 3, 14))
        rows.append(
            f'<rect y="{y}" width="1500" height="24" fill="{wood}"/><rect y="{y + 24}" width="1500" height="20" fill="#000" opacity=".14"/>'
        )
    return f"<defs>{fade('g', '#ffe9b0/.75', '#ffe9b0/0', is_round=True)}</defs>{canvas(wall)}{''.join(rows)}<circle cx='{dice.randrange(400, 1100)}' cy='180' r='560' fill='url(#g)' opacity='.55'/>"


def studio(dice: random.Random) -> str:
    wall, mat = dice.choice((("#efe0d0", "#7d9d8c"), ("#d9e2dc", "#c98b76"), ("#e8d6d8", "#6d7fa8")))
    top, low, sun, _, near = dice.choice(HOURS[:2] + HOURS[3:])
    panes = "".join(
        f'<rect x="{x}" y="90" width="210" height="470" fill="url(#s)"/><path d="M{x} 480q60-90 110-30t100-40v150H{x}z" fill="{mix(near, low, 0.4)}"/>'
        for x in (330, 560, 790, 1020)
    )
    mats = "".join(
        f'<path d="M{x} {y}h{w}l{w // 7} 74h-{w + 2 * (w // 7)}z" fill="{mix(mat, "#ffffff", tint)}"/>'
        for x, y, w, tint in ((640, 700, 230, 0.3), (300, 760, 250, 0.15), (960, 760, 250, 0.15), (600, 860, 310, 0))
    )
    plant = '<path d="M{x} 780q-30-180-110-230 30 120 60 170-70-60-120-40 80 30 120 100z" fill="#5d8460"/><path d="M{x} 780q20-220 120-260-40 110-70 190 60-70 120-50-70 30-120 120z" fill="#4d7350"/><path d="M{a} 770h120l-16 120h-88z" fill="#c8704a"/>'
    return (
        f"<defs>{fade('s', top, low, sun)}{fade('l', sun + '/.6', sun + '/0')}</defs>{canvas(wall)}{panes}<rect y='640' width='1500' height='370' fill='#c9a27a'/><rect y='640' width='1500' height='14' fill='#fff' opacity='.4'/>"
        f'<path d="M330 640h900l180 370H150z" fill="url(#l)" opacity=".7"/>{mats}{plant.format(x=190, a=130)}{plant.format(x=1350, a=1290)}'
    )


def easel(dice: random.Random) -> str:
    wall = dice.choice(("#e9dfd0", "#cfd9d6", "#e6c9b3", "#3b3f52"))
    paints = dice.sample(("#d9542f", "#f0b43c", "#2f7f86", "#3c4a8a", "#c94f7c", "#7da453", "#f4ede0", "#26201f"), 6)
    strokes = "".join(
        f'<path d="M{470 + dice.randrange(0, 500)} {170 + dice.randrange(0, 380)}q{dice.randrange(-160, 160)} {dice.randrange(-120, 120)} {dice.randrange(-220, 220)} {dice.randrange(-120, 160)}" fill="none" stroke="{dice.choice(paints)}" stroke-width="{dice.randrange(26, 90)}" stroke-linecap="round" opacity=".9"/>'
        for _ in range(18)
    )
    blobs = "".join(
        f'<circle cx="{x}" cy="{y}" r="34" fill="{paint}"/>'
        for paint, (x, y) in zip(
            paints, ((250, 840), (330, 800), (420, 800), (500, 840), (300, 900), (430, 906)), strict=True
        )
    )
    brushes = "".join(
        f'<g transform="rotate({angle} 1240 900)"><rect x="1230" y="520" width="20" height="330" rx="8" fill="#b98352"/><rect x="1227" y="490" width="26" height="40" fill="#c9c5bd"/><path d="M1227 490q-4-60 13-90 17 30 13 90z" fill="{dice.choice(paints)}"/></g>'
        for angle in (-16, -5, 6, 17)
    )
    return (
        f'{canvas(wall)}<g stroke="#8c5f3c" stroke-width="26" stroke-linecap="round"><path d="M540 1000L720 40M960 1000L780 40M750 40V90"/></g><rect x="410" y="110" width="680" height="530" fill="#000" opacity=".16"/>'
        f'<clipPath id="k"><rect x="400" y="96" width="690" height="530"/></clipPath><rect x="400" y="96" width="690" height="530" fill="#fbf6ec"/><g clip-path="url(#k)">{strokes}</g><rect x="380" y="626" width="730" height="30" fill="#a97a52"/>'
        f'<rect y="930" width="1500" height="80" fill="#6d4a36"/><path d="M170 880q20-130 200-130t210 120q0 80-120 80-40 0-60-20t-60 20q-180 20-170-70z" fill="#d9b083"/>{blobs}{brushes}<path d="M1170 800h140l-16 180h-108z" fill="#8fa9b5"/>'
    )


def desk(dice: random.Random) -> str:
    board, copper = dice.choice((("#14523f", "#c9a24a"), ("#1d3c63", "#d3b36a"), ("#5a2140", "#e0b878")))
    traces = "".join(
        f'<path d="M{x} {y}h{dice.randrange(80, 300)}l{dice.choice((-60, 60))} {dice.choice((-60, 60))}h{dice.randrange(60, 260)}" fill="none" stroke="{copper}" stroke-width="7" opacity=".75"/><circle cx="{x}" cy="{y}" r="13" fill="{copper}"/><circle cx="{x}" cy="{y}" r="5" fill="{board}"/>'
        for x, y in ((dice.randrange(0, 1300), dice.randrange(30, 970)) for _ in range(46))
    )
    chips = "".join(
        f'<g transform="translate({x} {y})">'
        + "".join(f'<rect x="{n}" y="-16" width="14" height="{h + 32}" fill="#c9c5bd"/>' for n in range(16, w - 16, 34))
        + f'<rect width="{w}" height="{h}" rx="8" fill="#17181c"/><circle cx="24" cy="24" r="9" fill="#3a3c44"/><rect x="40" y="{h // 2 - 8}" width="{w - 90}" height="8" fill="#5a5d68"/><rect x="40" y="{h // 2 + 8}" width="{w - 140}" height="8" fill="#5a5d68"/></g>'
        for x, y, w, h in (
            (610, 380, 300, 230),
            (180, 170, 260, 120),
            (1080, 190, 250, 130),
            (200, 700, 300, 120),
            (1040, 690, 240, 150),
        )
    )
    lights = "".join(
        f'<circle cx="{x}" cy="{y}" r="90" fill="url(#{name})"/><circle cx="{x}" cy="{y}" r="22" fill="#fff"/>'
        for name, x, y in (("r", 520, 250), ("y", 980, 800), ("r", 760, 860), ("y", 560, 700), ("r", 960, 330))
    )
    wires = "".join(
        f'<path d="M{-20} {y}C300 {y - 160} 420 {y + 240} {620} {520 + n * 30}" fill="none" stroke="{ink}" stroke-width="18" stroke-linecap="round"/>'
        for n, (y, ink) in enumerate(((420, "#d93f3f"), (560, "#f2c14e"), (640, "#f4ede0")))
    )
    return f"<defs>{fade('r', '#ff6b5e/.9', '#ff6b5e/0', is_round=True)}{fade('y', '#ffe08a/.9', '#ffe08a/0', is_round=True)}</defs>{canvas(board)}{traces}{chips}{wires}{lights}"


def cups(dice: random.Random) -> str:
    cloth, wood = dice.choice(
        (("#e6c9b3", "#a06d3f"), ("#bcd0cf", "#6d4a36"), ("#efd9a0", "#8c5f3c"), ("#d6c8e0", "#7a553c"))
    )
    low = dice.choice(("#fdf0d4", "#f9e2d0", "#e9f0ea"))
    lamps = "".join(
        f'<path d="M{x} 0v{y}" stroke="#2b2320" stroke-width="5"/><circle cx="{x}" cy="{y + 40}" r="200" fill="url(#g)"/><path d="M{x - 56} {y + 50}q0-66 56-66t56 66z" fill="#2b2320"/><circle cx="{x}" cy="{y + 52}" r="22" fill="#fff3cf"/>'
        for x, y in ((300, 130), (750, 70), (1200, 150))
    )
    cups = "".join(
        f'<g transform="translate({x} {y})"><ellipse cy="96" rx="150" ry="26" fill="#fff" opacity=".9"/><ellipse cy="92" rx="110" ry="16" fill="#000" opacity=".1"/><path d="M-96-60h192q0 150-96 150t-96-150z" fill="{ink}"/><path d="M92-36q66-6 56 44-12 40-76 32" fill="none" stroke="{ink}" stroke-width="20"/><ellipse cy="-60" rx="96" ry="22" fill="{mix(ink, "#ffffff", 0.35)}"/><ellipse cy="-58" rx="80" ry="15" fill="#6b3f22"/>'
        + "".join(
            f'<path d="M{s} -100q-26-40 0-80t0-80" fill="none" stroke="#fff" stroke-width="10" stroke-linecap="round" opacity=".55"/>'
            for s in (-30, 14)
        )
        + "</g>"
        for x, y, ink in zip(
            (390, 750, 1110),
            (720, 800, 720),
            dice.sample(("#c0503a", "#2f6f6a", "#e2b34a", "#f4ede0", "#3c4a78"), 3),
            strict=True,
        )
    )
    return f"<defs>{fade('s', cloth, low)}{fade('g', '#fff1c2/.85', '#fff1c2/0', is_round=True)}</defs>{canvas('url(#s)')}{lamps}<path d='M0 700h1500v310H0z' fill='{wood}'/><path d='M0 700h1500v18H0z' fill='#fff' opacity='.25'/>{cups}"
