# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""From six phenotype values to the coefficients of Anny's shape basis, and to years."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

# Anchors of the piecewise-linear interpolation, in the order in which Anny's mask counts them:
# race (fixed at 1/3 each), gender, age, muscle, weight, height, proportions, cup size, firmness.
_ANCHORS: dict[str, tuple[float, ...]] = {
    'gender': (0.0, 1.0),
    'age': (-1 / 3, 0.0, 1 / 3, 2 / 3, 1.0),
    'muscle': (0.0, 0.5, 1.0),
    'weight': (0.0, 0.5, 1.0),
    'height': (0.0, 1.0),
    'proportions': (0.0, 1.0),
}
_RACE_WEIGHTS = (1 / 3, 1 / 3, 1 / 3)
_NEUTRAL_WEIGHTS = (0.0, 1.0, 0.0)  # cup size and firmness at 0.5

# Anny 0.6.2's calibration of age on growth curves: phenotype value, years.
_AGE_ANCHORS = (0.0, 0.05, 0.215, 0.415, 0.67, 0.77, 0.83, 1.0)
_AGE_YEARS = (0.0, 1.0, 4.0, 11.0, 16.0, 18.0, 64.0, 110.0)


def hat_weights(x: Tensor, anchors: tuple[float, ...]) -> Tensor:
    """
    Weights of linear interpolation between anchors, without a search.

    Parameters
    ----------
    x : Tensor, (...)
        Values; clamped to the range of the anchors.
    anchors : tuple of A ascending floats

    Returns
    -------
    Tensor, (..., A)
        Not negative, at most two of them not zero, sum 1.

    Notes
    -----
    With r_i = clamp((x - a_i) / (a_{i+1} - a_i), 0, 1), the weights are [1, r] - [r, 0].

    """
    low = x.new_tensor(anchors[:-1])
    high = x.new_tensor(anchors[1:])
    r = ((x[..., None] - low) / (high - low)).clamp(0.0, 1.0)  # (..., A - 1)
    one = torch.ones_like(r[..., :1])
    return torch.cat([one, r], -1) - torch.cat([r, torch.zeros_like(one)], -1)


def phenotype_weights(phenotype: Tensor) -> Tensor:
    """
    Make the 26 interpolation weights of Anny's phenotype variations.

    Parameters
    ----------
    phenotype : Tensor, (N, 6)
        gender, age, muscle, weight, height, proportions.

    Returns
    -------
    Tensor, (N, 26)
        Column order: 3 races | 2 genders | 5 ages | 3 muscle | 3 weight | 2 height |
        2 proportions | 3 cup sizes | 3 firmness.

    """
    fixed = phenotype.new_tensor(_RACE_WEIGHTS + _NEUTRAL_WEIGHTS * 2).expand(len(phenotype), 9)
    hats = [hat_weights(phenotype[:, i], a) for i, a in enumerate(_ANCHORS.values())]
    return torch.cat([fixed[:, :3], *hats, fixed[:, 3:]], -1)


def shape_coefficients(phenotype: Tensor, variations: Tensor, projection: Tensor) -> Tensor:
    """
    Make the coefficients of the shape basis as Anny defines them; ``ShapeSpace`` is faster.

    Parameters
    ----------
    phenotype : Tensor, (N, 6)
    variations : Tensor, (624, K), int64
        For each original blend shape the columns of its weights, padded with 26.
    projection : Tensor, (624, B)
        From original blend shapes to the compact basis.

    Returns
    -------
    Tensor, (N, B), dtype of ``projection``

    Notes
    -----
    An original blend shape counts with the product of the weights of its variations (Anny).

    """
    weights = phenotype_weights(phenotype.to(projection.dtype))
    weights = torch.cat([weights, torch.ones_like(weights[:, :1])], -1)  # (N, 27)
    return weights[:, variations].prod(-1) @ projection  # (N, B)


def corners() -> Tensor:
    """
    All combinations of anchors within 0..1, (288, 6), float64, the last phenotype fastest.

    A blend shape counts with a product of at most one weight of each phenotype, and the weights
    of a phenotype sum to 1. So whatever is linear in the coefficients is, for any phenotype, a
    weighted mean of its values at these corners: they bound it and they determine it.
    """
    return torch.cartesian_prod(*(torch.tensor(a, dtype=torch.float64) for a in _reachable()))


def _reachable() -> list[tuple[float, ...]]:
    """Anchors of each phenotype within 0..1; Anny's newborns, younger than age 0, are outside."""
    return [tuple(a for a in anchors if a >= 0.0) for anchors in _ANCHORS.values()]


class ShapeSpace(torch.nn.Module):
    """
    Coefficients of the shape basis: multilinear interpolation between ``corners``.

    Parameters
    ----------
    variations, projection : Tensor, (624, K), int64; (624, B), float64
        As in ``shape_coefficients``.
    dtype : torch.dtype
        Of the arithmetic.

    """

    column: Tensor
    low: Tensor
    width: Tensor
    rise: Tensor
    base: Tensor
    at_corners: Tensor

    def __init__(self, variations: Tensor, projection: Tensor, dtype: torch.dtype) -> None:
        super().__init__()
        anchors = _reachable()
        self._counts = [len(a) for a in anchors]
        # hat weights of all phenotypes at once: base + r @ rise, which says [1, r] - [r, 0]
        column = [i for i, count in enumerate(self._counts) for _ in range(count - 1)]
        rise = torch.zeros(len(column), sum(self._counts))
        for row, feature in enumerate(column):
            rise[row, row + feature] = -1.0
            rise[row, row + feature + 1] = 1.0
        base = torch.cat([torch.eye(count)[0] for count in self._counts])
        low = torch.tensor([v for a in anchors for v in a[:-1]], dtype=torch.float64)
        high = torch.tensor([v for a in anchors for v in a[1:]], dtype=torch.float64)
        at_corners = shape_coefficients(corners(), variations, projection)
        self.register_buffer('column', torch.tensor(column), False)
        self.register_buffer('low', low.to(dtype), False)
        self.register_buffer('width', high.to(dtype) - low.to(dtype), False)
        self.register_buffer('rise', rise.to(dtype), False)
        self.register_buffer('base', base.to(dtype), False)
        self.register_buffer('at_corners', at_corners.to(dtype), False)

    def forward(self, phenotype: Tensor) -> Tensor:
        """
        Make coefficients.

        Parameters
        ----------
        phenotype : Tensor, (N, 6)
            Clamped to 0..1.

        Returns
        -------
        Tensor, (N, B)

        """
        x = phenotype.to(self.low.dtype).index_select(1, self.column)
        r = ((x - self.low) / self.width).clamp(0.0, 1.0)
        first, *others = torch.addmm(self.base, r, self.rise).split(self._counts, 1)
        weights = first
        for hats in others:
            weights = (weights[:, :, None] * hats[:, None]).flatten(1)
        return weights @ self.at_corners


def age_years(age: np.ndarray) -> np.ndarray:
    """
    Convert Anny's age phenotype to years.

    Parameters
    ----------
    age : ndarray, (...), 0..1

    Returns
    -------
    ndarray, (...), float32, years
        Between 0.77 and 0.83 it spans 18 to 64 years: the age of adults means little.

    """
    return np.interp(age, _AGE_ANCHORS, _AGE_YEARS).astype(np.float32)


def age_value(years: np.ndarray) -> np.ndarray:
    """Convert years to Anny's age phenotype; the inverse of ``age_years``."""
    return np.interp(years, _AGE_YEARS, _AGE_ANCHORS)
