"""Build the meshes that every picture is made of.

One unit is about seven centimetres, z points up and things stand on z = 0. Every function returns the Blender object
that it made; `r` is always a `random.Random`.
"""
import math

import bpy
import numpy as np


def mesh(vertices, faces, material, smooth=True):
    """Make an object from vertices (n x 3) and faces (tuples of vertex numbers)."""
    data = bpy.data.meshes.new('mesh')
    data.from_pydata([tuple(map(float, v)) for v in vertices], [], faces)
    data.materials.append(material)
    data.polygons.foreach_set('use_smooth', [smooth] * len(data.polygons))
    data.update()
    thing = bpy.data.objects.new('thing', data)
    bpy.context.collection.objects.link(thing)
    return thing


def move(thing, location=(0, 0, 0), rotation=(0, 0, 0), scale=(1, 1, 1)):
    """Set an object's place, its rotation (radians, about x, y and z) and its scale (a number or three)."""
    thing.location, thing.rotation_euler = location, rotation
    thing.scale = scale if hasattr(scale, '__len__') else (scale,) * 3
    return thing


def grid_faces(rows, columns, wrap_rows=False, wrap_columns=False):
    """Number the quads of a rows x columns grid of vertices; a wrapped side joins its last line to its first."""
    return [(i * columns + j, i * columns + (j + 1) % columns,
             (i + 1) % rows * columns + (j + 1) % columns, (i + 1) % rows * columns + j)
            for i in range(rows if wrap_rows else rows - 1)
            for j in range(columns if wrap_columns else columns - 1)]


def ellipsoid(location, radii, material, rotation=(0, 0, 0), segments=32):
    """Make an ellipsoid with its three radii (or one number) about `location`."""
    rings = segments // 2
    theta = np.linspace(0.02, math.pi - 0.02, rings)
    phi = np.linspace(0, 2 * math.pi, segments, endpoint=False)
    t, p = np.meshgrid(theta, phi, indexing='ij')
    vertices = np.stack([np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), np.cos(t)], -1).reshape(-1, 3)
    faces = grid_faces(rings, segments, wrap_columns=True)
    faces += [tuple(range(segments))[::-1], tuple(range((rings - 1) * segments, rings * segments))]
    return move(mesh(vertices, faces, material), location, rotation, radii)


def lathe(profile, material, location=(0, 0, 0), rotation=(0, 0, 0), scale=1, segments=48):
    """Turn a profile of (radius, height) points about the z axis: plates, cups, bottles, cones, discs."""
    angle = np.linspace(0, 2 * math.pi, segments, endpoint=False)
    vertices = [(radius * math.cos(a), radius * math.sin(a), height) for radius, height in profile for a in angle]
    faces = grid_faces(len(profile), segments, wrap_columns=True)
    if profile[0][0] > 1e-6:
        faces.append(tuple(range(segments))[::-1])
    if profile[-1][0] > 1e-6:
        faces.append(tuple(range((len(profile) - 1) * segments, len(profile) * segments)))
    return move(mesh(vertices, faces, material), location, rotation, scale)


def cylinder(location, radius, height, material, rotation=(0, 0, 0), rounding=0.04, top=1.0, segments=48):
    """Make a cylinder about `location` with rounded rims; its upper radius is `top` times the lower."""
    b, h = min(rounding, height / 2.01, radius * min(1, top) / 1.01), height / 2
    turn = np.linspace(0, math.pi / 2, 4)
    lower = [(radius - b * (1 - math.sin(a)), -h + b * (1 - math.cos(a))) for a in turn]
    upper = [(radius * top - b * (1 - math.sin(a)), h - b * (1 - math.cos(a))) for a in turn[::-1]]
    return lathe([(0, -h), *lower, *upper, (0, h)], material, location, rotation, segments=segments)


def torus(location, radius, thickness, material, rotation=(0, 0, 0), flat=1.0):
    """Make a ring of the given radius; `flat` squashes its section's height."""
    angle = np.linspace(0, 2 * math.pi, 48, endpoint=False)
    section = np.linspace(0, 2 * math.pi, 20, endpoint=False)
    vertices = [((radius + thickness * math.cos(s)) * math.cos(a), (radius + thickness * math.cos(s)) * math.sin(a),
                 thickness * flat * math.sin(s)) for a in angle for s in section]
    return move(mesh(vertices, grid_faces(48, 20, True, True), material), location, rotation)


def box(location, size, material, rotation=(0, 0, 0), rounding=0.03):
    """Make a box with its three edge lengths about `location`, its edges rounded."""
    x, y, z = (s / 2 for s in size)
    vertices = [(i * x, j * y, k * z) for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)]
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    thing = move(mesh(vertices, faces, material, smooth=False), location, rotation)
    if rounding:
        bevel = thing.modifiers.new('bevel', 'BEVEL')
        bevel.width, bevel.segments = rounding, 2
    return thing


def tube(path, radius, material, segments=16):
    """Sweep a circle along a path (n x 3 points); `radius` is a number, or n numbers (near 0 at the ends closes it)."""
    path = np.asarray(path, float)
    section = [(math.cos(a), math.sin(a)) for a in np.linspace(0, 2 * math.pi, segments, endpoint=False)]
    return sweep(section, path, np.broadcast_to(radius, len(path)), material)


def sweep(section, path, scale, material, up=(0, 0, 1)):
    """Sweep a closed section of (side, up) points along a path, scaled by one number a point, and cap both ends."""
    path, section = np.asarray(path, float), np.asarray(section, float)
    ahead = np.gradient(path, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True) + 1e-9
    up = np.broadcast_to(np.asarray(up, float), path.shape).copy()
    steep = np.abs((ahead * up).sum(1)) > 0.95  # a vertical path needs another reference direction
    up[steep] = (1, 0, 0)
    side = np.cross(up, ahead)
    side /= np.linalg.norm(side, axis=1, keepdims=True) + 1e-9
    over = np.cross(ahead, side)
    scale = np.broadcast_to(scale, len(path))[:, None, None]
    vertices = path[:, None] + scale * (section[None, :, :1] * side[:, None] + section[None, :, 1:] * over[:, None])
    n, k = len(path), len(section)
    faces = grid_faces(n, k, wrap_columns=True) + [tuple(range(k))[::-1], tuple(range((n - 1) * k, n * k))]
    return mesh(vertices.reshape(-1, 3), faces, material)


def capsule(length, roundness=4.0, n=40):
    """Return x positions and scales of a bar from -length to length; a larger roundness makes blunter ends."""
    x = -length * np.cos(np.linspace(0.03, math.pi - 0.03, n))
    return x, np.sqrt(np.maximum(1e-4, 1 - np.abs(x / length) ** roundness))


def sheet(point, rows, columns, material, smooth=True):
    """Make a surface from `point(u, v) -> (x, y, z)` with u and v from 0 to 1: leaves, cloths, paper, wraps."""
    vertices = [point(i / (rows - 1), j / (columns - 1)) for i in range(rows) for j in range(columns)]
    return mesh(vertices, grid_faces(rows, columns), material, smooth)


def leaf(location, length, width, ruffle, material, r, rotation=(0, 0, 0)):
    """Make a lettuce-like leaf about `location`, its edge waved by `ruffle` units."""
    phase, waves = r.uniform(0, 6), r.uniform(2, 4)

    def point(u, v):
        edge = abs(v - 0.5) * 2
        outline = math.sin(math.pi * (0.08 + 0.84 * u)) ** 0.6
        return ((u - 0.5) * length, (v - 0.5) * width * outline,
                ruffle * edge * math.sin(waves * 6.28 * u + phase + (v > 0.5) * 1.3) + 0.15 * width * edge * edge)
    return move(sheet(point, 22, 9, material), location, rotation)


def lumpy(thing, strength, size=0.5):
    """Displace a surface by `strength` units of clouds about `size` units wide, so that it looks less perfect."""
    texture = bpy.data.textures.new('clouds', 'CLOUDS')
    texture.noise_scale = size
    displace = thing.modifiers.new('lumpy', 'DISPLACE')
    displace.texture, displace.strength, displace.texture_coords = texture, strength, 'GLOBAL'
    return thing


def smoother(thing, levels=1):
    """Subdivide a surface."""
    subdivide = thing.modifiers.new('smoother', 'SUBSURF')
    subdivide.levels = subdivide.render_levels = levels
    return thing
