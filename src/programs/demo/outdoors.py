"""Outdoor scenes: water, hills, a street, a garden, the stars. Each function draws an SVG of 1500 by 1000 from its
random generator.
"""

import random

from programs.demo.brushes import HOURS, WIDTH, canvas, fade, mix, ridge


def fir(x: float, y: float, size: float, fill: str) -> str:
    return f'<path d="M{x:.0f} {y - size:.0f}l{size * 0.24:.0f} {size * 0.5:.0f}h{-size * 0.1:.0f}l{size * 0.2:.0f} {size * 0.5:.0f}h{-size * 0.68:.0f}l{size * 0.2:.0f}-{size * 0.5:.0f}h{-size * 0.1:.0f}z" fill="{fill}"/>'


def lake(dice: random.Random) -> str:
    top, low, sun, far, near = dice.choice(HOURS)
    x, y = dice.randrange(450, 1050), dice.randrange(260, 420)
    hills = "".join(
        f'<path d="{ridge(dice, 520 + 34 * number, 250 - 50 * number, 3 + number)}" fill="{mix(far, near, number / 4)}"/>'
        for number in range(4)
    )
    water = "".join(
        f'<path d="M{x + dice.randrange(-150, 150)} {700 + number * 22}h{dice.randrange(60, 230)}" stroke="{sun}" stroke-width="5" stroke-linecap="round" opacity="{0.75 - number * 0.055:.2f}"/>'
        for number in range(12)
    )
    trees = "".join(
        fir(
            dice.choice((dice.randrange(-20, 430), dice.randrange(1080, 1520))),
            1010,
            dice.randrange(230, 470),
            mix(near, "#000000", dice.random() * 0.3),
        )
        for _ in range(26)
    )
    return (
        f"<defs>{fade('s', top, low, sun)}{fade('w', mix(low, near, 0.25), mix(top, near, 0.6))}{fade('g', sun + '/.9', sun + '/0', is_round=True)}</defs>"
        f'{canvas("url(#s)")}<circle cx="{x}" cy="{y}" r="330" fill="url(#g)"/><circle cx="{x}" cy="{y}" r="74" fill="{sun}"/>{hills}'
        f'<rect y="668" width="{WIDTH}" height="340" fill="url(#w)"/>{water}{trees}'
    )


def hills(dice: random.Random) -> str:
    top, low, sun, far, near = dice.choice(HOURS)
    green = dice.choice(("#7c9a52", "#a3a04f", "#5f8d6b"))
    hills = "".join(
        f'<path d="{ridge(dice, 520 + 90 * number, 190, 3)}" fill="{mix(mix(far, green, number / 4), near, number / 9)}"/>'
        for number in range(4)
    )
    trees = "".join(
        f'<g transform="translate({x} {dice.randrange(610, 700)})"><rect x="-7" y="-30" width="14" height="70" fill="{near}"/><circle cy="-70" r="{dice.randrange(46, 72)}" fill="{mix(green, near, dice.random() * 0.5)}"/></g>'
        for x in (130, 260, 1180, 1290, 1420)
    )
    return (
        f"<defs>{fade('s', top, low, sun)}</defs>{canvas('url(#s)')}<circle cx='{dice.randrange(400, 1100)}' cy='250' r='80' fill='{sun}'/>{hills}{trees}"
        f'<path d="M0 1000V830Q380 720 760 760T1500 800V1000z" fill="{mix(green, near, 0.25)}"/>'
        f'<path d="M560 1000Q700 850 690 780 690 720 770 690 850 660 800 620 910 660 850 730 800 770 860 850 930 920 1010 1000z" fill="{mix(sun, far, 0.25)}"/>'
    )


def street(dice: random.Random) -> str:
    sky, low = dice.choice(
        (("#86b9d6", "#f6e7c9"), ("#3b3f74", "#e9926f"), ("#f3c98b", "#fdf0d4"), ("#22305c", "#6a5b9b"))
    )
    is_dark = sky in {"#3b3f74", "#22305c"}
    houses, x = [], -30
    while x < 1500:
        width, height = dice.randrange(190, 290), dice.randrange(430, 650)
        front = dice.choice(("#e8a87c", "#d8c3a5", "#c9714e", "#8fb3a5", "#e6d19a", "#a9b8c9", "#d99a94"))
        front = mix(front, "#1c1a38", 0.42) if is_dark else front
        glass = [("#ffd98a" if is_dark and dice.random() < 0.6 else mix(front, "#1e2a3a", 0.55)) for _ in range(40)]
        panes = "".join(
            f'<rect x="{x + 24 + column * (width - 40) / 3:.0f}" y="{860 - height + 60 + floor * 118}" width="{(width - 40) / 3 - 20:.0f}" height="74" rx="5" fill="{glass[floor * 3 + column]}"/>'
            for floor in range((height - 150) // 118)
            for column in range(3)
        )
        roof = f'<path d="M{x - 8} {862 - height}l{width / 2 + 8:.0f}-{dice.randrange(60, 130)} {width / 2 + 8:.0f} {0}v0l0 0z" fill="none"/><path d="M{x - 8} {864 - height}L{x + width / 2:.0f} {864 - height - dice.randrange(50, 120)}L{x + width + 8} {864 - height}z" fill="{mix(front, "#5a2a22", 0.6)}"/>'
        awning = (
            f'<path d="M{x + 14} 748h{width - 28}l14 56H{x}z" fill="{dice.choice(("#c0503a", "#2f6f6a", "#e2b34a"))}"/>'
        )
        houses.append(
            f'<rect x="{x}" y="{860 - height}" width="{width}" height="{height}" fill="{front}"/>{roof}{panes}{awning}<rect x="{x + width * 0.4:.0f}" y="804" width="{width * 0.22:.0f}" height="60" fill="{mix(front, "#1e2a3a", 0.6)}"/>'
        )
        x += width
    flags = "".join(
        f'<path d="M{x} {240 + row * 120 + 70 * (1 - ((x - 750) / 750) ** 2):.0f}l22 52 22-52z" fill="{dice.choice(("#d93f3f", "#f2c14e", "#2f7f86", "#f4ede0", "#e58a3a"))}"/>'
        for row in range(2)
        for x in range(-10, 1500, 62)
    )
    cords = "".join(
        f'<path d="M0 {240 + row * 120}Q750 {380 + row * 120} 1500 {240 + row * 120}" fill="none" stroke="#3a2d28" stroke-width="4"/>'
        for row in range(2)
    )
    people = "".join(
        f'<g transform="translate({x} {900 + dice.randrange(0, 60)})" fill="{dice.choice(("#26323a", "#7a3b57", "#2f5d73", "#8c4a2f", "#3f5d46"))}"><circle cy="-86" r="24" fill="{dice.choice(("#5a3a28", "#c98b5e", "#e8bb9b", "#26201f"))}"/><path d="M-34 40q-4-98 34-98t34 98z"/></g>'
        for x in range(90, 1460, 118)
        if dice.random() < 0.8
    )
    return f"<defs>{fade('s', sky, low)}</defs>{canvas('url(#s)')}{''.join(houses)}<rect y='858' width='1500' height='150' fill='{mix('#b9ab98', '#1c1a38', 0.5 if is_dark else 0.05)}'/>{cords}{flags}{people}"


def stars(dice: random.Random) -> str:
    top, low = dice.choice((("#0d1233", "#4a3a78"), ("#07182b", "#2d6a78"), ("#160f2e", "#8a3f6b")))
    dots = "".join(
        f'<circle cx="{dice.randrange(1500)}" cy="{dice.randrange(760)}" r="{dice.choice((1.5, 2, 2, 3, 5))}" fill="#fff" opacity="{dice.uniform(0.4, 1):.2f}"/>'
        for _ in range(330)
    )
    band = "".join(
        f'<ellipse cx="{200 + n * 130}" cy="{640 - n * 62}" rx="{dice.randrange(160, 260)}" ry="{dice.randrange(70, 130)}" fill="url(#m)" transform="rotate(-26 {200 + n * 130} {640 - n * 62})"/>'
        for n in range(10)
    )
    people = "".join(
        f'<g transform="translate({x} 872)"><circle cy="-98" r="24"/><path d="M-34 30q-6-104 34-104t34 104z"/></g>'
        for x in dice.sample(range(420, 1100, 84), 4)
    )
    scope = '<g transform="translate(1130 840) rotate(-38)"><rect x="-150" y="-24" width="220" height="48" rx="8"/><rect x="70" y="-34" width="60" height="68" rx="8"/></g><path d="M1130 850l-60 120M1130 850l60 120M1130 850v120" stroke="#05060f" stroke-width="12"/>'
    return f"<defs>{fade('s', top, low)}{fade('m', '#fff/.2', '#fff/0', is_round=True)}</defs>{canvas('url(#s)')}{band}{dots}<path d='{ridge(dice, 900, 130, 4)}' fill='#0a0b1c'/><g fill='#05060f'>{people}{scope}</g><path d='M0 930q750-70 1500 10v70H0z' fill='#05060f'/>"


def garden(dice: random.Random) -> str:
    sky, low = dice.choice((("#a8d0de", "#eef3df"), ("#f3d39b", "#fbf0d6"), ("#b9c9d8", "#eef0ea")))
    rows = []
    for n, y in enumerate((560, 660, 780, 920)):
        size = 34 + n * 16
        rows.append(f'<path d="M0 {y}q750-30 1500 0v{130 + n * 10}H0z" fill="{mix("#8c5f3c", "#4a2f1f", n / 4)}"/>')
        crop = dice.choice(("salad", "flower", "tomato", "leek"))
        for x in range(-10 + dice.randrange(20), 1520, round(size * 1.75)):
            green = mix(dice.choice(("#6f9a4d", "#4d7f4a", "#86a94f")), "#1f3a24", n * 0.06)
            match crop:
                case "salad":
                    rows.append(
                        f'<g fill="{green}"><circle cx="{x}" cy="{y}" r="{size}"/><circle cx="{x - size * 0.5:.0f}" cy="{y + size * 0.2:.0f}" r="{size * 0.6:.0f}"/></g><circle cx="{x + size * 0.1:.0f}" cy="{y - size * 0.1:.0f}" r="{size * 0.5:.0f}" fill="{mix(green, "#e6f0b0", 0.4)}"/>'
                    )
                case "flower":
                    rows.append(
                        f'<path d="M{x} {y + size}v-{size * 2}" stroke="{green}" stroke-width="{size * 0.2:.0f}"/><circle cx="{x}" cy="{y - size:.0f}" r="{size * 0.55:.0f}" fill="{dice.choice(("#e2543b", "#f2c14e", "#d97aa6", "#f4ede0"))}"/><circle cx="{x}" cy="{y - size:.0f}" r="{size * 0.2:.0f}" fill="#7a4a2c"/>'
                    )
                case "tomato":
                    rows.append(
                        f'<ellipse cx="{x}" cy="{y - size * 0.3:.0f}" rx="{size * 0.8:.0f}" ry="{size * 1.3:.0f}" fill="{green}"/><circle cx="{x - size * 0.3:.0f}" cy="{y - size * 0.4:.0f}" r="{size * 0.26:.0f}" fill="#d9432f"/><circle cx="{x + size * 0.35:.0f}" cy="{y + size * 0.1:.0f}" r="{size * 0.26:.0f}" fill="#e8703a"/>'
                    )
                case _:
                    rows.append(
                        f'<path d="M{x} {y + size}q-{size * 0.8:.0f}-{size * 1.4:.0f} -{size * 0.4:.0f}-{size * 2.3:.0f}M{x} {y + size}q{size * 0.6:.0f}-{size * 1.4:.0f} {size * 0.6:.0f}-{size * 2.2:.0f}M{x} {y + size}v-{size * 2.4:.0f}" fill="none" stroke="{green}" stroke-width="{size * 0.26:.0f}" stroke-linecap="round"/>'
                    )
    house = f'<path d="M930 540V330l120-90 120 90v210z" fill="{dice.choice(("#c9714e", "#8fa9b5", "#e2c48d"))}"/><path d="M910 346l140-116 140 116-18 16-122-96-122 96z" fill="#5a3b2c"/><rect x="1010" y="420" width="76" height="120" fill="#3f5d46"/><rect x="960" y="372" width="40" height="46" fill="#fff3cf"/>'
    return f"<defs>{fade('s', sky, low)}</defs>{canvas('url(#s)')}<circle cx='{dice.randrange(250, 650)}' cy='210' r='78' fill='#fff6da'/><path d='{ridge(dice, 520, 120, 4)}' fill='#9dbb8f'/>{house}{''.join(rows)}"


def boats(dice: random.Random) -> str:
    top, low, sun, far, near = dice.choice(HOURS)
    x = dice.randrange(400, 1100)
    towers = "".join(
        f'<rect x="{tx}" y="{560 - (h := dice.randrange(60, 260))}" width="{dice.randrange(60, 130)}" height="{h + 10}"/>'
        for tx in range(-20, 1500, 92)
    )
    boats = "".join(
        f'<g transform="translate({bx} {by}) scale({scale})"><path d="M-220 0h440q-30 66-120 66h-200q-90 0-120-66z" fill="{ink}"/><path d="M-220 0h440l-8 18h-424z" fill="#fff" opacity=".35"/><g fill="{near}"><circle cx="-60" cy="-92" r="30"/><path d="M-108 4q0-74 48-74t48 74z"/><circle cx="80" cy="-92" r="30"/><path d="M32 4q0-74 48-74t48 74z"/></g><path d="M-20-40L200 60M120-40L340 60" stroke="#f4ede0" stroke-width="10" stroke-linecap="round"/></g>'
        for bx, by, scale, ink in ((420, 760, 0.7, "#f2c14e"), (1060, 730, 0.6, "#2f6f8a"), (740, 860, 1.05, "#d9432f"))
    )
    light = "".join(
        f'<path d="M{x + dice.randrange(-130, 130)} {590 + n * 26}h{dice.randrange(50, 200)}" stroke="{sun}" stroke-width="6" stroke-linecap="round" opacity=".6"/>'
        for n in range(15)
    )
    return f"<defs>{fade('s', top, low, sun)}{fade('w', mix(low, far, 0.4), mix(top, near, 0.55))}</defs>{canvas('url(#s)')}<circle cx='{x}' cy='330' r='90' fill='{sun}'/><g fill='{mix(far, near, 0.35)}'>{towers}</g><rect y='560' width='1500' height='450' fill='url(#w)'/>{light}{boats}"


def runners(dice: random.Random) -> str:
    top, low, sun, far, near = dice.choice(HOURS)
    x = dice.randrange(450, 1050)
    people = "".join(
        f'<g transform="translate({px} {py}) scale({scale})"><circle cx="14" cy="-190" r="34" fill="{skin}"/><path d="M-22-196q2-34 36-34t36 30q-16-12-36-12t-36 16z" fill="#2b2320"/><path d="M-26-150q40-20 66 4l10 96h-84z" fill="{shirt}"/><path d="M-14-56l-50 70-70-14M30-56l48 66-10 96" fill="none" stroke="#26323a" stroke-width="30" stroke-linecap="round" stroke-linejoin="round"/><path d="M-20-130l-56 40 40 36M34-126l44 50 44-30" fill="none" stroke="{skin}" stroke-width="22" stroke-linecap="round" stroke-linejoin="round"/></g>'
        for px, py, scale, skin, shirt in (
            (1020, 800, 0.8, "#8d5a3b", "#2f6f8a"),
            (520, 810, 0.85, "#f1c7a3", "#f2c14e"),
            (760, 850, 1.2, "#b97f56", "#d9432f"),
        )
    )
    return f"<defs>{fade('s', top, low, sun)}{fade('g', sun + '/.95', sun + '/0', is_round=True)}</defs>{canvas('url(#s)')}<circle cx='{x}' cy='480' r='460' fill='url(#g)'/><circle cx='{x}' cy='480' r='110' fill='{sun}'/><path d='{ridge(dice, 640, 90, 6)}' fill='{mix(far, near, 0.3)}'/><path d='M0 640h1500v370H0z' fill='{mix(far, '#6b7f5a', 0.6)}'/><path d='M690 640h120l620 370H70z' fill='{mix('#b9ab98', near, 0.25)}'/><path d='M746 640h8l40 370h-88z' fill='#fff' opacity='.55'/>{people}"
