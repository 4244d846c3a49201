# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What a camera makes of light: exposure, blur, noise, tone, compression."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Sensor:
    """
    One camera's way of taking pictures.

    Parameters
    ----------
    exposure : float
        Mean level that automatic exposure aims at, 0..1.
    balance : ndarray, (3,)
        Gains of red, green, blue.
    contrast, saturation : float
        1 leaves them as they are.
    motion : tuple of float, pixels
        Blur along columns and rows.
    defocus : float, pixels
        Standard deviation.
    downscale : float
        Share of the resolution that is left, 0..1.
    noise : float
        Standard deviation at middle grey, of 1; shot noise grows with the root of the level.
    vignette : float
        Loss of light in the corners, 0..1.
    grey : bool
        Monochrome.
    quality : int
        Of JPEG; 100 or more does not compress.

    """

    exposure: float
    balance: NDArray[np.float64]
    contrast: float
    saturation: float
    motion: tuple[float, float]
    defocus: float
    downscale: float
    noise: float
    vignette: float
    grey: bool
    quality: int


def sample_sensor(rng: np.random.Generator) -> Sensor:
    """Draw a camera: mostly good pictures, some blurred, noisy, dark, small or monochrome."""
    blurred = rng.random() < 0.18
    length, angle = rng.gamma(1.5, 2.0) * blurred, rng.uniform(0, np.pi)
    return Sensor(
        exposure=float(np.clip(rng.normal(0.36, 0.09), 0.12, 0.65)),
        balance=np.exp(rng.normal(0, [0.07, 0.02, 0.1])),
        contrast=float(np.exp(rng.normal(0, 0.12))),
        saturation=float(np.clip(rng.normal(1.0, 0.2), 0.2, 1.6)),
        motion=(float(length * np.cos(angle)), float(length * np.sin(angle))),
        defocus=float(rng.choice([0.0, rng.uniform(0.3, 1.6)], p=[0.7, 0.3])),
        downscale=float(rng.choice([1.0, rng.uniform(0.4, 0.9)], p=[0.85, 0.15])),
        noise=float(rng.choice([rng.uniform(0, 0.012), rng.uniform(0.01, 0.06)], p=[0.7, 0.3])),
        vignette=float(rng.uniform(0, 0.35) * (rng.random() < 0.4)),
        grey=bool(rng.random() < 0.04),
        quality=int(
            rng.choice([100, rng.integers(60, 96), rng.integers(25, 60)], p=[0.35, 0.5, 0.15])
        ),
    )


def expose(light: NDArray[np.float32], sensor: Sensor) -> float:
    """Gain that brings the mean of linear light (H, W, 3) to the sensor's exposure."""
    level = float(np.clip(light, 0, 3 * light.mean() + 1e-6).mean())
    return float(sensor.exposure**2.2 * 1.35 / max(level, 1e-4))


def develop(
    light: NDArray[np.float32], sensor: Sensor, rng: np.random.Generator, gain: float
) -> NDArray[np.uint8]:
    """
    Take a picture.

    Parameters
    ----------
    light : ndarray, (H, W, 3), float32
        Linear.
    sensor : Sensor
    rng : Generator
        Of the noise.
    gain : float
        See ``expose``.

    Returns
    -------
    ndarray, (H, W, 3), uint8
        RGB.

    """
    height, width = light.shape[:2]
    out = light * (gain * sensor.balance).astype(np.float32)
    out = _blur(out, sensor)
    if sensor.downscale < 1:
        size = (max(8, int(width * sensor.downscale)), max(8, int(height * sensor.downscale)))
        out = cv2.resize(out, size, interpolation=cv2.INTER_AREA)
    if sensor.vignette:
        v = np.linspace(-1, 1, out.shape[0], dtype=np.float32)[:, None]
        u = np.linspace(-1, 1, out.shape[1], dtype=np.float32)
        out *= (1 - sensor.vignette * 0.5 * (u * u + v * v))[..., None]
    if sensor.noise:
        sigma = sensor.noise * np.sqrt(np.clip(out, 0.0, 1.0) * 3.0 + 0.1)
        out += sigma * rng.standard_normal(out.shape, dtype=np.float32) * np.float32(0.6)
    # A shoulder keeps highlights from clipping hard.
    out = np.clip(out, 0.0, None)
    out = out / (1.0 + np.clip(out - 0.7, 0.0, None))
    out = np.power(np.clip(out, 0.0, 1.0), np.float32(1 / 2.2))
    out = 0.5 + (out - 0.5) * np.float32(sensor.contrast)
    grey = out.mean(2, keepdims=True)
    saturation = 0.0 if sensor.grey else sensor.saturation
    out = grey + (out - grey) * np.float32(saturation)
    rgb = np.clip(out * 255 + 0.5, 0, 255).astype(np.uint8)
    if sensor.downscale < 1:
        rgb = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_LINEAR)
    if sensor.quality < 100:
        _, data = cv2.imencode('.jpg', rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, sensor.quality])
        rgb = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]
    return np.ascontiguousarray(rgb)


def _blur(light: NDArray[np.float32], sensor: Sensor) -> NDArray[np.float32]:
    if sensor.defocus > 0.25:
        light = cv2.GaussianBlur(light, (0, 0), sensor.defocus)
    length = float(np.hypot(*sensor.motion))
    if length < 1.0:
        return light
    side = 2 * int(np.ceil(length / 2)) + 3
    kernel = np.zeros((side, side), np.float32)
    middle = (side - 1) / 2
    for t in np.linspace(-0.5, 0.5, 4 * side):
        x, y = middle + t * sensor.motion[0], middle + t * sensor.motion[1]
        kernel[round(y), round(x)] += 1
    return np.asarray(cv2.filter2D(light, -1, kernel / kernel.sum()), np.float32)
