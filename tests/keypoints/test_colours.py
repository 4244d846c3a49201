# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.keypoints.colours import clothing_features, FEATURE_SIZE
import numpy as np


def paint(shirt, trousers, shift=0):
    """A flat figure: the keypoints of somebody standing, shirt above the hips, trousers below."""
    picture = np.full((240, 320, 3), 128, np.uint8)
    x = 100 + shift
    picture[60:120, x - 25 : x + 25] = shirt
    picture[120:200, x - 25 : x + 25] = trousers
    rows = [50, 48, 48, 50, 50, 65, 65, 90, 90, 115, 115, 118, 118, 155, 155, 195, 195]
    side = [0, 4, -4, 8, -8] + [18, -18] * 6
    keypoints = np.array([[x + s, r] for s, r in zip(side, rows, strict=True)], np.float32)
    return picture, keypoints[None], np.full((1, 17), 0.8, np.float32)


def test_same_clothes_are_closer_than_others():
    red = clothing_features(*paint((200, 30, 30), (30, 30, 120)))
    moved = clothing_features(*paint((190, 40, 35), (35, 30, 110), shift=60))
    green = clothing_features(*paint((30, 160, 30), (200, 200, 190)))
    assert red.shape == (1, FEATURE_SIZE)
    np.testing.assert_allclose(np.linalg.norm(red), 1.0, atol=1e-5)
    assert float(red[0] @ moved[0]) > 0.8
    assert float(red[0] @ green[0]) < 0.4


def test_nobody_and_keypoints_outside():
    picture, keypoints, confidences = paint((10, 10, 10), (10, 10, 10))
    assert clothing_features(picture, keypoints[:0], confidences[:0]).shape == (0, FEATURE_SIZE)
    far = clothing_features(picture, keypoints + 5000, confidences)
    assert np.isfinite(far).all()
