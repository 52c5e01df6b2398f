"""Make the surroundings of a picture: grounds, what lies under the thing, and backdrops."""
import math

import bpy
from mathutils import Matrix

from materials import darker, material, random_color, skin
from shapes import box, cylinder, ellipsoid, lathe, mesh, move, sheet

WOODS = [(.26, .13, .055), (.42, .22, .09), (.11, .05, .022), (.55, .36, .18), (.2, .12, .08), (.34, .3, .26)]
MARBLES = [((.75, .74, .72), (.55, .55, .56)), ((.03, .03, .035), (.1, .095, .09)), ((.58, .5, .4), (.7, .62, .5))]
GRANITES = [(.4, .38, .36), (.12, .11, .11), (.45, .3, .25)]


# Surfaces

def overlay(made, texture, low, high, ramp=(.35, .65), socket='Fac', **inputs):
    """Multiply a material's colour with a second texture that runs from grey `low` to grey `high`."""
    tree = made.node_tree
    base = tree.nodes['Principled BSDF'].inputs['Base Color']
    place = next(n for n in tree.nodes if n.type == 'TEX_COORD').outputs['Object']
    node, blend, mix = (tree.nodes.new('ShaderNode' + name) for name in ('Tex' + texture, 'ValToRGB', 'Mix'))
    for name, value in inputs.items():
        node.inputs[name.replace('_', ' ')].default_value = value
    tree.links.new(place, node.inputs['Vector'])
    for element, position, grey in zip(blend.color_ramp.elements, ramp, (low, high)):
        element.position, element.color = position, (grey, grey, grey, 1)
    tree.links.new(node.outputs[socket], blend.inputs['Fac'])
    mix.data_type, mix.blend_type = 'RGBA', 'MULTIPLY'
    mix.inputs[0].default_value = 1
    if base.is_linked:
        tree.links.new(base.links[0].from_socket, mix.inputs[6])
    else:
        mix.inputs[6].default_value = base.default_value
    tree.links.new(blend.outputs['Color'], mix.inputs[7])
    tree.links.new(mix.outputs[2], base)
    return made


def seams(made, wide, high, gap=.02, grey=.3):
    """Draw the seams of planks, tiles or bricks on a material, each piece a little lighter or darker."""
    overlay(made, 'Brick', .6, 1, (0, 1), 'Color', Scale=1, Mortar_Size=gap, Brick_Width=wide, Row_Height=high,
            Color1=(.1, .1, .1, 1), Color2=(1, 1, 1, 1), Mortar=(.6, .6, .6, 1))
    return overlay(made, 'Brick', 1, grey, (.3, .7), 'Fac', Scale=1, Mortar_Size=gap, Brick_Width=wide, Row_Height=high)


def stained(made, r, scale=.7):
    """Let a surface be lighter and darker here and there."""
    return overlay(made, 'Noise', r.uniform(.55, .9), 1.05, Scale=scale * r.uniform(.5, 2), Detail=4)


def tone(r):
    """Draw a colour of a room or a cloth: mostly muted, at times strong, at times white."""
    if r.random() < .25:
        grey = r.uniform(.45, .85)
        return (grey, grey * r.uniform(.92, 1), grey * r.uniform(.8, 1))
    return random_color(r, .02, r.uniform(.3, .85), r.uniform(.3, 1))


def wood(r):
    """Draw wood with its grain along y."""
    color = darker(r.choice(WOODS), r.uniform(.7, 1.4))
    return material(color, darker(color, r.uniform(.6, .88)), rough=r.uniform(.25, .6), pattern='wood',
                    scale=r.uniform(4, 14), distortion=r.uniform(.2, 1), bump=.15, bump_scale=12)


def cloth(r, pattern):
    """Draw a woven cloth with a pattern of `material`."""
    first, second = tone(r), r.choice([(.8, .78, .74), tone(r), tone(r)])
    share = r.uniform(.3, 1)  # of the contrast: most prints are mild
    second = tuple(a + share * (b - a) for a, b in zip(first, second))
    ramp = r.choice([(.48, .52), (.3, .7), (.7, .74)])
    return material(first, second, rough=.9, bump=.4, bump_scale=r.uniform(
        40, 90), pattern=pattern, scale=r.uniform(.5, 4), ramp=ramp)


def plaid(r):
    """Draw a cloth of crossing stripes."""
    made = cloth(r, 'stripes')
    return overlay(made, 'Checker', r.uniform(.3, .7), 1, (.4, .6), Scale=r.uniform(.8, 3))


def stone(r, base, spread=.5, scale=4., **options):
    """Draw stone, concrete or earth of two shades."""
    color = tuple(c * r.uniform(.85, 1.15) for c in base)
    options = {'rough': r.uniform(.5, .95), 'bump': .5, 'bump_scale': r.uniform(10, 40), **options}
    return stained(material(color, darker(color, r.uniform(spread, 1)), scale=scale * r.uniform(.6, 1.6), **options), r)


def tiles(r):
    """Draw glazed tiles, plain or in a chequered pattern."""
    side = r.uniform(.5, 1.8)
    made = material(tone(r), tone(r), rough=r.uniform(.1, .4), coat=.3,
                    pattern=r.choice(['plain', 'noise', 'checks']), scale=1 / side)
    return seams(made, side, side / r.choice([1, 1, 2, 3]), r.uniform(.02, .05), r.choice([.25, 1.4]))


def printed(r, words):
    """Draw newspaper or other paper with lines that look like print."""
    paper = r.uniform(.5, .8)
    made = material((paper, paper * .97, paper * .9), pattern='plain', rough=.9)
    scale = r.uniform(.6, 1.2)
    overlay(made, 'Brick', .12, 1, (.3, .5), 'Color', Scale=scale, Mortar_Size=.035, Brick_Width=.35,
            Row_Height=.11, Bias=words, Color1=(0, 0, 0, 1), Color2=(1, 1, 1, 1), Mortar=(1, 1, 1, 1))
    return overlay(made, 'Brick', 1, 5, (.3, .5), 'Fac', Scale=scale, Mortar_Size=.06, Brick_Width=3, Row_Height=7)


GROUNDS = {
    'planks': lambda r: seams(wood(r), 30, r.uniform(.6, 1.6), .025, .15),
    'table': wood,
    'plain': lambda r: material(tone(r), rough=r.uniform(.15, .7), scale=2, coat=r.random() * .4),
    'cloth': lambda r: cloth(r, 'noise'), 'checked cloth': lambda r: cloth(r, 'checks'),
    'striped cloth': lambda r: cloth(r, 'stripes'), 'plaid': plaid, 'dotted cloth': lambda r: cloth(r, 'spots'),
    'marble': lambda r: material(*r.choice(MARBLES), rough=.12, coat=.4, scale=r.uniform(.6, 1.5), ramp=(.45, .75),
                                 distortion=r.uniform(2, 5)),
    'granite': lambda r: overlay(stone(r, r.choice(GRANITES), .3, 25, rough=.15, bump=0.), 'Voronoi', .4, 1.2, (.1, .6),
                                 'Distance', Scale=r.uniform(8, 20)),
    'tiles': tiles,
    'concrete': lambda r: stone(r, (.4, .39, .37)),
    'asphalt': lambda r: stone(r, (.09, .09, .095), .4, 30, bump=1., bump_scale=35),
    'grass': lambda r: stone(r, r.choice([(.08, .13, .03), (.15, .19, .05)]), .25, 18, rough=.9, bump=1.,
                             bump_scale=28),
    'sand': lambda r: stone(r, (.55, .42, .26), .7, 12, bump=1., bump_scale=16),
    'carpet': lambda r: stained(cloth(r, r.choice(['noise', 'cells', 'stripes'])), r),
    'steel': lambda r: material((.55, .55, .56), (.4, .4, .41), rough=r.uniform(.25, .45), metal=1., scale=30,
                                bump=.05),
    'paper': lambda r: stone(r, r.choice([(.75, .72, .66), (.5, .36, .2)]), .9, 2, bump=.25, bump_scale=4),
    'pebbles': lambda r: overlay(stone(r, (.45, .4, .35), .4, 3), 'Voronoi', 1.1, .2, (.3, .75), 'Distance',
                                 Scale=r.uniform(2, 5)),
    'soil': lambda r: stone(r, (.16, .09, .05), .4, 9, bump=1.),
    'snow': lambda r: stone(r, (.75, .78, .82), .9, 3, bump=.6, bump_scale=6),
    'foil': lambda r: material((.7, .7, .71), (.5, .5, .5), rough=.22, metal=1., bump=1., bump_scale=r.uniform(2, 6)),
    'newspaper': lambda r: printed(r, r.uniform(-.3, .2)),
    'leaves': lambda r: material((.35, .12, .02), (.4, .28, .05), rough=.8, bump=1., bump_scale=9,
                                 pattern='cells', scale=r.uniform(3, 6), ramp=(.2, .8)),
    'slate': lambda r: seams(stone(r, (.06, .065, .07), .5, 5, bump=.8, bump_scale=9), 3.1, 2.3, .03),
}
EVERYDAY_GROUNDS = ['planks', 'planks', 'table', 'table', 'table', 'plain', 'plain', 'plain', 'cloth', 'cloth',
                    'checked cloth', 'tiles', 'concrete', 'marble', 'marble', 'paper', 'paper']  # drawn more often
HELD_OUT_GROUNDS = ['newspaper', 'leaves', 'slate']  # only the test set shows these


def plane(width, height, made, location=(0, 0, 0), rotation=(0, 0, 0)):
    """Lay a rectangle; standing up (rotated about x by a right angle) it faces -y."""
    x, y = width / 2, height / 2
    return move(mesh([(-x, -y, -.002), (x, -y, -.002), (x, y, -.002), (-x, y, -.002)],
                [(0, 1, 2, 3)], made, False), location, rotation)


def lay_ground(r, split):
    """Lay the ground, or a table on a lower floor; give the floor's height."""
    names = [name for name in GROUNDS if name not in HELD_OUT_GROUNDS] + EVERYDAY_GROUNDS
    name = r.choice(HELD_OUT_GROUNDS) if split == 'test' and r.random() < .3 else r.choice(names)
    top, turn = GROUNDS[name](r), r.uniform(0, math.tau)
    if r.random() < .6:
        plane(300, 300, top, rotation=(0, 0, turn))
        return 0.
    floor = -r.uniform(4, 9)
    plane(300, 300, GROUNDS[r.choice(names)](r), (0, 0, floor), (0, 0, r.uniform(0, math.tau)))
    y = r.uniform(-4, 1)
    move(box((0, 0, 0), (r.uniform(6, 22), r.uniform(5, 12), .3), top, rounding=.05),
         (r.uniform(-2, 2), y, -.15), (0, 0, r.gauss(0, .3)))
    return floor


# What lies under the thing

def plate(r):
    """Lay a round plate."""
    radius, rim = r.uniform(1.35, 2.1), r.uniform(.06, .3)
    glaze = material(r.choice([(.8, .79, .76), (.75, .73, .68), tone(r)]), tone(r), rough=r.uniform(.08, .3), coat=.4,
                     pattern=r.choice(['plain'] * 8 + ['rings', 'spots']), scale=r.uniform(.3, 1.5), ramp=(.5, .55))
    profile = [(0, .02), (radius * .65, .02), (radius, rim), (radius, rim + .03), (radius * .66, .06), (0, .05)]
    lathe(profile, glaze, segments=64)
    return .05


def board(r):
    """Lay a cutting board or a tray."""
    made = wood(r) if r.random() < .6 else material(tone(r), rough=.3)
    box((0, 0, .06), (r.uniform(2.8, 4), r.uniform(1.8, 3), .12), made, rounding=.05)
    return .12


def napkin(r):
    """Lay a crumpled napkin, foil or sheet of paper."""
    made = r.choice([GROUNDS['paper'], GROUNDS['paper'], GROUNDS['checked cloth'],
                    GROUNDS['cloth'], GROUNDS['foil'], GROUNDS['plain']])(r)
    wide, deep, fold, phase = r.uniform(2, 3.6), r.uniform(1.6, 3), r.uniform(.005, .05), r.uniform(0, 6)
    sheet(lambda u, v: (wide * (u - .5), deep * (v - .5),
                        .01 + fold * (1 + math.sin(9 * u + phase + 4 * v) * math.sin(7 * v - 5 * u))), 30, 30, made)
    return .01 + fold


def basket(r):
    """Stand a shallow dish of paper, plastic or wicker with a lining."""
    wide, deep, high = r.uniform(1.5, 1.9), r.uniform(1, 1.6), r.uniform(.25, .6)
    made = material(tone(r), tone(r), rough=.5, pattern=r.choice(
        ['plain'] * 4 + ['checks', 'stripes']), scale=r.uniform(2, 6), ramp=(.45, .55))
    lathe([(0, .02), (.8, .02), (1, 1), (1.04, 1), (.84, .0), (0, 0)], made, scale=(wide, deep, high))
    lining = material((.75, .73, .68), tone(r), rough=.8, pattern=r.choice(
        ['plain'] * 4 + ['checks']), scale=3, bump=.3, bump_scale=5)
    wave = r.randint(4, 9)

    def point(u, v):
        radius = .05 + 1.05 * v
        height = .06 + high * 1.15 * max(0, v - .7) / .3 * (1 + .2 * math.sin(wave * math.tau * u))
        return radius * wide * math.cos(math.tau * u), radius * deep * math.sin(math.tau * u), height
    if r.random() < .6:
        sheet(point, 48, 10, lining)
    return .07


SUPPORTS = [None, None, None, None, plate, plate, plate, board, napkin, basket]


# Backdrops

def wall_material(r):
    """Draw paint, wallpaper, bricks, tiles or panels."""
    style = r.choice(['paint', 'paint', 'paper', 'bricks', 'tiles', 'panels'])
    if style == 'paint':
        return stained(material(tone(r), rough=.8, scale=1), r, .2)
    if style == 'paper':
        return cloth(r, r.choice(['stripes', 'checks', 'spots', 'cells']))
    if style == 'bricks':
        return seams(stone(r, r.choice([(.4, .14, .08), (.6, .57, .52), (.3, .2, .14)])
                     ), .7, .25, .03, r.choice([.4, 1.6]))
    return tiles(r) if style == 'tiles' else seams(wood(r), r.uniform(.5, 2), 40, .03, .2)


def shelves(r, x, y, z):
    """Hang a shelf full of books, boxes or bottles."""
    wide, rows = r.uniform(2, 5), r.randint(1, 5)
    paints = [material(tone(r), pattern='plain', rough=r.uniform(.2, .8)) for _ in range(5)]
    timber, step = wood(r), r.uniform(.9, 1.5)
    for row in range(rows):
        box((x, y - .35, z + row * step), (wide, .7, .08), timber, rounding=0)
        at = x - wide / 2
        while at < x + wide / 2 - .3:
            thick, high = r.uniform(.12, .4), r.uniform(.4, .8) * step
            if r.random() < .85:
                box((at + thick / 2, y - .35, z + row * step + .04 + high / 2),
                    (thick * .95, .5, high), r.choice(paints), rounding=0)
            at += thick


def picture(r, x, y, z, glow=0.):
    """Hang a picture, a poster, a window or (glowing) a screen or a lit sign."""
    wide, high = r.uniform(.8, 3), r.uniform(.8, 3)
    box((x, y - .05, z), (wide + .25, .1, high + .25),
        material(r.choice([(.75, .74, .72), (.03, .03, .03), tone(r)]), pattern='plain'), rounding=0)
    art = material(tone(r), tone(r), scale=r.uniform(.5, 3), pattern=r.choice(
        ['noise', 'cells', 'stripes', 'plain', 'spots']), glow=glow)
    box((x, y - .08, z), (wide, .1, high), art, rounding=0)
    if r.random() < .4:
        bar = material((.7, .7, .7), pattern='plain')
        box((x, y - .15, z), (.08, .08, high), bar, rounding=0)
        box((x, y - .15, z), (wide, .08, .08), bar, rounding=0)


def furniture(r, x, y, z):
    """Stand a door, a cupboard, a curtain or a sofa-like block against the wall."""
    made = r.choice([wood, lambda r: material(tone(r), rough=.5), lambda r: cloth(r, 'stripes')])(r)
    wide, high = r.uniform(1.5, 5), r.uniform(1.5, 9)
    box((x, y - .4, z + high / 2), (wide, .8, high), made, rounding=.05)
    for k in range(r.randint(0, 4)):
        box((x + r.uniform(-.3, .3) * wide, y - .82, z + high * (k + .5) / 4),
            (wide * .35, .06, .12), material(tone(r), metal=.5), rounding=0)


def room(r, floor):
    """Build a corner of a room or a restaurant."""
    y, turn = r.uniform(5, 16), r.gauss(0, .25)
    before = set(bpy.data.objects)
    plane(60, 30, made := wall_material(r), (0, y, floor + 15), (math.pi / 2, 0, 0))
    if r.random() < .6:
        side, x = r.choice([-1, 1]), r.uniform(4, 9)
        plane(60, 30, made if r.random() < .6 else wall_material(r),
              (side * x, 0, floor + 15), (math.pi / 2, 0, -side * math.pi / 2))
    for _ in range(r.randint(0, 7)):
        item, x = r.choice([shelves, picture, picture, furniture, furniture]), r.uniform(-8, 8)
        if item is picture:
            picture(r, x, y, r.uniform(0, 6), r.choice([0, 0, 0, 2.5]))
        else:
            item(r, x, y, floor if item is furniture else r.uniform(0, 3))
    turn_all(before, turn)


def trees(r, floor):
    """Plant bushes, trees and hills under an open sky."""
    greens = [material(c, darker(c, .3), rough=.9, scale=r.uniform(2, 5), bump=1., bump_scale=8)
              for c in r.sample([(.05, .13, .02), (.1, .2, .03), (.2, .24, .05), (.3, .16, .03), (.04, .09, .04)], 3)]
    bark = material((.12, .08, .05), (.04, .03, .02), scale=6, rough=.9)
    for _ in range(r.randint(3, 16)):
        x, y, high = r.uniform(-14, 14), r.uniform(6, 30), r.uniform(1.5, 7)
        cylinder((x, y, floor + high / 2), .2, high, bark, segments=10)
        for _ in range(r.randint(2, 5)):
            size = r.uniform(.8, 2.2)
            ellipsoid((x + r.gauss(0, 1), y + r.gauss(0, 1), floor + high + \
                      r.gauss(0, .8)), size, r.choice(greens), segments=16)
    for _ in range(r.randint(0, 3)):
        ellipsoid((r.uniform(-60, 60), r.uniform(50, 100), floor),
                  (r.uniform(20, 60), 20, r.uniform(4, 16)), r.choice(greens))


def street(r, floor):
    """Build a row of house fronts with windows, doors and signs, perhaps with a tree or two."""
    x = -16
    while x < 16:
        wide, high, y = r.uniform(3, 9), r.uniform(4, 16), r.uniform(9, 20)
        box((x + wide / 2, y + 2, floor + high / 2), (wide, 4, high), wall_material(r), rounding=0)
        glass = material(r.choice([(.03, .04, .06), (.3, .4, .5), (.8, .6, .3)]),
                         pattern='plain', rough=.08, glow=r.choice([0, 0, 1]))
        for row in range(int(high / 2.4)):
            for column in range(int(wide / 1.5)):
                box((x + 1 + column * 1.5, y, floor + 1.4 + row * 2.4), (.9, .1, 1.4), glass, rounding=0)
        if r.random() < .5:
            picture(r, x + wide / 2, y - .5, floor + 2.6, r.choice([0, 1.5]))
        x += wide + r.choice([0, 0, 1.5])
    if r.random() < .4:
        trees(r, floor)


def crowd(r, floor):
    """Place many simple people, to be seen out of focus."""
    cloths = [material(tone(r), rough=.8, scale=3, pattern=r.choice(['plain', 'noise', 'stripes'])) for _ in range(6)]
    skins, hairs = [skin(r) for _ in range(3)], [material(c, rough=.7)
                                                 for c in [(.02, .015, .01), (.2, .1, .04), (.5, .35, .15)]]
    near, size = r.uniform(4, 8), r.uniform(.8, 1.6)
    for _ in range(r.randint(8, 26)):
        x, y, s = r.uniform(-9, 9), near + r.uniform(0, 9), size * r.uniform(.9, 1.1)
        top, foot = r.choice(cloths), max(floor, -2)
        ellipsoid((x, y, foot + 1 * s), (.42 * s, .3 * s, 1.1 * s), r.choice(cloths), segments=16)
        ellipsoid((x, y, foot + 2.2 * s), (.55 * s, .33 * s, .8 * s), top, segments=16)
        for side in (-1, 1):
            ellipsoid((x + side * .55 * s, y, foot + 2 * s), (.14 * s, .16 * s, .75 * s),
                      top, (r.uniform(-.6, .4), side * r.uniform(-.4, .1), 0), 12)
        ellipsoid((x, y, foot + 3.2 * s), (.27 * s, .3 * s, .36 * s), r.choice(skins), segments=16)
        ellipsoid((x, y + .07 * s, foot + 3.3 * s), (.31 * s, .3 * s, .36 * s), r.choice(hairs), segments=16)
    if r.random() < .7:
        r.choice([street, trees, room])(r, floor)


def bokeh(r, floor):
    """Hang many small lamps before a dark wall."""
    night = material(random_color(r, 0, .06), pattern='plain', rough=1)
    plane(120, 60, night, (0, 30, floor + 25), (math.pi / 2, 0, 0))
    lamps = [material(c, pattern='plain', glow=r.uniform(3, 15))
             for c in [(1, .6, .25), (1, .85, .6), tone(r), tone(r)]]
    for _ in range(r.randint(10, 50)):
        ellipsoid((r.uniform(-14, 14), r.uniform(8, 28), r.uniform(floor, 10)),
                  r.uniform(.08, .35), r.choice(lamps), segments=8)


def studio(r, _floor):
    """Hang one even background, as in a picture of a product."""
    color = r.choice([(.85, .85, .85), (.02, .02, .02), tone(r)])
    plane(200, 100, material(color, pattern='plain', rough=1, glow=r.choice(
        [0, .5])), (0, r.uniform(6, 12), 0), (math.pi / 2, 0, 0))


def market(r, floor):
    """Build a market stall: a striped awning on posts over crates of coloured fruit."""
    awning, timber, y = cloth(r, 'stripes'), wood(r), r.uniform(5, 10)
    sheet(lambda u, v: (16 * (u - .5), y - 2 + 4 * v, 4.5 + 1.6 * v + .15 * math.sin(40 * u)), 60, 4, awning)
    paints = [material(random_color(r, .02, .7), rough=.4) for _ in range(6)]
    for x in range(-8, 9, 2):
        box((x, y, floor + .6), (1.9, 2, 1.2), timber, rounding=0)
        made = r.choice(paints)
        for _ in range(14):
            ellipsoid((x + r.uniform(-.8, .8), y + r.uniform(-.9, .7), floor + \
                      1.3 + r.uniform(0, .3)), r.uniform(.2, .32), made, segments=12)
    for x in (-6, 6):
        cylinder((x, y - 2, floor + 2.5), .12, 5, timber, segments=12)
    street(r, floor)


BACKDROPS = [None, None, room, room, room, room, trees, trees, street, street, crowd, crowd, bokeh, studio, studio]
HELD_OUT_BACKDROP = market  # only the test set shows it


def turn_all(before, angle):
    """Turn every object made since `before` (a set of objects) about the z axis."""
    for thing in set(bpy.data.objects) - before:
        thing.matrix_basis = Matrix.Rotation(angle, 4, 'Z') @ thing.matrix_basis
