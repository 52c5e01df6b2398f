"""Make the materials: colour patterns, gloss and fine relief, all procedural (no picture is read).

Colours are linear RGB from 0 to 1, as Blender takes them.
"""
import bpy

BREAD = [((.72, .40, .14), (.42, .17, .045)), ((.80, .52, .22), (.55, .27, .08)), ((.62, .30, .09), (.33, .12, .03))]
CRUMB = (.86, .70, .45)
SKIN = [(.75, .50, .38), (.45, .27, .17), (.20, .11, .07), (.85, .65, .55), (.60, .38, .25)]


def darker(color, by=0.6):
    """Scale a colour."""
    return tuple(c * by for c in color)


def random_color(r, low=0.02, high=0.8, grey=0.0):
    """Draw a colour; `grey` from 0 to 1 pulls it towards grey."""
    color = [low + (high - low) * r.random() ** 1.5 for _ in range(3)]
    mean = sum(color) / 3
    return tuple(c + grey * (mean - c) for c in color)


def material(color, color2=None, rough=.5, coat=0., bump=0., bump_scale=20., pattern='noise', scale=6., ramp=(.35, .65),
             metal=0., glow=0., inside=None, alpha=1., distortion=0.):
    """Make a material that goes from `color` to `color2` (by default a little darker) over a pattern.

    `pattern` is 'plain', 'noise', 'wood' (streaks along y), 'rings', 'checks', 'stripes', 'cells' or 'spots'; `scale`
    is its frequency per unit; `ramp` says where between 0 and 1 the two colours begin and end (close together: a hard
    edge). `rough`, `coat` and `metal` go from 0 to 1, `bump` is the strength of a relief of `bump_scale` grains a
    unit, `glow` makes it shine.
    `inside` is a colour for the vertices whose attribute 'inside' is 1 (the crumb of a cut bun): see `mark_inside`.
    """
    made = bpy.data.materials.new('material')
    made.use_nodes = True
    tree = made.node_tree
    node, link = tree.nodes.new, tree.links.new
    out = tree.nodes['Principled BSDF']
    for name, value in {'Roughness': rough, 'Coat Weight': coat, 'Coat Roughness': .1, 'Metallic': metal,
                        'Emission Strength': glow, 'Emission Color': (*color, 1), 'Alpha': alpha}.items():
        out.inputs[name].default_value = value
    place = node('ShaderNodeTexCoord').outputs['Object']
    colour = _pattern(tree, place, pattern, scale, distortion, color, color2 or darker(color, .8), ramp)
    if inside:
        mix, mark = node('ShaderNodeMix'), node('ShaderNodeAttribute')
        mix.data_type, mark.attribute_name = 'RGBA', 'inside'
        link(mark.outputs['Fac'], mix.inputs[0])
        if colour is None:
            mix.inputs[6].default_value = (*color, 1)
        else:
            link(colour, mix.inputs[6])
        mix.inputs[7].default_value = (*inside, 1)
        colour = mix.outputs[2]
    if colour is None:
        out.inputs['Base Color'].default_value = (*color, 1)
    else:
        link(colour, out.inputs['Base Color'])
    if bump:
        noise, relief = node('ShaderNodeTexNoise'), node('ShaderNodeBump')
        noise.inputs['Scale'].default_value, noise.inputs['Detail'].default_value = bump_scale, 3
        relief.inputs['Strength'].default_value, relief.inputs['Distance'].default_value = bump, .05
        link(place, noise.inputs['Vector'])
        link(noise.outputs['Fac'], relief.inputs['Height'])
        link(relief.outputs['Normal'], out.inputs['Normal'])
    return made


def _pattern(tree, place, pattern, scale, distortion, color, color2, ramp):
    """Return the colour socket of a pattern, or None for a plain colour."""
    if pattern == 'plain':
        return None
    kind = {'noise': 'Noise', 'wood': 'Noise', 'rings': 'Wave', 'stripes': 'Wave', 'checks': 'Checker',
            'cells': 'Voronoi', 'spots': 'Voronoi'}[pattern]
    texture = tree.nodes.new('ShaderNodeTex' + kind)
    texture.inputs['Scale'].default_value = scale
    if pattern == 'wood':  # grain runs along y
        stretch = tree.nodes.new('ShaderNodeMapping')
        stretch.inputs['Scale'].default_value = (1, .06, 1)
        tree.links.new(place, stretch.inputs['Vector'])
        place = stretch.outputs['Vector']
    tree.links.new(place, texture.inputs['Vector'])
    if pattern == 'checks':
        texture.inputs['Color1'].default_value, texture.inputs['Color2'].default_value = (*color, 1), (*color2, 1)
        return texture.outputs['Color']
    if kind in ('Noise', 'Wave'):
        texture.inputs['Detail'].default_value = 3
        texture.inputs['Distortion'].default_value = distortion
    if pattern == 'rings':
        texture.wave_type = 'RINGS'
    source = texture.outputs[{'cells': 'Color', 'spots': 'Distance'}.get(pattern, 'Fac')]
    blend = tree.nodes.new('ShaderNodeValToRGB')
    for element, position, c in zip(blend.color_ramp.elements, ramp, (color, color2)):
        element.position, element.color = position, (*c, 1)
    tree.links.new(source, blend.inputs['Fac'])
    return blend.outputs['Color']


def mark_inside(thing, values):
    """Set the vertex attribute 'inside' (one number a vertex, 0 to 1) that `material(inside=...)` reads."""
    thing.data.attributes.new('inside', 'FLOAT', 'POINT').data.foreach_set('value', [float(v) for v in values])
    return thing


def bread(r, inside=CRUMB):
    """Make a baked crust of a random brown."""
    light, dark = r.choice(BREAD)
    shade = r.uniform(.8, 1.15)
    return material(darker(dark, shade), darker(light, shade), rough=r.uniform(.35, .6), bump=.25, bump_scale=30,
                    scale=r.uniform(3, 7), ramp=(.3, .75), inside=inside)


def skin(r):
    """Make skin of a random tone."""
    tone = r.choice(SKIN)
    return material(tone, darker(tone, .9), rough=.5, scale=3)
