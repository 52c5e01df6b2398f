"""Model street food and snacks that share shapes and colours with hot dogs, but are not hot dogs."""
import functools
import math

import bpy
import numpy as np
from mathutils import Euler, Matrix, Vector

from materials import bread, darker, mark_inside, material, random_color
from shapes import box, cylinder, ellipsoid, grid_faces, lathe, leaf, lumpy, mesh, move, sheet, smoother, torus, tube

TAU = 2 * math.pi


def arrange(parts, location=(0, 0, 0), rotation=(0, 0, 0), scale=1.0):
    """Turn, scale and move a finished group of objects as one."""
    place = Matrix.Translation(location) @ Euler(rotation).to_matrix().to_4x4() @ Matrix.Scale(scale, 4)
    for part in parts:
        part.matrix_basis = place @ part.matrix_basis
    return parts


def world_points(thing):
    """Return an object's vertices (n x 3) where it stands, and its 4 x 4 placement."""
    points, place = np.empty(3 * len(thing.data.vertices), np.float32), np.array(thing.matrix_basis)
    thing.data.vertices.foreach_get('co', points)
    return points.reshape(-1, 3) @ place[:3, :3].T + place[:3, 3], place


def fitted(kind):
    """Make a kind centre what it builds, shrink it to the radius that a kind may fill and drop it if it floats."""
    @functools.wraps(kind)
    def build(r):
        before = set(bpy.data.objects)
        kind(r)
        parts = [thing for thing in bpy.data.objects if thing not in before]
        points = np.concatenate([world_points(part)[0] for part in parts])
        low, high = points.min(0), points.max(0)
        middle = (low + high) / 2
        scale = min(1, 1.35 / np.hypot(*(points - middle)[:, :2].T).max())
        arrange(parts, (-scale * middle[0], -scale * middle[1], -scale * max(0, low[2])), scale=scale)
    return build


def thick(thing, thickness):
    """Thicken a sheet."""
    solid = thing.modifiers.new('thick', 'SOLIDIFY')
    solid.thickness, solid.offset = thickness, 0
    return thing


def grains(places, radii, paint, r, along=None, boxy=1.0, bend=0.0):
    """Make one mesh of many small bodies at `places`: seeds, sprinkles, shreds; with a small `boxy` sticks and cubes.

    `along` gives each body's long axis (at random without it), `bend` curves it. The ends are marked as 'inside'.
    """
    theta, phi = np.meshgrid(np.linspace(.1, math.pi - .1, 7), np.linspace(0, TAU, 8, endpoint=False), indexing='ij')
    body = np.stack([np.cos(theta), np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi)], -1).reshape(-1, 3)
    body = np.sign(body) * np.abs(body) ** boxy
    shell = grid_faces(7, 8, wrap_columns=True) + [tuple(range(8))[::-1], tuple(range(48, 56))]
    vertices, faces = [], []
    for i, place in enumerate(places):
        ahead = Vector(along[i] if along is not None else [r.gauss(0, 1) for _ in range(3)]).normalized()
        side = ahead.cross(Vector([r.gauss(0, 1) for _ in range(3)])).normalized()
        local = body * radii * r.uniform(.75, 1.2)
        local[:, 2] += bend * r.uniform(-1, 1) * body[:, 0] ** 2
        vertices.append(np.array(place) + local @ np.array([ahead, side, ahead.cross(side)]))
        faces += [tuple(n + 56 * i for n in face) for face in shell]
    made = mesh(np.concatenate(vertices), faces, paint, smooth=boxy > .3)
    return mark_inside(made, np.tile(np.abs(body[:, 0]) > .95, len(places)))


def disc(location, radius, height, paint, rotation=(0, 0, 0)):
    """Make a small round slice: pepperoni, tomato, onion."""
    return cylinder(location, radius, height, paint, rotation, rounding=height * .45, segments=20)


def ruffled(radius, ruffle, height, paint, r):
    """Make a round leaf with a waved edge that hangs a little, lying at `height`."""
    phase, waves = r.uniform(0, 6), r.randint(5, 8)

    def point(u, v):
        wave = math.sin(waves * TAU * u + phase) + .5 * math.sin((2 * waves + 1) * TAU * u) - .6
        reach = radius * v * (1 + .07 * v ** 4 * math.sin(3 * TAU * u + phase))
        return reach * math.cos(TAU * u), reach * math.sin(TAU * u), max(.03, height + ruffle * v ** 4 * wave)
    return sheet(point, 73, 10, paint)


def bite(parts, radius, r):
    """Bite into the rim of a group about the z axis: what lies in the bite is pushed back and marked as 'inside'."""
    turn, deep = r.uniform(0, TAU), r.uniform(.35, .5) * radius
    for angle in (turn - .42, turn, turn + .42):
        centre = radius * np.array([math.cos(angle), math.sin(angle)])
        for part in parts:
            points, place = world_points(part)
            length = np.linalg.norm(points[:, :2], axis=1) + 1e-6
            toward = points[:, :2] @ centre / length
            root = toward ** 2 - (radius ** 2 - deep ** 2)
            stop = toward - np.sqrt(np.maximum(root, 0))  # where the way from the axis to the point enters the bite
            gone = (root > 0) & (toward > 0) & (length > stop)
            points[gone, :2] *= (stop / length)[gone, None]
            local = (points - place[:3, 3]) @ np.linalg.inv(place[:3, :3]).T
            part.data.vertices.foreach_set('co', local.ravel())
            marks = part.data.attributes.get('inside') or part.data.attributes.new('inside', 'FLOAT', 'POINT')
            for number in np.flatnonzero(gone):
                marks.data[number].value = 1


def green(r):
    """Make lettuce."""
    dark = (.10 + .1 * r.random(), .28, .03)
    return material(dark, (.38, .52, .12), rough=.4, scale=r.uniform(3, 6), bump=.3, bump_scale=12)


def tomato_red(r):
    """Make the flesh of a tomato."""
    return material((.55, .03, .012), (.65, .12 + .06 * r.random(), .03), rough=.25, coat=.4, scale=7)


def meat_brown(r):
    """Make fried or grilled meat."""
    light = r.choice([(.36, .13, .04), (.28, .09, .03), (.45, .19, .06)])
    return material(darker(light, .35), light, rough=.45, coat=.2, scale=6, ramp=(.36, .6), bump=.8, bump_scale=14,
                    inside=(.30, .12, .07))


def cheese_yellow(r):
    """Make cheese, from pale to orange."""
    return material(r.choice([(.85, .42, .04), (.85, .58, .13), (.85, .68, .32)]), pattern='plain', rough=.35, coat=.2)


def baked(r, inside=None, **options):
    """Make a crust or batter: golden where it is raised, browner elsewhere."""
    light = r.choice([(.64, .29, .065), (.52, .20, .042), (.72, .39, .11)])
    return material(darker(light, .5), light, rough=.4, scale=r.uniform(4, 7), inside=inside, **options)


def dip(location, radius, r):
    """Make a little bowl of sauce."""
    color = r.choice([(.40, .015, .01), (.75, .42, .03), (.75, .66, .45), (.22, .05, .015), (.55, .12, .02)])
    outside = material(r.choice([(.8, .8, .77), (.04, .04, .04), (.5, .04, .03), (.1, .2, .4)]), rough=.2)
    profile = [(0, 0), (.6, 0), (.7, .1), (.97, .75), (1, .8), (.93, .8), (.85, .62), (.5, .5), (0, .5)]
    lathe(profile, outside, location, scale=radius)
    x, y, z = location
    disc((x, y, z + radius * .64), radius * .87, radius * .06, material(color, rough=.12, coat=1))


# ---- Burger and sandwich

def bun(r, radius, height, crust, upper):
    """Make half a bun with its flat, cut face marked as crumb; an upper one often has seeds. Give the parts."""
    def dome(t):
        return radius * math.cos(t) ** .8, height * (.2 + .8 * math.sin(t) ** 1.1)
    if upper:
        profile = [(0, 0), (radius * .6, 0), (radius * .95, 0), *map(dome, np.linspace(0, math.pi / 2, 12))]
    else:
        profile = [(0, 0), (radius * .9, 0), (radius * .97, .05), (radius, height * .7)]
        profile += [(radius * .97, height), (radius * .6, height), (0, height)]
    flat = [z == height * (not upper) for _, z in profile]
    parts = [lumpy(mark_inside(lathe(profile, crust, segments=72), np.repeat(flat, 72)), r.uniform(.03, .07), .6)]
    places, along = [], []
    for _ in range(r.choice([0, 70, 110, 150]) if upper else 0):
        t, a, spin = math.acos(r.random() ** .8 * .93), r.uniform(0, TAU), r.uniform(-3, 3)
        out, z = dome(t)
        places.append((out * math.cos(a), out * math.sin(a), z + .008))
        along.append((spin * math.cos(a) - math.sin(a), spin * math.sin(a) + math.cos(a), -spin * .7 * out / radius))
    if places:
        parts.append(grains(places, (.052, .03, .02), material((.85, .70, .42), (.8, .6, .3)), r, along))
    return parts


def cheese_slice(radius, height, paint, r):
    """Drape a square slice over a patty: its corners hang down."""
    half, hang = radius * r.uniform(.88, .98), r.uniform(.5, .9)

    def point(u, v):
        x, y = half * (2 * u - 1), half * (2 * v - 1)
        over = hang * max(0, math.hypot(x, y) - radius * .97)
        squeeze = 1 - over / (math.hypot(x, y) + 1e-6)
        return x * squeeze, y * squeeze, height - over
    return move(thick(sheet(point, 21, 21, paint), .035), rotation=(0, 0, r.uniform(0, 1.5)))


def burger_filling(r, radius, height):
    """Stack patties, cheese, lettuce, tomato and onion from `height` upwards; give the parts and the new height."""
    parts, meat, salad, cheese = [], meat_brown(r), green(r), cheese_yellow(r)
    slices = {'tomato': tomato_red(r), 'onion': material((.75, .70, .68), (.45, .15, .35), rough=.3)}
    for layer in r.choice(['lettuce patty cheese tomato', 'patty cheese tomato lettuce', 'patty cheese onion lettuce',
                           'patty cheese patty cheese onion', 'lettuce tomato patty cheese patty cheese',
                           'tomato patty cheese onion lettuce']).split():
        tall = {'patty': r.uniform(.19, .27), 'cheese': .03, 'lettuce': .1, 'tomato': .09, 'onion': .05}[layer]
        middle, turn = height + tall / 2, r.uniform(0, 6)
        if layer == 'patty':
            patty = cylinder((0, 0, middle), radius * r.uniform(.98, 1.06), tall, meat, rounding=.09, segments=72)
            parts.append(lumpy(patty, .09, .15))
        elif layer == 'cheese':
            parts.append(cheese_slice(radius * 1.06, middle, cheese, r))
        elif layer == 'lettuce':
            parts += [ruffled(radius * r.uniform(1.08, 1.2), .08, middle + lift, salad, r) for lift in (0, .03)]
        else:
            parts += [disc((.48 * math.cos(turn + a), .48 * math.sin(turn + a), middle + .004 * a), radius * .56, tall,
                           slices[layer]) for a in (0, 2.1, 4.2)]
        height += tall
    return parts, height


@fitted
def burger(r):
    """Make a burger, sometimes bitten, sometimes with fries."""
    radius, base, crust = r.uniform(.85, 1.0), r.uniform(.2, .3), bread(r)
    filling, height = burger_filling(r, radius, base)
    top = arrange(bun(r, radius * 1.03, r.uniform(.42, .62), crust, True), (0, 0, height), (r.gauss(0, .04), 0, 0))
    parts = bun(r, radius, base, crust, False) + filling + top
    if r.random() < .3:
        bite(parts, radius, r)
    if r.random() < .35:
        arrange(parts, (-.45, -.2, 0), scale=.78)
        arrange([fries_heap(.6, .4, r.randint(25, 45), r)], (.65, .4, 0))


def loaf_half(length, width, height, crust, slashes, r):
    """Make half a long loaf along x, its cut face down; `slashes` from 0 to 1 tells how deep its crust is slashed."""
    slant, pitch = r.uniform(.7, 1.2), r.uniform(.38, .52)
    vertices, marks, rows = [], [], 90 if slashes else 45
    for x in np.linspace(-length, length, rows):
        size = max(.02, 1 - abs(x / length) ** 5) ** .5
        for a in np.linspace(0, math.pi, 25):
            y = math.cos(a)
            near = ((x + slant * y * width) / pitch) % 1 - .5
            cut = slashes * math.exp(-(near / .13) ** 2) * math.sin(a) ** .7 * (abs(x) < .88 * length)
            lip = slashes * math.exp(-((near - .24) / .1) ** 2)
            rise = 1 + .09 * (lip - 1.2 * cut) * math.sin(a)
            vertices.append((x, y * width * size, height * size ** .7 * math.sin(a) ** .8 * rise))
            marks.append(.75 * cut)
        vertices += [(x, y * width * size, 0) for y in np.linspace(-.9, .9, 5)]
        marks += [1] * 5
    faces = grid_faces(rows, 30, wrap_columns=True) + [tuple(range(30))[::-1], tuple(range(rows * 30 - 30, rows * 30))]
    return mark_inside(lumpy(mesh(vertices, faces, crust), .03, .4), marks)


def cold_cut(location, reach, size, wave, paint, r):
    """Lay a slice of ham or cheese across a sandwich: a strip, waved by `wave`, whose ends hang out."""
    phase = r.uniform(0, 6)

    def point(u, v):
        side = 2 * v - 1
        outline = math.sqrt(max(.1, 1 - 14 * wave * side ** 4))
        lift = wave * (math.sin(7 * u + phase + 2 * side) + .8 * side * math.sin(9 * u + phase))
        return size * (2 * u - 1) * outline, side * reach, lift - .13 * abs(side) ** 5
    return move(thick(sheet(point, 13, 15, paint), .025), location, (0, 0, r.gauss(0, .12)))


def sandwich_layer(filling, level, length, reach, r):
    """Lay one filling along a baguette at height `level`."""
    paint = {'lettuce': green, 'tomato': tomato_red, 'cheese': cheese_yellow}.get(filling, lambda r: None)(r)
    if filling == 'ham':
        paint = material((.62, .22, .17), (.75, .38, .30), rough=.3, coat=.3)
    elif filling == 'cucumber':
        paint = material((.45, .60, .22), (.60, .70, .35), rough=.2, scale=3)
    for x in np.linspace(-length, length, r.randint(5, 7)) + r.uniform(-.08, .08):
        if filling in ('ham', 'cheese'):
            wave = .05 if filling == 'ham' else 0
            cold_cut((x, 0, level + .04), reach * r.uniform(.95, 1.1), r.uniform(.25, .38), wave, paint, r)
            continue
        for side in (-1, 1):
            if filling == 'lettuce':
                leaf((x, side * .2, level + .05), .75, reach * 1.3, .08, paint, r, (side * .1, 0, r.gauss(0, .2)))
            else:
                tilt = (-side * r.uniform(.1, .4), r.uniform(-.2, .2), 0)
                disc((x, side * (reach - .2), level + .03), .25, .06, paint, tilt)


@fitted
def baguette_sandwich(r):
    """Make a filled baguette with slashed crust: lettuce, ham, cheese and tomato stick out of its long side."""
    length, width, height = r.uniform(1.1, 1.35), r.uniform(.28, .38), r.uniform(.2, .27)
    crust = baked(r, (.85, .62, .34), bump=.4, bump_scale=30)
    move(loaf_half(length, width, height, crust, 0, r), (0, 0, height), (math.pi, 0, 0))
    level, reach = height, width + r.uniform(.06, .14)
    for filling in r.sample(['lettuce', 'ham', 'cheese', 'tomato', 'cucumber'], r.randint(3, 5)):
        sandwich_layer(filling, level, length * .85, reach, r)
        level += .055
    gape = r.uniform(.05, .45)  # the lid turns about its rear edge
    hinge = (0, (1 - math.cos(gape)) * width, level + width * math.sin(gape))
    move(loaf_half(length, width * 1.02, height * 1.15, crust, 1, r), hinge, (-gape, 0, 0))


# ---- Mexican

def taco_shell(radius, gape, paint):
    """Fold a round tortilla about the x axis: its sides lean out by `gape`."""
    fold = .22 * radius

    def point(u, v):
        side = 2 * v - 1
        x, run = radius * (2 * u - 1) * math.sqrt(max(.001, 1 - side * side)), abs(side) * radius
        bent = min(run / fold, math.pi / 2 - gape)
        straight = run - fold * bent
        y = fold * math.sin(bent) + straight * math.sin(gape)
        return x, math.copysign(y, side), .02 + fold * (1 - math.cos(bent)) + straight * math.cos(gape)
    return lumpy(thick(sheet(point, 31, 41, paint), .035), .05, .5)


def filled_taco(r, shell, meat, toppings):
    """Make one taco, filled with meat below and two or three toppings above; give the parts."""
    gape = r.uniform(.16, .3)

    def places(low, high, count):
        spots = [(r.uniform(-.85, .85), r.uniform(-1, 1), r.uniform(low, high)) for _ in range(count)]
        return [(x, side * (.12 + z * math.tan(gape)), z * math.sqrt(1 - x * x)) for x, side, z in spots]
    parts = [taco_shell(1, gape, shell), lumpy(smoother(grains(places(.3, .75, 35), (.13, .1, .08), meat, r)), .06, .1)]
    for radii, paint, boxy in r.sample(toppings, r.randint(2, 3)):
        parts.append(grains(places(.78, 1, r.randint(22, 35)), radii, paint, r, boxy=boxy, bend=.05))
    return parts


@fitted
def taco(r):
    """Make one to three folded tacos that stand in a row or lie on their sides."""
    base = r.choice([(.80, .42, .07), (.85, .52, .12), (.85, .66, .38)])
    shell = material(base, darker(base, .6), scale=r.uniform(3, 6), bump=.3, bump_scale=25, ramp=(.45, .75))
    toppings = [((.2, .035, .008), green(r), 1), ((.075, .075, .06), tomato_red(r), .35),
                ((.16, .02, .02), cheese_yellow(r), .4), ((.05, .05, .03), material((.85, .8, .75), (.6, .3, .5)), .4)]
    count, lying, meat = r.randint(1, 3), r.random() < .4, meat_brown(r)
    size, apart = (1.15, .85, .8)[count - 1], .75 if lying else .62
    for n in range(count):
        tilt = r.uniform(.9, 1.15) if lying else r.gauss(0, .08)
        place = (r.gauss(0, .08), (n - (count - 1) / 2) * apart, .3 * size * lying)
        arrange(filled_taco(r, shell, meat, toppings), place, (tilt, 0, r.gauss(0, .1)), size)


def burrito_fillings(r):
    """List what may fill a burrito (rice, beans, meat, tomato, lettuce, avocado, cheese): radii, material, boxiness."""
    beans, avocado = material((.10, .025, .015), rough=.3), material((.35, .45, .08), (.5, .55, .15))
    return [((.09, .028, .028), material((.80, .68, .45)), 1), ((.09, .05, .05), beans, 1),
            ((.09, .08, .07), avocado, .7), ((.12, .09, .08), meat_brown(r), .7), ((.08, .08, .06), tomato_red(r), .4),
            ((.12, .05, .01), green(r), 1), ((.11, .02, .02), cheese_yellow(r), .5)]


def burrito_half(r, tortilla, foil):
    """Make a burrito along x, cut at +x to show its filling, perhaps in foil at -x; give the parts."""
    length, radius, shear = r.uniform(.7, 1.0), r.uniform(.42, .52), r.uniform(0, .5)

    def wrap(grow, end):
        def point(u, v):
            along, a = u ** 1.5 * end, (TAU + .6) * v - 2
            wide = radius * (grow + .07 * v) * (1 - max(0, 1 - along / .2) ** 2.5) ** .5
            return length * (2 * along - 1) + shear * along * wide * math.sin(a), wide * math.cos(a), wide * math.sin(a)
        return point
    parts = [lumpy(thick(sheet(wrap(1, 1), 26, 43, tortilla), .04), .06, .5)]
    if foil:
        parts.append(lumpy(sheet(wrap(1.08, r.uniform(.4, .65)), 30, 45, foil, smooth=False), .1, .12))

    def face(a, out, back):
        return length + shear * out * math.sin(a) - back, out * math.cos(a), out * math.sin(a)
    for radii, paint, boxy in r.sample(burrito_fillings(r), r.randint(4, 6)):
        places = [face(r.uniform(0, TAU), radius * .88 * math.sqrt(r.random()), r.uniform(0, .08)) for _ in range(24)]
        parts.append(grains(places, radii, paint, r, boxy=boxy))
    rim = [face(a, .97 * radius, .07) for a in np.linspace(0, TAU, 24, endpoint=False)]
    parts.append(mesh(rim, [tuple(range(24))], material((.35, .2, .1))))
    if r.random() < .45:  # standing on its folded end
        return arrange(parts, (0, 0, length), (0, -math.pi / 2, 0), .95)
    tilt = r.uniform(0, .2)
    return arrange(parts, (0, 0, radius + tilt * length), (0, -tilt, 0))


@fitted
def burrito(r):
    """Make one burrito, or two halves of one, cut open, with or without foil."""
    tortilla = material((.50, .22, .06), (.80, .60, .35), rough=.6, scale=r.uniform(4, 7), bump=.2,
                        ramp=(.3, r.uniform(.42, .5)))
    foil = r.random() < .6 and material((.75, .75, .77), metal=1, rough=.25, bump=.6, bump_scale=9, pattern='plain')
    if r.random() < .45:
        arrange(burrito_half(r, tortilla, foil), rotation=(0, 0, r.uniform(-.3, .3)), scale=1.1)
        return
    arrange(burrito_half(r, tortilla, foil), (-.1, -.48, 0), (0, 0, r.uniform(-.3, .2)), .9)
    arrange(burrito_half(r, tortilla, foil), (0, .52, 0), (0, 0, r.choice([0, 0, math.pi]) + r.uniform(-.2, .3)), .9)


# ---- Pizza

def wedge(radius, angle, crust, topping, r):
    """Make a slice of pizza about +x with its tip at the origin: the crust and the cheese on it."""
    edge = r.uniform(0, 6)

    def base(u, v):
        out, a = radius * min(1, u / .92) * (1 + .015 * math.sin(9 * v + edge)), angle * (v - .5)
        rim = max(0, 1 - ((out / radius - .93) / .075) ** 2) ** .5
        under = u > .92 or u < .001 or v in (0, 1)
        return out * math.cos(a), out * math.sin(a), 0 if under else .06 + .11 * rim

    def cheese(u, v):
        out, a = .02 + (.86 * radius + .03 * math.sin(11 * v + edge)) * u, angle * .995 * (v - .5)
        return out * math.cos(a), out * math.sin(a), .085 - .05 * (u > .99)
    return [lumpy(sheet(base, 40, 15, crust), .04, .15), lumpy(sheet(cheese, 24, 15, topping), .05, .12)]


def pizza_pieces(r):
    """Choose the toppings of a pizza: a list of functions that make one piece at a place."""
    sausage = material((.40, .05, .015), (.55, .12, .03), rough=.35, coat=.4, scale=9, bump=.4)
    basil, olive = material((.05, .2, .02), (.12, .32, .04)), material((.03, .022, .025), (.06, .05, .04), rough=.2)
    pepper = material(r.choice([(.08, .3, .03), (.6, .04, .02), (.8, .45, .03)]), rough=.25)
    mushroom, white = material((.55, .42, .28), (.7, .6, .45)), material((.85, .80, .68), rough=.4)
    red, meat, size = tomato_red(r), meat_brown(r), r.uniform(.11, .16)

    def strip(place):
        return grains([place], (.14, .02, .025), pepper, r, [(r.gauss(0, 1), r.gauss(0, 1), 0)], bend=.12)
    pieces = {'pepperoni': lambda p: disc(p, size, .03, sausage, (r.gauss(0, .08), r.gauss(0, .08), 0)),
              'mozzarella': lambda p: lumpy(disc(p, r.uniform(.1, .2), .03, white), .05, .15),
              'tomato': lambda p: disc(p, size * 1.05, .035, red),
              'mushroom': lambda p: disc(p, .1, .035, mushroom, (r.gauss(0, .1), 0, 0)), 'pepper': strip,
              'olive': lambda p: torus(p, .045, .022, olive), 'meat': lambda p: grains([p], (.07, .06, .05), meat, r),
              'basil': lambda p: leaf((*p[:2], p[2] + .03), .26, .16, .02, basil, r, (0, 0, r.uniform(0, 6)))}
    common = r.choice(['pepperoni', 'pepperoni', 'tomato', 'mushroom', 'meat', 'mozzarella'])
    return [pieces[common]] * 2 + [pieces[name] for name in r.sample(sorted(pieces), r.randint(0, 3))]


def pizza_slice(radius, angle, count, paints, pieces, r):
    """Make one slice with `count` pieces of topping; give the parts."""
    parts = wedge(radius, angle, *paints, r)
    for _ in range(count):
        out = radius * r.uniform(.3, .8)
        side = r.uniform(-1, 1) * max(0, out * math.sin(angle / 2) - .11)
        parts.append(r.choice(pieces)((out, side, r.uniform(.11, .14))))
    return parts


@fitted
def pizza(r):
    """Make a whole pizza cut into slices (one perhaps pulled out or missing), or one or two slices."""
    crust = material((.40, .17, .04), (.72, .42, .15), rough=.6, bump=.4, scale=r.uniform(5, 9))
    colors = r.choice([((.60, .06, .015), (.80, .50, .13)), ((.80, .38, .06), (.86, .60, .22)),
                       ((.70, .16, .03), (.85, .62, .25))])
    topping = material(*colors, rough=.3, coat=.3, scale=r.uniform(4, 9), ramp=(.38, .6), bump=.5, bump_scale=12)
    pieces, count = pizza_pieces(r), r.choice([6, 8])
    if r.random() < .35:
        for n in range(r.randint(1, 2)):
            parts = pizza_slice(1.75, TAU / 8, r.randint(6, 9), (crust, topping), pieces, r)
            arrange(parts, (-.9, .75 * n - .2, 0), (0, 0, r.uniform(-.2, .2) + .5 * n))
        return
    gap, odd = r.choice([.01, .01, .04]), r.choice(['whole', 'whole', 'pulled', 'missing'])
    for n in range(1 if odd == 'missing' else 0, count):
        turn, away = n * TAU / count, gap + .3 * (odd == 'pulled' and n == 0)
        parts = pizza_slice(1.25, TAU / count, r.randint(3, 5), (crust, topping), pieces, r)
        arrange(parts, (away * math.cos(turn), away * math.sin(turn), .012 * r.random()), (0, 0, turn))


# ---- Bakery

def iced_ring(r, dough, icing, sprinkles):
    """Make one doughnut of radius 0.9; its icing is a lifted ring that shows in the upper half. Give the parts."""
    radius, wide, flat = .56, r.uniform(.31, .37), r.uniform(.78, .9)
    middle = wide * flat
    parts = [lumpy(torus((0, 0, middle), radius, wide, dough, flat=flat), .04, .4)]
    if icing:
        parts.append(lumpy(torus((0, 0, middle + .05), radius, wide * 1.01, icing, flat=flat), .07, .25))
    for paint in sprinkles if icing else []:
        places, along = [], []
        for _ in range(18):
            a, s = r.uniform(0, TAU), r.uniform(-.95, 1.1)
            out = radius + wide * 1.03 * math.sin(s)
            places.append((out * math.cos(a), out * math.sin(a), middle + .055 + middle * 1.03 * math.cos(s)))
            along.append((r.gauss(0, 1), r.gauss(0, 1), r.gauss(0, .3) - s))
        parts.append(grains(places, (.055, .014, .014), paint, r, along))
    return parts


@fitted
def doughnut(r):
    """Make one to five ring doughnuts, flat or piled up, with and without icing and sprinkles."""
    dough, icings = baked(r, bump=.3), []
    for _ in range(r.randint(1, 3)):
        color = r.choice([(.06, .018, .006), (.06, .018, .006), (.78, .20, .28), (.85, .80, .72), (.48, .19, .04),
                          (.80, .60, .12), (.35, .30, .7)])
        icings.append(r.choice([material(color, darker(color, .85), rough=.2, coat=.6, scale=3)] * 5 + [None]))
    count, turn = r.choice([1, 1, 2, 3, 4, 5]), r.uniform(0, 6)
    size, out = (1.3, .82, .72, .66, .66)[count - 1], (0, .75, .76, .86, .86)[count - 1]
    for n in range(count):
        sprinkles = [material(random_color(r, .05, .9), rough=.3) for _ in range(r.choice([0, 0, 4]))]
        a, ring = turn + n * TAU / min(count, 4), out * (n < 4)  # the fifth lies on top of the others
        parts = iced_ring(r, dough, r.choice(icings), sprinkles)
        place = (ring * math.cos(a), ring * math.sin(a), .4 * (n == 4))
        arrange(parts, place, (r.gauss(0, .04), r.gauss(0, .04), r.uniform(0, 6)), size)


def crescent(r, crust):
    """Make one croissant with ridged layers along a bent path; give the parts."""
    bend, layers, slant = r.uniform(.7, 1.5), r.uniform(3, 4.5), r.uniform(.1, .3)
    wide, pointed = r.uniform(.40, .50), r.uniform(.7, 1.0)
    vertices, marks = [], []
    for u in np.linspace(-1, 1, 90):
        out = np.array([math.sin(u * bend), math.cos(u * bend), 0])
        for a in np.linspace(0, TAU, 24, endpoint=False):
            step = (abs(u) * layers + slant * math.sin(a) * math.copysign(1, u)) % 1
            ridge = (1 - step) ** .7 * min(1, step / .12)
            size = wide * ((1 - abs(u)) ** pointed * .9 + .1) * (.84 + .2 * ridge)
            x, y, _ = (out - (0, 1, 0)) * 1.15 / bend + out * size * math.cos(a) * 1.1
            vertices.append((x, y, max(size * math.sin(a), -.7 * wide * (1 - abs(u)) - .03)))
            marks.append(.8 * (step < .1 or step > .9))
    faces = grid_faces(90, 24, wrap_columns=True) + [tuple(range(24))[::-1], tuple(range(89 * 24, 90 * 24))]
    body = mark_inside(mesh(vertices, faces, crust), marks)
    return arrange([lumpy(body, .05, .3)], (0, .2, wide * .72))


@fitted
def croissant(r):
    """Make one to three croissants side by side."""
    crust, count = baked(r, (.80, .52, .20), coat=.3, bump=.5, bump_scale=18), r.choice([1, 1, 2, 3])
    for n in range(count):
        place = (r.gauss(0, .12), (n - (count - 1) / 2) * .85, 0)
        arrange(crescent(r, crust), place, (0, 0, r.uniform(-.4, .4)), (1.15, .9, .8)[count - 1])


@fitted
def eclair(r):
    """Make one to three eclairs: long choux cases, perhaps split over cream, with a glossy icing on top."""
    choux, cream = baked(r, bump=.5, bump_scale=14), material((.86, .76, .52), (.88, .82, .66), rough=.4)
    dark, white = (.05, .014, .005), (.8, .76, .66)
    color = r.choice([dark, dark, dark, (.09, .03, .01), (.50, .25, .06), white])
    icing = material(color, darker(color, .85), rough=.15, coat=.8, scale=3)
    drizzle = material(dark if color == white else white)
    length, wide, lines, count = r.uniform(.95, 1.25), r.uniform(.3, .38), r.random() < .35, r.randint(1, 3)
    split = r.choice([0, .05, .12])
    for n in range(count):
        top = wide * .85 + split
        parts = [move(loaf_half(length, wide, wide * .8, choux, 0, r), (0, 0, wide * .8), (math.pi, 0, 0)),
                 move(loaf_half(length, wide, wide * .85, choux, 0, r), (0, 0, top)),
                 move(lumpy(loaf_half(length * .98, wide * .93, wide * .96, icing, 0, r), .05, .2), (0, 0, top))]
        if split:
            filling = move(loaf_half(length * .97, wide * 1.04, split + .07, cream, 0, r), (0, 0, wide * .8 - .03))
            parts.append(lumpy(filling, .09, .1))
        if lines:
            waves = [(x, .55 * math.sin(x * 16)) for x in np.linspace(-.8 * length, .8 * length, 90)]
            path = [(x, y * wide, top + wide * (.97 * (1 - y * y) ** .4 + .03)) for x, y in waves]
            parts.append(tube(path, .022, drizzle, 6))
        arrange(parts, (r.gauss(0, .08), (n - (count - 1) / 2) * wide * 2.5, 0), (0, 0, r.gauss(0, .06)))


def syrup_poured(radius, height, r):
    """Pour syrup over a disc of `radius` at `height`: it runs down beyond the rim here and there."""
    phases = [r.uniform(0, TAU) for _ in range(3)]
    least, most = r.uniform(.6, .85), 1 + height / radius * r.uniform(.3, .9)

    def point(u, v):
        wave = .5 + .7 * sum(math.sin(k * TAU * u + p) for k, p in zip((3, 5, 8), phases)) / 3
        reach = v * radius * (least + (most - least) * max(0, wave) ** 1.5)
        out = min(reach, radius + .02)
        return out * math.cos(TAU * u), out * math.sin(TAU * u), height - (reach - out) - .05 * (v > .99)
    return thick(sheet(point, 97, 14, material((.17, .036, .004), (.25, .065, .006), rough=.08, coat=1)), .03)


@fitted
def pancakes(r):
    """Make a stack of pancakes with butter, syrup and perhaps berries."""
    paint = baked(r, (.86, .62, .27), bump=.2)
    radius, tall, level = r.uniform(.95, 1.2), r.uniform(.13, .22), 0
    for _ in range(r.randint(3, 8)):
        wide, turn = radius * r.uniform(.96, 1.04), np.linspace(-math.pi / 2, math.pi / 2, 9)
        rim = [(wide - tall / 2 * (1 - math.cos(t)), tall / 2 * (1 + math.sin(t))) for t in turn]
        profile = [(0, 0), (wide * .8, 0), *rim, (wide * .8, tall), (wide * .4, tall * 1.06), (0, tall * 1.06)]
        cake = lathe(profile, paint, (r.gauss(0, .035), r.gauss(0, .035), level), (0, 0, r.uniform(0, 6)), segments=64)
        lumpy(mark_inside(cake, np.repeat([0, 0, 0, 0, .4, .9, 1, .9, .4, 0, 0, 0, 0, 0], 64)), .05, .35)
        level += tall * .97
    if r.random() < .8:
        syrup_poured(radius, level + .035, r)
    butter = material((.88, .68, .22), (.88, .72, .32), rough=.3, coat=.3)
    for n in range(r.choice([0, 1, 1, 2])):
        place, turn = (r.gauss(0, .12), r.gauss(0, .12), level + .11 + .1 * n), (0, r.gauss(0, .05), r.uniform(0, 3))
        box(place, (.4, .36, .11), butter, turn)
    color = r.choice([(.02, .025, .09), (.55, .02, .03)])
    berry = material(color, darker(color, 1.4), rough=.35, bump=.3)
    for _ in range(r.choice([0, 0, 5, 9])):
        a, out = r.uniform(0, TAU), r.uniform(.3, .75) * radius
        ellipsoid((out * math.cos(a), out * math.sin(a), level + .1), r.uniform(.09, .12), berry, segments=20)


# ---- Fried and grilled

def fries(places, along, length, r):
    """Make golden sticks with browner ends at `places`."""
    light, thin = r.choice([(.85, .46, .06), (.80, .38, .04), (.86, .55, .12)]), r.uniform(.038, .055)
    paint = material(light, darker(light, .75), rough=.4, coat=.15, scale=4, bump=.2, inside=(.50, .20, .03))
    return grains(places, (length, thin, thin), paint, r, along, boxy=.25, bend=.08)


def fries_heap(radius, height, count, r):
    """Heap fries on the ground."""
    places, along = [], []
    for _ in range(count):
        out, turn = radius * math.sqrt(r.random()), r.uniform(0, TAU)
        z = .05 + height * r.random() * (1.05 - (out / radius) ** 2)
        places.append((out * math.cos(turn), out * math.sin(turn), z))
        along.append((r.gauss(0, 1), r.gauss(0, 1), r.gauss(0, .25) * min(1, z / .3)))
    return fries(places, along, r.uniform(.36, .52), r)


def striped(color, scale, r):
    """Make printed paper: plain, or striped with white."""
    if r.random() < .5:
        return material(color, pattern='plain', rough=.45)
    return material(color, (.85, .83, .8), pattern='stripes', scale=scale, ramp=(.49, .51), rough=.45)


def fries_carton(r):
    """Make a paper carton, its back higher than its front, full of upright fries; give the parts."""
    color = r.choice([(.55, .02, .015)] * 2 + [(.8, .78, .72), (.45, .28, .14), (.75, .5, .03), (.05, .2, .4)])
    wide, deep, tall = r.uniform(.55, .68), r.uniform(.24, .34), r.uniform(.95, 1.2)

    def point(u, v):
        x, y = (math.copysign(abs(f(TAU * u)) ** .6, f(TAU * u)) for f in (math.cos, math.sin))
        top = tall * (1 + .18 * y - .22 * max(0, -y) * (1 - x * x))
        return wide * (.72 + .33 * v) * x, deep * (.72 + .33 * v) * y, top * v + .01
    places, along = [], []
    for _ in range(r.randint(55, 75)):
        x, y = r.uniform(-.9, .9), r.uniform(-.8, .8)
        places.append((wide * x, deep * y, tall * (.72 + .22 * (1 - x * x) + r.uniform(-.1, .17) + .08 * y)))
        along.append((.35 * x + r.gauss(0, .16), .3 * y + r.gauss(0, .12), 1))
    return [thick(sheet(point, 65, 12, striped(color, r.uniform(1, 2.2), r)), .02), fries(places, along, .5, r)]


@fitted
def french_fries(r):
    """Make fries in a carton, in a bowl or heaped up, perhaps with a dip."""
    form = r.choice(['carton', 'carton', 'bowl', 'heap'])
    if form == 'carton':
        lying = r.random() < .35
        arrange(fries_carton(r), (0, -.8 * lying, .33 * lying), (-1.3 * lying, 0, 0), 1.15)
    elif form == 'bowl':
        color = r.choice([(.8, .78, .72), (.05, .05, .06), (.5, .05, .03), (.10, .2, .4), (.35, .3, .25)])
        bowl = [(0, 0), (.6, 0), (.85, .2), (1.05, .55), (1.09, .6), (1.02, .58), (.8, .3), (0, .25)]
        lathe(bowl, material(color, rough=.25), scale=1.1)
        arrange([fries_heap(.68, .6, 120, r)], (0, 0, .54))
    else:
        fries_heap(r.uniform(.8, 1.05), r.uniform(.3, .6), r.randint(80, 130), r)
    if form != 'bowl' and r.random() < .4:
        dip((.9, -.85, 0), .36, r)


def kebab_piece(kind, size, paint, r):
    """Make one piece on a skewer along x, about the origin; give its half length and the piece."""
    lean = [(1, r.gauss(0, .2), r.gauss(0, .2))]
    if kind == 'meat':
        size *= r.uniform(.9, 1.15)
        chunk = grains([(0, 0, 0)], (size * .85, size, size * .95), paint, r, lean, boxy=.31)
        return size * .85, lumpy(smoother(chunk, 2), .12, .14)
    if kind == 'tomato':
        return size * .85, ellipsoid((0, 0, 0), (size * .85, size * .9, size * .9), paint, segments=20)
    half = size * r.uniform(.2, .32)
    return half, smoother(grains([(0, 0, 0)], (half, size * 1.1, size * 1.1), paint, r, lean, boxy=.45, bend=.06))


@fitted
def kebab(r):
    """Make two to four skewers of grilled meat with pepper, onion and tomato, perhaps on lettuce."""
    wood, steel = material((.62, .42, .2), (.5, .3, .12), rough=.6), material((.6, .6, .6), metal=1, rough=.25)
    stick, count, size, order = r.choice([wood, wood, steel]), r.randint(2, 4), r.uniform(.19, .25), r.randint(2, 4)
    meat, red = meat_brown(r), material((.55, .03, .015), (.6, .08, .02), rough=.25, coat=.4)
    colors = [(.14, .34, .04), (.55, .03, .015), (.80, .45, .03), (.80, .66, .6), (.5, .14, .3)]
    slices = [material(c, darker(c, .7), rough=.3, coat=.3) for c in r.sample(colors, r.randint(1, 3))]
    if r.random() < .4:
        salad = green(r)
        for _ in range(5):
            leaf((r.uniform(-.6, .6), r.gauss(0, .25), .06), 1.1, .8, .08, salad, r, (0, 0, r.uniform(0, 6)))
    for n in range(count):
        parts = [tube([(-1.35, 0, 0), (1.3, 0, 0), (1.38, 0, 0)], [.022, .022, .004], stick, 8)]
        x, number = r.uniform(-.95, -.8), 0
        while x < 1.0:
            kind = r.choice(['meat', 'tomato', 'slice', 'slice', 'slice']) if number % order else 'meat'
            half, piece = kebab_piece(kind, size, {'meat': meat, 'tomato': red}.get(kind) or r.choice(slices), r)
            parts += arrange([piece], (x + half, 0, 0))
            x, number = x + 1.95 * half, number + 1
        arrange(parts, (r.gauss(0, .06), (n - (count - 1) / 2) * size * 2.6, size * 1.02), (0, 0, r.gauss(0, .07)))


def fried_roll(r, length, radius, pastry):
    """Make a fried roll along x: a spiral wrapper with a flap and blunt, folded ends; give the parts."""
    slant, pinch = r.uniform(-.5, .5), r.uniform(.02, .14)

    def point(u, v):
        x, a = -math.cos(math.pi * u), (TAU + .7) * v
        size = max(0, 1 - abs(x) ** 12) ** .5 * (.92 + .16 * v) * radius
        a += slant * x + 1.2
        flat = 1 - pinch * abs(x) ** 3
        return x * (length + .05 * math.sin(3 * a)), size * math.cos(a) * (1 + pinch), size * math.sin(a) * flat
    return [lumpy(thick(sheet(point, 44, 44, pastry), .015), .045, .2)]


@fitted
def spring_rolls(r):
    """Make fried spring rolls side by side or piled up on lettuce, with a dip."""
    pastry = baked(r, coat=.3, bump=.7, bump_scale=24, ramp=(.42, .68))
    count, length, radius, spread = r.randint(3, 6), r.uniform(.5, .68), r.uniform(.17, .23), r.choice([.06, .06, .3])
    if r.random() < .8:
        salad = green(r)
        for n in range(6):
            leaf((r.gauss(0, .25), -.15 + r.gauss(0, .3), .05), r.uniform(1.2, 1.6), 1, .12, salad, r, (0, 0, n * 1.05))
    for n in range(count):
        row, level = (n, 0) if n < 4 else (n - 3.5, 1)
        y, z = (row - (min(count, 4) - 1) / 2) * radius * 2.5 - .15, radius * (1.1 + 1.7 * level) + .05
        arrange(fried_roll(r, length, radius, pastry), (r.gauss(0, .06), y, z), (r.gauss(0, .2), 0, r.gauss(0, spread)))
    if r.random() < .75:
        dip((r.uniform(-.5, .5), .95, 0), r.uniform(.32, .42), r)


def chicken_piece(r, crust, bone):
    """Make a drumstick, thigh or strip in lumpy, crisp batter along x; give the parts."""
    kind = r.choice(['drumstick', 'drumstick', 'thigh', 'thigh', 'strip'])
    half, thickness = {'drumstick': (.5, .27), 'thigh': (.38, r.uniform(.26, .32)), 'strip': (.48, .15)}[kind]
    along = np.linspace(-1, 1, 34)
    wide = thickness * (1 - np.abs(along) ** 2.6) ** .5 + .005
    if kind == 'drumstick':
        wide *= 1 - .55 * np.clip(along + .1, 0, 1)
    meat = tube([(half * x, .05 * math.sin(4 * x), 0) for x in along], wide, crust, 26)
    parts = [lumpy(lumpy(meat, .22, .22), .09, .06)]
    if kind == 'drumstick':
        parts.append(tube([(.3, 0, 0), (.7, 0, 0)], .055, bone, 10))
        parts += [ellipsoid((.72, side * .05, 0), (.08, .06, .065), bone, segments=12) for side in (-1, 1)]
    return parts


@fitted
def fried_chicken(r):
    """Make pieces of fried chicken in a paper bucket, in a lined basket or heaped up."""
    crust, bone = baked(r, bump=1, bump_scale=16, ramp=(.3, .6)), material((.75, .6, .45), (.6, .4, .25))
    form = r.choice(['bucket', 'basket', 'heap'])
    level = {'bucket': .95, 'basket': .36, 'heap': 0}[form]
    if form == 'bucket':
        color = r.choice([(.55, .02, .02), (.8, .78, .73), (.8, .45, .05), (.06, .15, .4)])
        profile = [(0, 0), (.68, 0), (.70, .03), (.92, 1.2), (.96, 1.23), (.93, 1.26), (.86, 1.18), (.8, .8), (0, .8)]
        lathe(profile, striped(color, 1.3, r))
    elif form == 'basket':
        plastic = material(r.choice([(.5, .02, .015), (.03, .03, .03), (.3, .17, .07)]), rough=.35)
        lathe([(0, 0), (.9, 0), (1.08, .28), (1.12, .3), (1.08, .25), (.9, .08), (0, .08)], plastic)
        paper = material((.85, .83, .78), r.choice([(.85, .83, .78), (.5, .04, .03)]), pattern='checks', scale=4)
        ruffled(1.25, .07, .41, paper, r)
    for n in range(r.randint(6, 9)):
        upper = n >= 5
        a, out, lift = n * TAU / 5 + .6 * upper + r.gauss(0, .15), .22 if upper else .55, .56 if upper else .24
        tilt = -r.uniform(0, .8) if form == 'bucket' else r.gauss(0, .15)
        turn = a + r.gauss(0, .1 if form == 'bucket' else .7)
        place = (out * math.cos(a), out * math.sin(a), level + lift)
        arrange(chicken_piece(r, crust, bone), place, (r.uniform(-.5, .5), tilt, turn), r.uniform(.9, 1.1))


FOODS = {'burger': burger, 'baguette_sandwich': baguette_sandwich, 'taco': taco, 'burrito': burrito, 'pizza': pizza,
         'doughnut': doughnut, 'croissant': croissant, 'french_fries': french_fries, 'kebab': kebab,
         'spring_rolls': spring_rolls, 'pancakes': pancakes, 'fried_chicken': fried_chicken}
TEST_FOODS = {'eclair': eclair}
