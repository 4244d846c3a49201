# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What identities, positions and distances have to reach, and whether measured figures do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
import operator

Document = Mapping[str, object]

NEES_BAND = (0.90, 0.98)


@dataclass(frozen=True)
class Target:
    """
    One figure beside what it has to be.

    Parameters
    ----------
    what : str
    measured : float or None
        None: not measured.
    at_least, at_most : float or None
        Bounds, both included.

    """

    what: str
    measured: float | None
    at_least: float | None = None
    at_most: float | None = None

    @property
    def reached(self) -> bool | None:
        """None if it was not measured."""
        if self.measured is None:
            return None
        checks: list[tuple[Callable[[float, float], bool], float | None]] = [
            (operator.ge, self.at_least), (operator.le, self.at_most),
        ]  # fmt: skip
        return all(bound is None or check(self.measured, bound) for check, bound in checks)

    def line(self) -> str:
        """One line for people."""
        bounds = ' and '.join(
            f'{word} {bound:g}'
            for word, bound in (('at least', self.at_least), ('at most', self.at_most))
            if bound is not None
        )
        verdict = {True: 'holds', False: 'FALLS SHORT', None: 'not measured'}[self.reached]
        shown = '-' if self.measured is None else f'{self.measured:.3f}'
        return f'{self.what:58}{shown:>9}  {bounds:28}{verdict}'


def targets(document: Document) -> Iterator[Target]:
    """Compare the figures of ``evaluate_tracking`` with what they have to be."""
    for variant, name in (('features', 'with features'), ('no_features', 'without features')):
        yield Target(f'IDF1, noisy truth, {name}', _value(document, f'{variant}.all.ours.idf1'),
                     at_least=0.98)  # fmt: skip
        yield Target(f'sequences where the reference switches no more, {name}',
                     _not_fewer(document, variant), at_most=0.0)  # fmt: skip
    yield Target('IDF1, anny-lite on rendered videos', _value(document, 'rendered.all.ours.idf1'),
                 at_least=0.85)  # fmt: skip
    yield Target('an update with 40 people, median ms of one core',
                 _value(document, 'update_ms.people_40'), at_most=5.0)  # fmt: skip
    for key, name in (('features', 'noisy truth'), ('rendered', 'anny-lite')):
        yield Target(f'jitter of distance, raw over shown, {name}',
                     _value(document, f'{key}.all.ours.distance_jitter_ratio'),
                     at_least=2.0)  # fmt: skip
    places = {key.split('.')[2]: None for key in document if key.startswith('distance.')}
    for estimator in ('noisy-truth', 'anny-lite'):
        for place in places or ('all',):
            yield Target(f'distance error, ground over none, {estimator}, {place}',
                         _ratio(document, f'distance.{estimator}.{place}'),
                         at_most=0.5)  # fmt: skip
        yield Target(f'distance error with depth, median, {estimator}',
                     _value(document, f'distance.{estimator}.all.depth.median'),
                     at_most=0.03)  # fmt: skip
    for key, name in (
        ('features.all.ours.position_inside_95', 'position, simulated'),
        ('features.all.ours.velocity_inside_95', 'velocity, simulated'),
        ('distance.noisy-truth.all.alone.inside_95', 'position, rendered, noisy truth'),
        ('distance.noisy-truth.all.ground.inside_95', 'the same with ground'),
        ('distance.noisy-truth.all.depth.inside_95', 'the same with depth'),
    ):
        yield Target(f'errors inside the 95 % ellipsoid, {name}', _value(document, key),
                     *NEES_BAND)  # fmt: skip


def _value(document: Document, key: str) -> float | None:
    value = document.get(key)
    return float(value) if isinstance(value, (int, float)) else None


def _not_fewer(document: Document, variant: str) -> float | None:
    """Count sequences on which we do not switch less often, unless nobody ever does."""
    names = {key.split('.')[1] for key in document if key.startswith(f'{variant}.')} - {'all'}
    switches = [
        [_value(document, f'{variant}.{name}.{who}.switches') for who in ('ours', 'reference')]
        for name in names
    ]
    known = [(a, b) for a, b in switches if a is not None and b is not None]
    return float(sum(a >= b and a > 0 for a, b in known)) if known else None


def _ratio(document: Document, key: str) -> float | None:
    alone, ground = (_value(document, f'{key}.{h}.median') for h in ('alone', 'ground'))
    return None if not alone or ground is None else ground / alone
