"""Build hot dogs in every way they are served, and what only looks like one: empty buns, sausages, a carrot.

A dog lies along x. `bun` describes it in a namespace (`dog`), and `top(dog, x, y)` says how high its surface is, so
that every topping can be laid on it; `group` and `tip` then turn and lift the finished dog.
"""
import math
import random
from types import SimpleNamespace

import bpy
import numpy as np
from mathutils import Euler, Matrix, Vector, noise

from creatures import ball, bones, cloth, fused, human_skin
from materials import BREAD, darker, mark_inside, material
from shapes import capsule, cylinder, ellipsoid, grid_faces, leaf, lumpy, mesh, sheet, torus, tube

MUSTARD = [(.75, .42, .02), (.80, .50, .03), (.62, .36, .03), (.55, .33, .05)]
KETCHUP = [(.45, .015, .01), (.36, .02, .01), (.52, .03, .015)]
SAUSAGE = [(.34, .08, .028), (.30, .07, .025), (.40, .12, .045), (.27, .07, .03), (.42, .095, .035), (.46, .15, .05),
           (.38, .13, .05)]
BRATWURST = [(.50, .26, .12), (.42, .20, .08), (.55, .34, .18)]


# ---- small helpers ----

def smooth_line(points, count):
    """Sample a smooth line (Catmull-Rom) through points."""
    points = np.asarray(points, float)
    padded = np.vstack([2 * points[0] - points[1], points, 2 * points[-1] - points[-2]])
    t = np.linspace(0, len(points) - 1 - 1e-9, count)
    k, f = t.astype(int), (t % 1)[:, None]
    a, b, c, d = (padded[k + i] for i in range(4))
    return b + .5 * f * (c - a + f * (2 * a - 5 * b + 4 * c - d + f * (3 * (b - c) + d - a)))


def rough(x, y, seed, size):
    """Return smooth noise from -1 to 1 at points of the table, its grains about `size` units wide."""
    lattice = np.random.RandomState(int(abs(seed) * 1000)).uniform(-1, 1, (64, 64))
    x, y = np.broadcast_arrays(x / size, y / size)
    i, j = np.floor(x).astype(int), np.floor(y).astype(int)
    u, v = (f * f * (3 - 2 * f) for f in (x - i, y - j))
    a, b, c, d = (lattice[(i + p) % 64, (j + q) % 64] for p in (0, 1) for q in (0, 1))
    return (a * (1 - v) + b * v) * (1 - u) + (c * (1 - v) + d * v) * u


def group(build, *matrices):
    """Call `build()` and move all that it made by the matrices, the last one first."""
    before = set(bpy.context.collection.objects)
    result = build()
    for thing in set(bpy.context.collection.objects) - before:
        for matrix in reversed(matrices):
            thing.matrix_basis = matrix @ thing.matrix_basis
    return result


def many(template, poses, stuff, smooth=True):
    """Make one mesh of many copies of a template (vertices, faces): poses are (location, rotation, size) triples."""
    if not poses:
        return None
    corners, sides = np.asarray(template[0]), template[1]
    vertices = [corners * size @ np.array(Euler(turn).to_matrix()).T + np.array(place) for place, turn, size in poses]
    faces = [tuple(c + k * len(corners) for c in side) for k in range(len(poses)) for side in sides]
    return mesh(np.concatenate(vertices), faces, stuff, smooth)


def pebble():
    """Return the template of an uneven crumb of radius about 1."""
    rings = [((1 + .3 * math.sin(5 * t + 2 * p)) * math.sin(t) * math.cos(p),
              (1 + .3 * math.cos(3 * p + t)) * math.sin(t) * math.sin(p),
              math.cos(t)) for t in np.linspace(.3,
                                                math.pi - .3,
                                                5) for p in np.linspace(0,
                                                                        2 * math.pi,
                                                                        7,
                                                                        endpoint=False)]
    return rings, grid_faces(5, 7, wrap_columns=True) + [tuple(range(7))[::-1], tuple(range(28, 35))]


def rod(bow=0., sides=5, thick=1., wave=0.):
    """Return the template of a strand 2 long and 2 wide, bowed and waved in its plane."""
    t = np.linspace(-1, 1, 9)
    around = np.linspace(0, 2 * math.pi, sides, endpoint=False) + .5
    vertices = [(x, bow * (1 - x * x) + wave * math.sin(4 * x) + math.cos(a), thick * math.sin(a))
                for x in t for a in around]
    last = 8 * sides
    ends = [tuple(range(sides))[::-1], tuple(range(last, last + sides))]
    return vertices, grid_faces(9, sides, wrap_columns=True) + ends


def turned(r, flat=6.3):
    """Draw a rotation: any about z, up to `flat` about the others."""
    return r.uniform(-flat, flat), r.uniform(-flat, flat), r.uniform(0, 6.3)


# ---- bun ----

def bun_section(r, style):
    """Draw a bun's cross-section: the crust line from the cut's left edge to its right, and the crumb line back."""
    angle = math.radians({'top': r.uniform(50, 66), 'side': r.uniform(60, 68), 'open': r.uniform(12, 34),
                          'england': r.uniform(66, 72), 'closed': r.uniform(82, 86)}[style])
    width, thick = r.uniform(.42, .52), r.uniform(.25, .33)
    sag = r.uniform(0, .22)

    def at(side, u, n):
        return (side * (u * width * math.cos(angle) + n * thick * math.sin(angle)),
                u * width * math.sin(angle) - n * thick * math.cos(angle))
    square = style == 'england'
    crust, crumb = [], [(0, 0)]
    for side in (-1, 1):
        swell = r.uniform(.9, 1.1)
        arc = [at(side, u, n * swell) for u, n in ([(1.05, .3), (1.06, .85), (.6, .95), (.05, .95)] if square else
                                                   [(1.05, .28), (.98, .72), (.6, 1.), (.2, .9)])]
        face = [at(side, 1.0, .02), at(side, .55, sag), at(side, .15, .05)]
        crust += [*arc, (0, -.75 * thick)] if side < 0 else arc[::-1]
        crumb = [*crumb, *face[::-1], arc[0]] if side < 0 else [arc[0], *face, *crumb]
    return smooth_line(crust, 36), smooth_line(crumb, 38)[1:-1]  # the lines share no point


def bun_crust(r):
    """Draw the crust: baked, glossy brioche or pale and soft."""
    kind = r.random()
    if kind < .5:
        shade = r.uniform(.6, .95)
        light, dark = r.choice(BREAD)
        return material(darker(dark, shade), darker(light, shade), rough=r.uniform(.35, .55), bump=.25, bump_scale=30,
                        scale=r.uniform(2, 5), ramp=(.3, .75), inside=(.78, .52, .22))
    if kind < .92:
        shade = r.uniform(.7, 1.1)
        return material(darker((.30, .10, .022), shade), darker((.60, .29, .08), shade), rough=.3, coat=.5,
                        bump=.12, bump_scale=14, scale=r.uniform(2, 4), ramp=(.3, .75), inside=(.76, .48, .18))
    return material((.74, .50, .23), (.54, .30, .10), rough=.55, bump=.2,
                    bump_scale=25, scale=4, ramp=(.3, .7), inside=(.82, .66, .40))


def bun_crumb(r):
    """Draw the crumb: porous and pale, or toasted."""
    pale = r.choice([(.82, .66, .40), (.80, .60, .32), (.84, .72, .50)])
    brown = r.choice([darker(pale, .75), (.56, .32, .11), (.42, .2, .06)])
    return material(pale, brown, rough=.85, bump=.7, bump_scale=24, scale=r.uniform(4, 12), ramp=(.42, .8))


def bun(r, style, cut=None):
    """Bake a bun and give its `dog`; a bun bitten at x = `cut` ends there and shows its crumb."""
    crust, crumb = bun_section(r, style)
    floor = crust[:, 1].min()
    crust, crumb = crust - (0, floor), crumb - (0, floor)
    section = np.vstack([crust, crumb])
    dog = SimpleNamespace(length=r.uniform(1.0, 1.2), bend=r.uniform(-.07, .07), middle=section[:, 1].max() * .45,
                          hinge=-floor, style=style, cut=cut, section=section, sausages=[],
                          blunt=r.uniform(2.8, 5), dressed=(1, 1))
    across = np.linspace(-.75, .75, 61)
    under = np.abs(section[None, :, 0] - across[:, None]) < .04
    dog.skyline = across, np.where(under, section[None, :, 1], 0).max(1)
    x, scale = capsule(dog.length, dog.blunt, 44)
    if cut is not None:
        scale = np.append(scale[x < cut], np.interp(cut, x, scale))
        x = np.append(x[x < cut], cut)
    place = np.stack([np.repeat(x[:, None], 72, 1), scale[:, None] * section[:, 0] + dog.bend * x[:, None] ** 2,
                      dog.middle + scale[:, None] * (section[:, 1] - dog.middle)], -1)
    stuff, crumbs = bun_crust(r), bun_crumb(r)
    if cut is not None:
        place[-1, :, 0] = bite(place[-1], dog)
        bitten_face(dog, place[-1], crumbs)
    faces = grid_faces(len(x), 72, wrap_columns=True) + [tuple(range(72))[::-1]]
    faces += [tuple(range(72 * len(x) - 72, 72 * len(x)))] if cut is None else []
    thing = mesh(place.reshape(-1, 3), faces, stuff)
    thing.data.materials.append(crumbs)
    thing.data.polygons.foreach_set('material_index',
                                    [int(k < 72 * (len(x) - 1) and 37 <= k % 72 < 70) for k in range(len(faces))])
    mark_inside(thing, np.tile(crumb_marks(r, style, crust), (len(x), 1)).ravel())
    lumpy(thing, r.uniform(.02, .05), r.uniform(.3, .7))
    if style != 'england' and r.random() < .3:
        seeds(r, dog)
    dog.bun, dog.dressed = thing, r.choice([(1, 1)] * 5 + [(.6, 1), (1, .6), (.7, .7)])
    return dog


def crumb_marks(r, style, crust):
    """Return how pale each point of the section is: brown on the outside, paler below and at the cut."""
    below = np.clip(1 - crust[:, 1] / (.5 * crust[:, 1].max()), 0, 1) * r.uniform(.05, .3)
    if style == 'england':
        below = np.full(36, r.uniform(.3, .8))
    below[:2], below[-2:] = .3, .3
    return np.concatenate([below, np.full(36, .7)])


def bite(points, dog):
    """Return the x of a bitten or cut end at points (y and z count), scalloped by the teeth where it was bitten."""
    y, z = points[..., 1], points[..., 2]
    return dog.cut - .12 * (np.cos(9 * y) * .6 + np.cos(11 * z + 1) * .4)


def bitten_face(dog, rim, crumbs):
    """Close a bitten bun between its crust line and its crumb line."""
    mix = np.linspace(0, 1, 9)[:, None, None]
    face = rim[:36] * (1 - mix) + rim[36:][::-1] * mix
    face[..., 0] = bite(face, dog) + .015 * np.sin(60 * face[..., 1]) * np.sin(50 * face[..., 2])
    mesh(face.reshape(-1, 3), grid_faces(9, 36), crumbs)


def seeds(r, dog):
    """Strew sesame or poppy seeds over the crust."""
    crust, dark = dog.section[:36], r.random() < .35
    poses = []
    for _ in range(r.randint(60, 160)):
        x, k = r.uniform(*reach(dog, .92)), r.choice([r.uniform(1, 13), r.uniform(23, 34)])
        ring = max(.01, 1 - abs(x / dog.length) ** dog.blunt) ** .5
        y, z = (crust[int(k)] + crust[int(k) + 1]) / 2
        poses.append(((x, y * ring + dog.bend * x * x, dog.middle + (z - dog.middle) * ring), turned(r, .8),
                      .012 if dark else (.024, .015, .011)))
    many(pebble(), poses, material((.04, .035, .03) if dark else (.74, .55, .30), pattern='plain'))


def top(dog, x, y):
    """Return the height of the dog's surface at x and y (arrays or numbers; y counts from its bent middle line)."""
    x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
    ring = np.sqrt(np.clip(1 - np.abs(x / dog.length) ** dog.blunt, .02, 1))
    height = dog.middle + ring * (np.interp(y / ring, *dog.skyline) - dog.middle)
    for length, radius, aside, z in dog.sausages:
        round_ = z + np.sqrt(np.clip(radius ** 2 - (y - aside) ** 2, 0, None))
        height = np.where((np.abs(x) < length) & (np.abs(y - aside) < radius), np.maximum(height, round_), height)
    return height


# ---- sausage ----

def sausage_look(r):
    """Draw a sausage's material and marks: plain, grilled in stripes, slit, or a pale bratwurst."""
    marks = r.choice(['plain', 'plain', 'plain', 'grilled', 'slits', 'charred'])
    color = r.choice(BRATWURST) if r.random() < .1 else r.choice(SAUSAGE)
    char = darker(color, .25) if marks != 'slits' else r.choice([darker(color, .35), (.62, .28, .16)])
    stuff = material(color, darker(color, r.uniform(.45, .7)), rough=r.uniform(.3, .45),
                     coat=r.uniform(.05, .35), bump=.08, bump_scale=8,
                     scale=r.uniform(3, 6), ramp=(.35, .7), inside=char)
    return SimpleNamespace(stuff=stuff, marks=marks)


def sausage(r, look, length, radius, aside=0., z=None, bend=0., bow=0., cut=None):
    """Make a sausage along x of half-length `length`, slit or striped by its look."""
    x, scale = capsule(length, r.uniform(5, 9), 84)
    if cut is not None:
        scale = scale[x < cut]
        x = x[x < cut]
    around = np.linspace(0, 2 * math.pi, 26, endpoint=False)
    along, angle = np.meshgrid(x, around, indexing='ij')
    pitch, slant = r.uniform(.17, .4), r.uniform(-.12, .12)
    phase = ((along + slant * np.cos(angle)) / pitch + .5) % 1 - .5
    line = np.exp(-(phase * pitch / r.uniform(.022, .04)) ** 2) * (np.sin(angle) > .1)
    line *= np.abs(along) < length * .85
    mark = {'grilled': line, 'slits': line, 'charred': np.clip(2.2 * rough(along, angle, r.uniform(0, 99), .25), 0, .8),
            'plain': 0 * line}[look.marks]
    size = radius * scale[:, None] * (1 + .03 * rough(along, 0 * along, r.uniform(0, 99), .4))
    size = size - (.022 * line if look.marks == 'slits' else 0)
    place = np.stack([along, aside + size * np.cos(angle) + bend * along ** 2,
                      (radius if z is None else z) + size * np.sin(angle) + bow * along ** 2], -1)
    faces = grid_faces(len(x), 26, wrap_columns=True) + [tuple(range(26))[::-1]]
    faces += [tuple(range(26 * len(x) - 26, 26 * len(x)))]
    thing = mark_inside(mesh(place.reshape(-1, 3), faces, look.stuff), mark.ravel())
    if cut is not None:
        meat = material((.62, .27, .17), (.50, .19, .11), rough=.45, bump=.3, bump_scale=30, scale=20)
        cylinder((x[-1] + .01, aside + bend * cut ** 2, radius if z is None else z), radius * .94, .02, meat,
                 (0, math.pi / 2, 0), rounding=.01)
    return thing


def fill(r, dog, look=None, thick=None):
    """Lay one sausage, or now and then two thin ones, into the bun."""
    look = look or sausage_look(r)
    opening = math.radians(55) if dog.style == 'open' else math.radians(35)
    for aside in r.choice([[0]] * 9 + [[-.13, .13]]):
        radius = thick or (r.uniform(.17, .26) if aside == 0 else .14)
        length = min(1.36, dog.length * r.choice([r.uniform(.88, 1), r.uniform(1.02, 1.2)]))
        z = dog.hinge + radius * min(1.15, 1 / math.sin(opening))
        sausage(r, look, length, radius, aside, z, dog.bend, r.uniform(-.01, .03), cut=dog.cut)
        dog.sausages.append((length, radius, aside, z))
    return look


# ---- toppings: every one takes the random numbers and the dog ----

def reach(dog, share=.88):
    """Return the x between which toppings lie."""
    far = min([dog.length, *(length for length, *_ in dog.sausages)]) * share
    return -far * dog.dressed[0], far * dog.dressed[1] if dog.cut is None else min(far, dog.cut - .16)


def scatter(r, dog, count, spread, lift, size, flat=6.3):
    """Draw poses of small parts strewn over the sausage: `spread` across, heaped up to `lift` in the middle."""
    start, end = reach(dog)
    x = np.array([r.uniform(start, end) for _ in range(count)])
    y = np.array([max(-1, min(1, r.gauss(0, .5))) * spread for _ in range(count)])
    poses = []
    heap = lift * (1 - abs(y) / spread) * [r.random() for _ in range(count)]
    for a, b, z in zip(x, y + dog.bend * x * x, top(dog, x, y) + heap):
        k = r.uniform(.7, 1.3)
        poses.append(((a, b, z + .01), turned(r, flat), tuple(k * s for s in size)))
    return poses


def sauce(r, dog, color, style=None):
    """Squeeze a line of sauce over the sausage: a zigzag, straight, double or thick."""
    style = style or r.choice(['zigzag'] * 6 + ['line'] * 3 + ['double', 'thick'])
    _, radius, aside, _ = dog.sausages[0]
    aside = 0 if len(dog.sausages) > 1 else aside
    wide = {'zigzag': radius * r.uniform(.5, 1.15), 'line': .03, 'double': .02, 'thick': .04}[style]
    thick = r.uniform(.055, .07) if style == 'thick' else r.uniform(.028, .05)
    stuff = material(color, rough=.2, coat=.5, pattern='plain')
    start, end = reach(dog, r.uniform(.75, .97))
    waves, seed, phase = r.uniform(4.5, 11), r.uniform(0, 99), r.uniform(0, 6)
    x = np.linspace(start, end, 150)
    for shift in ([-.07, .07] if style == 'double' else [0]):
        swing = np.sin(waves * x * 2 + phase) if style == 'zigzag' else np.sin(3 * x + phase)
        y = aside + shift + wide * swing + .03 * rough(x, 0 * x, seed + shift, .3)
        back = .06 * np.cos(waves * x * 2 + phase) if style == 'zigzag' else 0
        z = top(dog, x, y) + thick * .45
        z = np.convolve(np.pad(z, 2, 'edge'), np.ones(5) / 5, 'valid')
        tips = np.minimum(1, .25 + 30 * np.minimum(x - start, end - x))
        width = thick * (1 + .25 * rough(x, 0 * x, seed + 9, .15)) * tips
        tube(np.stack([x + back, y + dog.bend * x * x, z], -1), width, stuff, segments=10)


def blanket(r, dog, stuff, width, heap, grain, drips):
    """Cover the sausage with a heap of something thick; `grain` says how lumpy, `drips` how runny."""
    start, end = reach(dog, r.uniform(.7, .95))
    u, v = np.meshgrid(np.linspace(0, 1, 100), np.linspace(-1, 1, 25), indexing='ij')
    x, seed = start + u * (end - start), r.uniform(0, 99)
    edge = 1 + drips * rough(x, np.sign(v), seed, .25)
    taper = np.clip(np.minimum(u, 1 - u) * 9, 0, 1) ** .5
    y = v * width * edge * (.35 + .65 * taper)
    lump = rough(x, y, seed, .3) * .5 + rough(x, y, seed + 5, .12) * .5 + rough(x, y, seed + 9, .06) * .3
    z = top(dog, x, y)
    inner = np.linspace(-1, 1, 9)[None, :] * .3 * np.ones((100, 1))
    z = .55 * z + .45 * top(dog, x[:, :9], inner * width).max(1, keepdims=True) if heap > .04 else z
    rim = 1 - np.abs(v) ** 4
    z = np.minimum(z, top(dog, x, y) + heap) + rim * taper * heap * (1 + grain * lump) + .02 - .06 * (1 - rim * taper)
    mesh(np.stack([x, y + dog.bend * x * x, z], -1).reshape(-1, 3), grid_faces(100, 25), stuff)


def chilli(r, dog):
    """Heap chilli: a lumpy sauce, crumbs of meat and perhaps beans."""
    color = r.choice([(.20, .045, .015), (.28, .06, .02), (.15, .05, .02), (.34, .10, .03)])
    stuff = material(color, darker(color, .45), rough=.3, coat=.3, bump=.8, bump_scale=14, scale=9)
    blanket(r, dog, stuff, r.uniform(.24, .36), r.uniform(.05, .1), .9, .3)
    meat = material(darker(color, .9), darker(color, .4), rough=.45, coat=.2, bump=.5, bump_scale=25, scale=12)
    many(pebble(), scatter(r, dog, r.randint(130, 220), r.uniform(.24, .34), .08, (.045, .036, .026)), meat)
    if r.random() < .35:
        beans = material((.25, .04, .02), rough=.25, coat=.3)
        many(pebble(), scatter(r, dog, r.randint(8, 20), .25, .1, (.08, .048, .042)), beans)


def cheese_sauce(r, dog):
    """Pour melted cheese that runs down in drips."""
    color = r.choice([(.85, .45, .04), (.85, .55, .12), (.80, .38, .02), (.86, .66, .28)])
    blanket(r, dog, material(color, darker(color, .85), rough=.22, coat=.4, bump=.05, bump_scale=5), r.uniform(.24, .4),
            r.uniform(.03, .06), .35, .55)


def strands(r, dog, colors, count, spread, lift, size, bow=3.):
    """Strew strands of some colours; each colour is one mesh."""
    for color in colors:
        stuff = material(color, darker(color, .75), rough=.35, coat=.25, scale=5)
        for k in (-1, 0, 1):
            poses = scatter(r, dog, count // len(colors) // 3 + 1, spread, lift, size, flat=.5)
            many(rod(bow * (.6 + .4 * k), thick=.6, wave=k * bow * .25), poses, stuff)


def shredded_cheese(r, dog):
    """Strew grated cheese."""
    strands(r, dog, [r.choice([(.85, .48, .06), (.86, .62, .2), (.86, .74, .42)])], r.randint(110, 190), .26, .12,
            (r.uniform(.09, .16), .015, .015), 1.5)


def sauerkraut(r, dog):
    """Heap sauerkraut."""
    strands(r, dog, [(.78, .60, .28), (.66, .46, .17)], r.randint(150, 240), .27, .1, (.14, .018, .015), 2.6)


def cooked_onions(r, dog):
    """Heap fried onion strips."""
    color = r.choice([(.50, .24, .06), (.62, .36, .12), (.40, .13, .04)])
    strands(r, dog, [color, darker(color, .6)], r.randint(70, 130), .25, .1, (.14, .03, .02), 2)


def coleslaw(r, dog):
    """Heap coleslaw: pale strands with some carrot and red cabbage."""
    strands(r, dog, [(.74, .70, .46), (.64, .66, .34), (.78, .75, .58), r.choice([(.80, .28, .04), (.32, .05, .2)])],
            r.randint(140, 220), .28, .12, (.11, .026, .02), 1.6)


def shredded_lettuce(r, dog):
    """Heap cut lettuce."""
    strands(r, dog, [(.35, .50, .12), (.18, .36, .05), (.60, .68, .30)],
            r.randint(70, 120), .28, .14, (.13, .03, .012), 3)


def raw_onions(r, dog):
    """Strew diced onion, white or red."""
    dice = ([(i, j, k) for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)],
            [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)])
    for color in r.choice([[(.84, .82, .72)], [(.84, .80, .78), (.50, .10, .28)]]):
        many(
    dice, scatter(
        r, dog, r.randint(
            50, 130), .24, .05, (.034, .03, .02)), material(
                color, rough=.3, coat=.2), smooth=False)


def salsa(r, dog):
    """Strew diced tomato and onion."""
    for color, count in (((.50, .04, .02), 90), ((.82, .76, .62), 40), ((.15, .30, .04), 15)):
        poses = scatter(r, dog, r.randint(count // 2, count), .25, .08, (.045, .04, .03))
        many(pebble(), poses, material(color, rough=.2, coat=.5))


def relish(r, dog):
    """Spoon on relish: glossy green crumbs."""
    color = r.choice([(.22, .32, .03), (.10, .30, .05), (.32, .34, .05), (.16, .30, .04)])
    for stuff in (material(color, rough=.2, coat=.5), material(darker(color, .6), rough=.2, coat=.5)):
        many(pebble(), scatter(r, dog, r.randint(60, 110), r.uniform(.14, .22), .06, (.036, .03, .026)), stuff)


def slices(r, dog):
    """Lay slices of pickle or rings of jalapeño along the sausage."""
    start, end = reach(dog, .75)
    count = r.randint(4, 8)
    green = r.choice([(.24, .30, .04), (.32, .36, .07), (.12, .26, .03)])
    rind, flesh = material(darker(green, .5), rough=.3, coat=.3), material(
        green, darker(green, .7), rough=.25, coat=.4, pattern='cells', scale=14)
    size = r.uniform(.1, .17)
    for k in range(count):
        x, y = start + (end - start) * (k + r.uniform(.3, .7)) / count, r.uniform(-.1, .1)
        place = (x, y + dog.bend * x * x, float(top(dog, x, y)) + .035)
        tilt = (r.uniform(-.4, .4), r.uniform(-.35, .35), 0)
        torus(place, size, .018, rind, tilt, flat=1.4)
        cylinder(place, size, .03, flesh, tilt, rounding=.01, segments=24)


def spear(r, dog):
    """Tuck a pickle spear beside the sausage."""
    green, side = r.choice([(.20, .26, .03), (.30, .34, .06)]), r.choice([-1, 1])
    _, radius, _, z = dog.sausages[0]
    x = np.linspace(*reach(dog, .85), 30)
    path = np.stack([x, side * radius * .95 + dog.bend * x ** 2, 0 * x + z + radius * .55], -1)
    thick = .085 * np.sqrt(np.clip(1 - np.linspace(-1, 1, 30) ** 6, .01, 1))
    tube(path, thick, material(green, darker(green, .55), rough=.25, coat=.4, scale=7), segments=6)


def leaves(r, dog):
    """Tuck lettuce leaves between bun and sausage."""
    stuff = material((.12, .30, .03), (.35, .50, .12), rough=.4, coat=.15, scale=5)
    _, radius, _, z = dog.sausages[0]
    start, end = reach(dog, .8)
    for side in r.choice([(-1,), (1,), (-1, 1)]):
        for k in range(r.randint(3, 5)):
            x = start + (end - start) * (k + r.uniform(.2, .8)) / 4.5
            place = x, side * radius * 1.1 + dog.bend * x * x, z + radius * r.uniform(.5, 1)
            turn = side * r.uniform(.6, 1.2), r.uniform(-.2, .2), r.uniform(-.3, .3)
            leaf(place, r.uniform(.5, .8), r.uniform(.28, .4), r.uniform(.03, .07), stuff, r, turn)


def tomatoes(r, dog):
    """Tuck half slices of tomato along one side."""
    red, side = material((.55, .04, .02), (.65, .14, .05), rough=.2, coat=.4, scale=7), r.choice([-1, 1])
    _, radius, _, z = dog.sausages[0]
    start, end = reach(dog, .8)
    count = r.randint(3, 6)
    for k in range(count):
        x = start + (end - start) * (k + .5) / count
        cylinder((x, side * radius * .95 + dog.bend * x * x, z + radius * .6), r.uniform(.15, .19), .045, red,
                 (side * r.uniform(1, 1.4), 0, r.uniform(-.25, .25)), rounding=.015, segments=28)


def bacon(r, dog):
    """Wind a rasher of bacon around the sausage."""
    length, radius, aside, z = dog.sausages[0]
    t, far = np.linspace(0, 1, 160)[:, None], min(reach(dog, .85)[1], length * .85)
    angle = r.uniform(0, 6) + t * r.uniform(22, 32)
    v = np.linspace(-1, 1, 6)[None, :]
    x = -.85 * length + t * (far + .85 * length) + .075 * v
    size = radius + .012 + .012 * np.sin(9 * angle) * v
    place = np.stack([x, aside + size * np.cos(angle) + dog.bend * x * x, z + size * np.sin(angle) + 0 * x], -1)
    stuff = material((.30, .035, .015), (.16, .025, .012), rough=.3, coat=.4, bump=.3, inside=(.66, .38, .2))
    mark_inside(mesh(place.reshape(-1, 3), grid_faces(160, 6), stuff), np.tile([.2, 0, .9, .8, 0, .3], 160))


def mustard(r, dog):
    """Squeeze mustard."""
    sauce(r, dog, r.choice(MUSTARD))


def ketchup(r, dog):
    """Squeeze ketchup."""
    sauce(r, dog, r.choice(KETCHUP))


def mayonnaise(r, dog):
    """Squeeze mayonnaise."""
    sauce(r, dog, (.84, .78, .60))


COMBINATIONS = [toppings for often, toppings in [
    (46, [mustard]), (18, [ketchup]), (30, [mustard, ketchup]), (4, []), (2, [chilli, mustard]),
    (1, [chilli, raw_onions]), (1, [chilli, cheese_sauce]), (1, [cheese_sauce, mustard]), (1, [sauerkraut, mustard]),
    (1, [cooked_onions, mustard]), (2, [relish]), (5, [relish, mustard]), (5, [relish, mustard, ketchup]),
    (4, [raw_onions, mustard]), (3, [raw_onions, ketchup]), (7, [leaves, mustard]), (6, [leaves, ketchup]),
    (3, [tomatoes, spear, mustard, relish]), (2, [leaves, tomatoes, mayonnaise]), (3, [slices, mustard]),
    (3, [slices, ketchup]), (1, [slices, mayonnaise]), (3, [bacon, mustard]), (1, [bacon]), (2, [salsa]),
    (1, [coleslaw, mustard]), (1, [shredded_lettuce, ketchup]), (1, [shredded_cheese, ketchup]),
    (1, [shredded_lettuce, tomatoes, mustard]), (2, [spear, mustard])
] for _ in range(often)]


# ---- serving ----

def dress(r, toppings=None, style=None, cut=None, look=None):
    """Make one dog at the origin: bun, sausage, toppings; one slit at its side is tipped over."""
    style = style or r.choice(['top'] * 9 + ['open'] * 2 + ['england'])

    def build():
        dog = bun(r, style, cut)
        fill(r, dog, look)
        for topping in r.choice(COMBINATIONS) if toppings is None else toppings:
            topping(r, dog)
        return dog
    return tip(build, r.choice([-1, 1]) * r.uniform(.25, .8) if style == 'side' else 0)


def tip(build, angle):
    """Build a dog and roll it over by an angle, so that it still stands on the table."""
    turn = Matrix.Rotation(angle, 4, 'X')
    before = set(bpy.context.collection.objects)
    dog = group(build, turn)
    low = min((turn @ v.co).z for v in dog.bun.data.vertices)
    for thing in set(bpy.context.collection.objects) - before:
        thing.matrix_basis = Matrix.Translation((0, 0, -low)) @ thing.matrix_basis
    return dog


def shift(x, y, z=0):
    """Return the matrix of a move."""
    return Matrix.Translation((x, y, z))


def spin(angle, scale=1.):
    """Return the matrix of a turn about z with a scale."""
    return Matrix.Rotation(angle, 4, 'Z') @ Matrix.Scale(scale, 4)


def several(r):
    """Serve two or three dogs side by side, dressed alike or not."""
    count, toppings, look = r.choice([2, 2, 2, 3]), r.choice(COMBINATIONS), sausage_look(r)
    alike, style, small = r.random() < .6, r.choice(['top', 'top', 'open', 'england']), {2: .82, 3: .72}
    for k in range(count):
        y = (k - (count - 1) / 2) * r.uniform(.86, .98)
        place = shift(r.uniform(-.08, .08), y), spin(r.uniform(-.1, .1) + r.choice([0, math.pi]), small[count])
        group(lambda: dress(r, toppings if alike else None, style, look=look if alike else None), *place)


def loft(rings, stuff):
    """Join rounded rectangles, each (half length, half width, height), into one surface."""
    t = np.linspace(0, 2 * math.pi, 64, endpoint=False)
    edge = [(abs(math.cos(a)) ** .25 * np.sign(math.cos(a)), abs(math.sin(a)) ** .25 * np.sign(math.sin(a))) for a in t]
    vertices = [(a * x, b * y, z) for a, b, z in rings for x, y in edge]
    return mesh(vertices, grid_faces(len(rings), 64, wrap_columns=True), stuff, smooth=False)


def paper_color(r):
    """Draw a paper: white, brown, checked or coloured."""
    white = (.82, .81, .77)
    ink = r.choice([(.5, .02, .02), (.5, .02, .02), (.03, .08, .35), (.03, .25, .06), (.02, .02, .02)])
    kind = r.choice(['white'] * 8 + ['brown'] * 3 + ['checks', 'color'])
    if kind == 'checks':
        return material(white, ink, rough=.6, pattern='checks', scale=r.uniform(4, 9))
    color = {'white': white, 'brown': (.42, .26, .13), 'color': r.choice([ink, (.75, .5, .05)])}[kind]
    return material(color, rough=.7, bump=.1)


def foil():
    """Make kitchen foil."""
    return material((.75, .75, .75), rough=.25, metal=1., bump=.5, bump_scale=9, pattern='plain')


def tray(r):
    """Serve a dog in a paper tray with flared walls."""
    a, b, h, stuff = r.uniform(1.15, 1.25), r.uniform(.5, .58), r.uniform(.22, .4), paper_color(r)
    loft([(.01, .01, .02), (a, b, .02), (a * 1.1, b * 1.3, h), (a * 1.11, b * 1.33, h), (a * 1.01, b * 1.03, 0)], stuff)
    group(lambda: dress(r, style=r.choice(['top', 'top', 'england'])), shift(0, 0, .04))


def crumpled(r, stuff, half, lift, smooth, crease=.05):
    """Lay a crumpled sheet of paper or foil whose edges stand up by about `lift` units."""
    seed, sides = r.uniform(0, 99), [r.uniform(0, 1) * lift for _ in range(4)]

    def point(u, v):
        x, y = (u - .5) * 2 * half[0], (v - .5) * 2 * half[1]
        out = [max(0, e) for e in (x - 1, -1 - x, y - .45, -.45 - y)]
        fold = sum(abs(noise.noise(Vector((x / s, y / s, seed + s)))) * s for s in (.7, .35, .18))
        rise = sum(slope * e ** 1.2 for slope, e in zip(sides, out))
        height = rise + .005 + crease * 2 * fold * (.3 + rise + min(1, sum(out) * 2))
        return x * (1 - .1 * rise) + .3 * crease * math.sin(9 * y), y * (1 - .25 * rise), height
    return sheet(point, 48, 40, stuff, smooth)


def on_paper(r):
    """Serve a dog on crumpled paper or foil, or on a checked liner."""
    kind = r.choice(['paper'] * 11 + ['foil', 'liner'])
    if kind == 'foil':
        crumpled(r, foil(), (1.45, 1.1), 2, False, .1)
    elif kind == 'paper':
        crumpled(r, paper_color(r), (1.45, 1.15), 1.8, True, .07)
    else:
        ink = r.choice([(.5, .02, .02), (.03, .08, .35), (.02, .02, .02), (.03, .25, .06)])
        stuff = material((.82, .8, .75), ink, rough=.6, pattern='checks', scale=r.uniform(3, 7))
        crumpled(r, stuff, (1.4, 1.2), .4, True, .02)
    group(lambda: dress(r), shift(0, 0, .03))


def wrapped(r):
    """Serve a dog half wrapped in a napkin, paper or foil."""
    dog = dress(r, style=r.choice(['top', 'england']))
    stuff, seed, end = paper_color(r), r.uniform(0, 99), r.uniform(-.6, -.2)
    line = dog.section[:36] * 1.04
    line = np.vstack([line[0] + np.outer((4, 3, 2, 1), (.0, .035)), line,
                     line[-1] + np.outer((1, 2, 3, 4), (.0, .035))])
    x = np.linspace(-1.32, end, 40)[:, None]
    fold = rough(x + 0 * line[:, 0], 2 * line[:, 1] + line[:, 0], seed, .22)
    grow = 1.02 + .12 * fold + .12 * np.clip(x + 1.05, 0, .2) / .2
    ragged = .16 * rough(0 * x + 3, line[:, 0] * 2 + line[:, 1], seed, .3)
    place = np.stack([x + ragged, line[:, 0] * grow + dog.bend * x ** 2, np.maximum(.01, line[:, 1] * grow - .03)], -1)
    mesh(place.reshape(-1, 3), grid_faces(40, 44), stuff, smooth=r.random() < .5)


def bitten(r):
    """Serve a dog with a bite taken out of its end."""
    cut = r.uniform(.1, .65)
    group(lambda: dress(r, cut=cut), shift((1.1 - cut) / 2, 0))


def halves(r):
    """Serve a dog cut in two."""
    seed, style = r.random(), r.choice(['top', 'england', 'open'])
    for turn in (0, math.pi):
        angle = turn + r.uniform(-.5, .5)
        group(lambda: dress(random.Random(seed), style=style, cut=.0), spin(angle), shift(-r.uniform(.12, .3), 0))


def held(r):
    """Serve a dog held in a hand that comes from one side."""
    lift = r.uniform(.3, .5)

    def build():
        dog = dress(r, style=r.choice(['top', 'top', 'england']))
        wide, palm = dog.section[:, 0].max(), r.uniform(-.45, .3)
        tone, nail = human_skin(r), material((.72, .46, .38), rough=.2, coat=.5, pattern='plain')
        parts = [ball((palm, .15, -.12), (.44, .42, .13)), ball((palm, wide - .05, .02), (.36, .12, .16))]
        for k in range(4):
            x = palm - .35 + .235 * k
            high = (.42, .5, .47, .38)[k]
            parts += bones([(x, 0, -.1), (x, -wide * .75, -.08), (x * .98, -wide - .1, .17),
                           (x * .96, -wide - .02, high)], [.12, .108, .1, .08])
            ellipsoid((x * .96, -wide - .085, high - .005), (.06, .035, .075), nail, segments=12)
        side = r.choice([-1, 1])
        parts += bones([(palm + side * .3, .4, -.05), (palm + side * .42, wide + .12, .2),
                       (palm + side * .3, wide + .06, .5)], [.15, .13, .095])
        parts += bones([(palm, .35, -.1), (palm, .85, -.12), (palm, 1.6, -.15)], [.24, .22, .26])
        fused(parts, tone, .045, .025)
        tube([(palm, 1.0, -.13), (palm, 1.4, -.14), (palm, 2.4, -.15)], [.26, .29, .32], cloth(r), 24)
    group(build, spin(r.choice([0, math.pi])), shift(0, 0, lift), Matrix.Rotation(r.uniform(-.5, .1), 4, 'X'))


def fries(r, x, y):
    """Heap fries about a place on the table."""
    color = r.choice([(.70, .38, .07), (.74, .46, .11), (.55, .26, .05)])
    stuff = material(color, darker(color, .65), rough=.4, bump=.2, scale=5)
    poses = [((x + r.gauss(0, .32), y + r.gauss(0, .13), .06 + .3 * r.random() ** 1.5), turned(r, .35),
              (r.uniform(.22, .38), .05, .05)) for _ in range(r.randint(28, 45))]
    many(rod(r.uniform(0, .6), 4), poses, stuff, smooth=False)


def chips(r, x, y):
    """Heap potato chips about a place on the table."""
    color = r.choice([(.80, .52, .12), (.78, .40, .07), (.82, .62, .25)])
    stuff = material(color, darker(color, .65), rough=.45, bump=.3, scale=6)
    disc = [(q * math.cos(a), q * math.sin(a), .45 * q * q * math.cos(2 * a)) for q in np.linspace(.05, 1, 5)
            for a in np.linspace(0, 6.283, 18, endpoint=False)]
    poses = [((x + r.gauss(0, .35), y + r.gauss(0, .13), .1 + .25 * r.random()), turned(r, .6),
              (r.uniform(.17, .25), r.uniform(.13, .19), r.uniform(.1, .22))) for _ in range(r.randint(14, 24))]
    many((disc, grid_faces(5, 18, wrap_columns=True)), poses, stuff)


def with_a_side(r):
    """Serve a dog beside fries or chips."""
    side = r.choice([-1, 1])
    group(lambda: dress(r), shift(0, -.36 * side), spin(r.uniform(-.12, .12), .95))
    r.choice([fries, chips])(r, r.uniform(-.2, .2), .62 * side)


def hot_dog(r):
    """Serve hot dogs in one of many ways."""
    r.choice([dress] * 24 + [several] * 5 + [tray] * 3 + [on_paper] * 3 + [wrapped, halves, bitten, held]
             + [with_a_side] * 3)(r)


def classic(r):
    """Serve the hot dog that everybody draws: a brown bun, a red sausage, a wave of mustard."""
    color = (.42, .075, .025)
    stuff = material(color, darker(color, .55), rough=.22, coat=.5, bump=.06, bump_scale=8, scale=4)
    dog = bun(r, 'top')
    dog.dressed = (1, 1)
    fill(r, dog, SimpleNamespace(stuff=stuff, marks='plain'), .23)
    sauce(r, dog, MUSTARD[0], 'zigzag')


# ---- what is not a hot dog ----

def empty_bun(r):
    """Make one to three hot dog buns with nothing in them, closed, slit or open."""
    count = r.choice([1, 1, 2, 3])
    for k in range(count):
        style = r.choice(['closed', 'closed', 'top', 'side', 'open', 'england'])
        y = (k - (count - 1) / 2) * r.uniform(.9, 1)
        place = shift(0, y), spin(r.uniform(-.3, .3) if count < 3 else r.uniform(-.08, .08), 1.05 if count == 1 else .8)
        roll = r.choice([-1, 1]) * r.uniform(.2, .75) if style in ('side', 'closed') else 0
        group(lambda: tip(lambda: bun(r, style), roll), *place)


def sausages(r):
    """Make one to five bare sausages, side by side or strewn, perhaps with a dab of mustard."""
    count, look, radius = r.randint(1, 5), sausage_look(r), r.uniform(.16, .26)
    bend = r.uniform(-.25, .25)
    for k in range(count):
        length = r.uniform(.8, 1.2) if count < 4 else r.uniform(.75, 1)
        y = (k - (count - 1) / 2) * (2.15 * radius if r.random() < .9 else .5)
        turn = r.uniform(-.06, .06) + (r.uniform(-.5, .5) if count < 3 else 0)
        group(lambda: sausage(r, look, length, radius, bend=bend), shift(r.uniform(-.1, .1), y), spin(turn))
    if r.random() < .35:
        stuff = material(r.choice(MUSTARD + KETCHUP), rough=.2, coat=.5, pattern='plain')
        y = (count / 2 + .8) * 2 * radius * r.choice([-1, 1])
        lumpy(ellipsoid((r.uniform(-.5, .5), y, 0), (.26, .2, .1), stuff), .06, .15)


def carrot(r, dog):
    """Lay a raw carrot, ringed and perhaps with its green, into the bun."""
    radius, near, seed = r.uniform(.24, .32), -dog.length * r.uniform(.95, 1.1), r.uniform(0, 99)
    t = np.linspace(0, 1, 110)
    rings = np.clip(rough(t, 0 * t, seed, .012) * 2.2 - .3, 0, 1)
    ends = np.sqrt(np.clip(np.minimum(1, 14 * t) * np.minimum(1, 18 * (1 - t)), .01, 1))
    size = radius * (1 - .8 * t ** 1.2) * ends * (1 + .05 * rough(t, 0 * t, seed, .08)) * (1 - .05 * rings)
    x, z = near + t * (1.3 - near), dog.hinge + radius * (1.1 - .25 * t)
    color = r.choice([(.80, .22, .012), (.75, .17, .01), (.84, .30, .02)])
    stuff = material(color, darker(color, .8), rough=.5, scale=5, inside=darker(color, .5))
    mark_inside(tube(np.stack([x, dog.bend * x ** 2, z], -1), size, stuff, 24), np.repeat(rings, 24))
    if r.random() < .7:
        green = material((.06, .22, .02), (.14, .34, .05), rough=.5)
        stalks = [((near - .1, dog.bend + r.uniform(-.05, .05), z[0]), [r.uniform(-.5, .5) for _ in range(3)],
                   (r.uniform(.15, .3), .014, .014)) for _ in range(14)]
        many(rod(r.uniform(-3, 3)), stalks, green)


def carrot_in_a_bun(r):
    """Put a carrot into a hot dog bun."""
    def build():
        dog = bun(r, r.choice(['top', 'open', 'side']))
        carrot(r, dog)
        return dog
    tip(build, r.choice([-1, 1]) * r.uniform(0, .6))


HOT_DOGS = {'hot_dog': hot_dog}
FOODS = {'empty_bun': empty_bun, 'sausages': sausages, 'carrot_in_a_bun': carrot_in_a_bun}
