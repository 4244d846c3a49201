# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What people wear and look like: clothes, shoes, hair, skin and eyes that suit them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anny_ros.body.phenotype import age_years
import numpy as np
from numpy.typing import NDArray

from training.pictures import textures
from training.pictures.pack import DataPack, Garment
from training.pictures.wardrobe import PlainCut


@dataclass(frozen=True)
class Outfit:
    """
    What somebody wears, apart from the body that it is fitted to.

    Parameters
    ----------
    suit : Garment or None
        None wears ``plain``.
    plain : PlainCut or None
    shoes, hair, hat, eyebrows, eyelashes : Garment or None
    pictures : dict of str to ndarray
        By slot of the atlas.
    name : str

    """

    suit: Garment | None
    plain: PlainCut | None
    shoes: Garment | None
    hair: Garment | None
    hat: Garment | None
    eyebrows: Garment | None
    eyelashes: Garment | None
    pictures: dict[str, NDArray[np.uint8]]
    name: str


def _choose(items: Any, rng: np.random.Generator) -> Any:
    return items[rng.integers(len(items))] if len(items) else None


def _skin_path(pack: DataPack, phenotype: NDArray[np.float32], rng: np.random.Generator) -> Path:
    """Draw a skin of fitting age and gender, as far as the split has one; dark ones as often."""
    years = float(age_years(phenotype[1]))
    group = 'young' if years < 28 else 'middleage' if years < 58 else 'old'
    gender = '_female' if rng.random() < phenotype[0] else '_male'
    dark = rng.random() < 0.35
    rules = (
        lambda n: ('darkskinned' in n) == dark,
        lambda n: n.startswith(group),
        lambda n: gender in n,
    )
    paths = list(pack.skins)
    for rule in rules:
        paths = [p for p in paths if rule(p.name)] or paths
    return Path(_choose(paths, rng))


def _plain_cut(years: float, female: bool, rng: np.random.Generator) -> PlainCut:
    sleeve = float(
        rng.choice([0.05, 0.35, 0.55, 0.8, 1.5, 1.97], p=[0.06, 0.24, 0.2, 0.08, 0.08, 0.34])
    )
    leg = float(rng.choice([0.35, 0.6, 0.95, 1.5, 1.95], p=[0.08, 0.12, 0.1, 0.05, 0.65]))
    skirt = None
    if female and years > 2 and rng.random() < 0.3:
        skirt = float(rng.uniform(0.4, 0.95))
    waist = float(rng.uniform(0.1, 0.22))
    return PlainCut(
        sleeve=sleeve,
        hem=waist - float(rng.uniform(0.02, 0.2)),
        collar=float(rng.uniform(0.96, 1.02)),
        leg=leg,
        waist=waist,
        skirt=skirt,
        looseness=(float(rng.uniform(0.006, 0.02)), float(rng.uniform(0.004, 0.016))),
    )


def draw_outfit(
    pack: DataPack, phenotype: NDArray[np.float32], rng: np.random.Generator
) -> Outfit:
    """
    Draw clothes, hair, skin and eyes that suit somebody.

    Parameters
    ----------
    pack : DataPack
    phenotype : ndarray, (6,)
    rng : Generator

    Returns
    -------
    Outfit

    """
    years = float(age_years(phenotype[1]))
    female = bool(rng.random() < phenotype[0])
    kinds = pack.garments
    pictures = {
        'skin': textures.vary_skin(textures.read_picture(_skin_path(pack, phenotype, rng)), rng)
    }
    pictures['eyes'] = textures.read_picture(_choose(pack.eyes, rng))
    suit = plain = None
    if rng.random() < 0.5:
        own = [g for g in kinds['suit'] if g.gender == ('female' if female else 'male')]
        suit = _choose(own if own and rng.random() < 0.85 else kinds['suit'], rng)
        if suit.textures:
            pictures['top'] = textures.vary_cloth(textures.read_picture(suit.textures[0]), rng)
        else:
            pictures['top'] = textures.cloth(512, rng)
    else:
        plain = _plain_cut(years, female, rng)
        pictures['top'] = textures.cloth(512, rng, 0.5)
        jeans = plain.skirt is None and rng.random() < 0.35
        pictures['bottom'] = textures.denim(256, rng) if jeans else textures.cloth(256, rng, 0.2)
    shoes = _choose(kinds.get('shoes', ()), rng) if years > 1 and rng.random() < 0.92 else None
    if shoes is not None:
        pictures['shoes'] = textures.vary_cloth(textures.read_picture(shoes.textures[0]), rng)
    colour = textures.hair_colour(years, rng)
    hat = hair = None
    bald = 0.35 if years < 1.5 else 0.12 if not female and years > 30 else 0.01
    if years > 4 and rng.random() < 0.06 and kinds.get('hat'):
        hat = _choose(kinds['hat'], rng)
        pictures['hat'] = textures.vary_cloth(
            textures.read_picture(_choose(hat.textures, rng)), rng
        )
    elif rng.random() > bald:
        long = ('bob', 'braid', 'long', 'ponytail')
        fits = [h for h in kinds['hair'] if any(w in h.name for w in long) == female]
        hair = _choose(fits if fits and rng.random() < 0.9 else kinds['hair'], rng)
        pictures['hair'] = textures.dye_hair(textures.read_picture(hair.textures[0]), colour)
    eyebrows, eyelashes = (_choose(kinds[k], rng) for k in ('eyebrows', 'eyelashes'))
    brow = textures.read_picture(eyebrows.textures[0])
    pictures['eyebrows'] = textures.dye_hair(brow, (0.7 * colour).astype(np.float32))
    pictures['eyelashes'] = textures.read_picture(eyelashes.textures[0])
    worn = (suit or plain, shoes, hair, hat)
    name = ' '.join(getattr(g, 'name', 'plain') for g in worn if g is not None)
    return Outfit(suit, plain, shoes, hair, hat, eyebrows, eyelashes, pictures, name)
