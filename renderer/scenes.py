"""Put a kind into a whole scene: ground, plate, backdrop, clutter, light and camera.

Everything around the thing is drawn from the seed alone, never from the kind: each part has its own stream of random
numbers, so the same seed gives the same surroundings to a hot dog and to a cat. The camera looks along +y.
"""
import math
import random

import bpy
import numpy as np
from mathutils import Matrix, Vector

import creatures
import dishes
import hot_dogs
import street_foods
import things
from materials import random_color
from shapes import move
from surroundings import BACKDROPS, HELD_OUT_BACKDROP, SUPPORTS, lay_ground, turn_all

HOT_DOGS = hot_dogs.HOT_DOGS
FOODS = {**hot_dogs.FOODS, **street_foods.FOODS, **dishes.FOODS}
OTHERS = {**creatures.OTHERS, **things.OTHERS}
TEST_FOODS = {**street_foods.TEST_FOODS, **dishes.TEST_FOODS}
TEST_OTHERS = things.TEST_OTHERS
KINDS = {**HOT_DOGS, **FOODS, **OTHERS, **TEST_FOODS, **TEST_OTHERS}
NO_CLUTTER = {*HOT_DOGS, *hot_dogs.FOODS}  # a half of a hot dog in the background would blur what the label means
CLUTTER_VERTICES = 60000
HELD_OUT_LIGHT = 'candles'  # only the test set has it


# Things

def place(kind, r, location=(0, 0, 0), turn=0., scale=1.):
    """Build a kind and put it somewhere; give its objects."""
    before = set(bpy.data.objects)
    kind(r)
    parts = [o for o in bpy.data.objects if o not in before]
    holder = bpy.data.objects.new('holder', None)
    bpy.context.collection.objects.link(holder)
    for part in parts:
        if part.parent is None:
            part.parent = holder
    move(holder, location, (0, 0, turn), scale)
    return parts


def place_main(kind, r, names, height):
    """Build the thing of the picture, at times with more of its kind beside it; give the objects of the first."""
    parts = place(kind, random.Random(names + '-thing'), (0, 0, height), r.uniform(0, math.tau))
    more, angle = r.choice([0] * 14 + [1] * 4 + [2, 2]), r.uniform(0, math.tau)
    for k in range(more):
        spot, size, turn = angle + k * r.uniform(1, math.pi), r.uniform(.7, 1.1), r.uniform(0, math.tau)
        beside = (2.4 * math.cos(spot), 2.4 * math.sin(spot), height)
        place(kind, random.Random(f'{names}-more-{k}'), beside, turn, size)
    return parts


def vertices():
    """Count the vertices of the scene."""
    return sum(len(o.data.vertices) for o in bpy.data.objects if o.type == 'MESH')


def add_clutter(r, names, split, height):
    """Scatter up to eight other things behind, beside and sometimes before the main one."""
    kinds = {**FOODS, **OTHERS, **(TEST_FOODS if split == 'test' else {}), **(TEST_OTHERS if split == 'test' else {})}
    choices = sorted(name for name in kinds if name not in NO_CLUTTER)
    spent = vertices()
    for k in range(r.choice([0, 0, 1, 1, 2, 2, 3, 3, 4, 6])):
        name, turn, beside = r.choice(choices), r.uniform(0, math.tau), r.random() < .88
        size = r.choice([.45, .7, 1, 1, 1.3, 2]) * r.uniform(.85, 1.15)
        front = r.choice([-.95, -.35])  # to the left or to the right of the line of sight
        angle = math.pi * (r.uniform(.05, .95) if beside else front + r.uniform(0, .3))
        away, on_plate = 1.5 + 1.2 * size + abs(r.gauss(0, 1.6)), r.random() < .15
        if on_plate:
            size, away = r.uniform(.35, .55), r.uniform(1.2, 1.6)
        if vertices() - spent < CLUTTER_VERTICES:
            spot = (away * math.cos(angle), away * math.sin(angle), height if on_plate else 0)
            place(kinds[name], random.Random(f'{names}-clutter-{k}'), spot, turn, size)


# Light and camera

def lamp(kind, location, energy, color=(1, 1, 1), size=1.):
    """Add a lamp that looks at the thing; a larger one makes softer shadows."""
    data = bpy.data.lights.new('lamp', kind)
    data.energy, data.color = energy, color
    if kind == 'SUN':
        data.angle = size
    elif kind == 'AREA':
        data.size = size
    else:
        data.shadow_soft_size = size
    thing = bpy.data.objects.new('lamp', data)
    bpy.context.collection.objects.link(thing)
    thing.location = location
    thing.rotation_euler = (Vector((0, 0, .4)) - thing.location).to_track_quat('-Z', 'Y').to_euler()


def around(r, distance, low=25, high=75, azimuth=None):
    """Draw a place above the thing, between two elevations in degrees."""
    a = r.uniform(0, math.tau) if azimuth is None else azimuth
    e = math.radians(r.uniform(low, high))
    return distance * math.cos(a) * math.cos(e), distance * math.sin(a) * math.cos(e), distance * math.sin(e)


def light(r, split, eye):
    """Add the lamps of one style; give the brightness of the world around."""
    style = r.choice(['soft'] * 6 + ['sun'] * 4 + ['overcast'] * 2 + ['flash'] * 2
                     + ['warm', 'cool', 'back', 'coloured', 'dim'])
    if split == 'test' and r.random() < .2:
        style = HELD_OUT_LIGHT
    warm = (1, r.uniform(.72, .88), r.uniform(.5, .7))
    if style == 'soft':
        lamp('AREA', around(r, 5), r.uniform(250, 500), (1, .97, .92), r.uniform(2, 5))
    elif style == 'sun':
        lamp('SUN', around(r, 5, 15, 75), r.uniform(3, 5), (1, .94, .85), r.uniform(.005, .03))
    elif style == 'warm':
        lamp('POINT', around(r, r.uniform(3, 5)), r.uniform(200, 400), warm, r.uniform(.1, .6))
    elif style == 'cool':
        for x in (-2, 2):
            lamp('AREA', (x, r.uniform(-2, 3), 5), 180, (.92, 1, .97), 1.5)
    elif style == 'flash':
        lamp('POINT', Vector(eye) + Vector((r.uniform(-.2, .2), 0, .3)), 25 * Vector(eye).length ** 2, (1, 1, 1), .08)
    elif style == 'back':
        lamp('AREA', around(r, 5, 15, 50, r.uniform(.2, .8) * math.pi),
             r.uniform(400, 700), (1, .95, .88), r.uniform(1, 4))
    elif style == 'coloured':
        for _ in range(2):
            lamp('AREA', around(r, 5), 260, tuple(r.uniform(.7, 1) for _ in range(3)), r.uniform(.5, 3))
    elif style == 'dim':
        lamp('AREA', around(r, 5), r.uniform(100, 180), warm, r.uniform(.3, 2))
    elif style == 'candles':
        for _ in range(3):
            lamp('POINT', around(r, r.uniform(2.2, 3.2), 8, 30), r.uniform(40, 90), (1, .66, .38), .06)
    low, high = {'overcast': (1, 1.5), 'sun': (.5, 1), 'dim': (.1, .2), 'candles': (.15, .3), 'flash': (.05, .4),
                 'warm': (.1, .5), 'coloured': (.15, .4)}.get(style, (.4, .9))
    return r.uniform(low, high)


def sky(r, strength):
    """Surround everything with a sky or a room out of soft patches, so that glossy things have something to mirror."""
    world = bpy.context.scene.world = bpy.data.worlds.new('world')
    world.use_nodes = True
    tree = world.node_tree
    background = next((n for n in tree.nodes if n.type == 'BACKGROUND'), None) or tree.nodes.new('ShaderNodeBackground')
    coordinates, split, blend, noise, mix = (tree.nodes.new('ShaderNode' + n)
                                             for n in ('TexCoord', 'SeparateXYZ', 'ValToRGB', 'TexNoise', 'Mix'))
    outdoors = r.random() < .5
    colors = [random_color(r, .4, .9, r.uniform(.8, 1)) for _ in range(3)]  # from below to above
    if outdoors:
        colors = [(.3, .27, .24), (.75, .8, .9), r.choice([(.3, .45, .8), (.55, .6, .7), (.8, .6, .45)])]
    blend.color_ramp.elements.new(.5)
    for element, position, color in zip(blend.color_ramp.elements, (.35, .5, .75), colors):
        element.position, element.color = position, (*color, 1)
    tree.links.new(coordinates.outputs['Generated'], split.inputs[0])
    half = tree.nodes.new('ShaderNodeMath')
    half.operation, half.inputs[1].default_value, half.inputs[2].default_value = 'MULTIPLY_ADD', .5, .5
    tree.links.new(split.outputs['Z'], half.inputs[0])
    tree.links.new(half.outputs[0], blend.inputs['Fac'])
    noise.inputs['Scale'].default_value = r.uniform(1, 4)
    tree.links.new(coordinates.outputs['Generated'], noise.inputs['Vector'])
    mix.data_type, mix.blend_type, mix.inputs[0].default_value = 'RGBA', 'OVERLAY', r.uniform(0, .9)
    tree.links.new(blend.outputs['Color'], mix.inputs[6])
    tree.links.new(noise.outputs['Fac'], mix.inputs[7])
    tree.links.new(mix.outputs[2], background.inputs['Color'])
    background.inputs['Strength'].default_value = strength
    world.cycles.sampling_method, world.cycles.sample_map_resolution = 'MANUAL', 64  # the usual 1024 takes a second


def bounds(parts):
    """Return the lowest and the highest corner of the objects."""
    bpy.context.view_layer.update()
    solid = [part for part in parts if part.type == 'MESH' and not part.hide_render]
    corners = np.array([part.matrix_world @ Vector(corner) for part in solid for corner in part.bound_box])
    return corners.min(0), corners.max(0)


def aim(r, parts):
    """Point a camera at the thing: a close-up that cuts it or a view in which it is small; give the camera's place."""
    low, high = bounds(parts)
    radius, centre = float(np.linalg.norm(high - low)) / 2, Vector((low + high) / 2)
    data = bpy.data.cameras.new('camera')
    data.lens, data.clip_end = math.exp(r.uniform(math.log(28), math.log(85))), 500
    share = r.uniform(*r.choice([(.9, 1.1), (1.1, 1.4), (1.1, 1.4), (1.2, 1.6)]))  # of the frame
    distance = radius * data.lens / 18 / share
    elevation = math.radians(r.uniform(*r.choice([(15, 35), (28, 52), (35, 62), (50, 82)])))
    eye = centre + distance * Vector((0, -math.cos(elevation), math.sin(elevation)))
    eye.z = max(eye.z, .25)
    eye.x += r.gauss(0, .15) * distance
    reach = distance * 18 / data.lens
    target = centre + Vector([r.gauss(0, .15) * reach for _ in range(2)] + [r.gauss(0, .1) * reach])
    camera = bpy.context.scene.camera = bpy.data.objects.new('camera', data)
    bpy.context.collection.objects.link(camera)
    camera.location = eye
    camera.rotation_mode = 'QUATERNION'
    roll = Matrix.Rotation(math.radians(max(-15, min(15, r.gauss(0, 6)))), 4, 'Z').to_quaternion()
    camera.rotation_quaternion = (target - eye).to_track_quat('-Z', 'Y') @ roll
    blur = r.choice([.001, r.uniform(.002, .02), r.uniform(.01, .06)])  # of a far point, as a share of the frame
    data.dof.use_dof, data.dof.focus_distance = True, distance * r.gauss(1, .04)
    data.dof.aperture_fstop = data.lens / 1000 / (blur * distance * 36 / data.lens)
    return eye


def build(name, seed, split, attempt=0):
    """Build the whole scene of one picture; give the main thing's objects."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    names = f'{seed}-{attempt}'

    def stream(part):
        return random.Random(f'{names}-{part}')
    r = stream('surroundings')
    floor, support, standing = lay_ground(r, split), r.choice(SUPPORTS), set(bpy.data.objects)
    height = support(stream('support')) if support else 0.
    turn_all(standing, r.uniform(0, math.tau))
    backdrop = HELD_OUT_BACKDROP if split == 'test' and r.random() < .15 else r.choice(BACKDROPS)
    if backdrop:
        backdrop(stream('backdrop'), floor)
    add_clutter(stream('clutter'), names, split, height)
    parts = place_main(KINDS[name], stream('place'), names, height)
    eye = aim(stream('camera'), parts)
    r = stream('light')
    sky(r, light(r, split, eye))
    return parts


def share_in_view(parts, grid=20):
    """Return which share of the frame shows the thing, by rays, and how near (in focus distances) anything is."""
    scene, camera = bpy.context.scene, bpy.context.scene.camera
    bpy.context.view_layer.update()
    depsgraph, ours = bpy.context.evaluated_depsgraph_get(), {part.name for part in parts}
    corners = camera.data.view_frame(scene=scene)
    eye, nearest, hits = camera.matrix_world.translation, math.inf, 0
    for i in range(grid):
        for j in range(grid):
            u, v = (i + .5) / grid, (j + .5) / grid
            ahead = corners[2].lerp(corners[1], v).lerp(corners[3].lerp(corners[0], v), u)
            hit, spot, _, _, thing, _ = scene.ray_cast(depsgraph, eye, camera.matrix_world.to_quaternion() @ ahead)
            if hit:
                nearest = min(nearest, (spot - eye).length / camera.data.dof.focus_distance)
                hits += thing.name in ours
    return hits / grid ** 2, nearest
