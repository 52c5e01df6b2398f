"""Foods that are not hot dogs: fruit, vegetables and dishes served on plates, in bowls and on boards.

Every food is a function of one `random.Random`; it builds at the origin, on z = 0, within about 1.3 units.
"""
import math

import bpy
import numpy as np
from mathutils import Euler, Matrix

from materials import darker, mark_inside, material, random_color
from shapes import (box, capsule, cylinder, ellipsoid, grid_faces, lathe, leaf, lumpy, mesh, move, sheet, smoother,
                    sweep, torus, tube)

GREENS = [(.06, .20, .02), (.12, .30, .03), (.22, .42, .06), (.35, .50, .12)]
CUTS = {'cucumber': ((.04, .14, .02), (.45, .58, .22)), 'tomato': ((.55, .03, .01), (.70, .13, .05)),
        'carrot': ((.75, .20, .01), (.80, .30, .03)), 'radish': ((.60, .02, .08), (.85, .75, .72)),
        'lemon': ((.80, .55, .03), (.80, .66, .22)), 'olive': ((.03, .02, .025), (.10, .07, .05))}
SAUCES = [(.42, .03, .01), (.50, .12, .02), (.24, .08, .02), (.62, .50, .28), (.10, .20, .03)]
BROTHS = [(.60, .18, .02), (.55, .05, .015), (.65, .42, .10),
           (.22, .08, .02), (.35, .18, .05), (.20, .28, .05), (.75, .62, .35)]
FISH = [((.80, .22, .06), (.85, .55, .35), (.55, .9)), ((.50, .04, .05), (.58, .12, .10), (.3, .8)),
        ((.80, .52, .06), (.75, .42, .04), (.2, .8)), ((.78, .25, .10), (.85, .75, .66), (.4, .6)),
        ((.80, .70, .62), (.75, .45, .38), (.5, .9))]
FILLINGS = [(.80, .22, .06), (.30, .45, .08), (.50, .04, .05), (.80, .55, .08), (.75, .70, .55), (.05, .20, .03)]
SPONGES = [(.72, .45, .15), (.10, .035, .015), (.50, .06, .04), (.78, .62, .35)]
CREAMS = [(.84, .78, .66), (.84, .78, .66), (.13, .05, .02), (.80, .42, .42), (.45, .60, .40), (.80, .66, .25)]
FLAVORS = [(.82, .72, .48), (.16, .06, .025), (.75, .28, .30), (.42, .62, .38), (.45, .50, .15), (.80, .42, .08),
           (.45, .06, .18),           (.50, .30, .13), (.35, .55, .65)]
MEATS = [(.16, .055, .02), (.26, .10, .035), (.40, .19, .07), (.50, .28, .11)]

# name: (radius and height points for a size of 1, lobes and their depth, colours, relief, stem)
ROUND = {
    'apple': ([(0, -.70), (.25, -.82), (.70, -.62), (.98, 0), (.98, .35), (.72, .76), (.35, .80), (.1, .6), (0, .5)],
        5, .02,
        [((.45, .01, .01), (.60, .25, .05)), ((.30, .45, .06), (.42, .55, .12)), ((.70, .50, .10), (.6, .1, .03))],
        0, True),
    'orange': ([(0, -.9), (.4, -.86), (.85, -.5), (1, 0), (.85, .5), (.4, .86), (.08, .9), (0, .86)],
        3, 0,
        [((.80, .24, .01), (.85, .32, .02)), ((.75, .18, .01), (.8, .26, .01))], .35, False),
    'lemon': ([(0, -1.3), (.16, -1.25), (.3, -1.08), (.8, -.6), (.92, 0), (.8, .6), (.3, 1.05), (.12, 1.15), (0, 1.17)],
        3, 0,
        [((.80, .56, .03), (.82, .64, .10)), ((.22, .42, .03), (.35, .50, .06))], .3, False),
    'pear': ([(0, -.85), (.3, -.92), (.85, -.6), (.98, -.1), (.75, .5), (.45, .95), (.36, 1.3), (.2, 1.45), (0, 1.42)],
        3, .02,
        [((.40, .48, .06), (.55, .50, .10)), ((.60, .42, .08), (.45, .22, .05))], .1, True),
    'peach': ([(0, -.85), (.4, -.85), (.9, -.4), (1, .1), (.8, .6), (.4, .85), (.1, .75), (0, .68)],
        1, .04,
        [((.75, .30, .08), (.55, .05, .03)), ((.12, .01, .05), (.25, .03, .07))], .05, True),
    'tomato': ([(0, -.68), (.4, -.72), (.9, -.4), (1, 0), (.9, .4), (.5, .68), (.15, .58), (0, .5)],
        6, .035,
        [((.60, .02, .01), (.65, .05, .01)), ((.75, .22, .02), (.6, .06, .01))], 0, True),
    'pepper': ([(0, -.85), (.3, -1.0), (.6, -.9), (.85, -.2), (.95, .5), (.75, .9), (.3, .85), (.12, .7), (0, .65)],
        4, .08,
        [((.50, .01, .01), (.55, .03, .01)), ((.80, .50, .02), (.8, .4, .01)), ((.05, .22, .02), (.1, .28, .03))],
        0, True),
    'potato': ([(0, -1), (.5, -.85), (.85, -.3), (.85, .4), (.5, .95), (0, 1.1)],
        3, .05,
        [((.50, .33, .14), (.40, .24, .09)), ((.40, .14, .10), (.45, .2, .12))], .3, False)}
# name: (radii along the length for a size of 1, half length, thickness, colours, relief)
LONG = {
    'cucumber': ([.3, .8, .95, 1, 1, 1, .97, .8, .3], (.8, 1.1), (.16, .23),
        ((.03, .12, .015), (.10, .24, .04)), .5),
    'courgette': ([.35, .5, .8, .9, .95, 1, 1.05, 1, .4], (.7, 1.0), (.18, .25),
        ((.04, .15, .02), (.16, .30, .07)), .1),
    'carrot': ([.5, 1, 1, .9, .8, .68, .55, .38, .15], (.7, 1.05), (.14, .22),
        ((.78, .22, .01), (.70, .16, .01)), .3),
    'aubergine': ([.3, .5, .6, .7, .9, 1.1, 1.2, 1.1, .5], (.7, 1.0), (.26, .34),
        ((.025, .006, .03), (.05, .01, .06)), 0),
    'parsnip': ([.6, 1, .95, .8, .65, .5, .38, .26, .1], (.7, 1.0), (.16, .24),
        ((.70, .58, .36), (.62, .48, .27)), .4)}


# Shared parts

def turn(things, location=(0, 0, 0), rotation=(0, 0, 0)):
    """Turn and then shift a group of objects about the origin as one."""
    change = Matrix.Translation(location) @ Euler(rotation).to_matrix().to_4x4()
    for thing in things:
        thing.matrix_basis = change @ thing.matrix_basis
    return things


def lean(r, most):
    """Draw a rotation: any direction, leaning by at most `most`."""
    return r.uniform(-most, most), r.uniform(-most, most), r.uniform(0, 6.283)


def repeat(things, places):
    """Put a group built at the origin at the first (location, rotation), and linked copies of it at the others."""
    for location, rotation in places[1:]:
        copies = [thing.copy() for thing in things]
        for copy in copies:
            bpy.context.collection.objects.link(copy)
        turn(copies, location, rotation)
    turn(things, *places[0])


def lobed(profile, lobes, depth, made, twist=0., segments=48):
    """Turn a profile of (radius, height) about z, waved by `lobes` folds of relative `depth` (or one depth a point)."""
    angle = np.linspace(0, 2 * math.pi, segments, endpoint=False)
    radius, height = np.array(profile, float).T[..., None]
    depth = np.broadcast_to(depth, len(profile))[:, None]
    radius = radius * (1 + depth * np.cos(lobes * angle + twist * height))
    vertices = np.stack([radius * np.cos(angle), radius * np.sin(angle), height + 0 * angle], -1).reshape(-1, 3)
    return mesh(vertices, grid_faces(len(profile), segments, wrap_columns=True), made)


def wedge(made, radius, angle, low, high, inner=0.):
    """Make the part of a flat disc (or ring) between the directions 0 and `angle`, from `low` to `high`."""
    turns = np.linspace(0, angle, max(4, int(angle * 12)))
    vertices = [(q * math.cos(a), q * math.sin(a), z) for a in turns
                for q, z in ((inner, low), (radius, low), (radius, high), (inner, high))]
    n = len(turns)
    faces = grid_faces(n, 4, wrap_columns=True) + [(0, 1, 2, 3), tuple(range(4 * n - 1, 4 * n - 5, -1))]
    return mesh(vertices, faces, made, smooth=False)


def on_dome(r, radius, height, z, inner=0.):
    """Draw a point on a heap of food: a dome of the given radius and height that starts at z."""
    q, a = math.sqrt(r.uniform(inner, 1)), r.uniform(0, 6.283)
    return radius * q * math.cos(a), radius * q * math.sin(a), z + height * (1 - q * q)


def mound(r, radius, height, z, made, lump=.12):
    """Make a lumpy heap: a dome of the given radius and height that starts at z."""
    profile = [(radius * q, z + height * (1 - q * q)) for q in np.linspace(1, 0, 14)]
    return lumpy(move(lathe([(radius * .9, z - .05)] + profile, made), rotation=(0, 0, r.uniform(0, 6))), lump, .25)


def grains(r, places, radii, made, tilt=.5, segments=6):
    """Make many little ellipsoids as one mesh, one at each place, randomly turned: rice, herbs, sprinkles."""
    theta, phi = np.meshgrid(np.linspace(.15, math.pi - .15, 5), np.arange(segments)
                             * 2 * math.pi / segments, indexing='ij')
    one = np.stack([np.cos(theta), np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi)], -1).reshape(-1, 3) * radii
    quads = np.array(grid_faces(5, segments, wrap_columns=True))
    vertices, faces = [], []
    for number, place in enumerate(places):
        turned = np.array(Euler((r.uniform(0, 3), r.uniform(-tilt, tilt), r.uniform(0, 6.283))).to_matrix())
        if radii[2] < radii[1] / 2:  # flakes lie flat
            turned = np.array(Euler((r.uniform(-tilt, tilt), r.uniform(-tilt, tilt), r.uniform(0, 6.283))).to_matrix())
        vertices.append(one @ turned.T * r.uniform(.8, 1.2) + place)
        faces.append(quads + number * len(one))
    return mesh(np.concatenate(vertices), np.concatenate(faces).tolist(), made)


def herbs(r, radius, height, z, count):
    """Strew chopped green herbs over a heap."""
    green = material(r.choice(GREENS[:3]), rough=.5)
    size = r.uniform(.02, .045)
    grains(r, [on_dome(r, radius, height, z + .03) for _ in range(count)], (size * 1.6, size, size / 5), green)


def chunk(r, place, size, made, lump=.35):
    """Make an irregular lump of meat, potato or vegetable."""
    radii = [size * r.uniform(.75, 1.25) for _ in range(3)]
    return lumpy(ellipsoid(place, radii, made, (r.uniform(0, 3), r.uniform(0, 3), 0), 24), lump, size)


def cut_round(r, name, place, size, rotation=(0, 0, 0)):
    """Make a round slice of a vegetable, its rim in another colour than its inside."""
    rim, inside = CUTS[name]
    made = material(rim, inside=inside, rough=.3, coat=.3, bump=.15)
    h = size * r.uniform(.1, .16)
    points = [(0, -h), (.9, -h), (1, -h * .7), (1, h * .7), (.9, h), (.8, h), (.6, h), (.5, h), (0, h)]
    thing = lathe([(q * size, z) for q, z in points], made, place, rotation, segments=24)
    return mark_inside(thing, np.repeat([1, .6, 0, 0, .6, 1, 1, .75, .9], 24))


def egg_half(r, size):
    """Make half a boiled egg at the origin, cut side up."""
    white, yolk = material((.85, .80, .70), rough=.35), material((.80, .36, .02), (.85, .5, .08), rough=.4)
    bowl = [(math.cos(a) * size, -math.sin(a) * size * .8) for a in np.linspace(1.57, 0, 8)]
    shape = (r.uniform(1.2, 1.4), 1, 1)
    return [lathe(bowl + [(size * .97, .02), (0, .03)], white, scale=shape),
            ellipsoid((0, 0, .02), (size * .62, size * .58, size * .12), yolk, segments=24)]


def dish(r, deep, radius=None, location=(0, 0, 0)):
    """Make a plate or, if deep, a bowl; give the height and the radius of the food in it."""
    radius = radius or r.uniform(1.1, 1.3)
    depth = radius * (r.uniform(.4, .6) if deep else r.uniform(.1, .16))
    glaze = r.choice([(.8, .8, .78), (.8, .8, .78), (.75, .7, .6), (.03, .03, .035), random_color(r)])
    rim = r.choice([glaze, glaze, random_color(r), (.05, .1, .35)])
    made = material(glaze, darker(glaze, .92), rough=r.uniform(.1, .35), coat=.4, scale=2, inside=rim)
    q = np.append(np.linspace(.45, .92, 9), 1)
    rise = (q - .45) / .55
    rise = rise ** (1.6 if deep else r.uniform(1.2, 2.5))
    outer = [(0, .005), *zip(radius * q, depth * rise)]
    inner = [(radius * a - .02, depth * b + .05) for a, b in zip(q, rise)][::-1] + [(0, .05)]
    thing = lathe(outer + inner, made, location, segments=64)
    mark_inside(thing, [float(point[0] > radius * .88) for point in outer + inner for _ in range(64)])
    return (depth * .72 + .05, radius * .86) if deep else (.06, radius * r.uniform(.66, .8))


def piled(r, sizes, reach, floor=0.):
    """Drop balls of the given radii one by one; give the centres where they rest (the lowest of some tries each)."""
    centres = []
    for size in sizes:
        tries = []
        for _ in range(24):
            q, a = max(0, reach - size) * math.sqrt(r.random()), r.uniform(0, 6.283)
            x, y, z = q * math.cos(a), q * math.sin(a), floor + size
            for (u, v, w), other in zip(centres, sizes):
                gap = ((size + other) * .95) ** 2 - (x - u) ** 2 - (y - v) ** 2
                z = max(z, w + math.sqrt(gap)) if gap > 0 else z
            tries.append((z, x, y))
        z, x, y = min(tries)
        centres.append((x, y, z))
    return centres


def sticks(r, z):
    """Lay two chopsticks down at height z."""
    wood = material(r.choice([(.30, .10, .03), (.60, .40, .18), (.03, .01, .01)]), rough=.4, coat=.3)
    a, side = r.uniform(-.4, .4), r.uniform(.6, .9) * r.choice((-1, 1))
    for gap in (0, r.uniform(.08, .14)):
        ends = [(-1.25, side + gap, z + .03), (1.25, side + gap * .3, z + .05)]
        turn([tube(np.linspace(*ends, 4), [.03, .03, .025, .015], wood, 8)], rotation=(0, 0, a))


# Fruit and vegetables

def round_produce(r, name, place, size, rotation):
    """Make one round fruit or vegetable."""
    profile, lobes, depth, colors, relief, stem = ROUND[name]
    size *= .78 if name in ('pear', 'lemon') else 1
    color, color2 = r.choice(colors)
    made = material(color, color2, rough=.3, coat=.25, bump=relief, bump_scale=30, scale=1.2, ramp=(.35, .7))
    parts = [smoother(lobed(profile, lobes, depth, made, r.uniform(0, 1), 30))]
    if stem:
        green = material((.10, .22, .03) if name in ('tomato', 'pepper') else (.10, .055, .02))
        top = profile[-1][1]
        bent = r.uniform(-.3, .3)
        parts.append(tube([(0, 0, top - .1), (0, 0, top + .2), (bent, .05, top + .5)], [.09, .06, .08], green, 8))
        if name == 'tomato':
            parts += [leaf((.27 * math.cos(a), .27 * math.sin(a), top + .16), .6, .16, .03, green, r, (0, 0, a))
                      for a in np.arange(5) * 1.257]
    for part in parts:
        move(part, [c * size for c in part.location], part.rotation_euler, size)
    return turn(parts, place, rotation)


def long_produce(r, name):
    """Make one long vegetable along x at the origin, with its stalk; give its parts and its thickness."""
    radii, lengths, widths, (color, color2), relief = LONG[name]
    length, width, bend = r.uniform(*lengths), r.uniform(*widths), r.uniform(-.15, .2)
    t = np.linspace(-1, 1, 36)
    path = np.stack([t * length, bend * (1 - t * t), 0 * t], 1)
    scale = np.interp(t, np.linspace(-1, 1, len(radii)), radii) * width
    scale[[0, -1]] *= .3
    made = material(color, color2, rough=.28, coat=.3, bump=relief, bump_scale=14, scale=9, ramp=(.4, .75))
    parts = [lumpy(tube(path, scale, made, 20), width * .12, .3)]
    green = material(r.choice(GREENS[:3]), rough=.6)
    if name in ('carrot', 'parsnip'):
        for _ in range(r.choice((1, 6))):
            y, z = r.uniform(-.25, .25), r.uniform(0, .25)
            parts.append(tube([(-length, 0, 0), (-length - .2, y / 2, z / 2),
                         (-length - .5, y, z)], [.035, .025, .01], green, 6))
    else:
        stalk = [(-length - .18, .02, 0), (-length - .04, 0, 0), (-length + .08, 0, 0)]
        parts.append(tube(stalk, [.06, .05, .6 * width], green, 10))
    return parts, width


def peel_of(r):
    """Make the skin of a banana of some ripeness, its tips brown."""
    yellow = r.choice([(.80, .52, .03), (.75, .45, .03), (.72, .58, .08), (.50, .52, .06)])
    spots = r.uniform(.18, .42)
    return material((.14, .06, .015), yellow, rough=.42, scale=r.uniform(7, 12), ramp=(spots, spots + .07), bump=.05,
                    inside=(.05, .03, .015))


def one_banana(made, length, width, bend):
    """Make a banana from its stem at the origin along x."""
    t = np.linspace(0, 1, 40)
    a, around = (t - .5) * bend, np.linspace(0, 6.283, 20, endpoint=False)
    path = np.stack([np.sin(a), 1 - np.cos(a), 0 * a], 1) * length / bend
    section = np.stack([np.cos(around), np.sin(around)], 1) * (1 + .06 * np.cos(5 * around))[:, None]
    scale = width * np.interp(t, [0, .02, .1, .17, .3, .6, .85, .95, .97, 1],
                              [.3, .36, .3, .5, .88, 1, .8, .4, .28, .24])
    thing = sweep(section, path - path[0], scale, made)
    return mark_inside(thing, np.repeat(np.interp(t, [0, .015, .04, .95, .97, 1], [1, 1, 0, 0, 1, 1]), 20))


def banana(r):
    """A bunch of bananas, or one to three loose ones."""
    made, length, width, bend = peel_of(r), r.uniform(1.9, 2.4), r.uniform(.19, .25), r.uniform(1.0, 1.7)
    if r.random() < .45:
        for number in range(r.randint(1, 3)):
            place = (-length / 2 + r.uniform(-.15, .15), r.uniform(-.1, .1) + (number - .7) * .55, width)
            move(one_banana(made, length * r.uniform(.9, 1.05), width, bend),
                 place, (r.uniform(-.2, 0), 0, r.uniform(-.25, .25)))
        return
    count, roll = r.randint(3, 6), r.uniform(-1.4, -.3)
    for number in range(count):
        k = number - (count - 1) / 2
        place = (-length / 2, .13 * k, width + .04 * (2 - abs(k)))
        rotation = (roll + r.uniform(-.1, .1), 0, .17 * k)
        move(one_banana(made, length * r.uniform(.9, 1.05), width, bend), place, rotation)
    brown = material((.25, .20, .03), (.1, .06, .02))
    lumpy(ellipsoid((-length / 2 - .05, 0, width), (.14, .07 * count, .12), brown), .2, .1)


def cob(r):
    """Make a cob of corn along x at the origin; give its parts and its thickness."""
    rows, length, width = r.randint(11, 15), r.uniform(.7, 1.1), r.uniform(.25, .33)
    color = r.choice([(.80, .48, .03), (.82, .55, .08), (.80, .62, .22)])
    pale = r.choice([color, color, (.82, .74, .50), darker(color, .35)])  # plain, two-coloured, grilled
    kernels = int(2 * length / .085)
    u, v = np.meshgrid(np.linspace(0, 1, kernels * 4 + 1), np.arange(rows * 5) / 5, indexing='ij')
    along, across = np.abs(2 * (kernels * u % 1) - 1), np.abs(2 * (v % 1) - 1)
    bump = (1 - along ** 4) * (1 - across ** 4)
    radius = width * np.interp(u, [0, .02, .15, .7, .9, 1], [.75, .9, 1, .95, .7, .3]) * (.84 + .16 * bump)
    angle = v * 2 * math.pi / rows
    vertices = np.stack([(2 * u - 1) * length, radius * np.cos(angle), radius * np.sin(angle)], -1).reshape(-1, 3)
    made = material(color, pale, rough=.25, coat=.5, pattern='cells',
                    scale=10, ramp=(.4, .6), inside=darker(color, .55))
    thing = mesh(vertices, grid_faces(*u.shape, wrap_columns=True), made)
    mark_inside(thing, (1 - bump).ravel())
    core = material((.75, .62, .35), bump=.5)
    ends = [cylinder((-length - r.uniform(0, .2), 0, 0), width * .62, .3, core, (0, 1.57, 0)),
            ellipsoid((length, 0, 0), (.05, width * .26, width * .26), core, segments=16)]
    return [thing] + ends, length, width


def husk(r, length, width):
    """Make the leaves about the stalk of a cob along x, folded back or still around it."""
    green = material((.40, .50, .14), (.22, .36, .07), rough=.6, bump=.3, pattern='noise', scale=5)
    back = r.choice((-1, 1, 1))
    leaves = []
    for _ in range(r.randint(4, 7)):
        start, span = r.uniform(1.6, 7.8), r.uniform(1, 1.7)
        long, flare = r.uniform(.5, .9) * length, r.uniform(.05, .35)

        def point(u, v, start=start, span=span, long=long, flare=flare):
            a = start + (v - .5) * span * math.sin(math.pi * (.25 + .72 * u))
            q = width * (.75 + .4 * min(1, 4 * u)) + flare * u * u
            return back * long * u - length - .05, q * math.cos(a), max(q * math.sin(a), .02 - width)
        leaves.append(sheet(point, 14, 8, green))
    return leaves


def corn_on_the_cob(r):
    """One to three cobs of corn, some in their husk, sometimes with butter."""
    count = r.choice((1, 2, 2, 3))
    leafy = r.random() < .5
    for number in range(count):
        parts, length, width = cob(r)
        if leafy:
            parts += husk(r, length, width)
        if r.random() < .25:
            parts.append(box((0, 0, width), (.2, .2, .08), material((.85, .70, .25), rough=.2), (.1, .1, .5)))
        y = (number - (count - 1) / 2) * .68
        turn(parts, (r.uniform(-.15, .15), y, width), (0, 0, r.uniform(-.2, .2) + r.choice((0, 3.14))))


def bowled(r):
    """Perhaps make a bowl for fruit; give the reach and the floor of the pile."""
    if r.random() < .5:
        dish(r, True, r.uniform(1.15, 1.3))
        return 1.0, .12
    return 1.25, 0.


def grapes(r, place):
    """Make a bunch of grapes lying about a place."""
    color = r.choice([(.10, .015, .05), (.35, .45, .08), (.25, .02, .04), (.02, .02, .06)])
    made = material(color, darker(color), rough=.25, coat=.4, scale=2)
    one = ellipsoid((0, 0, 0), (.13, .13, .15), made, segments=20)
    spots = piled(r, [.12] * r.randint(22, 34), r.uniform(.4, .5))
    repeat([one], [((x * 1.5 + place[0], y + place[1], z + place[2]),
           (r.uniform(0, 3), r.uniform(0, 3), 0)) for x, y, z in spots])
    a, b = place[0] + .55, place[0] + 1
    tube([(a, place[1], place[2] + .2), (b - .1, place[1], place[2] + .25), (b, place[1] + .1, place[2] + .3)], .03,
         material((.20, .18, .05)), 8)


def fruit(r):
    """Apples, oranges, lemons, pears and the like, in a bowl or loose, some with grapes."""
    reach, floor = bowled(r)
    names = r.sample(sorted(set(ROUND) - {'pepper', 'potato'}), r.choice((1, 2, 3, 4)))
    sizes = [r.uniform(.32, .42) for _ in range(r.randint(4, 10))]
    for size, place in zip(sizes, piled(r, sizes, reach, floor)):
        round_produce(r, r.choice(names), place, size, lean(r, .5))
    if r.random() < .35:
        grapes(r, (0, 0, floor + .45 if floor else .5))


def vegetables(r):
    """Cucumbers, carrots, aubergines, peppers and tomatoes, in a heap or in a row."""
    names = r.sample(sorted(LONG), r.choice((1, 1, 2, 3)))
    count = r.randint(2, 6)
    row = r.random() < .5
    for number in range(count):
        parts, width = long_produce(r, r.choice(names))
        y = (number - (count - 1) / 2) * 2 / count
        turn(parts, (r.uniform(-.15, .15), y, width + (0 if row else .12 * number)),
             (0, 0, r.uniform(-.15, .15) if row else r.uniform(-1, 1)))
    names = r.sample(('tomato', 'pepper', 'potato', 'lemon'), 2)
    for _ in range(r.randint(0 if row else 2, 4)):
        a, size = r.uniform(0, 6.283), r.uniform(.25, .36)
        round_produce(r, r.choice(names), (math.cos(a), math.sin(a), size * .8), size, (r.uniform(-1, 1), 0, a))
    for number in range(r.choice((0, 0, 5))):
        cut_round(r, 'cucumber', (-.5 + number * .2, -1.1, .12 + .03 * number), .22, (.3, .5, 0))


# Dishes

def shrimp(r, place, size, made):
    """Make a cooked, curled shrimp with its tail."""
    a = np.linspace(0, r.uniform(3.6, 4.6), 24)
    path = np.stack([np.cos(a), np.sin(a), 0 * a], 1) * size * np.linspace(1, .75, 24)[:, None]
    body = tube(path, size * np.interp(a / a[-1], [0, .04, .2, .8, .93, 1], [.1, .38, .45, .26, .1, .3]), made, 12)
    return turn([body], place, lean(r, .5))


def strand(r, radius, height, z):
    """Return the path of a noodle that winds over a heap."""
    t = np.linspace(0, 1, 36)
    q, a, away = r.uniform(.15, .55) * radius, r.uniform(0, 6.283), r.uniform(0, .45) * radius
    turns = a + r.choice((-1, 1)) * r.uniform(2, 5.5) * t
    wobble = q * (1 + r.uniform(-.2, .2) * np.sin(r.uniform(3, 8) * t))
    x, y = wobble * np.cos(turns) + away * math.cos(3 * a), wobble * np.sin(turns) + away * math.sin(3 * a)
    lift = height * np.maximum(0, 1 - (x * x + y * y) / radius ** 2)
    return np.stack([x, y, z + lift + r.uniform(-.02, .05) + .04 * np.sin(r.uniform(4, 9) * t + a)], 1)


def topping(r, radius, height, z):
    """Put meatballs, shrimps, chunks or vegetable slices on a heap."""
    choice = r.choice(('meatballs', 'shrimps', 'chunks', 'slices', 'none'))
    spots = [on_dome(r, radius * .75, height, z + height * .25) for _ in range(r.randint(3, 8))]
    if choice == 'shrimps':
        made = material((.80, .25, .10), (.85, .62, .48), rough=.3, coat=.4, pattern='noise', scale=9)
        for spot in spots:
            shrimp(r, (*spot[:2], spot[2] + .08), r.uniform(.15, .22), made)
    elif choice in ('meatballs', 'chunks'):
        color = r.choice(MEATS)
        made = material(color, darker(color, .5), rough=.4, coat=.3, bump=.5, bump_scale=9, scale=4)
        for spot in spots:
            chunk(r, spot, r.uniform(.13, .2), made, .1 if choice == 'meatballs' else .5)
    elif choice == 'slices':
        for spot in spots:
            cut_round(r, r.choice(('carrot', 'tomato', 'cucumber', 'olive')), spot, .16, lean(r, .6))


def noodles(r):
    """A heap of spaghetti, noodles or short pasta with sauce and toppings, on a plate or in a bowl."""
    z, radius = dish(r, r.random() < .5)
    height = r.uniform(.2, .5)
    color = r.choice([(.75, .50, .16), (.80, .62, .30), (.78, .60, .28), (.45, .20, .05), (.70, .26, .06)])
    made = material(color, darker(color, .75), rough=.3, coat=.35, scale=2)
    mound(r, radius * .93, height * .85, z - .06, material(darker(color, .6), rough=.5))
    if r.random() < .7:
        thickness = r.uniform(.018, .036)
        for _ in range(int(2.6 / thickness)):
            tube(strand(r, radius, height, z), thickness, made, 5)
    else:
        size = r.uniform(.05, .075)
        half = lathe([(.7, -1), (.7, 1), (1, 1), (1, -1)], made, scale=(size, size, size * 3), segments=14)
        spots = [on_dome(r, radius * .95, height, z + r.uniform(0, .1)) for _ in range(110)]
        repeat([half], [(spot, (r.uniform(1.1, 2), 0, r.uniform(0, 6))) for spot in spots])
    if r.random() < .55:
        sauce = r.choice(SAUCES)
        made = material(sauce, darker(sauce, .5), rough=.25, coat=.5, bump=.6, bump_scale=12)
        mound(r, radius * r.uniform(.4, .65), .12, z + height * .75, made, .25)
    topping(r, radius, height, z)
    if r.random() < .6:
        herbs(r, radius, height, z + .05, r.randint(20, 90))
    if r.random() < .3:
        sticks(r, .35)


def spoon(r, place, rotation):
    """Make a metal spoon along x, its bowl at the origin."""
    metal = material((.6, .6, .6), rough=.2, metal=1.) if r.random() < .7 else material((.45, .25, .1), rough=.5)
    bowl = lathe([(0, -.1), (.5, -.08), (.9, -.01), (1, .03), (.93, .03),
                 (.5, -.04), (0, -.06)], metal, scale=(.24, .16, .7))
    turn([bowl, tube([(.2, 0, .02), (.4, 0, .1), (1.3, 0, .16)], [.03, .025, .045], metal, 10)], place, rotation)


def soup(r):
    """A bowl of soup, curry, chilli or ramen with noodles, egg, chunks, slices and herbs in it."""
    level, radius = dish(r, True)
    color, thick = r.choice(BROTHS), r.random()
    made = material(color, darker(color, .65), rough=.12 + .2 * thick,
                    coat=.6, bump=.5 * thick, bump_scale=8, scale=2.5)
    mound(r, radius, .06, level - .03, made, .02 + .1 * thick)
    if r.random() < .4:
        noodle = material((.80, .62, .28), rough=.3, coat=.4)
        for _ in range(30):
            tube(strand(r, radius * .8, .08, level), .028, noodle, 5)
    color = r.choice([(.40, .19, .07), (.75, .25, .02), (.80, .65, .35)])
    pieces = material(color, darker(color), rough=.35, coat=.4, bump=.3)
    for _ in range(r.choice((0, 5, 12, 20))):
        chunk(r, on_dome(r, radius * .8, 0, level + .02), r.uniform(.09, .15), pieces, .4)
    for _ in range(r.choice((0, 0, 1, 2))):
        turn(egg_half(r, .25), on_dome(r, radius * .55, 0, level + .13), lean(r, .25))
    topping(r, radius * .9, .06, level)
    herbs(r, radius * .85, .06, level + .01, r.randint(15, 80))
    if r.random() < .5:
        spoon(r, (radius * .35, 0, level + .12), (0, -.45, r.uniform(-.5, .5)))


def salad(r):
    """Leaves with tomatoes, cucumber, olives, radishes and cheese in a bowl or on a plate."""
    z, radius = dish(r, r.random() < .65)
    height = r.uniform(.25, .5)
    shades = r.sample(GREENS, 2) + [r.choice([(.20, .02, .06), (.30, .45, .08)])]
    greens = [material(c, darker(c, .55), rough=.45, scale=3, bump=.2) for c in shades]
    mound(r, radius * .92, height * .8, z - .05, greens[0], .2)
    for _ in range(r.randint(30, 44)):
        long = r.uniform(.4, .85)
        leaf(on_dome(r, radius * .78, height, z + .03), long, long * r.uniform(.5, .8), r.uniform(.06, .12),
             r.choice(greens), r, lean(r, .6))
    for name in r.sample(sorted(CUTS), 3):
        for _ in range(r.randint(3, 6)):
            size = .11 if name == 'olive' else r.uniform(.17, .24)
            cut_round(r, name, on_dome(r, radius * .85, height, z + .12), size, lean(r, .6))
    cherries = ellipsoid((0, 0, 0), .15, material((.60, .02, .01), (.65, .07, .01), rough=.2, coat=.4), segments=24)
    cheese = material((.85, .82, .74), rough=.6, bump=.3)
    crouton = material((.60, .34, .10), (.4, .18, .05), bump=.6)
    for part in (cherries, box((0, 0, 0), (.15, .14, .12), cheese), box((0, 0, 0), (.15, .15, .13), crouton)):
        repeat([part], [(on_dome(r, radius * .8, height, z + .15), lean(r, 1)) for _ in range(r.choice((1, 1, 5, 9)))])


def slab(r, color, wide):
    """Make a whole grilled steak at the origin, lying on its middle."""
    long, thick, grilled = r.uniform(.6, .85), r.uniform(.11, .17), r.random() < .6
    bands, size, ramp = ('stripes', r.uniform(1.2, 1.8), (.12, .3)) if grilled else ('noise', 3, (.3, .6))
    brown = material(darker(color, .12), color, rough=.35, coat=.35, bump=.7, bump_scale=10, pattern=bands, scale=size,
                     ramp=ramp, distortion=1.5 * grilled)
    profile = [(0, -1), (.75, -1), (.93, -.75), (1, 0), (.93, .75), (.75, 1), (0, 1)]
    thing = lumpy(smoother(lobed(profile, 2, .12, brown, segments=40)), .25, .4)
    return move(thing, (0, 0, 0), (0, 0, r.uniform(0, 6)), (long, wide, thick))


def steak(r):
    """A grilled slab of meat on a plate with vegetables, potatoes or sauce."""
    z, _ = dish(r, False, 1.3)
    top = z + .3
    turn([slab(r, r.choice(MEATS[:3]), r.uniform(.46, .62))], (.15, -.2, z + .16))
    side_dishes(r, z)
    if r.random() < .6:
        sauce = material(r.choice(SAUCES), rough=.12, coat=.6)
        x, y, height = r.choice([(.15, -.2, top), (.6, .3, z)])
        move(mound(r, r.uniform(.3, .5), .07, 0, sauce, .12), (x, y, height - .01))
    if r.random() < .5:
        herbs(r, .6, .1, top, 30)


def side_dishes(r, z):
    """Put potatoes, chips, peas, beans or tomatoes on the far half of a plate."""
    for x in r.choice([(-.5, .4), (-.5,), (.2,)]):
        choice, spots = r.choice(('potatoes', 'chips', 'peas', 'beans', 'mash',
                                 'tomatoes')), piled(r, [.13] * 9, .45, z)
        spots = [(x + a, .5 + b, c) for a, b, c in spots]
        if choice == 'potatoes':
            made = material((.72, .45, .12), (.45, .20, .05), rough=.4, coat=.2, scale=3)
            for spot in spots:
                chunk(r, spot, .16, made, .2)
        elif choice in ('chips', 'beans'):
            made = material((.75, .45, .10), (.6, .28, .05)
                            ) if choice == 'chips' else material((.10, .25, .03), rough=.3)
            for spot in spots * 2:
                turn([box((0, 0, 0), (.7, .08, .08), made)], spot, (0, r.uniform(-.3, .3), r.uniform(0, 3)))
        elif choice == 'tomatoes':
            for spot in spots[:4]:
                round_produce(r, 'tomato', spot, .17, (r.uniform(-1, 1), 0, 0))
        elif choice == 'mash':
            lumpy(move(mound(r, .42, .3, 0, material((.80, .66, .32), rough=.4, bump=.4)), (x, .5, z)), .2, .2)
        else:
            green = material((.16, .34, .03), (.1, .25, .02), rough=.3, coat=.3)
            grains(r, [(x + a, .5 + b, c)
                   for a, b, c in piled(r, [.05] * 90, .42, z)], (.06, .06, .055), green, segments=10)


def egg_white(r, place, size, made):
    """Make the white of a fried egg with a wavy, browned edge."""
    waves = [(k, r.uniform(0, 6), r.uniform(.02, .07)) for k in (2, 3, 5, 8)]
    angle, q = np.meshgrid(np.linspace(0, 6.2832, 60, endpoint=False), [0, .3, .5, .75, .9, .97, 1])
    radius = size * q * (1 + sum(depth * np.sin(k * angle + phase) for k, phase, depth in waves))
    z = np.interp(q, [0, .3, .5, .75, .9, .97, 1], [.12, .11, .07, .05, .055, .04, 0])
    vertices = np.stack([radius * np.cos(angle), radius * np.sin(angle), z], -1).reshape(-1, 3)
    thing = lumpy(move(mesh(vertices, grid_faces(7, 60, wrap_columns=True), made), place), .05, .12)
    mark_inside(thing, np.repeat([0, 0, 0, 0, .15, .7, 1], 60))


def bacon(r, place, rotation, made):
    """Make a wavy strip of bacon."""
    phase, long = r.uniform(0, 6), r.uniform(1.0, 1.5)

    def point(u, v):
        return (v - .5) * .3 + .03 * math.sin(9 * u), (u - .5) * long, .08 + .05 * math.sin(13 * u + phase + 2 * v)
    move(sheet(point, 40, 7, made), place, rotation)


def toast(r, place, made):
    """Make a slice of toasted bread with its crust."""
    a = np.linspace(0, 2 * math.pi, 40, endpoint=False)
    section = np.stack([np.sign(np.cos(a)) * np.abs(np.cos(a)) ** .45,
                       np.sign(np.sin(a)) * np.abs(np.sin(a)) ** .45], 1)
    thing = sweep(section, [(0, 0, z) for z in (0, .02, .08, .12, .14)], [.4, .44, .45, .43, .38], made)
    mark_inside(turn([thing], place, (0, r.uniform(-.15, .15), r.uniform(0, 6)))[0], np.repeat([1, .3, 0, .3, 1], 40))


def pan(r):
    """Make a frying pan; give the height of its floor."""
    iron = material((.025, .025, .028), rough=.4, coat=.2, metal=r.choice((0., .6)))
    lathe([(0, 0), (1.02, 0), (1.2, .26), (1.16, .26), (1, .05), (0, .05)], iron, segments=64)
    tube([(1.15, 0, .22), (1.5, 0, .32), (2.3, 0, .42)], [.07, .06, .1],
         material(r.choice([(.02, .02, .02), (.25, .1, .04)])))
    return .05


def fried_eggs(r):
    """One to three eggs sunny side up in a pan or on a plate, with bacon or toast."""
    z = pan(r) if r.random() < .6 else dish(r, False)[0]
    count = r.choice((1, 2, 2, 3))
    size = r.uniform(.5, .62) if count > 1 else r.uniform(.65, .85)
    edge = r.choice([(.45, .22, .06), (.8, .7, .5)])
    white = material((.86, .83, .76), rough=.25, coat=.4, bump=.15, bump_scale=10, inside=edge)
    orange = material(r.choice([(.82, .38, .01), (.80, .24, .01), (.84, .52, .03)]),
                      rough=.12, coat=.6, pattern='plain')
    for number in range(count):
        a = number * 6.283 / count + r.uniform(0, .6)
        x, y = .48 * math.cos(a) * (count > 1), .42 * math.sin(a) * (count > 1) - .15
        egg_white(r, (x, y, z + .012 * number), size, white)
        ellipsoid((x + r.uniform(-.1, .1), y + r.uniform(-.1, .1), z + .1), (size * .38, size * .37, .15), orange)
    side = r.choice(('bacon', 'bacon', 'toast', 'none'))
    red = r.choice([(.35, .05, .025), (.22, .035, .015)])
    streaks = material(red, (.65, .38, .20), rough=.3, coat=.4, pattern='stripes',
                       scale=1.7, ramp=(.5, .8), distortion=2)
    crumb = material((.72, .45, .17), (.48, .22, .06), bump=.5, inside=(.35, .14, .04))
    for number in range(r.randint(1, 3)):
        if side == 'bacon':
            bacon(r, (0, .55 + .2 * number, z + .05 * number), (0, 0, 1.57 + r.uniform(-.2, .2)), streaks)
        elif side == 'toast':
            toast(r, (-.1 + .2 * number, .7, z + .15 * number), crumb)
    if r.random() < .5:
        grains(r, [on_dome(r, .7, .08, z + .06) for _ in range(60)], (.018, .015, .012), material((.03, .025, .02)))


def rice(r):
    """A heap of rice with beans, peas, carrots or meat in it, on a plate or in a bowl."""
    z, radius = dish(r, r.random() < .5)
    height = r.uniform(.25, .6)
    color = r.choice([(.84, .78, .63), (.84, .78, .63), (.78, .55, .14), (.62, .36, .13), (.72, .30, .08)])
    made = material(color, darker(color, .8), rough=.4, coat=.15, scale=1)
    mound(r, radius * .97, height * .93, z - .03, made, .08)
    size = r.uniform(.022, .03)
    spots = [on_dome(r, radius * .98, height, z + r.uniform(-.02, .03)) for _ in range(620)]
    grains(r, spots, (size * 2.4, size, size), made)
    for _ in range(r.randint(1, 3)):
        color = r.choice([(.16, .34, .03), (.75, .24, .01), (.20, .03, .02), (.03, .02, .02), (.80, .52, .04)])
        spots = [on_dome(r, radius * .95, height, z + .03) for _ in range(r.randint(15, 45))]
        grains(r, spots, (r.uniform(.05, .08), .045, .045), material(color, rough=.3, coat=.3), segments=10)
    topping(r, radius * .9, height, z)
    if r.random() < .6:
        herbs(r, radius, height, z, r.randint(20, 70))


def nigiri(r, grain):
    """Make rice with a slice of fish, shrimp or omelette on it, along x at the origin."""
    a = [(r.uniform(0, 6.283), r.uniform(0, 3.1)) for _ in range(80)]
    spots = [(.38 * math.cos(t), .19 * math.sin(t) * math.cos(u), .16 + .15 * math.sin(t) * math.sin(u)) for t, u in a]
    fish, fat, ramp = r.choice(FISH)
    made = material(fish, fat, rough=.22, coat=.5, pattern='stripes', scale=1.5, ramp=ramp, distortion=2)
    x, scale = capsule(r.uniform(.46, .56), 7, 24)
    path = np.stack([x, .02 * np.sin(5 * x), .36 - .55 * x * x], 1)
    around = np.linspace(0, 6.283, 16, endpoint=False)
    section = [(.24 * math.cos(a), .055 * math.sin(a) - .06 * math.cos(a) ** 2) for a in around]
    return [ellipsoid((0, 0, .16), (.38, .19, .15), grain), grains(r, spots, (.045, .02, .02), grain),
            sweep(section, path, scale, made)]


def maki(r, grain):
    """Make a roll at the origin: rice about a filling, in seaweed or inside out."""
    size, high = r.uniform(.22, .29), r.uniform(.3, .4)
    spots = [on_dome(r, size * .86, 0, high, .1) for _ in range(60)]
    seaweed = material((.012, .02, .012), (.02, .035, .015), rough=.35, bump=.3)
    outside = r.choice([seaweed, seaweed, seaweed, grain])
    parts = [cylinder((0, 0, high / 2), size, high, outside, segments=32), grains(r, spots, (.036, .018, .018), grain),
             cylinder((0, 0, high / 2), size * .93, high + .015, grain, segments=32)]
    for number, color in enumerate(r.sample(FILLINGS, r.choice((1, 2, 3)))):
        a, made = number * 2.1, material(color, rough=.3, coat=.3)
        parts.append(box((.06 * math.cos(a), .06 * math.sin(a), high / 2), (.12, .13, high + .1), made, (0, 0, a)))
    return parts


def sushi(r):
    """Rows of nigiri and maki on a board or plate, with wasabi and chopsticks."""
    if r.random() < .6:
        z, wood = .08, r.choice([(.50, .28, .11), (.025, .02, .02), (.20, .08, .03)])
        box((0, 0, .04), (2.5, 1.7, .08), material(wood, darker(wood, .7), rough=.4, pattern='wood', scale=1.5))
    else:
        z, _ = dish(r, False)
    grain = material((.84, .81, .74), (.80, .76, .66), rough=.4, bump=.2)
    kind = r.choice(('nigiri', 'maki', 'both', 'both'))
    for row, y in enumerate((-.42, .02, .46)):
        if kind == 'nigiri' or (kind == 'both' and row == 1):
            places = [((x, y, z), (0, 0, r.uniform(1.3, 1.8))) for x in np.arange(-.8, .8, r.uniform(.47, .55))]
            repeat(nigiri(r, grain), places[:2])
            repeat(nigiri(r, grain), places[2:])
        else:
            tip = r.choice((0, 0, 0, 1.4))  # some rows of rolls lie on their sides
            places = [((x, y, z + .27 * (tip > 0)), (tip, 0, r.uniform(-.3, .3)))
                      for x in np.arange(-.85, .8, r.uniform(.57, .66))]
            repeat(maki(r, grain), places)
    chunk(r, (.95, r.uniform(-.4, .4), z + .06), .13, material((.30, .42, .08), rough=.7, bump=.3), .5)
    if r.random() < .5:
        sticks(r, z)


def scoop(r, place, size):
    """Make a ball of ice cream with a ragged skirt, and sometimes with chips in it."""
    color = r.choice(FLAVORS)
    made = material(color, darker(color, .82), rough=.5, bump=.6, bump_scale=12, scale=3)
    x, y, z = place
    lumpy(ellipsoid(place, (size, size, size * .95), made), .12, .2)
    lumpy(torus((x, y, z - size * .45), size * .86, size * .2, made), .12, .12)
    if r.random() < .5:
        spots = [(x + size * dx, y + size * dy, z + size * dz) for dx, dy, dz in
                 [(q * math.cos(a), q * math.sin(a), math.sqrt(1 - q * q)) for q, a in
                  [(math.sqrt(r.random()), r.uniform(0, 6.283)) for _ in range(25)]]]
        grains(r, spots, (.06, .02, .02), material(r.choice([(.03, .012, .006), (.7, .05, .05), (.1, .3, .6)])))


def soft_serve(r, z, radius):
    """Make a swirl of soft ice cream that starts at z."""
    color = r.choice(FLAVORS)
    t = np.linspace(0, 1, 130)
    turns, high = 6.283 * r.uniform(3, 4.2), r.uniform(.9, 1.3)
    away = radius * (1 - t) ** .8 * .6
    path = np.stack([away * np.cos(turns * t), away * np.sin(turns * t), z + high * t ** .9], 1)
    tube(path, radius * .5 * np.interp(t, [0, .9, 1], [1, .4, .05]),
         material(color, darker(color, .9), rough=.35, coat=.2), 16)


def cone(height, radius):
    """Make a wafer cone that stands on its tip, with its crossing ridges."""
    wafer = material((.62, .33, .10), (.48, .22, .06), rough=.6, bump=.3, scale=4)
    lathe([(.05, 0), (radius, height), (radius + .05, height + .02),
          (radius - .03, height + .1), (radius * .8, height - .1)], wafer)
    t = np.linspace(.05, 1, 16)
    for a in np.linspace(0, 6.283, 9, endpoint=False):
        for way in (-1.6, 1.6):
            q = (.05 + (radius - .05) * t) * 1.02
            tube(np.stack([q * np.cos(a + way * t), q * np.sin(a + way * t), t * height], 1), .022, wafer, 5)


def cup(r):
    """Make a cup for a sundae; give its height and radius."""
    z, radius = r.uniform(.5, .8), r.uniform(.6, .8)
    color = r.choice([(.75, .75, .72), random_color(r), random_color(r)])
    pattern = r.choice(('stripes', 'plain'))
    made = material(color, r.choice([(.8, .8, .78), darker(color)]), rough=.3, coat=.3, pattern=pattern, scale=1)
    lathe([(0, 0), (radius * .7, 0), (radius, z), (radius * .95, z), (radius * .8, z * .3), (0, z * .3)], made)
    return z, radius


def ice_cream(r):
    """A cone with scoops or a swirl, upright or lying, or a sundae in a cup with a wafer and a berry."""
    first = len(bpy.context.collection.objects)
    in_cone = r.random() < .6
    z, radius = (r.uniform(1, 1.4), r.uniform(.4, .5)) if in_cone else cup(r)
    if in_cone:
        cone(z, radius)
    if r.random() < .35:
        soft_serve(r, z + .05, radius)
    elif in_cone:
        for number in range(r.choice((1, 2, 2) if z < 1.2 else (1, 1, 2))):
            size = radius * (1.12 - .1 * number)
            scoop(r, (r.uniform(-.04, .04), 0, z + size * .6 + number * radius * 1.25), size)
    else:
        for a in r.uniform(0, 6) + np.arange(3) * 2.09:
            scoop(r, (radius * .45 * math.cos(a), radius * .45 * math.sin(a), z + .12), radius * .55)
        berry(r, (0, 0, z + radius * .45), .15)
        if r.random() < .5:
            tube([(.3, .1, z), (.6, .15, z + .9)], .07, material((.60, .33, .10), (.4, .18, .05)))
    if in_cone and r.random() < .3:
        turn(list(bpy.context.collection.objects)[first:], (0, -1.2, radius * 1.05), (-1.57 - .1, 0, 0))


def berry(r, place, size):
    """Make a strawberry or a cherry."""
    if r.random() < .5:
        red = material((.30, .008, .015), rough=.15, coat=.6)
        x, y, z = place
        ellipsoid((x, y, z + size * .7), size * .8, red, segments=20)
        stem = [(x, y, z + size), (x + .05, y, z + size * 2.2), (x + .16, y, z + size * 3)]
        tube(stem, .015, material((.15, .18, .03)), 6)
        return
    red = material((.75, .45, .10), (.55, .015, .01), rough=.25, coat=.4, pattern='spots', scale=5, ramp=(.1, .16))
    profile = [(0, 1.3), (.3, 1.2), (.75, .6), (.95, 0), (.8, -.3), (.4, -.42), (0, -.4)]
    turn([lathe([(a, b) for a, b in profile[::-1]], red, scale=size, segments=20)], (*place[:2], place[2] + size * .4))


def drips(r, edge, angle, top):
    """Pour a glaze over the top of a cake, running down its side."""
    glaze = material(r.choice([(.05, .018, .008), (.45, .02, .03), (.65, .30, .05)]), rough=.15, coat=.6)
    wedge(glaze, edge + .02, angle, top, top + .03)
    for a in np.arange(.06, angle - .04, .19 if angle > 1 else .09):
        long = r.uniform(.1, .35)
        place = ((edge + .01) * math.cos(a), (edge + .01) * math.sin(a), top - long / 2 + .02)
        ellipsoid(place, (.045, .05, long / 2 + .04), glaze, segments=12)


def decorate(r, edge, angle, top, icing):
    """Put rosettes of cream, berries and sprinkles on top of a cake."""
    dab = [(.135, 0), (.15, .04), (.12, .08), (.06, .13), (.003, .17)]
    berries = r.random() < .7
    for a in (np.linspace(0, angle, r.randint(7, 11), endpoint=False) if angle > 1 else (.15, .5 * angle, angle - .15)):
        x, y = (edge - .2) * math.cos(a), (edge - .2) * math.sin(a)
        move(lobed(dab, 7, .14, icing, 70), (x, y, top))
        if berries:
            berry(r, (x, y, top + .08), .13)
    for _ in range(r.choice((0, 3))):
        spots = [(edge * .95 * math.sqrt(r.random()), r.uniform(0, angle)) for _ in range(30)]
        spots = [(q * math.cos(a), q * math.sin(a), top + .01) for q, a in spots]
        grains(r, spots, (.04, .012, .012), material(random_color(r, .1)), 0)


def cake(r):
    """A layer cake, whole, cut or one slice, with cream, drips, rosettes and berries on a plate."""
    z, _ = dish(r, False, 1.3)
    first = len(bpy.context.collection.objects)
    sponge, cream = r.choice(SPONGES), r.choice(CREAMS)
    soft = material(sponge, darker(sponge, .65), rough=.8, bump=.8, bump_scale=18, scale=9)
    icing = material(cream, darker(cream, .93), rough=.4, coat=.15, bump=.25, bump_scale=6, scale=2)
    angle = r.choice((6.2832, 5.3, r.uniform(.6, .95)))
    whole = angle > 1
    radius, layers, thick = (r.uniform(.8, 1), r.choice((2, 3, 4)), r.uniform(.17, .24)
                             ) if whole else (1.9, r.choice((2, 3)), .26)
    for number in range(layers):
        low = z + number * (thick + .06)
        wedge(soft, radius, angle, low, low + thick)
        wedge(icing, radius + .005, angle, low + thick, low + thick + .06)
    top = z + layers * (thick + .06)
    if r.random() < .7:
        wedge(icing, radius + .06, angle, z, top, radius + .006)
        wedge(icing, radius + .06, angle, top, top + .05)
        radius, top = radius + .06, top + .05
    if r.random() < .5:
        drips(r, radius, angle, top)
        top += .03
    decorate(r, radius, angle, top, icing)
    if not whole:
        turn(list(bpy.context.collection.objects)[first:], (-1.0, -.35, 0))


def bao(r, made):
    """Make a round dumpling with its pleats drawn together at the top."""
    profile = [(0, 0), (.3, 0), (.37, .1), (.36, .2), (.27, .31), (.15, .38), (.08, .42), (.06, .46), (0, .43)]
    return lobed(profile, r.randint(12, 17), [0, 0, .01, .03, .07, .14, .22, .2, 0], made, r.uniform(2, 6), 64)


def gyoza(r, made):
    """Make a half-moon dumpling with a pleated ridge."""
    pleats = r.randint(6, 9)

    def point(u, v):
        t = 2 * u - 1
        body, ridge = max(0, 1 - t * t) ** .5, math.exp(-((v - .5) / .1) ** 2)
        y = .2 * body * math.cos(math.pi * v) + .05 * ridge * math.sin(3.14 * pleats * t) - .18 * t * t
        return .45 * t, y, (.02 + .26 * body) * math.sin(math.pi * v) ** .8 + .07 * ridge
    return sheet(point, 44, 24, made)


def steamer():
    """Make a bamboo steamer; give the height of its floor."""
    wood = material((.60, .38, .15), (.45, .25, .08), rough=.5, pattern='stripes', scale=.4, distortion=1)
    lathe([(1.1, 0), (1.22, 0), (1.22, .5), (1.1, .5), (1.1, 0)], wood, segments=64)
    for z in (.08, .42):
        torus((0, 0, z), 1.22, .045, wood)
    for x in np.arange(-.98, 1, .14):
        box((x, 0, .14), (.12, 2.15 * math.sqrt(1 - x * x / 1.3), .04), wood, rounding=0)
    return .17


def dumplings(r):
    """Pleated dumplings in a bamboo steamer or on a plate, steamed or fried, with a dip."""
    dough, round_ones = r.choice([(.80, .70, .52), (.80, .62, .36), (.76, .66, .44)]), r.random() < .5
    fried = r.choice([darker(dough, .9), (.55, .24, .06), (.60, .32, .08)])
    made = material(dough, fried, rough=.35, coat=.25, bump=.15, scale=3, ramp=(.4, .65))
    one = bao(r, made) if round_ones else gyoza(r, made)
    z = steamer() if r.random() < .55 else dish(r, False, 1.3)[0]
    if z < .1 and r.random() < .5:
        level, radius = dish(r, True, .32, (.9, .5, z))
        dip = material(r.choice([(.03, .01, .005), (.35, .04, .01)]), rough=.1)
        ellipsoid((.9, .5, z + level), (radius, radius, .02), dip)
    spots = [(0, 0)] + [(.74 * math.cos(a), .74 * math.sin(a)) for a in np.arange(6) * 1.047]
    yaw = 6 if round_ones else .8
    repeat([one], [((x, y, z), (0, 0, yaw * r.random())) for x, y in r.sample(spots, r.randint(4, 7))])
    if r.random() < .4:
        herbs(r, .9, .1, z + .3, 30)


def cookie(r, made, size):
    """Make a cookie at the origin with chips, jam or icing, or a sandwich; give its parts and its thickness."""
    kind = r.choice(('chips', 'chips', 'jam', 'sprinkles', 'sandwich'))
    parts = [lumpy(cylinder((0, 0, .07), size, .14, made, rounding=.07), .09, .2)]
    spots = [on_dome(r, size * .85, .03, .17 if kind == 'sprinkles' else .13)
                     for _ in range(16 if kind == 'chips' else 45)]
    if kind == 'chips':
        chip = material(r.choice([(.035, .014, .007), (.035, .014, .007), (.8, .72, .55)]), rough=.3)
        parts.append(grains(r, spots, (.07, .06, .05), chip, segments=8))
    elif kind == 'jam':
        jam = material(r.choice([(.4, .01, .02), (.7, .3, .02)]), rough=.1, coat=.6)
        parts.append(ellipsoid((0, 0, .13), (size * .5, size * .5, .05), jam))
    elif kind == 'sprinkles':
        parts.append(cylinder((0, 0, .14), size * .85, .06, material(r.choice(FLAVORS), rough=.35), rounding=.03))
        parts += [grains(r, spots[k::3], (.045, .014, .014), material(random_color(r, .15))) for k in range(3)]
    else:
        parts.append(cylinder((0, 0, .17), size * .9, .1, material((.84, .78, .68), rough=.5)))
        parts.append(lumpy(cylinder((0, 0, .26), size, .12, made, rounding=.03), .05, .2))
    return parts, .34 if kind == 'sandwich' else .17


def cookies(r):
    """Cookies of one kind in stacks or in leaning rows, some on a plate."""
    color, size = r.choice([(.55, .28, .09), (.42, .18, .05), (.70, .45, .18), (.07, .03, .015)]), r.uniform(.42, .55)
    made = material(color, darker(color, .6), rough=.75, bump=.8, bump_scale=14, scale=2.5)
    parts, thick = cookie(r, made, size)
    z = dish(r, False)[0] if r.random() < .4 else 0
    if r.random() < .5:
        places = [((x + r.uniform(-.06, .06), r.uniform(-.06, .06), z + k * thick), (0, 0, r.uniform(0, 6)))
                  for x in r.choice([(.4,), (-.5, .5)]) for k in range(int(r.uniform(.3, 1.1) / thick) + 1)]
        places.append(((-.1, -.6, z + size * .7), (.9, 0, r.uniform(-.5, .5))))
    else:
        gap = size * r.uniform(1, 1.5) + thick / 4
        places = [((x, y, z + .1), (r.uniform(-.05, .05), -.35 * (x > -.7), r.uniform(-.1, .1)))
                  for y in r.choice([(0,), (-.55, .55)]) for x in np.arange(-.8, .8, gap)]
    repeat(parts, places)


def chip_of(made, size, curl):
    """Make a curved triangular corn chip at the origin."""
    def point(u, v):
        x, y = size * 1.7 * (u - .6), size * 2 * (v - .5) * u
        return x, y, curl * (x * x - .5 * y * y)
    return sheet(point, 9, 7, made)


def bowl_of_dip(r, x, y, z, size):
    """Make a bowl of guacamole, salsa, cheese, hummus, cream or beans, with bits strewn on it."""
    color = r.choice([(.30, .42, .06), (.45, .04, .01), (.78, .42, .04),
                     (.62, .45, .22), (.82, .78, .70), (.20, .07, .04)])
    level, radius = dish(r, True, size, (x, y, z))
    food = material(color, darker(color, .7), rough=.3, coat=.25, bump=.6, bump_scale=9, scale=5)
    move(mound(r, radius, .1, 0, food, .12), (x, y, z + level))
    bits = [(x + a, y + b, c + .03) for a, b, c in (on_dome(r, radius * .8, .1, z + level) for _ in range(14))]
    grains(r, bits, (.045, .04, .02), material(r.choice([(.6, .03, .01), (.1, .25, .03), (.7, .65, .5)])), segments=8)
    return z + level


def dips(r):
    """One to three bowls of dip among triangular corn chips."""
    color = r.choice([(.75, .46, .10), (.80, .54, .17), (.70, .30, .04)])
    made = material(color, darker(color, .65), rough=.6, bump=.5, bump_scale=25, scale=4, ramp=(.4, .75))
    z = dish(r, False, 1.3)[0] if r.random() < .5 else .02
    count, start = r.choice((1, 1, 2, 3)), r.uniform(0, 6)
    for a in start + 1.6 * np.arange(count):
        x, y = (.5 * math.cos(a), .5 * math.sin(a)) if count > 1 else (.1, 0)
        level = bowl_of_dip(r, x, y, z, r.uniform(.55, .7) if count == 1 else .44)
        turn([chip_of(made, .3, .3)], (x + .1, y, level + .2), (0, -1.1, r.uniform(0, 6)))
    for _ in range(3):
        shape, places = chip_of(made, r.uniform(.26, .33), r.uniform(-.5, .9)), []
        for _ in range(16):
            a, q = r.uniform(0, 6.283), r.uniform(.75 if count == 1 else .85, 1.15)
            places.append(((q * math.cos(a), q * math.sin(a), z + r.uniform(.06, .28)), lean(r, .5)))
        repeat([shape], places)


# Kept for the test pictures

def melon_face(r, color, radius, angle, thick):
    """Make a flat piece of melon in the xy plane, from its middle to the rind, with seeds on both sides."""
    flesh = material(color, darker(color, .8), rough=.3, coat=.3, bump=.3, bump_scale=15, scale=4)
    parts = [wedge(flesh, radius * .87, angle, -thick, thick)]
    parts.append(wedge(material((.75, .75, .50)), radius * .94, angle, -thick, thick, radius * .87))
    parts.append(wedge(material((.02, .10, .015), (.12, .30, .05), rough=.3,
                 scale=4), radius, angle, -thick, thick, radius * .94))
    spots = [(q * math.cos(a), q * math.sin(a), side * thick) for side in (-1, 1) for q, a in
             [(radius * r.uniform(.35, .75), r.uniform(.1, .9) * angle) for _ in range(int(9 * angle) + 3)]]
    return parts + [grains(r, spots, (.06, .035, .012), material((.015, .01, .008), rough=.3), 0, 8)]


def watermelon(r):
    """Slices of watermelon, lying or standing, some with the cut half that they came from."""
    angle, count = r.choice((1.05, 1.3, 3.1416)), r.randint(1, 4)
    color = r.choice([(.60, .04, .03), (.60, .04, .03), (.65, .09, .05), (.75, .45, .04)])
    radius = r.uniform(.9, 1.15) if angle > 3 else r.uniform(1.0, 1.3)
    parts = melon_face(r, color, radius, angle, r.uniform(.09, .14))
    turn(parts, (0 if angle > 3 else -radius * .6, 0, 0))
    places = [((0, -.7, .15 + number * .28), lean(r, .03)[:2] + (r.uniform(-.7, .7),)) for number in range(count)]
    if angle > 3 and r.random() < .5:  # standing on the rind
        places = [((0, (number - count / 2) * .45, radius), (r.uniform(-1.8, -1.4), 0, r.uniform(-.2, .2)))
                  for number in range(count)]
    repeat(parts, places)
    if r.random() < .5:
        rind = material((.02, .09, .015), (.16, .32, .06), rough=.3, coat=.3, pattern='stripes', scale=.8, distortion=5)
        half = lathe([(.8 * math.sin(a), -.8 * math.cos(a)) for a in np.linspace(0, 1.57, 14)], rind)
        turn([half] + melon_face(r, color, .8, 6.2832, .02), (0, .75, .7), (r.uniform(.6, 1.2), 0, r.uniform(-.3, .3)))


FOODS = {
    'banana': banana, 'corn_on_the_cob': corn_on_the_cob, 'sushi': sushi, 'ice_cream': ice_cream, 'noodles': noodles,
    'soup': soup, 'salad': salad, 'steak': steak, 'fruit': fruit, 'fried_eggs': fried_eggs, 'rice': rice, 'cake': cake,
    'dumplings': dumplings, 'cookies': cookies, 'dips': dips, 'vegetables': vegetables}
TEST_FOODS = {'watermelon': watermelon}
