"""Render the book's four pictures: python pictures.py FOLDER [NAME ...]."""
import argparse
import math
import random
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector
from PIL import Image

import hot_dogs
from creatures import bare_legs, dachshund, fur
from materials import CRUMB, darker, mark_inside, material
from shapes import box, capsule, cylinder, ellipsoid, grid_faces, lathe, lumpy, mesh, move, sheet, smoother, torus, tube

KETCHUP, MUSTARD = (.34, .01, .002), (.75, .42, .02)


def studio(size, eye, target, lens=50, aperture=0., focus=None):
    """Clear everything, set the picture's size and the camera; an aperture blurs what is out of focus."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = 'CYCLES'
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.max_bounces = 64, True, 6
    scene.render.resolution_x, scene.render.resolution_y = size
    scene.view_settings.view_transform, scene.view_settings.look = 'AgX', 'AgX - Medium High Contrast'
    scene.view_settings.exposure = .6
    data = bpy.data.cameras.new('camera')
    data.lens, data.clip_end = lens, 1000
    if aperture:
        data.dof.use_dof, data.dof.aperture_fstop = True, aperture
        data.dof.focus_distance = (Vector(focus or target) - Vector(eye)).length
    scene.camera = bpy.data.objects.new('camera', data)
    scene.collection.objects.link(scene.camera)
    scene.camera.location = eye
    scene.camera.rotation_euler = (Vector(target) - Vector(eye)).to_track_quat('-Z', 'Y').to_euler()


def light(kind, place, energy, width, color=(1, 1, 1)):
    """Add a lamp ('AREA' or 'SUN') that looks at the origin; a larger width makes softer shadows."""
    data = bpy.data.lights.new('light', kind)
    data.energy, data.color = energy, color
    if kind == 'SUN':
        data.angle = width
    else:
        data.size = width
    lamp = bpy.data.objects.new('light', data)
    bpy.context.collection.objects.link(lamp)
    lamp.location = place
    lamp.rotation_euler = (-Vector(place)).to_track_quat('-Z', 'Y').to_euler()


def sky(horizon, top, strength):
    """Surround everything with light that goes from one colour at the horizon to another above."""
    world = bpy.context.scene.world = bpy.data.worlds.new('world')
    world.use_nodes = True
    tree = world.node_tree
    background = next(n for n in tree.nodes if n.type == 'BACKGROUND')
    place, split, blend = (tree.nodes.new('ShaderNode' + n) for n in ('TexCoord', 'SeparateXYZ', 'ValToRGB'))
    blend.color_ramp.elements[0].color, blend.color_ramp.elements[1].color = (*horizon, 1), (*top, 1)
    blend.color_ramp.elements[1].position = .3
    tree.links.new(place.outputs['Generated'], split.inputs[0])
    tree.links.new(split.outputs['Z'], blend.inputs['Fac'])
    tree.links.new(blend.outputs['Color'], background.inputs['Color'])
    background.inputs['Strength'].default_value = strength


def planks(r, height=0.):
    """Lay a table of wooden planks with its top at a height."""
    wood = [material(darker((.26, .13, .055), s), darker((.16, .07, .028), s), rough=.45, coat=.15, pattern='wood',
                     scale=.9,
                     distortion=9, bump=.25, bump_scale=9) for s in (.8, 1, 1.25)]
    for k in range(-9, 14):
        plank = box((0, 0, 0), (1.15, 30, .2), r.choice(wood), rounding=.02)
        move(plank, (r.uniform(-4, 4), k * 1.17, height - .1), (0, 0, math.pi / 2))


def grass(r, width, count):
    """Grow a lawn of blades."""
    green = material((.035, .12, .012), (.14, .26, .03), rough=.6, scale=3, inside=(.3, .3, .06))
    lawn = sheet(lambda u, v: (width * (u - .5), width * (v - .5), .04 * math.sin(9 * u) * math.sin(8 * v) - .05), 160,
                 160, green)
    fur(mark_inside(lawn, [r.random() ** 4 for _ in lawn.data.vertices]), r, .3, .035, count, (0, 0, 0), .9)


def hedge(r, start, end):
    """Plant a row of bushes from one place to another."""
    leaves = material((.02, .07, .012), (.08, .17, .025), rough=.8, scale=4, bump=1, bump_scale=8)
    for t in np.linspace(0, 1, 14):
        x, y = np.add(np.multiply(start, 1 - t), np.multiply(end, t))
        lumpy(ellipsoid((x + r.uniform(-.5, .5), y, .8), (2.2, 2.2, r.uniform(1.7, 2.6)), leaves), .8, .4)


def bottle(x, y, color):
    """Stand a squeeze bottle of sauce on the table."""
    lathe([(0, 0), (.42, 0), (.46, .05), (.46, 1.5), (.43, 1.62), (.3, 1.7), (.3, 1.85), (.28, 1.87), (.09, 2.0),
           (.05, 2.5), (0, 2.5)],
          material(color, rough=.25, coat=.3, pattern='plain'), (x, y, 0))


def plate(x=0., y=0., radius=1.7):
    """Lay a glazed plate with a blue rim on the table."""
    glaze, blue = material((.78, .77, .74), rough=.12, coat=.5, pattern='plain'), material((.05, .12, .3), rough=.15,
                                                                                           pattern='plain')
    lathe([(0, .03), (radius * .6, .03), (radius * .68, .06), (radius, .2), (radius, .23), (radius * .67, .11),
           (radius * .6, .07), (0, .07)],
          glaze, (x, y, 0), segments=96)
    torus((x, y, .222), radius, .02, blue)


def hot_dog(seed, *matrices):
    """Put a hot dog with a wave of mustard at the origin and move it."""
    hot_dogs.group(lambda: hot_dogs.classic(random.Random(seed)), *matrices)


def wave(skins, path, radius, color):
    """Squeeze a line of sauce onto skins, seen from above, through the (x, y) points of a path."""
    bpy.context.view_layer.update()
    points = []
    for x, y in path:
        hits = [skin.ray_cast(Vector((x, y, 5)), Vector((0, 0, -1))) for skin in skins]
        heights = [spot.z for hit, spot, _, _ in hits if hit]
        if heights:
            points.append((x, y, max(heights) + radius * .5))
    points = np.array(points)
    points[1:-1, 2] = (points[:-2, 2] + points[1:-1, 2] + points[2:, 2]) / 3
    ends = np.minimum(1, np.minimum(np.arange(1, len(points) + 1), np.arange(len(points), 0, -1)) / 4)
    smoother(lumpy(tube(points, radius * np.sqrt(ends), material(color, rough=.18, coat=.7, pattern='plain')),
                   radius * .3, .12))


def real_hotdog(r):
    """Show a hot dog on a plate on a wooden table by a window."""
    studio((600, 400), (.6, -4.9, 3.5), (.02, .1, .42), 50, .22, (0, -.3, .5))
    sky((.5, .55, .65), (.6, .65, .75), .35)
    light('AREA', (-4, 3, 4.5), 420, 3, (1, .96, .9))
    light('AREA', (4, -3.5, 3), 170, 4, (1, .9, .8))
    planks(r)
    napkin = material((.55, .03, .025), (.75, .72, .67), rough=.9, bump=.5, bump_scale=60, pattern='checks', scale=2.6)
    move(sheet(lambda u, v: (3.6 * u - 1.2, 3.4 * v - 1.9, .012 + .012 * math.sin(8 * u + 5 * v)), 40, 40, napkin),
         rotation=(0, 0, -.35))
    plate()
    hot_dog(4, Matrix.Translation((0, 0, .07)), Matrix.Rotation(.22, 4, 'Z'), Matrix.Rotation(.25, 4, 'X'))
    bottle(-2.0, 3.2, KETCHUP)
    bottle(-.8, 3.7, MUSTARD)
    cylinder((1.9, 3.0, .75), .5, 1.5, material((.03, .012, .006), rough=.05, coat=1, pattern='plain'), top=1.15)


def leg_hotdog(r):
    """Show two tanned legs on a beach as their owner sees them, with a line of ketchup."""
    studio((600, 400), (0, 1.95, 1.75), (0, -2.2, .4), 29)
    sky((.34, .58, .95), (.04, .17, .65), .7)
    light('SUN', (-4, 1.5, 4), 3.2, .02, (1, .94, .84))
    ground = material((.36, .24, .12), (.52, .37, .2), rough=.95, bump=.8, bump_scale=22, scale=5)
    sheet(lambda u, v: (16 * u - 8, 12 * v - 8.6,
                        -.02 + .05 * math.sin(23 * u + 3 * math.sin(9 * v)) * math.sin(31 * v)), 120, 120, ground)
    sea = material((.01, .09, .13), (.015, .2, .24), rough=.12, bump=.7, bump_scale=2.5, scale=.4)
    box((0, -457, -.1), (1800, 900, .1), sea, rounding=0)
    towel = material((.7, .68, .62), (.03, .14, .35), rough=.95, bump=1, bump_scale=50, pattern='stripes', scale=1.1,
                     ramp=(.48, .52))
    sheet(lambda u, v: (2.4 * u - 1.2, 6.4 * v - 2.5, .1 + .02 * math.sin(11 * u) * math.sin(17 * v)), 60, 90, towel)
    tan = material((.46, .17, .07), (.38, .115, .045), rough=.3, coat=.35, scale=2, bump=.07, bump_scale=45)
    legs = bare_legs(r, tan, .52, -.45, -1.95)
    for x, leg in zip((-.31, .31), legs):
        y = np.linspace(1.15, -.45, 120)
        wave([leg], np.stack([x + .1 * np.sin(y * 13), y], 1), .05, KETCHUP)


def half_bun(side, length, height):
    """Tie half a bun to a dog's side (-1 or 1)."""
    x, scale = capsule(length * .62, 5)
    angle = np.linspace(0, 2 * math.pi, 24, endpoint=False)
    outline = [(math.copysign(abs(math.cos(a)) ** .8, math.cos(a)) * (.28 if math.cos(a) * side > 0 else .06),
                .36 * math.sin(a)) for a in angle]
    crust = material((.5, .24, .07), (.3, .11, .028), rough=.45, bump=.12, bump_scale=30, scale=2.2, ramp=(.3, .75),
                     inside=CRUMB)
    vertices = [(side * .34 + s * ox, y + .04, height - .1 + s * oz) for y, s in zip(x, scale) for ox, oz in outline]
    faces = grid_faces(len(x), 24, wrap_columns=True)
    half = mesh(vertices, faces, crust)
    inner = [float(ox * side < 0) for _ in x for ox, _ in outline]
    return smoother(lumpy(mark_inside(half, inner), .03, .8))


def dressed_dachshund(r):
    """Build a red dachshund in a bun with mustard on its back."""
    red = material((.2, .05, .014), (.3, .085, .024), rough=.6, bump=.15, bump_scale=80, scale=9,
                   inside=(.4, .14, .045))
    skin, length, height, thick = dachshund(r, red, .75, 60000)
    for side in (-1, 1):
        half_bun(side, length, height)
    y = np.linspace(-length * .42, length * .5, 110)
    wave([skin], np.stack([.13 * np.sin(y * 17), y], 1), .045, MUSTARD)
    for place in (-.32, .38):
        band = torus((0, place * length, height - .1), .63, .03, material((.45, .02, .02), rough=.7),
                     (math.pi / 2, 0, 0), 1.8)
        band.scale = (1.06, .63, 1)


def dog_hotdog(r):
    """Show a dachshund in a hot dog costume on a lawn."""
    studio((600, 400), (3.5, -2.9, 1.35), (-.08, -.16, .66), 42, .35, (.3, -.6, .8))
    sky((.7, .8, .85), (.25, .45, .8), .7)
    light('SUN', (3, -2.5, 4), 3.2, .06, (1, .93, .82))
    grass(r, 14, 90000)
    hedge(r, (-8, -9), (-8, 17))
    dressed_dachshund(r)


def cover(r):
    """Show a dachshund that looks at a hot dog on a picnic cloth."""
    studio((1200, 630), (0, -6.3, 3.7), (.15, .2, .66), 42, .35, (0, -.5, .7))
    sky((.4, .62, .95), (.08, .27, .75), .7)
    light('SUN', (-3, -3, 4.5), 3.2, .05, (1, .93, .82))
    grass(r, 18, 110000)
    hedge(r, (-13, 12), (13, 12))
    cloth = material((.55, .02, .02), (.78, .75, .7), rough=.9, bump=.5, bump_scale=60, pattern='checks', scale=2.2)
    sheet(lambda u, v: (8 * u - 4, 4.6 * v - 2.4, .16 + .025 * math.sin(14 * u + 4 * v) * math.sin(11 * v)), 90, 60,
          cloth)
    hot_dogs.group(lambda: plate(0, 0, 1.45), Matrix.Translation((-1.1, -.5, .17)))
    hot_dog(4, Matrix.Translation((-1.1, -.5, .26)), Matrix.Rotation(.25, 4, 'Z'), Matrix.Rotation(.3, 4, 'X'))
    black = material((.009, .007, .006), (.018, .013, .01), rough=.85, bump=.15, bump_scale=80, inside=(.36, .14, .035))
    hot_dogs.group(lambda: dachshund(r, black, .1, 60000), Matrix.Translation((2.05, .7, .17)),
                   Matrix.Rotation(-1.05, 4, 'Z'),
                   Matrix.Scale(1.4, 4))


PICTURES = {'real_hotdog': real_hotdog, 'leg_hotdog': leg_hotdog, 'dog_hotdog': dog_hotdog, 'cover': cover}


def main():
    """Render the named pictures (all by default) into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', type=Path)
    parser.add_argument('names', nargs='*', choices=[*PICTURES, []], help='default: all')
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or PICTURES:
        PICTURES[name](random.Random(7))
        file = arguments.folder / (name + '.png')
        bpy.context.scene.render.filepath = str(file)
        bpy.ops.render.render(write_still=True)
        Image.open(file).convert('RGB').save(file.with_suffix('.jpg'), quality=90)
        file.unlink()


if __name__ == '__main__':
    main()
