"""Build the things that are no food: crockery, toys, furniture, vehicles, houses, plants and carpets."""
import math

import bpy
import numpy as np
from mathutils import Euler, Matrix, Vector

from materials import darker, mark_inside, material, random_color
from shapes import box, cylinder, ellipsoid, grid_faces, lathe, lumpy, mesh, move, sheet, torus, tube

TAU = 2 * math.pi
WOODS = [(.42, .2, .08), (.6, .36, .16), (.2, .09, .04), (.7, .52, .32), (.3, .12, .05)]
GREENS = [(.06, .17, .02), (.12, .28, .04), (.2, .33, .05), (.05, .12, .03)]


# Helpers: groups of parts, materials and shapes that several kinds share.

def group(parts, location=(0, 0, 0), rotation=(0, 0, 0), scale=1.0):
    """Scale, turn and shift finished parts together."""
    matrix = Matrix.LocRotScale(Vector(location), Euler(rotation), Vector((scale,) * 3))
    for part in parts:
        part.matrix_basis = matrix @ part.matrix_basis
    return parts


def plain(color, rough=.5, **options):
    """Make a material of one colour."""
    return material(color, pattern='plain', rough=rough, **options)


def metal(r):
    """Make steel, or now and then brass."""
    return plain(r.choice([(.6, .6, .62), (.75, .75, .75), (.7, .5, .2)]), rough=r.uniform(.15, .4), metal=1)


def wood(r):
    """Make a wood of a random tone."""
    tone = r.choice(WOODS)
    return material(tone, darker(tone, .6), rough=r.uniform(.3, .6), pattern='wood', scale=r.uniform(.8, 2))


def cloth(r, patterned=.4):
    """Make a woven fabric: plain, striped, checked or spotted."""
    color, other = random_color(r, .03, .75, .35), random_color(r, .05, .85, .3)
    options = {'rough': .9, 'bump': .35, 'bump_scale': 60}
    if r.random() < patterned:
        return material(color, other, pattern=r.choice(['stripes', 'checks', 'spots']), scale=r.uniform(1.5, 8),
                        **options)
    return material(color, darker(color, .7), scale=8, **options)


def rod(start, end, radius, made):
    """Make a round bar between two points."""
    return tube([start, end], radius, made, segments=10)


def creased(thing, rounding=0.0):
    """Shade a mesh smooth but for its sharp edges, and round those."""
    thing.data.polygons.foreach_set('use_smooth', [True] * len(thing.data.polygons))
    thing.data.set_sharp_from_angle(angle=.6)
    if rounding:
        bevel = thing.modifiers.new('bevel', 'BEVEL')
        bevel.width, bevel.segments = rounding, 2
    return thing


def extrude(outline, width, made, taper=0.0, rounding=.03):
    """Return an outline of (x, z) points a width along y that shrinks by `taper` towards the top."""
    outline = np.asarray(outline, float)
    low, high = outline[:, 1].min(), outline[:, 1].max()
    half = width / 2 * (1 - taper * (outline[:, 1] - low) / (high - low))
    n = len(outline)
    vertices = [(x, side * h, z) for side in (-1, 1) for (x, z), h in zip(outline, half)]
    faces = [(i, (i + 1) % n, n + (i + 1) % n, n + i) for i in range(n)]
    return creased(mesh(vertices, faces + [tuple(range(n))[::-1], tuple(range(n, 2 * n))], made), rounding)


def shell(profile, made):
    """Turn a profile of (radius, height) points about the z axis and leave it open at both ends."""
    angle = np.linspace(0, TAU, 48, endpoint=False)
    vertices = [(radius * math.cos(a), radius * math.sin(a), height) for radius, height in profile for a in angle]
    return mesh(vertices, grid_faces(len(profile), 48, wrap_columns=True), made)


def blocks(places, made):
    """Make one mesh of many plain boxes, each a (centre, edge lengths)."""
    corners = [(i, j, k) for i in (-.5, .5) for j in (-.5, .5) for k in (-.5, .5)]
    vertices = [[c + s * e for c, s, e in zip(centre, size, corner)] for centre, size in places for corner in corners]
    sides = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return mesh(vertices, [tuple(8 * n + v for v in side) for n in range(len(places)) for side in sides], made, False)


def word(text, size, made, location, rotation=(math.pi / 2, 0, 0)):
    """Write a word that is read from -y (or as rotated)."""
    curve = bpy.data.curves.new('word', 'FONT')
    curve.body, curve.size, curve.align_x, curve.align_y, curve.extrude = text, size, 'CENTER', 'CENTER', .004
    curve.materials.append(made)
    thing = bpy.data.objects.new('word', curve)
    bpy.context.collection.objects.link(thing)
    return move(thing, location, rotation)


def cushion(location, size, made, rotation=(0, 0, 0), flat=.35):
    """Make a puffed-up box; with `flat` near 1 a thin-edged pillow."""
    t, p = np.meshgrid(np.linspace(.01, math.pi - .01, 20), np.linspace(0, TAU, 40, endpoint=False), indexing='ij')

    def power(value, exponent):
        return np.sign(value) * np.abs(value) ** exponent
    around = power(np.sin(t), flat)
    unit = np.stack([around * power(np.cos(p), .3), around * power(np.sin(p), .3), power(np.cos(t), flat)], -1)
    faces = grid_faces(20, 40, wrap_columns=True) + [tuple(range(40))[::-1], tuple(range(760, 800))]
    return lumpy(move(mesh(unit.reshape(-1, 3) * size / 2, faces, made), location, rotation), .05, .4)


def leaves(points, size, made, r):
    """Scatter one small leaf at each point, turned at random."""
    state = np.random.default_rng(r.randrange(2 ** 32))
    along, other = state.normal(size=(2, len(points), 3))
    across = np.cross(along, other)
    along *= size / np.linalg.norm(along, axis=1, keepdims=True)
    across *= .45 * size / np.linalg.norm(across, axis=1, keepdims=True)
    corners = np.stack([points - along, points + across, points + along, points - across], 1).reshape(-1, 3)
    return mesh(corners, [tuple(range(4 * i, 4 * i + 4)) for i in range(len(points))], made, False)


def wheel(location, radius, width, tyre, rim):
    """Make a car's wheel that turns about y: tyre, rim and five spokes."""
    parts = [cylinder((0, 0, 0), radius, width, tyre, rounding=.05, segments=32),
             torus((0, 0, width / 2), radius * .62, radius * .07, rim),
             torus((0, 0, -width / 2), radius * .62, radius * .07, rim),
             cylinder((0, 0, 0), radius * .2, width * 1.15, rim, segments=16)]
    parts += [box((0, 0, 0), (radius * 1.2, radius * .16, width * 1.05), rim, (0, 0, i * TAU / 5), 0) for i in range(5)]
    return group(parts, location, (math.pi / 2, 0, 0))


# Small things.

def one_mug(r, saucer):
    """Build a mug with its handle and drink, on a saucer or with an emblem."""
    color, white = random_color(r, .02, .85, .3), (.8, .78, .72)
    glaze = plain(color, .2, coat=.6, inside=r.choice([color, white, white]))
    radius, height = r.uniform(.62, .78), r.uniform(.8, 1) if saucer else r.uniform(1.3, 1.75)
    belly, flare = r.uniform(-.06, .16), r.uniform(.25, .5) if saucer else r.uniform(-.05, .12)

    def width(t):
        return radius * (1 + belly * math.sin(math.pi * t) + flare * (t - .5)) * (1 - .25 * (1 - t) ** 8)
    steps = [i / 15 for i in range(16)]
    wall = [(0, 0), (width(0) * .85, 0)] + [(width(t), .03 + t * height) for t in steps]
    lining = [(width(t) - .07, .03 + t * height) for t in steps[:0:-1]] + [(0, .15)]
    bowl = lathe(wall + [(width(1) - .035, .06 + height)] + lining, glaze)
    mark_inside(bowl, [n >= 48 * len(wall) + 48 for n in range(len(bowl.data.vertices))])
    level = r.uniform(.72, .9)
    drink = r.choice([(.035, .013, .005), (.06, .022, .008), (.3, .14, .05), (.28, .08, .012), (.5, .3, .14)])
    parts = [bowl, lathe([(0, level * height), (width(level) - .06, level * height)], plain(drink, .08)),
             torus((0, 0, level * height), width(level) - .11, .035, plain(tuple(c * 1.8 for c in drink), .3),
                   flat=.15)]
    bend = np.linspace(-1.45, 1.45, 20)
    reach, tall = r.uniform(.3, .42), height * r.uniform(.28, .36)
    path = [(width(.5) - .08 + reach * 1.15 * math.cos(a), 0, height * .52 + tall * math.sin(a)) for a in bend]
    parts.append(tube(path, r.uniform(.07, .1), glaze))
    if saucer:
        plate = [(0, .02), (.6, .02), (1.05, .14), (1.1, .17), (1.05, .18), (.6, .07), (0, .06)]
        return group(parts, (0, 0, .06)) + [lathe(plate, r.choice([glaze, plain(white, .2, coat=.6)]))]
    return parts + emblem(r, width, height)


def emblem(r, width, height):
    """Paint a heart, a star, a dot or stripes on a mug of the given width at each height."""
    paint = plain(random_color(r, .02, .8), .25, coat=.5)
    style = r.choice(['heart', 'star', 'dot', 'stripes', 'none'])
    if style == 'stripes':
        bands = [(low, low + r.uniform(.03, .15)) for low in r.sample([.15, .35, .55, .75], r.randint(1, 3))]
        return [shell([(width(a + (b - a) * i / 3) + .006, .03 + (a + (b - a) * i / 3) * height) for i in range(4)],
                      paint)
                for a, b in bands]
    if style == 'none':
        return []
    size = r.uniform(.28, .4)

    def point(u, v):
        a = TAU * v
        reach = {'heart': (1 - math.sin(a)) * .55 + .1, 'star': .7 + .35 * math.cos(5 * (a - 1.57)), 'dot': 1}[style]
        across = u * size * reach * math.cos(a)
        up = u * size * reach * math.sin(a) + size * .4 * (style == 'heart')
        t = .5 + up / height
        turn = -math.pi / 2 + across / width(t)
        return (width(t) + .008) * math.cos(turn), (width(t) + .008) * math.sin(turn), .03 + t * height
    return [move(sheet(point, 8, 61, paint), rotation=(0, 0, r.uniform(-.8, .8) + math.pi * (r.random() < .3)))]


def mug(r):
    """A mug or a cup on its saucer with coffee or tea; sometimes two."""
    if r.random() < .25:
        for side in (-1, 1):
            group(one_mug(r, False), (side * .65, r.uniform(-.3, .3), 0), (0, 0, r.uniform(0, 6)), .68)
    else:
        group(one_mug(r, r.random() < .35), rotation=(0, 0, r.uniform(-1.2, .6)))


def one_pencil(length, radius, paint, lead, wood_, ferrule, eraser):
    """Build a hexagonal pencil along z, tip up: the cone cuts the paint in scallops as a sharpener does."""
    angle = np.linspace(0, TAU, 36, endpoint=False)
    hexagon, slope, core = radius * .866 / np.cos(angle % (math.pi / 3) - math.pi / 6), .25, radius * .35

    def ring(radii, height):
        return np.stack([radii * np.cos(angle), radii * np.sin(angle), height + 0 * angle], -1)
    cut = ring(hexagon, length - hexagon / slope)
    tip = ring(core, length - core / slope)
    faces = grid_faces(2, 36, wrap_columns=True)
    parts = [creased(mesh(np.concatenate([ring(hexagon, 0), cut]), faces + [tuple(range(36))[::-1]], paint)),
             mesh(np.concatenate([cut, tip]), faces, wood_),
             lathe([(core, length - core / slope), (.008, length)], lead, segments=16)]
    if eraser:
        ridges = [(radius * (1.05 - .12 * (i % 2)), -.22 + .03 * i) for i in range(8)]
        parts += [lathe(ridges, ferrule, segments=24),
                  cylinder((0, 0, -.28), radius * .95, .2, eraser, rounding=.04, segments=24)]
    return parts


def pencils(r):
    """Pencils with ferrule and eraser, or coloured ones: lying in a row or loose, or standing in a cup."""
    colored, layout = r.random() < .45, r.choice(['row', 'fan', 'cup'])
    timber, ferrule = material((.75, .5, .28), (.65, .4, .2), rough=.7, scale=10), metal(r)
    eraser, radius = plain((.75, .3, .3), .8), r.uniform(.075, .105)
    house_color = r.choice([(.8, .45, .02), (.7, .4, .02), (.5, .03, .02), (.03, .1, .4), (.02, .02, .02),
                            (.03, .25, .1)])
    count = r.randint(5, 10) if layout == 'cup' or colored else r.randint(2, 6)
    count = min(count, 5) if layout == 'fan' else count
    for i in range(count):
        color = random_color(r, .02, .8) if colored else house_color
        lead = plain(color if colored else (.03, .03, .03), .5)
        length = r.uniform(1.5, 2)
        parts = one_pencil(length, radius, plain(color, .25, coat=.5), lead, timber, ferrule, not colored and eraser)
        if layout == 'cup':
            turn = i * 2.4 + r.uniform(-.3, .3)
            group(parts, (-.25 * math.cos(turn), -.25 * math.sin(turn), .4), (0, r.uniform(.35, .5), turn), .95)
        else:
            nth, flip = i - count / 2 + .5, r.choice([-1, 1, 1]) if layout == 'fan' else 1
            away, tilt = (0, nth * .28) if layout == 'fan' else (nth * radius * 2.3, r.uniform(-.04, .04))
            group(parts, (0, 0, -length / 2), (0, 0, math.pi / 6))
            group(parts, (.9 + .85 * (layout == 'fan'), 0, radius * .87), (0, math.pi / 2 * flip, 0))
            group(parts, (-.9 - .95 * (layout == 'fan'), away, 0), (0, 0, tilt), .95 if layout == 'fan' else 1.15)
    if layout == 'cup':
        made, top = r.choice([wood(r), metal(r), cloth(r), plain(random_color(r), .2, coat=.5)]), r.uniform(1, 1.2)
        lathe([(0, 0), (.52, 0), (.55, .03), (.57, 1.1), (.52, 1.1), (.5, .05), (0, .05)], made, scale=(top, top, 1))


def one_book(r, thick, deep, tall):
    """Build a closed book: thickness along x, spine towards -y, standing on z = 0."""
    color = random_color(r, .02, .7, .2)
    cover = material(color, rough=r.uniform(.3, .7), bump=.1, scale=5)
    ink = plain(r.choice([(.8, .7, .4), (.85, .85, .8), (.02, .02, .02)]))
    paper = material((.78, .72, .6), (.55, .48, .36), rough=.8, pattern='stripes', scale=r.uniform(7, 12))
    parts = [box((side * (thick / 2 - .015), 0, tall / 2), (.03, deep, tall), cover, rounding=.01) for side in (-1, 1)]
    parts += [box((0, .02, tall / 2), (thick - .05, deep - .09, tall - .08), paper, rounding=0),
              cylinder((0, -deep / 2 + .02, tall / 2), thick / 2, tall, cover, rounding=.01, segments=24)]
    parts[-1].scale = (1, .35, 1)
    title = r.choice(['HISTORY', 'The Sea', 'ATLAS', 'A Novel', 'Physics', 'POEMS', 'Gardens', 'LONDON', 'Birds',
                      'Stories'])
    parts.append(word(title, min(thick * .75, .22), ink, (0, -deep / 2 - thick * .175 + .02, tall * .55),
                      (math.pi / 2, math.pi / 2, 0)))
    for side in (-1, 1):
        turn = (math.pi / 2, 0, side * math.pi / 2)
        parts.append(word(title, deep * .2, ink, (side * (thick / 2 + .002), 0, tall * .78), turn))
    picture = material(random_color(r), random_color(r), pattern=r.choice(['noise', 'cells', 'rings', 'spots']),
                       scale=4, rough=.4)
    parts.append(blocks([((0, 0, tall * .4), (thick + .006, deep * .7, tall * .45))], picture))
    return parts


def open_book(r):
    """Build an open book lying flat: two arched pages with lines of print."""
    wide, tall, arch = r.uniform(.8, 1.0), r.uniform(1.3, 1.7), r.uniform(.12, .25)
    paper, edge = plain((.82, .78, .68), .8), plain((.6, .53, .42), .8)
    ink = material((.08, .08, .08), (.8, .76, .66), pattern='stripes', scale=r.uniform(4, 6), ramp=(.25, .4), rough=.8)
    parts = [box((0, 0, .03), (tall + .08, wide * 2 + .1, .05), plain(random_color(r), .5))]

    def height(v):
        return .06 + arch * (1 - (1 - min(1, v * 4)) ** 2) * (1 - .45 * v)
    for side in (-1, 1):
        parts.append(sheet(lambda u, v: ((u - .5) * tall, side * v * wide, height(v)), 2, 24, paper))
        for end in (-.5, .5):
            parts.append(sheet(lambda u, v: (end * tall, side * v * wide, .05 + u * (height(v) - .05)), 2, 24, edge))
        parts.append(sheet(lambda u, v: (v * tall - tall / 2, side * wide, .05 + u * (height(1) - .05)), 2, 2, edge))
        low, high = r.choice([(.08, .92), (.3, .92), (.08, .5)])
        parts.append(sheet(lambda u, v: ((low + u * (high - low) - .5) * tall, side * (.14 + .76 * v) * wide,
                                         height(.14 + .76 * v) + .004), 2, 24, ink))
    return group(parts, rotation=(0, 0, -math.pi / 2))


def books(r):
    """A stack of books, a standing row, or an open book."""
    layout = r.choice(['stack', 'stack', 'row', 'open'])
    if layout == 'open':
        return group(open_book(r), scale=r.uniform(1, 1.15))
    x = z = 0
    count = r.randint(2, 6) if layout == 'stack' else r.randint(5, 9)
    for i in range(count):
        thick, deep, tall = r.uniform(.15, .4 if layout == 'stack' else .28), r.uniform(1, 1.4), r.uniform(1.5, 2.1)
        parts = one_book(r, thick, deep if layout == 'stack' else 1.2, tall)
        if layout == 'stack':
            group(parts, (-tall / 2, 0, z + thick / 2), (0, math.pi / 2, 0))
            group(parts, rotation=(0, 0, r.uniform(-.3, .3)))
            group(parts, rotation=(0, math.pi, 0), location=(0, 0, 2 * z + thick)) if r.random() < .5 else None
            z += thick
        else:
            lean = -r.uniform(.1, .2) if i == count - 1 else 0
            group(parts, (x + thick / 2 - 1.1 + .3 * (lean < 0), 0, 0), (0, lean, 0))
            x += thick + .01


# Shoes: a surface between the footprint and the collar.

def shoe_surface(height, sole):
    """Return the upper's surface(angle from the toe, t from the sole to the collar)."""
    def surface(a, t):
        c, s = math.cos(a), math.sin(a)
        foot = Vector((1.15 * c, math.copysign(abs(s) ** .75, s) * (.36 + .07 * c) - .06 * c * c, sole))
        collar = Vector((-.62 + .5 * c, .25 * s, height * (1 + .05 * math.cos(2 * a) + .04 * c)))
        bulge = foot + Vector((.04 * c, .05 * s, .27 - .06 * c))
        throat = collar + Vector((.3 * max(c, .1) * c, .1 * s, -.12 - (height - .75) * .9 * max(0, c)))
        k = 1 - t
        return foot * k ** 3 + bulge * 3 * k * k * t + throat * 3 * k * t * t + collar * t ** 3
    return surface


def patch(surface, angles, span, lift, made):
    """Lay a piece of leather over part of a shoe's surface, `lift` units above it."""
    def point(u, v):
        p = surface(angles[0] + v * (angles[1] - angles[0]), span[0] + u * (span[1] - span[0]))
        out = p - Vector((min(max(p.x, -.9), .8), 0, .3))
        return p + out.normalized() * lift
    return sheet(point, 14, 22, made)


def laces(surface, r, made):
    """Lace a shoe crosswise and tie a bow."""
    rows = np.linspace(.52, .93, r.randint(5, 7))

    def eyelet(side, t):
        p = surface(side * .5, t)
        return p + Vector((.01, side * .01, .035))
    parts = []
    for low, high in zip(rows, rows[1:]):
        for side in (-1, 1):
            middle = (eyelet(side, low) + eyelet(-side, high)) / 2 + Vector((.02, 0, .05 + .01 * side))
            parts.append(tube([eyelet(side, low), middle, eyelet(-side, high)], .026, made, segments=8))
    knot = (eyelet(1, rows[-1]) + eyelet(-1, rows[-1])) / 2 + Vector((.05, 0, .06))
    for side in (-1, 1):
        loop = [knot + Vector((.16 * math.sin(a) + .08, side * .2 * (1 - math.cos(a)), -.09 * (1 - math.cos(a))))
                for a in np.linspace(0, TAU, 16)]
        tail = [knot + Vector((.1 * i, side * .06 * i, -.05 * i * i)) for i in np.linspace(0, 2, 6)]
        parts += [tube(loop, .024, made, segments=8), tube(tail, .024, made, segments=8)]
    return parts


def one_shoe(r, leather, colors):
    """Build a shoe along x, toe towards +x, of main, second and sole colours."""
    sole, height = (.13, .8) if leather else (.24, .86)
    height *= colors['tall']
    surface = shoe_surface(height, sole)
    finish = {'rough': .25, 'coat': .4} if leather else {'rough': .8, 'bump': .2, 'bump_scale': 60}
    main, second = material(colors['main'], scale=4, **finish), material(colors['second'], scale=4, **finish)
    rubber, lining = plain(colors['sole'], .6), plain(darker(colors['second'], .4), .9)
    parts = [patch(surface, (0, TAU), (0, 1), 0, main)]
    outline = [surface(a, 0) for a in np.linspace(0, TAU, 60, endpoint=False)]
    rings = [(p.x * grow, p.y * (grow + .03), z) for grow, z in ((1, 0), (1.04, .03), (1.05, sole), (1.0, sole + .03))
             for p in outline]
    faces = grid_faces(4, 60, wrap_columns=True) + [tuple(range(60))[::-1], tuple(range(180, 240))]
    parts.append(mesh(rings, faces, rubber))
    parts.append(sheet(lambda u, v: surface(v * TAU, 1) * (1 - .12 * u)
                       + Vector((-.07 * u, 0, .04 * math.sin(3.1 * u) - .5 * u)), 6, 40, lining))
    parts.append(patch(surface, (-.48, .48), (.45, 1.1), .012, second))
    parts += [patch(surface, (2.4, 3.9), (0, .8 if leather else 1), .012, main if leather else second)]
    parts += [patch(surface, (side * .46, side * .8), (.42, .97), .02, main) for side in (-1, 1)]
    parts.append(patch(surface, (-.9, .9), (0, .3), .014, rubber if colors['cap'] and not leather else main))
    for side in (-1, 1) if not leather else ():
        for n in range(colors['stripes']):
            parts.append(patch(surface, (side * (1.25 + .22 * n), side * (1.37 + .22 * n)), (.05, .8), .016, second))
    return parts + laces(surface, r, plain(colors['lace'], .8))


def shoe(r):
    """A sneaker or a leather shoe, single or as a pair."""
    leather, white = r.random() < .35, (.8, .8, .78)
    if leather:
        tan = r.choice([(.02, .018, .017), (.25, .09, .03), (.1, .035, .015), (.4, .2, .08)])
        colors = {'main': tan, 'second': darker(tan, .8), 'sole': (.03, .02, .015), 'lace': darker(tan, .6)}
    else:
        main = r.choice([white, (.03, .03, .035), (.02, .05, .2), (.4, .02, .02), random_color(r, .02, .8, .2)])
        colors = {'main': main, 'second': r.choice([white, random_color(r)]),
                  'lace': r.choice([white, white, (.05,) * 3]),
                  'sole': r.choice([white, white, (.5, .35, .15), (.03, .03, .03)])}
    colors['tall'] = r.uniform(.92, 1.1) if r.random() < .7 else r.uniform(1.3, 1.6)
    colors['cap'], colors['stripes'] = r.random() < .5, r.choice([0, 1, 3, 3])
    if r.random() < .55:
        for side in (-1, 1):
            parts = one_shoe(r, leather, colors)
            group(parts, (r.uniform(-.1, .1), side * .46, 0), (0, 0, side * r.uniform(0, .15)), .95)
    else:
        group(one_shoe(r, leather, colors), scale=1.05)


# Vehicles.

def toy_car(r):
    """A saloon, hatchback, van or sports car with lights, windows and wheels."""
    style = r.choice(['saloon', 'hatch', 'van', 'sport'])
    cowl, front, rear, tail, roof = {'saloon': (.5, .12, -.5, -.8, 1.0), 'hatch': (.5, .15, -.75, -1.12, 1.0),
                                     'van': (.85, .5, -1.1, -1.16, 1.3), 'sport': (.35, -.05, -.4, -.95, .82)}[style]
    roof *= r.uniform(.94, 1.08)
    usual = [(.45, .01, .01), (.01, .06, .3), (.75, .75, .74), (.35, .36, .38), (.012, .012, .014), (.8, .45, .01),
             (.02, .15, .05)]
    color, waist = r.choice([*usual, random_color(r, .01, .75)]), r.uniform(.54, .62)
    wide, size = r.uniform(1, 1.12), r.uniform(.25, .29)
    paint, glass = plain(color, .2, coat=1), plain((.02, .03, .04), .05, coat=.5)
    tyre, chrome = plain((.015, .015, .015), .8), plain((.7, .7, .7), .2, metal=1)
    arches = [(x - (size + .05) * math.cos(a), .25 + (size + .05) * math.sin(a)) for x in (-.75, .75)
              for a in np.linspace(0, math.pi, 12)]
    extrude([(-1.2, .25), *arches, (1.22, .25), (1.26, .36), (1.2, .5), (cowl, waist + .02), (tail, waist + .02),
             (-1.2, waist), (-1.24, .4)],
            wide, paint, taper=.05)
    extrude([(cowl, waist), (front, roof), (rear, roof), (tail, waist)], wide * .95, glass, taper=.2)
    extrude([(front + .04, roof - .04), (front - .02, roof + .03), (rear + .02, roof + .03), (rear - .04, roof - .04)],
            wide * .78, paint, taper=.08)
    middle = (front + rear) / 2
    for side in (-1, 1):
        low, high = side * wide * .475, side * wide * .385
        for base, top in ((cowl, front), (middle, middle), (tail, rear)):
            rod((base, low, waist), (top, high, roof), .03, paint)
        for x in (-.75, .75):
            wheel((x, side * (wide / 2 - .08), size), size, .18, tyre, chrome)
        for x in (middle, cowl - .1, tail + .35):
            blocks([((x, side * (wide / 2 - .012), .44), (.012, .02, .2))], tyre)
        blocks([((middle - .12, side * wide * .492, waist - .06), (.12, .03, .025))], chrome)
        ellipsoid((1.2, side * wide * .36, .45), (.07, .12, .075), plain((.9, .88, .75), .1, coat=1, glow=.3),
                  segments=16)
        box((-1.22, side * wide * .38, .5), (.05, .16, .09), plain((.5, .01, .01), .1, coat=1, glow=.2))
        ellipsoid((cowl - .1, side * wide * .55, waist + .06), (.05, .08, .05), paint, segments=16)
    for x, made in ((1.25, tyre), (-1.24, chrome)):
        box((x, 0, .42), (.04, .4, .12), made)
        box((x, 0, .3), (.08, wide * .92, .07), chrome)


def bus(r):
    """A bus with windows, doors, wheels and its destination; sometimes with two decks."""
    double, wide = r.random() < .4, .8
    tall = 1.5 if double else r.uniform(.85, 1)
    paint = plain(r.choice([(.5, .01, .01), (.75, .4, .01), (.05, .15, .5), (.75, .75, .72), random_color(r)]), .25,
                  coat=.8)
    stripe, glass = plain(random_color(r), .3), plain((.03, .04, .05), .05, coat=.5)
    tyre = plain((.015, .015, .015), .8)
    box((0, 0, .2 + tall / 2), (2.6, wide, tall), paint, rounding=.08)
    rows = [.62, 1.3] if double else [tall * .68]
    count = r.randint(5, 7)
    step = 2.3 / count
    for z in rows:
        blocks([((-1.15 + step * (i + .5), 0, z + .08), (step * .86, wide + .015, .34)) for i in range(count)], glass)
        blocks([((0, 0, z + .07), (2.615, wide * .86, .4))], glass)
    blocks([((0, 0, .36), (2.61, wide + .01, .06))], stripe)
    for x in (.95, -.1):
        blocks([((x + dx, -wide / 2, .5), (.13, .03, .52)) for dx in (-.075, .075)], glass)
    for x in (-.75, .55):
        for side in (-1, 1):
            wheel((x, side * (wide / 2 - .05), .22), .22, .14, tyre, plain((.6, .6, .6), .3, metal=1))
    for side in (-1, 1):
        ellipsoid((1.29, side * .28, .34), (.04, .08, .06), plain((.9, .88, .75), .1, glow=.5), segments=16)
        box((-1.29, side * .3, .4), (.04, .1, .12), plain((.5, .01, .01), .1, glow=.3))
        rod((1.25, side * .4, tall), (1.4, side * .5, tall - .1), .02, tyre)
        box((1.4, side * .5, tall - .2), (.05, .1, .22), tyre)
    sign = r.choice(['CITY', '42', '7 STATION', 'SCHOOL', '15 PARK'])
    blocks([((1.29, 0, .12 + tall), (.04, .6, .14))], tyre)
    word(sign, .13, plain((.9, .5, .05), glow=2), (1.315, 0, .12 + tall), (math.pi / 2, 0, math.pi / 2))


def bicycle(r):
    """A bicycle along x: spoked wheels, frame, fork, bars, saddle, crank and chain, sometimes mudguards or a basket."""
    paint, chrome = plain(random_color(r, .02, .75), .25, coat=.8), plain((.7, .7, .7), .25, metal=1)
    tyre = plain(r.choice([(.02, .02, .02), (.02, .02, .02), (.35, .2, .1)]), .8)
    radius, drop = r.uniform(.5, .56), r.random() < .4
    parts = []
    for x in (-.72, .72):
        parts += [torus((x, 0, radius), radius - .03, .035, tyre, (math.pi / 2, 0, 0)),
                  torus((x, 0, radius), radius - .075, .02, chrome, (math.pi / 2, 0, 0)),
                  cylinder((x, 0, radius), .05, .16, chrome, (math.pi / 2, 0, 0), segments=16)]
        for i in range(20):
            a, side = i * TAU / 20, .04 * (i % 2 * 2 - 1)
            parts.append(tube([(x + .04 * math.cos(a + .8), side, radius + .04 * math.sin(a + .8)),
                               (x + (radius - .07) * math.cos(a), 0,
                                radius + (radius - .07) * math.sin(a))], .007, chrome, segments=4))
    crank, seat, head, hub = (-.13, radius - .08), (-.36, 1.12), (.45, 1.16), .05
    low = (.5, .98)
    pairs = [(crank, seat), (crank, low), ((-.34, 1.04), head if r.random() < .75 else (.2, .75)), (head, low)]
    parts += [rod((a[0], 0, a[1]), (b[0], 0, b[1]), .04, paint) for a, b in pairs]
    for y in (-hub, hub):
        parts += [rod((-.72, y, radius), (crank[0], y * .5, crank[1]), .022, paint),
                  rod((-.72, y, radius), (-.35, y * .4, 1.05), .02, paint),
                  rod((.72, y, radius), (.5, y, .98), .025, paint),
                  rod((-.72, .08, radius + y), (crank[0], .08, crank[1] + 2.5 * y), .012, tyre)]
    parts += [rod((-.36, 0, 1.12), (-.4, 0, 1.28), .025, chrome), rod((.45, 0, 1.16), (.42, 0, 1.32), .025, chrome),
              ellipsoid((-.43, 0, 1.31), (.2, .09, .05), tyre),
              torus((crank[0], .08, crank[1]), .13, .015, chrome, (math.pi / 2, 0, 0))]
    for side in (-1, 1):
        ends = [(.42, 0, 1.32), (.42, side * .2, 1.32), (.62, side * .22, 1.3), (.66, side * .22, 1.16),
                (.45, side * .22, 1.1)] if drop else [
            (.42, 0, 1.32), (.45, side * .2, 1.38), (.3, side * .34, 1.4), (.2, side * .36, 1.39)]
        parts += [tube(ends, .022, chrome, segments=10), rod(ends[-2], ends[-1], .035, tyre)]
        foot = (crank[0] + side * .14, side * .13, crank[1] - side * .14)
        parts += [rod((crank[0], side * .1, crank[1]), foot, .018, chrome),
                  box((foot[0], side * .19, foot[2]), (.14, .1, .035), tyre)]
        if not drop:
            guard = np.linspace(.3, 2.6, 20)
            parts.append(tube([(side * .72 + (radius + .03) * math.cos(a), 0, radius + (radius + .03) * math.sin(a))
                               for a in guard], .025, paint))
    if not drop and r.random() < .5:
        wicker = material((.45, .25, .1), (.25, .12, .04), pattern='checks', scale=16, rough=.8)
        parts.append(lathe([(0, 0), (.18, 0), (.24, .28), (.22, .28), (.17, .02)], wicker, (.72, 0, 1.12), segments=24))
    group(parts, rotation=(r.uniform(-.12, .12), 0, 0), scale=1.03)


# Furniture and rooms.

def floor_lamp(r, location, height):
    """Stand a lamp with a lit shade at a place."""
    x, y, z = location
    steel, shade = metal(r), plain(r.choice([(.85, .75, .55), (.8, .8, .75), (.6, .2, .1)]), .8, glow=.6)
    wide = r.uniform(.2, .3)
    return [cylinder((x, y, z + .02), .18, .04, steel), rod((x, y, z), (x, y, z + height), .02, steel),
            lathe([(wide, height - .35), (wide * r.uniform(.45, .9), height), (.01, height)], shade, location)]


def table(r, location, size, made):
    """Build a table with four legs, or with one leg if it is round."""
    (x, y), (wide, deep, tall) = location, size
    if r.random() < .3:
        return [cylinder((x, y, tall - .03), (wide + deep) / 4, .06, made), cylinder((x, y, tall / 2), .07, tall, made),
                cylinder((x, y, .03), (wide + deep) / 7, .06, made)]
    leg = r.uniform(.05, .1)
    legs = [((x + i * (wide / 2 - leg), y + j * (deep / 2 - leg), tall / 2 - .02), (leg, leg, tall - .04))
            for i in (-1, 1) for j in (-1, 1)]
    return [box((x, y, tall - .03), (wide, deep, .06), made), blocks(legs, made)]


def sofa(r):
    """A sofa or an armchair with cushions, often with a floor lamp, a side table or a low table on a rug."""
    places = r.choice([1, 2, 2, 3, 3])
    hide = material(r.choice([(.12, .04, .02), (.02, .02, .02), (.35, .15, .05)]), rough=.3, coat=.3, bump=.2)
    fabric = r.choice([cloth(r, .2), cloth(r, .2), hide])
    seat, depth, arm, back = r.uniform(.42, .55), r.uniform(.85, 1), r.uniform(.14, .24), r.uniform(.85, 1.15)
    wide = {1: .8, 2: 1.4, 3: 1.65}[places]
    box((0, 0, seat / 2 + .03), (wide, depth, seat - .2), fabric, rounding=.06)
    cushion((0, depth / 2 - .05, back / 2 + .08), (wide + .1, .24, back - .1), fabric)
    for side in (-1, 1):
        x = side * (wide / 2 + arm / 2)
        if places == 1 or r.random() < .7:
            cushion((x, -.02, seat * .6 + .12), (arm, depth + .1, seat * 1.1), fabric, flat=.25)
        for y in (-.4, .4):
            cylinder((side * wide * .45, y * depth, .06), .04, .14, wood(r), segments=12)
    for i in range(places):
        x = wide * ((i + .5) / places - .5)
        cushion((x, -.08, seat), (wide / places - .01, depth * .85, .24), fabric)
        cushion((x, depth / 2 - .25, seat + .36), (wide / places - .02, .24, .52), fabric, (-.2, 0, 0))
    for _ in range(r.randint(0, places + 1)):
        turn = (1.25, r.uniform(-.5, .5), r.uniform(-.3, .3))
        cushion((r.uniform(-.4, .4) * wide, depth / 2 - .45, seat + .33), (.45, .45, .22), cloth(r, .7), turn, .8)
    side = r.choice([-1, 1])
    if r.random() < .5:
        floor_lamp(r, (side * (wide / 2 + arm + .15), .35, 0), r.uniform(1.6, 2.1))
    if r.random() < .5:
        table(r, (0, -.95), (r.uniform(.7, 1.1), .5, .36), wood(r))
        cylinder((r.uniform(-.2, .2), -.95, .42), .06, .12, plain(random_color(r), .2))
        box((0, -.75, .008), (2.2, 1.1, .016), cloth(r, .8), rounding=0)
    elif r.random() < .6:
        table(r, (-side * (wide / 2 + arm + .22), .2), (.36, .36, .5), wood(r))
        floor_lamp(r, (-side * (wide / 2 + arm + .22), .2, .5), .5)


def chair(r_legs, seat, timber, slats, top):
    """Build a chair that faces +y: seat, legs and a back of slats."""
    bars = [((x, y, .23), (r_legs, r_legs, .46)) for x in (-.19, .19) for y in (-.19, .19)]
    bars += [((x, -.2, .46 + top / 2), (r_legs, r_legs, top))
             for x in (-.19, .19)] + [((0, -.2, .46 + top), (.42, r_legs, .09))]
    if slats > 2:
        bars += [((-.19 + .38 * (i + 1) / (slats + 1), -.2, .46 + top / 2), (.03, .02, top)) for i in range(slats)]
    else:
        bars += [((0, -.2, .46 + top * (i + 1) / (slats + 1)), (.38, .025, .09)) for i in range(slats)]
    return [blocks(bars, timber), box((0, 0, .47), (.44, .44, .05), seat)]


def table_and_chairs(r):
    """A dining table with two to six chairs, often laid with plates and glasses."""
    timber, round_ = wood(r), r.random() < .35
    paint = timber if r.random() < .6 else plain(random_color(r, .02, .8, .3), .4)
    seat, slats, top, leg = r.choice([paint, cloth(r)]), r.choice([1, 2, 4, 6]), r.uniform(.4, .6), r.uniform(.035, .06)
    china, glass = plain((.8, .8, .78), .15, coat=.5), plain((.8, .85, .85), .05, alpha=.4)
    if round_:
        cylinder((0, 0, .76), .62, .05, timber)
        cylinder((0, 0, .38), .07, .74, timber)
        cylinder((0, 0, .02), .35, .04, timber)
        count = r.randint(3, 5)
        seats = [(.62, i * TAU / count, 0) for i in range(count)]
    else:
        half = r.choice([.55, .85])
        box((0, 0, .76), (half * 2, .85, .06), timber)
        blocks([((i * (half - .06), j * .36, .37), (.08, .08, .74)) for i in (-1, 1) for j in (-1, 1)], timber)
        xs = [-.25, .25] if half < .8 else [-.5, 0, .5][r.randint(0, 1)::r.randint(1, 2)]
        seats = [(.5, turn, x) for turn in (0, math.pi) for x in xs]
    laid, cover = r.random() < .6, r.random() < .3
    if cover and not round_:
        blocks([((0, 0, .797), (half * 2 + .03, .88, .012)), ((0, -.44, .7), (half * 2 + .03, .012, .2)),
                ((0, .44, .7), (half * 2 + .03, .012, .2))], cloth(r, .8))
    for away, turn, x in seats:
        parts = group(chair(leg, seat, paint, slats, top), (x, -away - r.uniform(0, .2), 0),
                      (0, 0, r.uniform(-.15, .15)), 1.05)
        if laid:
            parts += [lathe([(0, .005), (.08, .005), (.14, .025), (.08, .012), (0, .012)], china,
                            (x, .2 - away if not round_ else -.42, .8)),
                      cylinder((x + .18, .26 - away if not round_ else -.36, .86), .035, .12, glass, top=1.2,
                               segments=16)]
        group(parts, rotation=(0, 0, turn))
    if r.random() < .5:
        group(bottle(r), (0, 0, .79), (0, 0, r.uniform(0, TAU)), .2)
    if r.random() < .4:
        lathe([(.3, 1.9), (.12, 2.1), (.01, 2.12)], plain(random_color(r), .5))
        rod((0, 0, 2.1), (0, 0, 2.8), .01, plain((.02, .02, .02)))


def bed(r):
    """A bed with a headboard, pillows and a blanket; sometimes a night table with a lamp."""
    half, timber = r.choice([.5, .8]), r.choice([wood(r), cloth(r, 0)])
    linen, blanket = plain((.75, .75, .72), .9), cloth(r, .6)
    length, top = 2.2, r.uniform(.42, .55)
    box((0, 0, .2), (half * 2 + .1, length, .2), timber)
    box((0, length / 2 + .03, r.uniform(.45, .6)), (half * 2 + .14, .1, r.uniform(1, 1.2)), timber, rounding=.04)
    cushion((0, 0, top - .12), (half * 2, length, .32), linen, flat=.15)
    blocks([((i * half * .9, j, .05), (.1, .1, .12)) for i in (-1, 1) for j in (-1, 1)], timber)
    for x in (0,) if half < .6 else (-half / 2, half / 2):
        cushion((x, .78, top + .14), (.72, .42, .24), r.choice([linen, blanket]), (.3, 0, r.uniform(-.15, .15)), .6)
        if r.random() < .5:
            cushion((x + .05, .52, top + .16), (.45, .34, .2), cloth(r, .8), (.6, 0, r.uniform(-.3, .3)), .8)
    edge, phase = r.uniform(.1, .45), r.uniform(0, 6)

    def cover(u, v):
        across = (u - .5) * 2 * (half + .32)
        over = max(0, abs(across) - half - .02)
        y = -length / 2 - .04 + v * (edge + length / 2)
        wave = .02 * math.sin(9 * across + 5 * y + phase) + .02 * math.sin(13 * y - 4 * across)
        return math.copysign(min(abs(across), half + .03 + over * .12), across) + wave, y, top + .07 + wave - over * .95
    sheet(cover, 40, 40, blanket)
    box((0, edge, top + .075), (half * 2 + .05, .3, .05), linen, rounding=.02)
    if r.random() < .6:
        x = r.choice([-1, 1]) * (half + .32)
        box((x, .85, .25), (.4, .4, .5), timber)
        floor_lamp(r, (x, .85, .5), r.uniform(.5, .65))


def screen(r, wide, tall):
    """Build a lit screen that faces -y and stands on z = 0: windows, pictures and lines of text."""
    colors = [(.75, .8, .85), (.05, .2, .6), (.85, .85, .82), (.02, .03, .06), (.1, .5, .3), (.7, .3, .1)]
    lit = [plain(c, .3, glow=.7) for c in colors]
    parts = [box((0, 0, tall / 2), (wide, .04, tall), plain((.02, .02, .02), .3), rounding=.015),
             blocks([((0, -.02, tall / 2), (wide - .1, .01, tall - .1))], r.choice(lit))]
    for i in range(r.randint(1, 3)):
        w, h = wide * r.uniform(.3, .6), tall * r.uniform(.3, .6)
        x, front = r.uniform(-.5, .5) * (wide - w - .12), -.027 - .006 * i
        z = tall / 2 + r.uniform(-.5, .5) * (tall - h - .12)
        lines = [((x - w * r.uniform(.04, .2), front - .003, z + h * (.32 - .1 * k)),
                  (w * r.uniform(.3, .55), .004, h * .04)) for k in range(8)]
        parts += [blocks([((x, front, z), (w, .005, h))], r.choice(lit[:3])), blocks(lines, r.choice(lit[3:])),
                  blocks([((x, front - .003, z + h * .46), (w, .004, h * .08))], r.choice(lit[1:]))]
    return parts


def keyboard(wide, made, keys):
    """Build a keyboard lying at the origin."""
    rows = [((wide * ((i + .5) / 14 - .5) * .95, .42 * ((j + .5) / 5 - .5), .055), (wide * .055, .065, .03))
            for i in range(14) for j in range(1, 5)]
    return [box((0, 0, .025), (wide, .46, .05), made, rounding=.015),
            blocks(rows + [((0, -.168, .055), (wide * .4, .065, .03))], keys)]


def desk(r):
    """What lies on a desk: a laptop or a monitor with its keyboard and mouse, a phone, papers, a cup, keys, pencils."""
    shell = r.choice([plain((.55, .56, .58), .35, metal=.8), plain((.03, .03, .03), .5), plain((.75, .75, .73), .5)])
    dark = plain((.03, .03, .035), .5)
    if r.random() < .55:
        wide = r.uniform(1.4, 1.65)
        box((0, 0, .04), (wide, 1, .06), shell, rounding=.02)
        group(keyboard(wide * .88, shell, dark), (0, .18, .04))
        blocks([((0, -.3, .071), (.45, .3, .004))], dark if r.random() < .3 else plain((.4, .4, .42), .3))
        group(screen(r, wide, r.uniform(.9, 1)), (0, .5, .07), (-r.uniform(.15, .4), 0, 0))
    else:
        wide = r.uniform(1.6, 2.1)
        group(screen(r, wide, wide * r.uniform(.55, .65)), (0, .5, .4), (-.05, 0, 0))
        box((0, .56, .3), (.16, .05, .6), shell)
        box((0, .55, .02), (.6, .4, .04), shell)
        group(keyboard(r.uniform(1.1, 1.4), r.choice([dark, shell]), r.choice([dark, plain((.8, .8, .78), .5)])),
              (-.1, -.3, 0))
    if r.random() < .8:
        ellipsoid((.98, -.3, .05), (.12, .19, .09), r.choice([dark, shell]), segments=24)
    paper = plain((.85, .85, .82), .8)
    ink = material((.15, .15, .18), (.85, .85, .82), pattern='stripes', scale=5, ramp=(.2, .35), rough=.8)
    for i in range(r.randint(0, 3)):
        parts = [blocks([((0, 0, .006 + .006 * i), (.95, .68, .004))], paper),
                 blocks([((0, 0, .009 + .006 * i), (.75, .5, .002))], ink)]
        group(parts, (r.choice([-1, 1]) * r.uniform(.5, .8), r.uniform(-1, -.75), 0), (0, 0, r.uniform(1, 2)))
    if r.random() < .6:
        group(one_mug(r, False), (-1.05, r.uniform(-.2, .3), 0), (0, 0, r.uniform(0, 6)), .26)
    if r.random() < .6:
        group(screen(r, .34, .66), (r.uniform(-.4, .4), -1.0, .03), (-math.pi / 2, 0, 0))
    if r.random() < .5:
        yellow = plain((.75, .45, .03), .3)
        group(one_pencil(.9, .035, yellow, dark, plain((.7, .45, .25)), metal(r), plain((.7, .3, .3))), (.3, -.8, .03),
              (0, 1.57, r.uniform(-.6, .6)))
    if r.random() < .4:
        for turn in (0, .5, 1.1):
            group([torus((0, 0, .02), .07, .012, metal(r)),
                   blocks([((.17, 0, .02), (.2, .03, .015)), ((.25, .03, .02), (.03, .06, .015))], metal(r))],
                  (.8, -.85, .01 * turn), (0, 0, turn))


# Houses, trees and flowers.

def window(x, z, wide, tall, front, frame, glass, made):
    """Build a window facing -y in the plane y = front: frame, bars, sill and panes."""
    bars = [((x, front, z), (wide, .03, .025)), ((x, front, z), (.025, .03, tall)),
            ((x, front - .03, z - tall / 2 - .02), (wide + .1, .1, .04))]
    bars += [((x, front, z + s * tall / 2), (wide + .05, .05, .05))
             for s in (-1, 1)] + [((x + s * wide / 2, front, z), (.05, .05, tall)) for s in (-1, 1)]
    parts = [blocks(bars, frame), blocks([((x, front, z), (wide, .012, tall))], glass)]
    if made:
        parts.append(blocks([((x + s * wide * .78, front, z), (wide * .4, .04, tall + .05)) for s in (-1, 1)], made))
    return parts


def one_house(r, wide, deep, tall, sideways):
    """Build a house with a gable roof; its front faces -y, with the gable in front or sideways."""
    wall = r.choice([material((.3, .09, .05), (.4, .16, .1), pattern='checks', scale=14, rough=.9),
                     material(random_color(r, .15, .8, .4), rough=.9, bump=.3),
                     material((.75, .72, .65), (.6, .57, .5), pattern='noise',
                              rough=.9), material((.7, .6, .4), (.6, .5, .33), rough=.9)])
    tone = r.choice([(.3, .08, .04), (.06, .06, .07), (.16, .09, .06)])
    tiles = material(tone, darker(tone, .6), rough=.8, scale=12)
    white, glass = plain((.8, .8, .78), .5), plain((.04, .06, .09), .05, coat=.5)
    shutters = plain(random_color(r), .5) if r.random() < .3 else None
    across, along, rise = (deep, wide, r.uniform(.45, .7)) if sideways else (wide, deep, r.uniform(.6, .9))
    parts = [extrude([(-across / 2, 0), (across / 2, 0), (across / 2, tall), (0, tall + rise), (-across / 2, tall)],
                     along, wall, rounding=0)]
    slope, run = math.atan2(rise, across / 2), math.hypot(rise, across / 2)
    for side in (-1, 1):
        rows = [((-.04 + (run + .14) * (i + .5) / 9, 0, .03 + .012 * (i % 2)),
                 ((run + .14) / 9 + .04, along + .16, .03)) for i in range(9)]
        parts += group([blocks(rows, tiles)], (0, 0, tall + rise), (0, slope, math.pi * (side < 0)))
    x = r.choice([-1, 1]) * across * .25
    parts.append(box((x, along * .25, tall + rise * .75), (.2, .2, rise * .9),
                     material((.3, .1, .06), (.4, .18, .12), pattern='checks', scale=16), rounding=0))
    group(parts, rotation=(0, 0, math.pi / 2 if sideways else 0))
    front, floors, columns = -deep / 2 - .005, 2 if tall > 1 else 1, 3 if wide > 1.3 else 2
    door = r.randrange(columns)
    for floor in range(floors):
        for column in range(columns):
            x, z, h = wide * ((column + .5) / columns - .5), tall * (floor + .55) / floors, tall / floors * .5
            if floor or column != door:
                parts += window(x, z, wide / columns * .42, h, front, white, glass, shutters)
            else:
                h = tall / floors * .75
                parts += [box((x, front, h / 2), (.36, .05, h + .06), white, rounding=0),
                          box((x, front - .02, h / 2), (.28, .04, h), plain(random_color(r), .3)),
                          ellipsoid((x + .1, front - .05, h / 2), .02, white,
                                    segments=8), box((x, front - .1, .025), (.5, .25, .05), plain((.4, .4, .38), .9))]
    if not sideways and rise > .6:
        parts += window(0, tall + rise * .3, .22, .24, front, white, glass, None)
    return parts


def house(r):
    """A house with bushes or a tree, or a row of houses: a street."""
    if r.random() < .35:
        tall, sideways = r.uniform(1.2, 1.5), r.random() < .5
        for x in (-.83, 0, .83):
            group(one_house(r, .82, .9, tall * r.uniform(.95, 1.05), sideways), (x, 0, 0))
        box((0, -.75, .01), (2.6, .5, .02), plain((.1, .1, .1), .9), rounding=0)
        return
    group(one_house(r, r.uniform(1.4, 2), r.uniform(1, 1.3), r.choice([r.uniform(.7, .9), r.uniform(1.15, 1.5)]),
                    r.random() < .6), (0, .2, 0))
    for side in (-1, 1):
        if r.random() < .6:
            crown(r, (side * r.uniform(.75, 1), -.7, .18), r.uniform(.18, .28), 500,
                  [material(r.choice(GREENS), rough=.6)])


def crown(r, centre, radius, count, greens):
    """Build a leafy ball: a dark lumpy core and many leaves about it."""
    state = np.random.default_rng(r.randrange(2 ** 32))
    lumpy(ellipsoid(centre, radius * .8, plain((.015, .03, .008), .9), segments=16), radius * .3, radius)
    points = state.normal(size=(count, 3))
    points *= radius * state.uniform(.75, 1.08, (count, 1)) / np.linalg.norm(points, axis=1, keepdims=True)
    for made, part in zip(greens, np.array_split(points + centre, len(greens))):
        leaves(part, radius ** .5 * .085, made, r)


def tree(r):
    """A leafy tree with its branches, or a fir; sometimes several, or bushes beside it."""
    color = r.choice(GREENS + [(.45, .16, .02), (.55, .33, .03)])
    greens = [plain(darker(color, k), .6) for k in (1, .75, 1.35)]
    bark = material((.12, .07, .04), (.05, .03, .02), scale=9, bump=.6, rough=.9)
    count = r.choice([1, 1, 1, 2, 3])
    for n in range(count):
        scale = 1 if count == 1 else r.uniform(.55, .75)
        x, y = (0, 0) if count == 1 else ((n - (count - 1) / 2) * 1.5 / count * 1.2, r.uniform(-.4, .4))
        (fir if r.random() < .25 else broadleaf)(r, (x, y, 0), scale, greens, bark, 4200 // count)
    if r.random() < .4:
        crown(r, (r.choice([-1, 1]) * .95, -.5, .2), .28, 500, greens)


def broadleaf(r, foot, scale, greens, bark, count):
    """Grow a trunk, branches and four to eight leafy balls."""
    x, y, _ = foot
    fork, balls_ = r.uniform(.6, 1) * scale, r.randint(5, 8)
    tube([(x, y, 0), (x + .03, y, fork * .5), (x, y, fork * 1.3)], [.17 * scale, .11 * scale, .08 * scale], bark)
    for i in range(balls_):
        turn, away = i * 2.4 + r.uniform(-.3, .3), r.uniform(.3, .65) * scale * (i > 0)
        end = np.array([x + away * math.cos(turn), y + away * math.sin(turn),
                        fork + (r.uniform(.35, 1.15) if i else 1.1) * scale])
        start = np.array([x, y, fork * r.uniform(.8, 1.2)])
        tube([start, (start + end) / 2 + (0, 0, -.05), end], [.06 * scale, .04 * scale, .02 * scale], bark, segments=8)
        crown(r, end, r.uniform(.38, .52) * scale, count // balls_, greens)


def fir(r, foot, scale, greens, bark, count):
    """Grow a fir: a trunk and drooping tiers of needles."""
    x, y, _ = foot
    state = np.random.default_rng(r.randrange(2 ** 32))
    tall = r.uniform(2.2, 2.7) * scale
    tube([(x, y, 0), (x, y, tall * .9)], [.1 * scale, .02 * scale], bark)
    up = state.uniform(.12, 1, count) ** 1.2
    turn = state.uniform(0, TAU, count)
    reach = .85 * scale * (1 - up) * (1 - .45 * (up * 9 % 1)) * state.uniform(.5, 1, count) ** .4
    points = np.stack([x + reach * np.cos(turn), y + reach * np.sin(turn), up * tall - .15 * reach], -1)
    cylinder((x, y, tall * .5), .45 * scale, tall * .7, plain((.01, .02, .006), .9), top=.05)
    for made, part in zip(greens, np.array_split(points, 3)):
        leaves(part, .055 * scale, made, r)


def flower(r, style, petals_made, heart):
    """Build a flower that opens towards +z at the origin: a daisy, a tulip or a rose."""
    count, rows, lift = {'daisy': (r.randint(9, 14), 1, .15), 'tulip': (6, 1, 1.25), 'rose': (6, 3, .6)}[style]
    parts = []
    for row in range(rows):
        for i in range(count - row):
            rise, long = lift + .35 * row, .24 - .04 * row
            wide = {'daisy': .05, 'tulip': .11, 'rose': .12}[style]

            def petal(u, v):
                side, bend = (v - .5) * 2, rise - (.5 * u if style == 'tulip'
                                                   else .9 * u * (style == 'rose')) + .5 * (1 - u)
                along = long * u
                return (.02 + along * math.cos(bend) * (.9 if style != 'tulip' else 1),
                        side * wide * math.sin(math.pi * (.1 + .8 * u)) ** .7,
                        along * math.sin(bend) + .03 * side * side)
            parts.append(move(sheet(petal, 6, 5, petals_made), rotation=(0, 0, TAU * i / (count - row) + row * .5)))
    if style == 'daisy':
        parts.append(ellipsoid((0, 0, .03), (.08, .08, .05), heart, segments=16))
    return parts


def flowers(r):
    """A vase with a bunch of flowers and leaves."""
    tall, wide = r.uniform(.8, 1.15), r.uniform(.26, .4)
    glaze = r.choice([plain(random_color(r, .03, .8), .15, coat=.6),
                      material(random_color(r), random_color(r), pattern='spots', scale=5, rough=.2, coat=.5)])
    belly, neck = r.uniform(.1, .5), r.uniform(.5, .9)
    profile = [(wide * (.7 + belly * math.sin(math.pi * t) + (neck - .7) * t ** 3), tall * t)
               for t in np.linspace(0, 1, 16)]
    parts = [lathe([(0, 0), *profile, (profile[-1][0] - .04, tall), (profile[-1][0] - .06, tall * .8), (0, tall * .8)],
                   glaze)]
    green, heart = plain(r.choice(GREENS), .5), plain((.6, .3, .02), .8)
    tints = [plain(r.choice([(.7, .02, .03), (.8, .5, .03), (.8, .78, .75), (.65, .1, .3), (.3, .08, .5),
                             (.8, .25, .02)]), .5) for _ in range(r.randint(1, 3))]
    styles = [r.choice(['daisy', 'tulip', 'rose']) for _ in range(r.randint(1, 2))]
    count = r.randint(7, 14)
    for i in range(count):
        turn, tilt, long = i * 2.4, .1 + .6 * math.sqrt(i / count), r.uniform(.65, .95)
        lean = math.sin(tilt) * long
        head = (lean * math.cos(turn), lean * math.sin(turn), tall + math.cos(tilt) * long)
        parts.append(tube([(0, 0, tall * .7), (head[0] * .4, head[1] * .4, tall + long * .45), head], .018, green,
                          segments=6))
        parts += group(flower(r, r.choice(styles), r.choice(tints), heart), head, (0, tilt * 1.2, turn),
                       r.uniform(.95, 1.3))
        blade = sheet(lambda u, v: (u * .6, (v - .5) * .16 * math.sin(math.pi * u), .35 * u - .4 * u * u), 8, 4, green)
        parts += group([blade], (0, 0, tall * r.uniform(.95, 1.2)), (0, -r.uniform(.1, .7), turn + 1))
    group(parts, scale=r.uniform(.95, 1.1))


# Bottles, balls, toys and instruments.

def bottle(r):
    """Build one bottle, can, jar or drinking glass with its label and cap or its drink."""
    style = r.choice(['wine', 'beer', 'soda', 'can', 'jar', 'glass', 'goblet'])
    label = r.choice([material(random_color(r), random_color(r),
                               pattern=r.choice(['spots', 'stripes', 'cells', 'noise']), scale=6, rough=.5),
                      plain((.8, .76, .65), .6), plain(random_color(r), .5)])
    drink = plain(r.choice([(.3, .01, .02), (.75, .45, .05), (.7, .25, .01), (.1, .04, .01), (.6, .6, .35)]), .1,
                  coat=1)
    if style in ('glass', 'goblet'):
        clear, wide = plain((.85, .9, .9), .03, coat=1, alpha=.22), r.uniform(.28, .36)
        foot = .1 if style == 'glass' else .75
        bowl = [(wide * (.75 + .25 * t if style == 'glass' else math.sin(.35 + 2 * t)), foot + .8 * t)
                for t in np.linspace(0, 1, 10)]
        stem = [(0, 0), (wide * .75, 0), (wide * .75, .02)] + ([(.035, .06), (.035, .65)] if style == 'goblet' else [])
        fill = r.randint(4, 8)
        return [lathe([*stem, *bowl, *[(a - .02, b + .01) for a, b in bowl[::-1]], (0, foot + .03)], clear),
                lathe([(0, foot + .04), *[(a - .025, b + .04) for a, b in bowl[:fill]], (0, bowl[fill - 1][1] + .04)],
                      drink)]
    wide = {'wine': .29, 'beer': .27, 'soda': .31, 'can': .31, 'jar': .4}[style] * r.uniform(.93, 1.07)
    body = {'wine': 1.3, 'beer': .9, 'soda': 1.2, 'can': .95, 'jar': .85}[style] * r.uniform(.92, 1.1)
    neck, throat = {'wine': (.8, .1), 'beer': (.65, .095), 'soda': (.5, .1), 'can': (.07, .24), 'jar': (.1, .33)}[style]
    glass = {'wine': plain(r.choice([(.012, .03, .012), (.02, .008, .003), (.5, .48, .2)]), .06, coat=1),
             'beer': plain(r.choice([(.12, .035, .006), (.03, .13, .03)]), .06,
                           coat=1), 'can': plain((.6, .6, .62), .3, metal=1)}.get(style, drink)
    shoulder = [(throat + (wide - throat) * (.5 + .5 * math.cos(math.pi * t)),
                 body + neck * (.6 if neck > .2 else 1) * t) for t in np.linspace(0, 1, 10)]
    top = body + neck
    parts = [lathe([(0, .02), (wide * .85, 0), (wide, .06), *shoulder, (throat, top), (0, top)], glass),
             shell([(wide + .006, .08 if style == 'can' else body * .2),
                    (wide + .006, body * (.99 if style == 'can' else .8))], label),
             cylinder((0, 0, top + .02), throat * 1.15, .02 if style == 'can' else .1,
                      metal(r) if style in ('jar', 'can') else plain(random_color(r), .4), rounding=.01)]
    strip = [(wide + .009, body * low) for low in ((.68, .74) if style != 'can' else (.12, .3))]
    name = word(r.choice(['COLA', 'ALE', 'Vino', 'No. 7', 'FRESH', 'Sun']), wide * .5,
                plain(random_color(r, 0, .5), .5), (0, -wide - .008, body * .48))
    return parts + [shell(strip, plain(random_color(r), .5)), name]


def bottles(r):
    """Bottles, cans, jars and glasses side by side."""
    count = r.choice([1, 2, 3, 3, 4, 5])
    for i in range(count):
        turn, away = i * TAU / count + r.uniform(-.2, .2), (0 if count == 1 else .42 if count < 3 else .72)
        group(bottle(r), (away * math.cos(turn), away * math.sin(turn), 0), (0, 0, r.uniform(-.6, .6)),
              1.25 if count == 1 else 1.05)


def football(r, radius):
    """Build a football: black pentagons, white hexagons and dark seams."""
    g = (1 + 5 ** .5) / 2
    corners = np.array([(0, a, b * g) for a in (-1, 1) for b in (-1, 1)]) / math.hypot(1, g)
    pentagons = np.concatenate([np.roll(corners, k, axis=1) for k in range(3)])
    near = pentagons @ pentagons.T > .4
    hexagons = np.array([pentagons[[i, j, k]].sum(0) for i in range(12) for j in range(i) for k in range(j)
                         if near[i, j] and near[j, k] and near[i, k]])
    hexagons /= np.linalg.norm(hexagons, axis=1, keepdims=True)
    color = r.choice([(.015, .015, .015), (.015, .015, .015), random_color(r, 0, .5)])
    ball = ellipsoid((0, 0, 0), radius, material((.82, .82, .8), pattern='plain', rough=.35, coat=.4, inside=color),
                     segments=150 if radius > .7 else 96)
    place = np.array([v.co for v in ball.data.vertices])
    reach = np.concatenate([place @ pentagons.T * 1.024, place @ hexagons.T], axis=1)  # a pentagon lies farther out
    two = np.sort(reach, axis=1)
    black = np.clip((reach[:, :12].max(1) - reach[:, 12:].max(1)) / .02 + .5, 0, 1)
    seam = np.clip(1.3 - (two[:, -1] - two[:, -2]) / .016, 0, 1)
    return [mark_inside(ball, np.maximum(black, seam))]


def one_ball(r, style, radius):
    """Build a football, a basketball, a tennis ball or a beach ball about the origin."""
    turn = np.linspace(0, TAU, 90)
    if style == 'football':
        return football(r, radius)
    if style == 'basketball':
        seam = plain((.02, .015, .01), .7)
        parts = [ellipsoid((0, 0, 0), radius,
                           material((.6, .17, .03), (.5, .12, .02), rough=.6, bump=.6, bump_scale=70))]
        parts += [torus((0, 0, 0), radius, radius * .018, seam, turned) for turned in ((0, 0, 0), (math.pi / 2, 0, 0))]
        for side in (-1, 1):
            curve = np.stack([.62 + .22 * np.cos(2 * turn), .8 * np.cos(turn), .8 * np.sin(turn)], 1) * (side, 1, 1)
            parts.append(tube(radius * curve / np.linalg.norm(curve, axis=1, keepdims=True), radius * .018, seam,
                              segments=8))
        return parts
    if style == 'tennis':
        curve = np.stack([.75 * np.cos(turn) + .25 * np.cos(3 * turn), .75 * np.sin(turn) - .25 * np.sin(3 * turn),
                          .87 * np.sin(2 * turn)], 1)
        felt = material((.5, .62, .04), (.38, .5, .03), rough=1, bump=.8, bump_scale=60, scale=12)
        return [ellipsoid((0, 0, 0), radius, felt),
                tube(radius * .99 * curve / np.linalg.norm(curve, axis=1, keepdims=True), radius * .035,
                     plain((.75, .75, .7), .9), segments=8)]
    colors = [(.6, .02, .02), (.82, .82, .8), (.02, .15, .55), (.8, .5, .02), (.03, .35, .12), (.82, .82, .8)]
    shift, parts = r.randrange(6), []
    for i in range(6):
        def gore(u, v):
            t, p = math.pi * u, TAU * (i + v) / 6
            return radius * math.sin(t) * math.cos(p), radius * math.sin(t) * math.sin(p), radius * math.cos(t)
        parts.append(sheet(gore, 24, 12, plain(colors[(i + shift) % 6], .2, coat=.8)))
    return parts + [cylinder((0, 0, side * radius * .98), radius * .14, radius * .06, plain((.8, .8, .8)))
                    for side in (-1, 1)]


def balls(r):
    """One big ball, or several balls of one or more sports."""
    styles = ['football', 'basketball', 'tennis', 'beach']
    count = r.choice([1, 1, 2, 3, 4])
    same = r.choice(styles) if r.random() < .4 else None
    for i in range(count):
        style = same or r.choice(styles)
        radius = r.uniform(.85, 1.1) if count == 1 else r.uniform(.48, .6)
        if style == 'tennis' and count > 1 and not same:
            radius *= .7
        away = 0 if count == 1 else .62 if count == 2 else .72
        place = (away * math.cos(i * TAU / count), away * math.sin(i * TAU / count), radius)
        group(one_ball(r, style, radius), place, [r.uniform(0, TAU) for _ in range(3)])


def guitar(r):
    """An acoustic or an electric guitar with frets, strings and pegs, lying or leaning upright."""
    electric = r.random() < .4
    s = np.concatenate([np.linspace(0, 1, 40) ** 1.5 * .5, 1 - (np.linspace(1, 0, 40)[1:] ** 1.5) * .5])
    waist = r.uniform(.25, .33)
    half = .47 * np.sin(math.pi * s) ** .45 * (1 - waist * np.exp(-((s - .6) / .14) ** 2)) * (1 - .2 * s)
    x = -1.25 + 1.15 * s
    upper, lower = np.stack([x, half], 1), np.stack([x, -half], 1)[-2:0:-1]
    if electric:  # two horns beside the neck
        upper = upper + (1, 0) * (.14 * (s > .8) * (s - .8) / .2)[:, None] * (half > .1)[:, None]
    tone = r.choice([(.65, .35, .1), (.45, .16, .04), (.75, .5, .22)])
    color = random_color(r, .01, .7) if electric else tone
    grain = material(color, darker(color, .75), pattern='wood', scale=1, rough=.25, coat=.6)
    top = plain(color, .12, coat=1) if electric else grain
    edge, dark, steel = material(darker(tone, .35), rough=.3, coat=.5), plain((.03, .018, .01), .5), metal(r)
    thick = .12 if electric else .26
    parts = [extrude(np.concatenate([upper, lower]), thick, edge, rounding=.02),
             extrude(np.concatenate([upper, lower]) * (.985, .97) - (.012, 0), thick + .012, top, rounding=.01)]
    front = -thick / 2 - .006
    parts += [box((.22, front - .02, 0), (.95, .05, .13), dark, rounding=.01),
              box((.8, front, 0), (.3, .06, .19), r.choice([edge, top]), rounding=.02),
              box((-.95, front - .015, 0), (.07, .035, .34), steel if electric else dark, rounding=.01),
              blocks([((.68 - .9 * (1 - .5 ** (i / 8)) * 1.1, front - .046, 0), (.01, .006, .13)) for i in range(14)],
                     steel)]
    if electric:
        parts += [box((px, front - .01, 0), (.09, .03, .24), dark, rounding=.01) for px in (-.4, -.7)]
        parts += [cylinder((-.95 - .1 * i, front - .02, -.2 - .03 * i), .035, .05, steel, (math.pi / 2, 0, 0),
                           segments=16) for i in (0, 1)]
    else:
        parts += [cylinder((-.52, front, 0), .15, .008, plain((.008, .005, .003), .9), (math.pi / 2, 0, 0),
                           rounding=.002),
                  torus((-.52, front, 0), .165, .018, dark, (math.pi / 2, 0, 0), flat=.2)]
    parts += [rod((-.95, front - .035, z * 1.3), (.72, front - .055, z), .004, steel)
              for z in np.linspace(-.05, .05, 6)]
    parts += [ellipsoid((.72 + .09 * i, front, side * .13), (.025, .02, .04), r.choice([steel, plain((.75, .72, .65))]),
                        segments=12) for i in range(3) for side in (-1, 1)]
    if r.random() < .5:
        return group(parts, (.1, 0, thick / 2), (-math.pi / 2, 0, 0), 1.12)
    group(parts, rotation=(0, -math.pi / 2, 0))
    group(parts, (0, 0, 1.4), (-.15, 0, 0), 1.08)
    return [rod((0, .05, .6), (side * .35, .55, .02), .03, dark)
            for side in (-1, 1)] + [rod((side * .3, -.15, .05), (side * .3, .5, .05), .03, dark) for side in (-1, 1)]


def clock(r):
    """A wall clock or an alarm clock with two bells, facing -y."""
    alarm, radius = r.random() < .55, 1.0
    rim = r.choice([plain(random_color(r), .25, coat=.8), metal(r), wood(r)])
    light, dark = r.choice([(.82, .8, .74), (.82, .82, .8), (.7, .6, .42)]), (.02, .02, .02)
    face, ink = (plain(c, .6) for c in ((light, dark) if r.random() < .8 else (dark, light)))
    depth = .6 if alarm else .2
    parts = [cylinder((0, 0, 0), radius, depth, rim, (math.pi / 2, 0, 0), rounding=.08),
             torus((0, -depth / 2, 0), radius * .95, .08, rim, (math.pi / 2, 0, 0)),
             cylinder((0, -depth / 2, 0), radius * .92, .02, face, (math.pi / 2, 0, 0))]
    front = -depth / 2 - .015
    names = r.choice([[str(i or 12) for i in range(12)], 'XII I II III IV V VI VII VIII IX X XI'.split(),
                      ['12', '', '', '3', '', '', '6', '', '', '9', '', '']])
    for i, name in enumerate(names):
        turn = i * TAU / 12
        parts.append(word(name, .24, ink, (.68 * math.sin(turn), front, .68 * math.cos(turn))))
    for i in range(60):
        parts.append(box((.84 * math.sin(i * TAU / 60), front, .84 * math.cos(i * TAU / 60)),
                         (.03 if i % 5 == 0 else .012, .01, .07), ink, (0, i * TAU / 60, 0), 0))
    hour = r.uniform(0, 12)
    for turn, long, thick, made in ((hour / 12, .45, .05, ink), (hour % 1, .68, .035, ink),
                                    (r.random(), .72, .012, plain((.6, .02, .02), .4))):
        parts.append(box((long * .42 * math.sin(turn * TAU), front - .02 - .2 * (.06 - thick),
                          long * .42 * math.cos(turn * TAU)), (thick, .012, long), made, (0, turn * TAU, 0), 0))
    parts.append(cylinder((0, front - .03, 0), .05, .04, ink, (math.pi / 2, 0, 0), segments=16))
    if alarm:
        bells = metal(r)
        for side in (-1, 1):
            parts += [lathe([(.34, 0), (.31, .14), (.2, .24), (.05, .28), (.05, .33), (0, .34)], bells,
                            (side * .55, 0, 1), (0, side * .5, 0)),
                      rod((side * .4, 0, .8), (side * .56, 0, 1.05), .05,
                          bells), rod((side * .5, 0, -.8), (side * .72, -.05, -1.15), .07, bells)]
        parts += [tube([(.25 * math.cos(a), 0, 1.25 + .35 * math.sin(a)) for a in np.linspace(0, math.pi, 16)], .04,
                       bells), box((0, 0, 1.15), (.12, .1, .2), bells)]
    group(parts, (0, 0, 1.15 if alarm else 1.03), (0 if alarm else -.12, 0, 0))


def teddy_bear(r):
    """A sitting teddy bear facing -y, with a bow or a jumper."""
    color = r.choice([(.35, .16, .06), (.55, .32, .14), (.2, .09, .04), (.75, .62, .45), (.7, .68, .64), (.6, .25, .3)])
    fur = material(color, darker(color, .6), rough=1, scale=14, bump=1, bump_scale=45)
    pale = material(tuple(min(.85, c * 1.7 + .08) for c in color), rough=1, scale=14, bump=.8, bump_scale=45)
    black, fat, big = plain((.01, .01, .01), .1, coat=1), r.uniform(.9, 1.15), r.uniform(.9, 1.08)
    balls_ = [((0, 0, .62), (.5 * fat, .44 * fat, .6), cloth(r, .7) if r.random() < .3 else fur),
              ((0, -.03, 1.5), (.5 * big, .45 * big, .46 * big), fur)]
    for side in (-1, 1):
        balls_ += [((side * .4 * big, .02, 1.86), (.19, .12, .19), fur),
                   ((side * .41 * big, -.07, 1.87), (.12, .08, .12), pale),
                   ((side * .42, -.5, .2), (.2, .48, .2), fur),
                   ((side * .45, -.92, .26), (.2, .13, .25), fur),
                   ((side * .45, -1.01, .27), (.13, .06, .16), pale)]
        lumpy(ellipsoid((side * .58 * fat, -.2, .72), (.17, .2, .42), fur, (.6, side * -.45, 0)), .04, .15)
        ellipsoid((side * .19, -.42 * big - .03, 1.58), (.05, .035, .055), black, segments=16)
    balls_.append(((0, -.4 * big, 1.38), (.22, .18, .17), pale))
    if r.random() < .5:
        balls_.append(((0, -.28 * fat, .6), (.33, .2, .42), pale))
    for place, radii, made in balls_:
        lumpy(ellipsoid(place, radii, made), .05, .12)
    ellipsoid((0, -.4 * big - .17, 1.46), (.085, .05, .06), black, segments=16)
    tube([(-.1, -.4 * big - .13, 1.31), (0, -.4 * big - .175, 1.36), (.1, -.4 * big - .13, 1.31)], .014, black,
         segments=8)
    if r.random() < .6:
        silk = plain(random_color(r), .4)
        torus((0, 0, 1.12), .3, .07, silk)
        for side in (-1, 1):
            cushion((side * .2, -.42, 1.1), (.32, .12, .26), silk, (0, side * .2, 0), .8)
        ellipsoid((0, -.46, 1.1), .07, silk, segments=16)


def knots(r, rows, columns):
    """Return the colour number, 0 to 4, of every knot of a carpet: border, zigzags, diamonds or tiled medallions."""
    i, j = np.meshgrid(np.arange(rows), np.arange(columns), indexing='ij')
    edge, period, step = np.minimum(i, rows - 1 - i), r.choice([14, 20, 28]), r.choice([2, 3, 4])
    across, along = np.abs(i - (rows - 1) / 2), np.abs(j % period - period / 2)
    tile = np.random.default_rng(r.randrange(2 ** 32)).integers(0, 5, (8, 8))
    field = r.choice([(across + along) // step, (i + along) // step, along // step,
                      np.maximum(across % 14, along) // step,
                      tile[(across // 2).astype(int) % 8, (along // 2).astype(int) % 8]])
    border = np.where(edge % 4 < 2, (j // 3) % 2, 2 + edge // 4)
    return np.where(edge < 8, border, field).astype(int) % 5


def one_carpet(r):
    """Build a patterned carpet rolled about the x axis: spiral ends, fringe, sometimes a loose flap or strings."""
    half, thick, turns = r.uniform(.9, 1.2), r.uniform(.04, .06), r.uniform(2.5, 3.7)
    core, pitch, flap = r.uniform(.06, .14), thick * r.uniform(1.35, 1.7), r.choice([0, r.uniform(.2, .7)])
    outer = core + pitch * turns
    angle = np.arange(int(turns * 40) + 1) / 40 * TAU
    angle -= angle[-1]
    reach = outer + pitch * angle / TAU
    path = np.stack([reach * np.sin(angle), outer - reach * np.cos(angle)], 1)
    tail = np.stack([np.linspace(.04, flap + .05, 16), .01 * np.sin(np.linspace(0, 7, 16))], 1)
    path = np.concatenate([path, tail]) + (0, thick / 2)
    rows, columns = 51, len(path)
    vertices = [(x, y, z) for x in np.linspace(-half, half, rows) for y, z in path]
    base = [random_color(r, .02, .5, .25)
            for _ in range(3)] + [r.choice([(.4, .03, .02), (.03, .06, .2), (.25, .02, .04)]), (.7, .6, .42)]
    wools = [material(c, darker(c, .75), rough=1, bump=.6, bump_scale=70, scale=20) for c in base]
    rug = mesh(vertices, grid_faces(rows, columns), wools[0])
    for wool in wools[1:]:
        rug.data.materials.append(wool)
    rug.data.polygons.foreach_set('material_index', knots(r, rows - 1, columns - 1).ravel())
    solid = rug.modifiers.new('thick', 'SOLIDIFY')
    solid.thickness, solid.offset, solid.material_offset_rim = thick, 0, 4  # pale edges show the spiral
    end, long = path[-1], r.uniform(.08, .16)
    fringe = [((x, end[0] + long * r.uniform(.35, .5), .015), (.014, long, .012))
              for x in np.linspace(-half + .01, half - .01, 70)]
    strings = [torus((x, 0, outer + thick / 2), outer + thick * .7, .015, wools[4], (0, math.pi / 2, 0))
               for x in ((-half * .5, half * .5) if r.random() < .3 and not flap else ())]
    return [rug, blocks(fringe, wools[4]), *strings], outer + thick / 2


def rolled_carpet(r):
    """One rolled-up carpet lying, or two or three side by side or piled."""
    count = r.choice([1, 1, 2, 3])
    place = -(count > 1) * .5
    for i in range(count):
        parts, radius = one_carpet(r)
        scale = 1.12 if count == 1 else .85
        if i == 2:
            group(parts, (0, place - 2.2 * radius * scale, radius * scale * 1.5), (0, 0, r.uniform(-.2, .2)), scale)
        else:
            group(parts, (r.uniform(-.1, .1), place, 0), (0, 0, r.uniform(-.12, .12)), scale)
        place += 2 * radius * scale + .12


OTHERS = {
    'mug': mug, 'pencils': pencils, 'toy_car': toy_car, 'books': books, 'shoe': shoe, 'sofa': sofa,
    'table_and_chairs': table_and_chairs, 'bicycle': bicycle, 'house': house, 'tree': tree, 'bottles': bottles,
    'desk': desk, 'balls': balls, 'guitar': guitar, 'clock': clock, 'teddy_bear': teddy_bear, 'bed': bed, 'bus': bus}
TEST_OTHERS = {'rolled_carpet': rolled_carpet, 'flowers': flowers}
