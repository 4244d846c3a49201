# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
The network once more, slowly, in float64 numpy, from its description alone.

Shares no code with the product: loops over heads, rotary encoding as complex numbers, constants
written out. Every function can make a ``mistake`` on purpose, one of the lists below, so that a
test can show that its comparison would notice it.
"""

from __future__ import annotations

import numpy as np
from scipy.special import erf

BACKBONE_MISTAKES = (
    'norm epsilon 1e-6',
    'tanh GELU',
    'GELU left out',
    'periods computed anew',
    'both axes scaled by the longer one',
    'x before y',
    'patches counted from corners',
    'neighbouring channels are pairs',
    'storage tokens rotated',
    'storage tokens not skipped',
    'key bias not masked',
    'mask token added',
    'class token before the norm',
    'layer scale left out',
    'heads before q, k, v',
    'columns first',
)
DECODER_MISTAKES = (
    'position table transposed',
    'position table centred',
    'position table left out',
    'context normalised',
    'k and v swapped',
    'heads scaled by 64',
    'cross-attention first',
    'final norm',
    'queries added to every layer',
    'tanh GELU',
    'norm epsilon 1e-6',
)
HEAD_MISTAKES = (
    '768 instead of 921.6',
    'row before column',
    'location within the picture only',
    'initial pose in front',
    'initial pose not added',
    'no sigmoid on shape',
    'GELU in heads',
)
CAMERA_MISTAKES = ('vertical field of view', 'half field of view', 'no sigmoid')


def gelu(x, mistake=''):
    if mistake == 'tanh GELU':
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return x if mistake == 'GELU left out' else 0.5 * x * (1 + erf(x / np.sqrt(2)))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(scores):
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return scores / scores.sum(axis=1, keepdims=True)


def linear(w, name, x):
    return x @ w[f'{name}.weight'].T + w[f'{name}.bias']


def norm(w, name, x, epsilon):
    centred = x - x.mean(-1, keepdims=True)
    spread = np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon)
    return centred / spread * w[f'{name}.weight'] + w[f'{name}.bias']


def doubles(module):
    """Weights and buffers of a torch module as float64 arrays."""
    return {name: tensor.double().numpy() for name, tensor in module.state_dict().items()}


def part(w, prefix):
    """Weights below a prefix, without it."""
    return {name[len(prefix) :]: value for name, value in w.items() if name.startswith(prefix)}


def patch_tokens(w, picture, mistake=''):
    """Tokens of a picture (3, H, W), row by row; rows and columns."""
    kernel, p = w['patch_embed.proj.weight'], w['patch_embed.proj.weight'].shape[-1]
    rows, columns = picture.shape[1] // p, picture.shape[2] // p
    places = [(i, j) for i in range(rows) for j in range(columns)]
    if mistake == 'columns first':
        places = [(i, j) for j in range(columns) for i in range(rows)]
    squares = np.stack([picture[:, p * i : p * i + p, p * j : p * j + p] for i, j in places])
    tokens = squares.reshape(len(places), -1) @ kernel.reshape(len(kernel), -1).T
    return tokens + w['patch_embed.proj.bias'], rows, columns


def rotation(w, rows, columns, mistake=''):
    """Factors (patches, D / 2) of length 1 that turn pairs of channels."""
    periods = w['rope_embed.periods']
    if mistake == 'periods computed anew':
        periods = 100.0 ** (np.arange(len(periods)) / len(periods))
    centre = 0.0 if mistake == 'patches counted from corners' else 0.5
    spans = rows, columns
    if mistake == 'both axes scaled by the longer one':
        spans = max(spans), max(spans)
    angles = []
    for n in range(rows * columns):
        y = 2 * (n // columns + centre) / spans[0] - 1
        x = 2 * (n % columns + centre) / spans[1] - 1
        first, second = (x, y) if mistake == 'x before y' else (y, x)
        angles.append(np.concatenate([first / periods, second / periods]))
    return np.exp(2j * np.pi * np.array(angles))


def turn(z, factors, first, mistake=''):
    """Rotate channels (c, c + D / 2) of the tokens from ``first`` on."""
    half, last = z.shape[1] // 2, first + len(factors)
    if mistake == 'neighbouring channels are pairs':
        pairs = z[:, ::2] + 1j * z[:, 1::2]
        pairs[first:last] *= factors
        return np.stack([pairs.real, pairs.imag], axis=2).reshape(z.shape)
    pairs = z[:, :half] + 1j * z[:, half:]
    pairs[first:last] *= factors
    return np.concatenate([pairs.real, pairs.imag], axis=1)


def backbone(w, picture, *, num_heads, epsilon=1e-5, table=None, mistake=''):
    """
    Features (rows, columns, C) and class vector (C,) of a normalised picture (3, H, W).

    DINOv3 if the weights have periods, else DINOv2 with its table resized to the picture.
    """
    epsilon = 1e-6 if mistake == 'norm epsilon 1e-6' else epsilon
    x, rows, columns = patch_tokens(w, picture, mistake)
    rotary = 'rope_embed.periods' in w
    width = x.shape[1]
    size = width // num_heads
    if mistake == 'mask token added':
        x = x + w['mask_token']
    extra = w.get('storage_tokens', w.get('register_tokens', np.zeros((1, 0, width))))[0]
    if rotary:
        x = np.concatenate([w['cls_token'][0], extra, x])
        factors = rotation(w, rows, columns, mistake)
    else:
        x = np.concatenate([w['cls_token'][0] + w['pos_embed'][0, :1], extra, x + table])
    first = 1 if mistake == 'storage tokens rotated' else 1 + len(extra)
    depth = 1 + max(int(name.split('.')[1]) for name in w if name.startswith('blocks.'))
    for block in (f'blocks.{n}' for n in range(depth)):
        bias = w[f'{block}.attn.qkv.bias'].copy()
        if rotary and mistake != 'key bias not masked':
            bias[width : 2 * width] = 0.0
        qkv = norm(w, f'{block}.norm1', x, epsilon) @ w[f'{block}.attn.qkv.weight'].T + bias
        outputs = []
        for head in range(num_heads):
            starts = [third * width + head * size for third in range(3)]
            if mistake == 'heads before q, k, v':
                starts = [(3 * head + third) * size for third in range(3)]
            q, k, v = (qkv[:, start : start + size] for start in starts)
            if rotary:
                q, k = (turn(z, factors, first, mistake) for z in (q, k))
            outputs.append(softmax(q @ k.T / np.sqrt(size)) @ v)
        attended = linear(w, f'{block}.attn.proj', np.concatenate(outputs, axis=1))
        gammas = [w[f'{block}.ls{n}.gamma'] for n in (1, 2)]
        if mistake == 'layer scale left out':
            gammas = [1.0, 1.0]
        x = x + gammas[0] * attended
        hidden = linear(w, f'{block}.mlp.fc1', norm(w, f'{block}.norm2', x, epsilon))
        x = x + gammas[1] * linear(w, f'{block}.mlp.fc2', gelu(hidden, mistake))
    normed = norm(w, 'norm', x, epsilon)
    start = 1 if mistake == 'storage tokens not skipped' else 1 + len(extra)
    features = normed[start : start + rows * columns].reshape(rows, columns, width)
    return features, (x if mistake == 'class token before the norm' else normed)[0]


def position_table(rows, columns, width, mistake=''):
    """Sine table (rows, columns, width), value by value; stored as float32."""
    quarter = width // 4
    omega = 10000.0 ** (-np.arange(quarter) / quarter)
    table = np.zeros((rows, columns, width), np.float32)
    for i in range(rows):
        for j in range(columns):
            x, y = (i, j) if mistake == 'position table transposed' else (j, i)
            if mistake == 'position table centred':
                x, y = x + 0.5, y + 0.5
            table[i, j] = np.concatenate(
                [np.sin(x * omega), np.cos(x * omega), np.sin(y * omega), np.cos(y * omega)]
            )
    return 0 * table if mistake == 'position table left out' else table


def attend(q, k, v, size, mistake=''):
    scale = 64**-0.5 if mistake == 'heads scaled by 64' else size**-0.5
    outputs = []
    for start in range(0, q.shape[1], size):
        head = slice(start, start + size)
        outputs.append(softmax(q[:, head] @ k[:, head].T * scale) @ v[:, head])
    return np.concatenate(outputs, axis=1)


def decoder(w, features, *, head_size, mistake=''):
    """States (Q, C) of the queries, from features (rows, columns, C) of one picture."""
    rows, columns, _ = features.shape
    epsilon = 1e-6 if mistake == 'norm epsilon 1e-6' else 1e-5
    queries = w['queries.weight']
    width = queries.shape[1]
    context = linear(w, 'dec_to_token', features)
    context = (context + position_table(rows, columns, width, mistake)).reshape(-1, width)
    if mistake == 'context normalised':
        context = context - context.mean(1, keepdims=True)
        context = context / np.sqrt((context**2).mean(1, keepdims=True) + epsilon)

    def look_around(name, x):
        qkv = norm(w, f'{name}.norm', x, epsilon) @ w[f'{name}.fn.to_qkv.weight'].T
        attended = attend(*np.split(qkv, 3, axis=1), head_size, mistake)
        return x + linear(w, f'{name}.fn.to_out.0', attended)

    def look_at_picture(name, x):
        q = norm(w, f'{name}.norm', x, epsilon) @ w[f'{name}.fn.to_q.weight'].T
        k, v = np.split(context @ w[f'{name}.fn.to_kv.weight'].T, 2, axis=1)
        if mistake == 'k and v swapped':
            k, v = v, k
        return x + linear(w, f'{name}.fn.to_out.0', attend(q, k, v, head_size, mistake))

    x = queries
    layers = 'decoder.transformer.layers'
    depth = 1 + max(int(n.split('.')[3]) for n in w if n.startswith(layers))
    for n in range(depth):
        if mistake == 'queries added to every layer' and n:
            x = x + queries
        steps = [(look_around, 0), (look_at_picture, 1)]
        for step, place in reversed(steps) if mistake == 'cross-attention first' else steps:
            x = step(f'{layers}.{n}.{place}', x)
        name = f'{layers}.{n}.2'
        hidden = linear(w, f'{name}.fn.net.0', norm(w, f'{name}.norm', x, epsilon))
        x = x + linear(w, f'{name}.fn.net.3', gelu(hidden, mistake))
    if mistake == 'final norm':
        x = x - x.mean(1, keepdims=True)
        x = x / np.sqrt((x**2).mean(1, keepdims=True) + epsilon)
    return x


def head(w, name, x, mistake=''):
    hidden = linear(w, f'{name}.0', x)
    hidden = gelu(hidden) if mistake == 'GELU in heads' else np.maximum(hidden, 0)
    return linear(w, f'{name}.2', hidden)


def heads(w, state, *, image_size, mistake=''):
    """What every head says about states (Q, C), by the names of ``NetworkOutput``."""
    span = image_size if mistake == '768 instead of 921.6' else 1.2 * image_size
    start = np.zeros((len(state), w['mlp_pose.2.bias'].size))
    start[:, 0::6] = 1  # (1, 0, 0, 1, 0, 0): two columns of the identity, row by row
    start[:, 3::6] = 1
    start[:, :6] = [1, 0, 0, 0, 0, 1]  # the root: (x, z) of a quarter turn about x
    both = [start, state] if mistake == 'initial pose in front' else [state, start]
    pose = head(w, 'mlp_pose', np.concatenate(both, axis=1), mistake)
    location = span * sigmoid(head(w, 'mlp_loc', state, mistake))
    if mistake == 'location within the picture only':
        location = np.minimum(location, image_size)
    shape = head(w, 'mlp_shape', state, mistake)
    return {
        'confidence': sigmoid(head(w, 'mlp_conf', state, mistake))[:, 0],
        'location': location[:, ::-1] if mistake == 'row before column' else location,
        'log_pixels_per_metre': head(w, 'mlp_dist', state, mistake)[:, 0],
        'shape': shape if mistake == 'no sigmoid on shape' else sigmoid(shape),
        'pose': pose if mistake == 'initial pose not added' else start + pose,
        'appearance': head(w, 'trackfeat_regressor.trackfeat_model', state, mistake),
    }


def field_of_view(w, cls, mistake=''):
    """Horizontal field of view (radians) from the class vector."""
    raw = head(w, 'mlp_fov_unique', cls[None])[0, 0]
    return np.pi * (raw if mistake == 'no sigmoid' else sigmoid(raw))


def intrinsics(hfov, width, height, mistake=''):
    """K of a padded picture of that size; pixels count from the corner."""
    across = height if mistake == 'vertical field of view' else width
    focal = across / 2 / np.tan(hfov if mistake == 'half field of view' else hfov / 2)
    return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])


def output(w, picture, *, num_heads, head_size, image_size):
    """Everything about one normalised picture (3, H, W): ``heads`` and 'hfov'."""
    features, cls = backbone(part(w, 'encoder.backbone.'), picture, num_heads=num_heads)
    body = part(w, 'full_body_decoder.')
    state = decoder(body, features, head_size=head_size)
    found = heads(body, state, image_size=image_size)
    return found | {'hfov': field_of_view(part(w, 'encoder.'), cls)}
