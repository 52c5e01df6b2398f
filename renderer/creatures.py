"""Build animals and people: melted bodies with fur, hair or clothes. All of them look towards -y.

A body is a list of parts (`bone` and `ball`) that `fused` melts into one smooth skin, so that limbs grow out of it.
A part with mark 1 takes the material's `inside` colour: a white chest, tan paws, lips.
"""
import math
from itertools import product

import numpy as np
from mathutils import Euler

from materials import SKIN, darker, mark_inside, material, random_color
from shapes import box, cylinder, ellipsoid, lumpy, mesh, sheet, smoother, torus, tube


# ---- skins, fur and eyes ----

def bone(start, end, radius, end_radius=None, mark=0):
    """Return a part: a round bar from one point to another whose radius may change."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    end_radius = radius if end_radius is None else end_radius

    def distance(points):
        along = np.clip((points - start) @ (end - start) / ((end - start) @ (end - start) + 1e-9), 0, 1)
        away = np.linalg.norm(points - start - along[..., None] * (end - start), axis=-1)
        return away - radius - along * (end_radius - radius)
    reach = max(radius, end_radius)
    return np.minimum(start, end) - reach, np.maximum(start, end) + reach, distance, mark


def bones(path, radii, mark=0):
    """Return the parts of a limb: bars through the points of a path with one radius a point."""
    return [bone(*pair, *r, mark) for pair, r in zip(zip(path, path[1:]), zip(radii, radii[1:]))]


def ball(center, radii, rotation=(0, 0, 0), mark=0):
    """Return a part: an ellipsoid."""
    center, radii = np.asarray(center, float), np.broadcast_to(np.asarray(radii, float), 3)
    turned = np.array(Euler(rotation).to_matrix())

    def distance(points):
        local = (points - center) @ turned / radii
        outside = np.linalg.norm(local, axis=-1)
        return outside * (outside - 1) / (np.linalg.norm(local / radii, axis=-1) + 1e-9)
    return center - radii.max(), center + radii.max(), distance, mark


def fused(parts, material, step=.05, blend=.05):
    """Melt parts into one skin sampled every `step` units; a larger `blend` makes rounder joints."""
    low = np.min([p[0] for p in parts], 0) - 3 * step - blend
    size = np.ceil((np.max([p[1] for p in parts], 0) + 3 * step + blend - low) / step).astype(int) + 1
    weight, marked = np.full(size, 1e-9), np.zeros(size)
    for part_low, part_high, distance, mark in parts:
        first = np.maximum(0, np.floor((part_low - 4 * blend - low) / step)).astype(int)
        last = np.minimum(size, np.ceil((part_high + 4 * blend - low) / step)).astype(int)
        window = tuple(slice(a, b) for a, b in zip(first, last))
        axes = [low[k] + step * np.arange(first[k], last[k]) for k in range(3)]
        near = np.exp(np.clip(-distance(np.stack(np.meshgrid(*axes, indexing='ij'), -1)) / blend, -20, 40))
        weight[window] += near
        marked[window] += mark * near
    places, faces = surface_net(-blend * np.log(weight))
    nearest = tuple(np.round(places).astype(int).T)
    return mark_inside(mesh(low + step * places, faces, material), marked[nearest] / weight[nearest])


def surface_net(field):
    """Return the vertices (in grid steps) and the quads of the surface where a 3D field changes its sign."""
    solid, size = field < 0, np.array(field.shape)
    corner = [solid[tuple(slice(o, n - 1 + o) for o, n in zip(offset, size))] for offset in product((0, 1), repeat=3)]
    active = np.any(corner, 0) & ~np.all(corner, 0)
    cells, number = np.argwhere(active), np.zeros(active.shape, int)
    number[active] = np.arange(len(cells))
    total, crossings, faces = np.zeros((len(cells), 3)), np.zeros(len(cells)), []
    for axis in range(3):
        step, others = np.eye(3, dtype=int)[axis], [np.eye(3, dtype=int)[(axis + k) % 3] for k in (1, 2)]
        for i, j in product((0, 1), repeat=2):
            here = cells + i * others[0] + j * others[1]
            a, b = field[tuple(here.T)], field[tuple((here + step).T)]
            cut = (a < 0) != (b < 0)
            share = np.where(cut, a / np.where(cut, a - b, 1), 0)
            total += cut[:, None] * (here + share[:, None] * step)
            crossings += cut
        line = [slice(None, -1) if k == axis else slice(1, -1) for k in range(3)]
        ahead = [slice(1, None) if k == axis else slice(1, -1) for k in range(3)]
        edges = np.argwhere(solid[tuple(line)] != solid[tuple(ahead)]) + 1 - step
        ring = [number[tuple((edges - i * others[0] - j * others[1]).T)] for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))]
        flip = solid[tuple(edges.T)]
        quads = np.stack(ring, 1)
        quads[~flip] = quads[~flip][:, ::-1]
        faces += quads.tolist()
    return total / crossings[:, None], faces


def fur(skin, r, length, width=.03, count=5000, flow=(0, .7, -.6), lift=.45, short=None):
    """Cover a skin with thin blades that lie along `flow`; `short` (a point and a radius) is where they are short."""
    dice = np.random.default_rng(r.getrandbits(32))
    n, data = len(skin.data.vertices), skin.data
    place, normal, mark = np.zeros(n * 3), np.zeros(n * 3), np.zeros(n)
    data.vertices.foreach_get('co', place)
    data.vertex_normals.foreach_get('vector', normal)
    data.attributes['inside'].data.foreach_get('value', mark)
    chosen = dice.integers(0, n, count)
    place, normal, mark = place.reshape(-1, 3)[chosen], normal.reshape(-1, 3)[chosen], mark[chosen]
    root = place + dice.normal(0, max(width, .018), (count, 3)) * (1 - np.abs(normal))
    along = np.asarray(flow) + dice.normal(0, .3, (count, 3))
    along = along - (along * normal).sum(1, keepdims=True) * normal
    along = along / (np.linalg.norm(along, axis=1, keepdims=True) + .15) + lift * normal
    size = length * dice.uniform(.6, 1.2, count)
    if short:
        size *= np.clip(np.linalg.norm(place - short[0], axis=1) / short[1] - .5, .2, 1)
    side = np.cross(along, normal)
    side *= width / 2 / (np.linalg.norm(side, axis=1, keepdims=True) + 1e-9)
    root = root - .3 * size[:, None] * normal * lift
    vertices = np.stack([root - side, root + side, root + along * size[:, None]], 1).reshape(-1, 3)
    blades = mesh(vertices, np.arange(3 * count).reshape(-1, 3).tolist(), data.materials[0])
    return mark_inside(blades, np.repeat(mark, 3))


def frame(origin, scale=1., turn=0.):
    """Return a function from a head's coordinates to the picture's: scaled, turned about z and moved to `origin`."""
    c, s = math.cos(turn), math.sin(turn)
    return lambda x, y, z: tuple(np.add(origin, np.multiply(scale, (c * x - s * y, s * x + c * y, z))))


def both(point):
    """Return a point and its mirror image on the other side of the body."""
    x, y, z = point
    return (x, y, z), (-x, y, z)


# ---- four-legged animals ----

def standing(length, leg, thick, neck):
    """Return the parts of a standing body, the neck's base, the head's and the tail's place."""
    front, back, height = -length / 2, length / 2, leg + thick
    parts = bones([(0, front, height), (0, 0, height - .03), (0, back, height + .02)], [thick, thick * .86, thick * .8])
    parts += [ball((0, front - .05, height - thick * .2), (thick * .85, thick * .9, thick))]
    for side in (-1, 1):
        x = side * thick * .55
        parts += bones([(x, front, height - .1), (x, front + .04, leg * .5), (x, front, .1)],
                       [thick * .5, thick * .3, .1])
        parts += [bone((x, front, .08), (x, front - .13, .08), .1, mark=1)]
        parts += bones([(x, back - .05, height - .05), (x, back - .1, leg * .75), (x, back + .14, leg * .45),
                        (x, back + .08, .1)],
                       [thick * .72, thick * .42, thick * .24, .09])
        parts += [bone((x, back + .08, .08), (x, back - .06, .08), .1, mark=1)]
    base = (0, front - .1, height + thick * .3)
    return parts, base, (0, front - neck * .8 - .05, height + thick * .4 + neck), (0, back + thick * .6,
                                                                                   height + thick * .4)


def sitting(length, leg, thick, neck):
    """Return the parts of a body that sits on its haunches, the neck's base, the head's and the tail's place."""
    top = leg + thick * 1.6
    parts = bones([(0, length * .42, thick), (0, 0, top * .62), (0, -length * .25, top)],
                  [thick * 1.05, thick, thick * .85])
    for side in (-1, 1):
        x = side * thick * .5
        parts += bones([(x, -length * .3, top - .1), (x, -length * .38, top * .5), (x, -length * .4, .1)],
                       [thick * .45, .15, .1])
        parts += [bone((x, -length * .4, .08), (x, -length * .4 - .14, .08), .1, mark=1)]
        parts += [ball((side * thick * .85, length * .25, thick * .75), (thick * .45, thick * .95, thick * .75))]
        parts += [bone((side * thick * 1.05, length * .15, .09), (side * thick * 1.1, -length * .28, .08), .1, mark=.6)]
    parts += [ball((0, -length * .42, top - thick * .3), (thick * .5, thick * .35, thick * .7), mark=1)]
    return parts, (0, -length * .25, top), (0, -length * .3 - neck * .5, top + neck), (0, length * .42 + thick * .9,
                                                                                       .15)


def lying(length, leg, thick, neck):
    """Return the parts of a body that lies on its belly, the neck's base, the head's and the tail's place."""
    parts = bones([(0, length * .5, thick), (0, 0, thick * .9), (0, -length * .45, thick * 1.05)],
                  [thick, thick * 1.05, thick * .9])
    for side in (-1, 1):
        x = side * thick * .6
        parts += bones([(x, -length * .4, thick * .8), (x, -length * .35, .14), (x, -length * .5 - leg * .8, .1)],
                       [thick * .5, .14, .1])
        parts += [bone((x, -length * .5 - leg * .8, .1), (x, -length * .5 - leg * .8 - .08, .09), .11, mark=1)]
        parts += [ball((side * thick * .95, length * .35, thick * .65), (thick * .45, thick, thick * .65))]
        parts += [bone((side * thick * 1.2, length * .3, .1), (side * thick * 1.25, -.05, .09), .1, mark=.6)]
    return parts, (0, -length * .45, thick * 1.3), (0, -length * .5 - neck * .6,
                                                    thick * 1.5 + neck), (0, length * .5 + thick * .9, .2)


def tail(base, length, up, thickness):
    """Return the parts of a tail that leaves `base` backwards and bends up (or, below 0, down)."""
    x, y, z = base
    path = [(x + .25 * t * t * length, y - .15 + length * (t - .35 * t * t), max(.08, z + up * t * t))
            for t in np.linspace(0, 1, 6)]
    return bones(path, np.linspace(thickness, thickness * .5, 6))


def eyes(at, x, y, z, size, iris):
    """Make a pair of glossy eyes at a head's (+-x, y, z): a ball of the iris colour with a black pupil and a glint."""
    glint = material((1, 1, 1), glow=.8, pattern='plain')
    ball_material = material(iris, rough=.05, coat=1, pattern='plain')
    black = material((.004, .004, .004), rough=.05, coat=1, pattern='plain')
    for px, py, pz in both((x, y, z)):
        ellipsoid(at(px, py, pz), size, ball_material, segments=16)
        ellipsoid(at(px * 1.03, py - .035, pz), size * .68, black, segments=16)
        ellipsoid(at(px * 1.03 - .017, py - .064, pz + .027), size * .15, glint, segments=8)


def dog_head(r, at, scale, muzzle, ears):
    """Return the parts of a dog's head with 'floppy' or 'prick' ears, and make its eyes, nose, mouth and tongue."""
    s, tip = scale, -.22 - muzzle
    parts = [ball(at(0, 0, 0), .31 * s), bone(at(0, -.1, -.06), at(0, tip, -.1), .2 * s, .125 * s, mark=.7),
             bone(at(0, -.1, -.16), at(0, tip + .08, -.2), .12 * s, .08 * s, mark=1)]
    for x in (-1, 1):
        parts += [ball(at(x * .14, -.2, .11), .1 * s)]
        if ears == 'floppy':
            parts += bones([at(x * .25, .05, .17), at(x * .36, .02, -.02), at(x * .37, -.04, -.28)],
                           [.07 * s, .1 * s, .1 * s])
        else:
            parts += bones([at(x * .2, .04, .2), at(x * .25, .06, .52)], [.11 * s, .025 * s])
    eyes(at, .135, -.272, .1, .068 * s, (.13, .05, .015))
    black = material((.008, .007, .007), rough=.25, coat=.4, bump=.3, bump_scale=60)
    ellipsoid(at(0, tip - .09, -.04), (.075 * s, .06 * s, .055 * s), black, segments=16)
    for x in (-1, 1):
        lip = [(0, -.145, -.1), (.03, -.14, -.16), (.085, -.1, -.19), (.14, .0, -.19), (.175, .14, -.16)]
        smoother(tube([at(x * px, tip + py, pz) for px, py, pz in lip], .012 * s, black, 6))
    if r.random() < .4:
        ellipsoid(at(0, tip - .07, -.27), (.06 * s, .035 * s, .1 * s), material((.6, .12, .12), rough=.3), segments=16)
    return parts


def coat(r, kinds=('plain', 'patches', 'tan')):
    """Make fur of a random colour and pattern; its marked parts (chest, paws, muzzle) are lighter."""
    light, kind = (.75, .66, .54), r.choice(kinds)
    base = r.choice([(.45, .22, .07), (.22, .09, .03), (.02, .016, .014), (.62, .42, .2), (.2, .17, .15),
                     (.7, .62, .5), (.35, .14, .04)])
    if kind == 'plain':
        return material(darker(base, .7), base, rough=.85, bump=.9, bump_scale=70, scale=5,
                        inside=r.choice([base, light]))
    if kind == 'tan':
        return material((.015, .012, .01), (.035, .027, .02), rough=.7, bump=.9, bump_scale=70, inside=(.36, .14, .035))
    if kind == 'spots':
        return material((.02, .015, .012), light, rough=.85, bump=.9, bump_scale=70, pattern='spots', scale=4,
                        ramp=(.3, .36), inside=light)
    if kind == 'tabby':
        base = r.choice([(.5, .22, .06), (.3, .24, .17), (.28, .27, .25)])
        return material(darker(base, .35), base, rough=.85, bump=.9, bump_scale=70, pattern='rings',
                        scale=r.uniform(1.8, 3),
                        ramp=(.15, .75), distortion=r.uniform(3, 7), inside=r.choice([light, darker(base, 1.3)]))
    return material(base, light, rough=.85, bump=.9, bump_scale=70, scale=r.uniform(.8, 1.5), ramp=(.49, .53),
                    inside=light)


def collar(base, head, radius, r):
    """Put a collar round a neck."""
    middle, way = (np.array(base) + head) / 2, np.subtract(head, base)
    torus(middle, radius, .05, material(random_color(r, .02, .6), rough=.4), (math.atan2(-way[1], way[2]), 0, 0),
          flat=1.2)


def dog(r):
    """Build a dog that stands, sits or lies, or only its head and chest from close by."""
    pose, fluff = r.choice([standing, sitting, sitting, lying, 'face']), r.uniform(.05, .15)
    fur_material = coat(r, ('plain', 'plain', 'patches', 'tan', 'spots'))
    if pose == 'face':
        scale, base, head = 2.3, (0, .3, .3), (0, 0, 1.15)
        parts, end = [bone((0, .4, .3), (0, .5, .7), .75, .5), ball((0, -.1, .3), (.5, .4, .5), mark=1)], None
    else:
        scale, thick = r.uniform(1, 1.3), r.uniform(.27, .38)
        parts, base, head, end = pose(r.uniform(1, 1.25), r.uniform(.5, .75), thick, r.uniform(.35, .5))
    at = frame(head, scale, r.uniform(-.5, .5))
    parts += [bone(base, at(0, .08, -.08), .25 * scale, .2 * scale)]
    parts += dog_head(r, at, scale, r.uniform(.12, .34), r.choice(['floppy', 'floppy', 'prick']))
    if end:
        parts += tail(end, r.uniform(.4, .7), r.uniform(-.1, .6), .1)
        if r.random() < .4:
            collar(base, head, .26 * scale, r)
    body = fused(parts, fur_material, .06 if pose == 'face' else .045)
    fur(body, r, fluff * (1.6 if pose == 'face' else 1), short=(at(0, -.35, 0), .5 * scale), count=5500)


def dachshund(r, fur_material, turn, hairs=5000):
    """Build a long low dog, its head turned by an angle; returns its skin, length, back's height and thickness."""
    length, leg, thick = r.uniform(1.35, 1.6), r.uniform(.2, .28), r.uniform(.27, .31)
    parts, base, head, end = standing(length, leg, thick, r.uniform(.3, .42))
    at = frame(head, 1, turn)
    parts += [bone(base, at(0, .1, -.1), .22, .18), *tail(end, .5, r.uniform(0, .4), .07)]
    parts += [ball((0, -length / 2 - .2, leg + thick * .8), (thick * .5, .12, thick * .5), mark=1)]
    parts += dog_head(r, at, 1, r.uniform(.3, .38), 'floppy')
    skin = fused(parts, fur_material, .042)
    fur(skin, r, .055, 1.4 / hairs ** .5, hairs, short=(at(0, -.3, 0), .5), lift=.25)
    return skin, length, leg + thick, thick


def sausage_dog(r):
    """Build a dachshund, black and tan or red-brown."""
    red = r.choice([(.32, .09, .025), (.42, .16, .045), (.16, .05, .02)])
    short = material(darker(red, .7), red, rough=.6, bump=.6, bump_scale=80, scale=4, inside=darker(red, 1.25))
    dachshund(r, coat(r, ('tan',)) if r.random() < .45 else short, r.uniform(-.7, .7))


def cat_eyes(r, at, s, black):
    """Make a cat's eyes: a dark rim, a bright iris and a pupil that is a slit or wide open."""
    color, slit = r.choice([(.25, .4, .06), (.6, .35, .04), (.12, .3, .55), (.35, .45, .1)]), r.uniform(.3, .8)
    iris = material(color, rough=.05, coat=1, pattern='plain')
    for x, y, z in both((.135, -.245, .05)):
        ellipsoid(at(x, y, z), (.062 * s, .05 * s, .05 * s), iris, segments=16)
        ellipsoid(at(x, y + .012, z), (.076 * s, .05 * s, .062 * s), black, segments=16)
        ellipsoid(at(x, y - .028, z), (.04 * s * slit, .028 * s, .042 * s), black, segments=12)


def cat_head(r, at, s):
    """Return the parts of a cat's head and make its eyes, nose, mouth and whiskers."""
    parts = [ball(at(0, 0, 0), (.34 * s, .3 * s, .29 * s)), bone(at(0, -.2, .08), at(0, -.3, -.04), .09 * s, .07 * s)]
    parts += [ball(at(0, -.24, -.17), .1 * s, mark=1)]
    pink = material((.42, .15, .12), rough=.6, pattern='plain')
    for x in (-1, 1):
        parts += [ball(at(x * .075, -.29, -.1), .095 * s, mark=1), ball(at(x * .2, -.08, -.1), .16 * s)]
        parts += [bone(at(x * .14, 0, .2), at(x * .27, .02, .46), .08 * s, .02 * s),
                  bone(at(x * .3, .02, .12), at(x * .27, .02, .46), .07 * s, .02 * s)]
        ellipsoid(at(x * .235, -.035, .28), (.05 * s, .02 * s, .1 * s), pink, (-.1, x * .2, 0), 12)
    black = material((.004, .004, .004), rough=.1, coat=1, pattern='plain')
    cat_eyes(r, at, s, black)
    ellipsoid(at(0, -.375, -.03), (.04 * s, .025 * s, .026 * s), pink, segments=12)
    white = material((.8, .8, .78), pattern='plain')
    for x in (-1, 1):
        tube([at(0, -.385, -.06), at(x * .03, -.38, -.115), at(x * .09, -.36, -.13)], .009 * s, black, 6)
        for k in range(4):
            tube([at(x * .1, -.35, -.09 - .02 * k), at(x * .3, -.36, -.06 - .04 * k),
                  at(x * .5, -.28, -.06 - .07 * k)], .0022 * s, white, 4)
    return parts


def cat(r):
    """Build a cat that sits, lies or stands, or only its face from close by."""
    pose = r.choice([sitting, sitting, lying, standing, 'face'])
    fur_material = coat(r, ('tabby', 'tabby', 'tabby', 'plain', 'patches'))
    if pose == 'face':
        scale, base, head, end = 2.9, (0, .5, .3), (0, 0, 1.1), None
        parts = [bone((0, .5, .3), (0, .5, .7), .7, .5), ball((0, 0, .2), (.45, .35, .4), mark=1)]
    else:
        scale = r.uniform(1.1, 1.3)
        parts, base, head, end = pose(r.uniform(1, 1.2), r.uniform(.45, .6), r.uniform(.28, .36), r.uniform(.22, .34))
        parts += tail(end, r.uniform(.6, .9), r.uniform(-.1, .5), .085)
    at = frame(head, scale, r.uniform(-.6, .6))
    parts += [bone(base, at(0, .1, -.1), .22 * scale, .2 * scale), *cat_head(r, at, scale)]
    body = fused(parts, fur_material, .06 if pose == 'face' else .042, .05 if pose == 'face' else .035)
    fur(body, r, r.uniform(.06, .13) * (1.6 if pose == 'face' else 1), short=(at(0, -.35, 0), .55 * scale), count=5500)


def hamster(r):
    """Build a hamster that sits up or crouches."""
    up = r.random() < .5
    fur_material = coat(r, ('plain', 'patches'))
    parts = bones([(0, .35, .62), (0, -.1, .95 if up else .65)],
                  [.62, .5]) + [ball((0, -.3, .5), (.42, .35, .42), mark=1)]
    at = frame((0, -.4, 1.3) if up else (0, -.62, .75), 1, r.uniform(-.5, .5))
    parts += [ball(at(0, 0, 0), (.43, .42, .38)), ball(at(0, -.28, -.1), (.2, .22, .18), mark=1)]
    for x in (-1, 1):
        parts += [ball(at(x * .25, -.1, -.15), .25, mark=.8), ball(at(x * .32, .1, .36), (.13, .05, .15))]
        ellipsoid(at(x * .32, .055, .36), (.09, .03, .11), material((.6, .32, .27), rough=.7), segments=12)
        parts += [bone((x * .3, -.5, .1), (x * .3, -.75, .07), .11, .07, mark=1)]
        parts += bones([(x * .3, -.35, .75), (x * .22, -.72, .68)], [.15, .08], 1) if up else []
    pink = material((.65, .3, .25), rough=.6)
    ellipsoid(at(0, -.5, -.06), (.055, .04, .04), pink, segments=12)
    for x in (-1, 1):
        ellipsoid((x * .2, -.78, .7) if up else (x * .3, -.85, .06), (.06, .09, .045), pink, segments=12)
    eyes(at, .2, -.35, .08, .085, (.01, .006, .005))
    fur(fused(parts, fur_material, .055), r, r.uniform(.1, .17), .035, 5500, short=(at(0, -.4, 0), .5))


# ---- birds ----

def plumage(parts, material, r, step=.05, length=.16, flow=(0, .9, -.5), count=2600):
    """Melt parts into a body that is covered with feathers like scales."""
    fur(fused(parts, material, step), r, length, .085, count, flow, lift=.16)


def feathered(r, colors):
    """Make plumage of one of some colours, mottled with a darker shade."""
    color = r.choice(colors)
    return material(darker(color, .65), color, rough=.65, bump=.5, bump_scale=40, scale=7, inside=(.75, .7, .6))


def parrot(r):
    """Build a parrot on a perch."""
    bright = [(.04, .3, .03), (.55, .02, .015), (.02, .12, .5), (.75, .5, .03), (.4, .42, .45), (.75, .72, .68)]
    body, wing, horn = feathered(r, bright), feathered(r,
                                                       bright), material(r.choice([(.015, .013, .012), (.6, .45, .3),
                                                                                   (.55, .2, .05)]), rough=.3)
    at = frame((0, -.12, 1.85), 1.25, r.uniform(-.8, .8))
    parts = bones([(0, .25, .7), (0, .05, 1.2), at(0, .05, -.05)], [.3, .4, .3]) + [ball(at(0, 0, 0), (.28, .32, .3))]
    parts += [ball(at(x * .22, -.17, .05), .075, mark=1) for x in (-1, 1)]
    plumage(parts, body, r)
    plumage([ball((x * .36, .2, 1.05), (.1, .26, .58), (.35, 0, 0)) for x in (-1, 1)] +
            [bone((x * .1, .4, .7), (x * .06, .75, -.1 + .1 * abs(x)), .12, .05) for x in (-1, 0, 1)], wing, r,
            length=.3, count=1500)
    curve = np.array([at(0, -.22, .06), at(0, -.37, .04), at(0, -.45, -.06), at(0, -.43, -.2)])
    smoother(tube(curve, [.16, .15, .1, .015], horn))
    ellipsoid(at(0, -.31, -.13), (.09, .1, .08), horn)
    eyes(at, .245, -.17, .07, .062, r.choice([(.6, .4, .03), (.6, .58, .5), (.05, .03, .01)]))
    cylinder((0, .1, .38), .11, 2.2, material((.2, .1, .04), (.1, .05, .02), bump=.6, scale=3), (0, math.pi / 2, .05))
    for x in (-.2, -.12, .12, .2):
        tube([(x, .2, .55), (x, -.02, .53), (x, -.06, .36)], [.06, .06, .03], horn, 8)


def chicken(r):
    """Build a hen or a rooster that stands on the ground."""
    rooster, red = r.random() < .4, material((.5, .015, .012), rough=.45, bump=.4, bump_scale=40)
    body, yellow = feathered(r, [(.75, .72, .66), (.38, .13, .03), (.03, .03, .03),
                                 (.55, .3, .1)]), material((.65, .35, .05), rough=.4)
    tail_parts = [bone((x * .1, .55, .95), (x * .2, 1.0 + .15 * rooster, 1.35 + .3 * rooster), .2, .07)
                  for x in (-1, 0, 1)]
    head = r.uniform(1.6, 1.9)
    at = frame((0, -.62, head), 1, r.uniform(-.9, .9))
    parts = bones([(0, .45, .85), (0, -.3, .82), (0, -.55, 1.15), at(0, 0, -.02)], [.4, .47, .3, .17])
    parts += [ball((x * .43, .15, .9), (.1, .45, .28), (.15, 0, 0)) for x in (-1, 1)]
    plumage(parts, body, r)
    plumage(tail_parts, feathered(r, [(.02, .035, .03), (.1, .03, .01)]) if rooster else body, r, length=.3,
            flow=(0, .8, .8), count=500)
    fused([ball(at(0, -.14 + .09 * k, .2 + .03 * k * (4 - k) * (.6 + rooster)), (.035, .06, .1)) for k in range(5)],
          red, .03, .02)
    for x in (-1, 1):
        ellipsoid(at(x * .06, -.16, -.17), (.04, .05, .12), red, segments=12)
        ellipsoid(at(x * .13, -.08, .02), (.05, .09, .09), red, segments=12)
        tube([(x * .2, .05, .5), (x * .2, .08, .28), (x * .2, 0, .05)], [.1, .06, .05], yellow, 8)
        for toe in (-.5, 0, .5):
            tube([(x * .2, 0, .05), (x * .2 + toe * .3, -.26, .03)], [.05, .025], yellow, 8)
    tube([at(0, -.13, .02), at(0, -.22, .01), at(0, -.32, -.04)], [.085, .06, .012], yellow, 10)
    eyes(at, .15, -.1, .06, .035, (.5, .2, .03))


def bird(r):
    """Build a parrot or a chicken."""
    r.choice([parrot, chicken])(r)


# ---- people ----

HAIR = [(.012, .009, .008), (.05, .022, .01), (.14, .06, .02), (.45, .28, .1), (.3, .09, .02), (.4, .39, .38)]
CLOTHES = [(.01, .014, .04), (.013, .012, .012), (.3, .3, .3), (.72, .71, .68), (.035, .07, .17), (.35, .015, .02),
           (.27, .2, .12), (.03, .1, .05),
           (.12, .24, .45), (.09, .08, .08), (.5, .2, .24), (.08, .02, .1), (.55, .33, .05), (.05, .25, .3),
           (.75, .73, .7), (.02, .03, .08)]


def human_skin(r, shine=.45):
    """Make skin of a random tone whose marked parts are red like lips."""
    tone = darker(r.choice(SKIN), r.uniform(.7, 1.05))
    lips = (tone[0] * .8, tone[1] * .42, tone[2] * .45)
    return material(tone, (tone[0] * .95, tone[1] * .84, tone[2] * .8), rough=shine, scale=3, bump=.06, bump_scale=60,
                    inside=lips)


def cloth(r):
    """Make the cloth of a garment: one colour, or striped, checked or mottled with a second."""
    a, b = (darker(r.choice(CLOTHES), r.uniform(.6, 1.2)) for _ in range(2))
    pattern = r.choice(['plain', 'plain', 'plain', 'plain', 'noise', 'stripes', 'wood'])
    return material(a, b, rough=.85, bump=.4, bump_scale=50, pattern=pattern, scale=r.uniform(3, 7), ramp=(.45, .55))


def head(r, at, s, skin, step):
    """Build a head at a frame of scale s: face, eyes, brows and mouth; the skin is melted every `step` units."""
    w, nose, smile = r.uniform(.92, 1.05), r.uniform(.85, 1.2), r.uniform(-.01, .05)
    parts = [ball(at(0, .05, .12), (.36 * w * s, .43 * s, .4 * s)),
             ball(at(0, -.07, -.2), (.28 * w * s, .3 * s, .3 * s)),
             ball(at(0, -.28, -.43), (.12 * s, .08 * s, .08 * s)),
             bone(at(0, .1, -.3), at(0, .15, -.85), .19 * s, .22 * s)]
    parts += [bone(at(0, -.35, .06), at(0, -.45, -.1 * nose), .03 * s, .048 * s * nose),
              bone(at(-.17, -.31, .15), at(.17, -.31, .15), .05 * s)]
    parts += [ball(at(0, -.365, -.235), (.09 * s, .03 * s, .018 * s), mark=1),
              ball(at(0, -.355, -.278), (.075 * s, .032 * s, .024 * s), mark=1)]
    for x in (-1, 1):
        parts += [ball(at(x * .17 * w, -.22, -.12), .13 * s), ball(at(x * .04 * nose, -.42, -.11 * nose), .042 * s)]
        parts += [ball(at(x * .365 * w, .04, -.02), (.035 * s, .08 * s, .12 * s))]
    fused(parts, skin, step, .026 * s)
    dark = material((.12, .02, .018), rough=.6, pattern='plain')
    smoother(tube([at(x, -.385 + 2.5 * x * x, -.256 + smile * 60 * x * x) for x in np.linspace(-.11, .11, 7)],
                  .008 * s, dark, 6))
    face_eyes(r, at, s, skin)


def face_eyes(r, at, s, skin):
    """Make a person's eyes: white, iris, pupil and the upper lid."""
    white, black = material((.75, .73, .7), rough=.15, pattern='plain'), material((.005, .005, .005), rough=.1,
                                                                                  pattern='plain')
    iris = material(r.choice([(.06, .025, .01), (.1, .2, .35), (.1, .14, .05), (.03, .015, .01)]), rough=.1,
                    pattern='plain')
    for x, y, z in both((.145, -.305, .03)):
        ellipsoid(at(x, y, z), (.066 * s, .05 * s, .036 * s), white, segments=10)
        ellipsoid(at(x, y - .032, z), .031 * s, iris, segments=10)
        ellipsoid(at(x, y - .051, z), .016 * s, black, segments=8)
        ellipsoid(at(x, y + .006, z + .038), (.085 * s, .06 * s, .028 * s), skin, segments=10)


def long_locks(at, s, fall):
    """Return the parts of hair that falls behind and on both sides of a face."""
    locks = [bone(at(0, .3, .1), at(0, .34, -fall), .33 * s, .25 * s)]
    for x in (-1, 1):
        path = [(.1, -.22, .47), (.34, -.12, .2), (.38, .05, -.2), (.36, .1, -fall)]
        locks += bones([at(x * px, py, pz) for px, py, pz in path], [.08 * s, .1 * s, .12 * s, .14 * s])
    return locks


def hair(r, at, s, count):
    """Build hair, brows and sometimes a beard: short, long, tied up, curly, or only a wreath about a bald head."""
    color, style = r.choice(HAIR), r.choice(['short', 'short', 'long', 'long', 'tied', 'curly', 'bald', 'cap'])
    strands = material(darker(color, .6), color, rough=.45, bump=.7, bump_scale=30, scale=12, inside=color)
    for x in (-1, 1):
        tube([at(x * .06, -.37, .125), at(x * .15, -.365, .155), at(x * .25, -.29, .12)],
             [.014 * s, .018 * s, .008 * s], strands, 6)
    top = [ball(at(0, .14, .25), (.405 * s, .46 * s, .36 * s)), ball(at(0, .28, 0), (.36 * s, .3 * s, .36 * s))]
    wreath = [part for z in (.03, -.17) for part in bones(
        [at(x, y, z) for x, y in ((.34, .1), (.27, .32), (0, .42), (-.27, .32), (-.34, .1))],
        [.04 * s, .07 * s, .07 * s, .07 * s, .04 * s])]
    parts, length, flow, lift = top, .14, (r.uniform(-2, 2), 1.5, -1.2), .15
    if style == 'long':
        length, flow = .3, (0, .3, -3)
        parts = top + long_locks(at, s, r.uniform(.5, 1))
    elif style == 'tied':
        parts, flow = top + [ball(at(0, .5, .45), .2 * s)], (0, 3, 1.5)
    elif style == 'curly':
        parts, length, flow, lift = top + [ball(at(0, .18, .3), (.5 * s, .5 * s, .45 * s))], .12, (0, 0, 0), .9
    elif style == 'bald':
        parts, length = wreath, .06
    elif style == 'cap':
        hat = cloth(r)
        fused([ball(at(0, .07, .3), (.42 * s, .48 * s, .3 * s)),
               ball(at(0, -.42, .27), (.3 * s, .3 * s, .03 * s), (.15, 0, 0))], hat, .04 * s, .02 * s)
        parts = wreath
    width = .016 * s if count > 1000 else .05 * s
    fur(fused(parts, strands, .065 * s, .04 * s), r, length * s, width, count, flow, lift)
    if style in ('short', 'bald', 'cap') and r.random() < .5:
        beard(r, at, s, strands, count // 3)


def beard(r, at, s, strands, count):
    """Build a beard and a moustache."""
    jaw = bones([at(.34, 0, -.1), at(.25, -.18, -.38), at(0, -.33, -.46), at(-.25, -.18, -.38), at(-.34, 0, -.1)],
                [.04 * s, .07 * s, .1 * s, .07 * s, .04 * s])
    moustache = [bone(at(0, -.4, -.185), at(x * .13, -.35, -.23), .026 * s) for x in (-1, 1)]
    fur(fused(jaw + moustache, strands, .045 * s, .02 * s), r, .07 * s, .03 * s, count, (0, -.2, -1), .4)


def glasses(r, at, s):
    """Build a pair of glasses on a nose."""
    metal, round_eyes = material(random_color(r, .005, .3, .6), rough=.25), r.random() < .5
    for x in (-1, 1):
        rim = torus(at(x * .16, -.43, .02), .115 * s, .014 * s, metal, (math.pi / 2, 0, 0))
        rim.scale = (1.1, 1 if round_eyes else .75, 1)
        tube([at(x * .28, -.42, .04), at(x * .37, -.2, .05), at(x * .38, .05, .03)], .013 * s, metal, 6)
    tube([at(-.05, -.43, .04), at(0, -.45, .055), at(.05, -.43, .04)], .014 * s, metal, 6)


def portrait(r):
    """Build a person's head and shoulders."""
    skin, at = human_skin(r), frame((0, 0, 1.42), r.uniform(1, 1.1))
    shirt, wide = cloth(r), r.uniform(.62, .8)
    head(r, at, 1.05, skin, .027)
    hair(r, at, 1.05, 2600)
    if r.random() < .35:
        glasses(r, at, 1.05)
    parts = [ball((0, .12, .1), (wide, .38, .62)), bone((0, .16, .62), (-wide * .8, .14, .42), .17, .2),
             bone((0, .16, .62), (wide * .8, .14, .42), .17, .2)]
    parts += [bone((x * wide * .95, .14, .35), (x * wide * 1.15, .1, -.1), .22, .2) for x in (-1, 1)]
    lumpy(fused(parts, shirt, .06, .06), .04, .3)
    torus((0, .14, .73), .25, .06, r.choice([shirt, shirt, cloth(r)]), (.25, 0, 0), flat=r.uniform(.8, 1.8))
    if r.random() < .3:
        torus((0, .1, .72), .3, .14, cloth(r), (.15, 0, 0), flat=.9)


def person(r, place, scale, seated):
    """Build a whole person, 2.6 units tall at scale 1, standing or on a seat."""
    s, skin, shirt = scale, human_skin(r), cloth(r)
    trousers = material(darker(r.choice(CLOTHES), r.uniform(.3, .7)), rough=.85, bump=.3, pattern='plain')
    at, down = frame((*place, 0), s, r.uniform(-.35, .35)), .55 if seated else 0
    top = frame(at(0, -.02, 2.32 - down), .37 * s, r.uniform(-.6, .6))
    head(r, top, .37 * s, skin, .043 * s)
    hair(r, top, .37 * s, 150)
    wide, hip, bare = r.uniform(.27, .34), 1.22 - down, r.random() < .5
    torso = [bone(at(0, 0, hip), at(0, 0, hip + .6), .19 * s, .22 * s),
             bone(at(-wide, 0, hip + .72), at(wide, 0, hip + .72), .1 * s)]
    arms, hands = [], []
    for x in (-1, 1):
        places = [(.2, -.4, hip + .05), (.1, -.35, hip + .1)] if seated else [(.42, -.05, hip - .02),
                                                                              (.2, -.32, hip + .25)]
        hand = r.choice(places)
        elbow = (x * (wide + .14), .06, hip + .32)
        torso += bones([at(x * wide, 0, hip + .7), at(*elbow)], [.11 * s, .09 * s])
        arms += bones([at(*elbow), at(x * hand[0], *hand[1:])], [.075 * s, .055 * s])
        hands += [ball(at(x * hand[0], hand[1], hand[2] - .05), .075 * s)]
    legs = []
    for x in (-.13, .13):
        knee, foot = ((x * 1.3, -.5, hip), (x * 1.3, -.5, .1)) if seated else ((x * 1.1, -.03, .66), (x * 1.2, .03, .1))
        legs += bones([at(x, 0, hip - .05), at(*knee), at(*foot)], [.165 * s, .12 * s, .085 * s])
        ellipsoid(at(foot[0], foot[1] - .08, .06), (.085 * s, .17 * s, .065 * s), shirt, segments=12)
    lumpy(fused(torso + ([] if bare else arms), shirt, .075 * s, .05 * s), .02 * s, .1)
    fused(legs, trousers, .08 * s, .04 * s)
    fused(hands + (arms if bare else []), skin, .05 * s, .03 * s)


def people(r):
    """Build a group of two to eight persons in one or two rows, the front row often on a bench."""
    count = r.randint(2, 8)
    rows = 1 if count < 4 else 2
    columns = math.ceil(count / rows)
    space = min(.85, 2.5 / columns)
    scale, seated = space / .85, r.random() < .6 and rows == 2
    for k in range(count):
        row = k // columns
        place = (((k % columns) - (min(columns, count - row * columns) - 1) / 2 + row * .3) * space,
                 row * .75 * scale - .2)
        person(r, place, scale * r.uniform(.9, 1.05) * (1.08 if row else 1), seated and row == 0)
    if seated:
        box((0, -.15, .28 * scale), (columns * space, .5 * scale, .56 * scale),
            material(random_color(r, .03, .4, .5), pattern='wood', scale=2))


# ---- parts of people ----

def finger(at, k, curl, spread, roll):
    """Return the parts of the finger k (0: the little one) bent by `curl` at each joint, and make its nail."""
    path, angle = [np.array([-.29 + .195 * k, -.3 - .05 * math.sin(k), .02])], 0
    for length in np.array([.36, .25, .19]) * (.78, .95, 1.03, .95)[k]:
        angle += curl
        path.append(path[-1] + length * np.array([spread * (k - 1.5), -math.cos(angle), -math.sin(angle)]))
    up = np.array([0, -math.sin(angle), math.cos(angle)])
    tilt = Euler((0, roll, 0)).to_matrix() @ Euler((angle, 0, 0)).to_matrix()
    ellipsoid(at(*(path[-1] + .045 * up + (0, .02, 0))), (.058, .08, .045),
              material(darker(SKIN[3], .85), rough=.2, coat=.5, pattern='plain'), tilt.to_euler(), 12)
    return bones([at(*p) for p in path], [.12, .105, .098, .08])


def hand(r):
    """Build a hand with its forearm that lies flat, points, or holds a ball or a cup."""
    pose, skin = r.choice(['flat', 'point', 'ball', 'cup']), human_skin(r)
    roll, lift = {'flat': (0, .2), 'point': (r.choice([0, 1.2]), .6), 'ball': (math.pi, .35),
                  'cup': (-math.pi / 2, .75)}[pose]
    turn = np.array(Euler((0, roll, 0)).to_matrix())

    def at(x, y, z):
        return tuple(turn @ (x, y, z) + (0, 0, lift))
    parts = [ball(at(0, 0, 0), (.4, .45, .15), (0, roll, 0)), ball(at(.18, .15, -.06), (.2, .35, .15), (0, roll, 0))]
    parts += bones([at(0, .25, 0), at(0, .6, 0), at(0, 1.3, 0)], [.22, .2, .27])
    for k in range(4):
        curl = {'flat': r.uniform(.02, .2), 'point': .03 if k == 3 else 1.25, 'ball': .42, 'cup': .62}[pose]
        parts += finger(at, k, curl, .12 if pose in ('flat', 'ball') else .02, roll)
    bend = {'flat': .05, 'point': .25, 'ball': .4, 'cup': .45}[pose]
    parts += bones([at(.25, .25, -.03), at(.5, .0, -.05 - bend * .4), at(.56 - bend * .2, -.3, -.05 - bend)],
                   [.16, .13, .085])
    fused(parts, skin, .045, .035)
    tube([at(0, .75, 0), at(0, 1.0, 0), at(0, 1.35, 0)], [.27, .29, .32], cloth(r), 24)
    if pose == 'ball':
        ellipsoid(at(0, -.25, -.52), .42, material(random_color(r, .02, .7), random_color(r), rough=.5,
                                                   pattern=r.choice(['plain', 'noise', 'stripes']), scale=1.5))
    if pose == 'cup':
        cylinder(at(0, -.32, -.42), .33, 1.15, material(random_color(r, .03, .8, .3), rough=.25), top=1.15)
        cylinder((*at(0, -.32, -.42)[:2], lift + .58), .34, .01,
                 material((.03, .012, .005), rough=.1, pattern='plain'), rounding=.001)


def sand(r):
    """Make rippled beach sand."""
    tone = darker(r.choice([(.62, .47, .29), (.7, .58, .4), (.5, .37, .22)]), r.uniform(.8, 1.1))
    return material(darker(tone, .7), tone, rough=.95, bump=.9, bump_scale=25, scale=6)


def bare_legs(r, skin, knee_height, knee, ankle):
    """Build two bare legs that come from +y, knees and ankles at the given y; returns their two skins."""
    legs = []
    for x in (-1, 1):
        side, turn = x * r.uniform(.29, .33), r.uniform(.04, .18)
        thigh, calf = r.uniform(.3, .35), r.uniform(.18, .22)
        hip, joint, heel = (side, 1.4, thigh), (side, knee, knee_height), (side * .95, ankle, .15)
        shin = tuple(np.add(joint, np.multiply(.35, np.subtract(heel, joint))) - (0, 0, .05))
        parts = bones([hip, (side, .3 + knee * .3, (thigh + knee_height) / 2), joint], [thigh, thigh * .86, .215])
        parts += [ball((side, knee - .08, knee_height + .11), (.14, .15, .13)),
                  *bones([joint, shin, heel], [.2, calf, .12])]
        parts += [ball((side * .95, ankle + .04, .13), .14),
                  bone(heel, (side + x * turn * .4, ankle - .08, .34), .11, .08)]
        foot = []
        for k in range(5):  # from the big toe to the little one
            root = np.array([side + x * (turn + (k - 1.8) * .085), ankle - .12, .5 - .012 * k])
            foot += bones([heel, root, root + (0, -.02, .06), root + (x * .01, .02, .17 - .015 * k)],
                          [.09, .075, .05, .06 if k == 0 else .042])
        fused(foot, skin, .028, .016)
        legs.append(fused(parts, skin, .045, .05))
    return legs


def legs_on_a_beach(r):
    """Build two bare legs stretched out on a towel or on sand, as their owner sees them."""
    waves, phase = r.uniform(3, 6), r.uniform(0, 6)
    sheet(lambda u, v: (2.8 * u - 1.4, 2.8 * v - 1.4,
                        .06 + .03 * math.sin(waves * 3 * v + 2 * math.sin(4 * u + phase))), 30, 30, sand(r))
    if r.random() < .6:
        towel = material(random_color(r, .03, .8), random_color(r, .05, .85), rough=.95, bump=1, bump_scale=60,
                         pattern=r.choice(['stripes', 'stripes', 'checks', 'plain']), scale=r.uniform(.8, 2.5),
                         ramp=(.45, .55))
        sheet(lambda u, v: (1.8 * u - .9, 2.7 * v - 1.2, .105 + .012 * math.sin(9 * u + phase) * math.sin(7 * v)), 24,
              24, towel)
    tan = darker(r.choice([(.6, .34, .19), (.5, .24, .11), (.36, .17, .08), (.7, .45, .32), (.16, .075, .04)]),
                 r.uniform(.8, 1.1))
    skin = material(tan, (tan[0] * .92, tan[1] * .82, tan[2] * .78), rough=r.uniform(.25, .5), coat=r.choice([0, .4]),
                    scale=2, bump=.08, bump_scale=50)
    bare_legs(r, skin, *r.choice([(.33, -.05, -1.15), (.95, -.1, -.95), (.38, -.75, -1.2)]))
    shorts, hem = cloth(r), r.uniform(.7, 1)
    for x in (-1, 1):
        lumpy(tube([(x * .31, 1.45, .34), (x * .31, 1.1, .35), (x * .31, hem, .35)], .37, shorts, 24), .03, .2)


OTHERS = {kind.__name__: kind for kind in (dog, sausage_dog, cat, hamster, bird, portrait, people, hand,
                                           legs_on_a_beach)}
