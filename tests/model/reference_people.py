# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
What is before and after the network, slowly, in float64, from its description alone.

Shares no code with the product: Pillow prepares the picture, the official body model poses
people. Like reference.py, everything can make a mistake on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps
import torch

PICTURE_MISTAKES = (
    'short side truncated',
    'padding rounded down',
    'padding at the end',
    'bilinear',
    'no antialiasing',
    'BGR',
    'padding after the colours are scaled',
    'colours not scaled',
)
CAMERA_MISTAKES = (
    'camera of the picture without padding',
    'vertical field of view',
    'half field of view',
    'pixels count from centres',
)
PERSON_MISTAKES = (
    '6D as two halves',
    '6D columns as rows',
    'all 163 rotations used',
    'root forced to identity',
    'root as person centre',
    'distance along the ray',
    'distance not of the focal length',
    'sex and age exchanged',
    'doubles kept',
    'doubles by face',
)
# Bones with one of these in their name stay at rest.
REST_WORDS = (
    'jaw', 'oris', 'levator', 'orbicularis', 'temporalis', 'oculi', 'risorius', 'special', 'toe',
    'eye', 'tongue', 'neck', 'head', 'foot', 'breast',
)  # fmt: skip
FACE_VERTEX = 5038  # in topology "anny"; 5054 in "anny-full"


@dataclass(frozen=True)
class Placement:
    """Where a picture lies in its canvas: sizes (w, h) and the offset of its corner."""

    size: tuple[int, int]
    resized: tuple[int, int]
    offset: tuple[int, int]
    canvas: tuple[int, int]

    def to_picture(self, uv):
        """Canvas pixels from the corner to picture pixels from the centre of the first one."""
        scale = np.array(self.resized) / self.size
        return (uv - self.offset) / scale - 0.5


def prepare(rgb, *, longest, multiple, mistake=''):
    """Normalised picture (3, H, W) of the canvas, and where the picture lies in it."""
    picture = Image.fromarray(rgb)
    size = picture.size
    resized = [longest * side / max(size) for side in size]
    resized = [int(s) if mistake == 'short side truncated' else round(s) for s in resized]
    if mistake == 'no antialiasing':
        import cv2

        small = Image.fromarray(cv2.resize(rgb, resized, interpolation=cv2.INTER_CUBIC))
    elif mistake == 'short side truncated':
        small = picture.resize(resized, Image.BICUBIC)
    else:
        method = Image.BILINEAR if mistake == 'bilinear' else Image.BICUBIC
        small = ImageOps.contain(picture, (longest, longest), method)
        assert small.size == tuple(resized)
    canvas = [-(-side // multiple) * multiple for side in resized]
    offset = [round((c - r) * 0.5) for c, r in zip(canvas, resized, strict=True)]
    if mistake == 'padding rounded down':
        offset = [(c - r) // 2 for c, r in zip(canvas, resized, strict=True)]
    if mistake == 'padding at the end':
        offset = [0, 0]
    padded = Image.new('RGB', canvas)
    padded.paste(small, tuple(offset))
    pixels = np.asarray(padded, np.float64)
    if mistake == 'BGR':
        pixels = pixels[..., ::-1]
    if mistake != 'colours not scaled':
        pixels = (pixels / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    else:
        pixels = pixels / 255
    if mistake == 'padding after the colours are scaled':
        inside = np.zeros(pixels.shape[:2], bool)
        inside[offset[1] :, offset[0] :][: resized[1], : resized[0]] = True
        pixels[~inside] = 0
    return pixels.transpose(2, 0, 1), Placement(size, (*resized,), (*offset,), (*canvas,))


def rotation(six, mistake=''):
    """Rotation (3, 3) of six numbers: two columns, row by row, made orthonormal."""
    a, b = six[0::2], six[1::2]
    if mistake == '6D as two halves':
        a, b = six[:3], six[3:]
    first = a / np.sqrt(a @ a)
    second = b - (first @ b) * first
    second = second / np.sqrt(second @ second)
    columns = np.stack([first, second, np.cross(first, second)], axis=1)
    return columns.T if mistake == '6D columns as rows' else columns


def official_bodies(model, phenotypes, rotations):
    """Vertices (N, V, 3), bone poses (N, 163, 4, 4), root at rest (N, 3, 3)."""
    pose = torch.eye(4, dtype=torch.float64).repeat(len(phenotypes), len(model.bone_labels), 1, 1)
    pose[:, :, :3, :3] = torch.as_tensor(rotations)
    out = model(pose_parameters=pose, phenotype_kwargs=torch.as_tensor(phenotypes))
    names = ('vertices', 'bone_poses', 'rest_bone_poses')
    vertices, bones, rest = (out[name].numpy() for name in names)
    return vertices, bones, rest[:, 0, :3, :3]


def people(model, found, K, *, threshold, distance, mistake=''):
    """
    Everybody in a picture: queries, scores, vertices and bone heads, the most certain first.

    ``found`` is ``reference.output``, ``K`` that of the canvas (pixels from the corner).
    """
    kept = [n for n, score in enumerate(found['confidence']) if score > threshold]
    rotations, phenotypes, centres = [], [], []
    for n in kept:
        one = [rotation(six, mistake) for six in found['pose'][n].reshape(-1, 6)]
        for bone, name in enumerate(model.bone_labels):
            at_rest = any(word in name for word in REST_WORDS)
            if at_rest and mistake != 'all 163 rotations used':
                one[bone] = np.eye(3)
        rotations.append(one)
        shape = found['shape'][n, :6]
        phenotypes.append(shape[[1, 0, 2, 3, 4, 5]] if 'sex and age' in mistake else shape)
        focal = 1000.0 if mistake == 'distance not of the focal length' else K[0, 0]
        z = focal / max(np.exp(found['log_pixels_per_metre'][n]), 1e-5)
        ray = np.linalg.inv(K) @ [*found['location'][n], 1]
        if mistake == 'distance along the ray':
            ray = ray / np.linalg.norm(ray)
        centres.append(z * ray)
    rotations = np.array(rotations).reshape(-1, 163, 3, 3)
    phenotypes = np.array(phenotypes).reshape(-1, 6)
    vertices, bones, rest_root = official_bodies(model, phenotypes, rotations)
    if mistake == 'root forced to identity':
        rotations[:, 0] = rotations[:, 0] @ rest_root
        vertices, bones, _ = official_bodies(model, phenotypes, rotations)
    heads = bones[..., :3, 3]
    anchor = heads[:, 0] if mistake == 'root as person centre' else vertices[:, FACE_VERTEX]
    centres = np.array(centres).reshape(-1, 3)
    shift = (centres - anchor)[:, None]
    vertices, heads = vertices + shift, heads + shift
    scores = found['confidence'][kept]
    places = centres if mistake == 'doubles by face' else heads[:, 0]
    order: list[int] = []
    for row in sorted(range(len(kept)), key=lambda row: -scores[row]):
        near = [np.linalg.norm(places[row] - places[other]) < distance for other in order]
        if mistake == 'doubles kept' or not any(near):
            order.append(row)
    return {
        'queries': np.array(kept)[order],
        'score': scores[order],
        'vertices': vertices[order],
        'heads': heads[order],
        'orientations': bones[order][..., :3, :3],
        'num_doubles': len(kept) - len(order),
    }


def project(points, K):
    """Pixels (..., 2) of points (..., 3)."""
    uvw = points @ np.asarray(K).T
    return uvw[..., :2] / uvw[..., 2:]
