# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
import pytest

from training.tracking_targets import Target, targets


@pytest.mark.parametrize(
    ('measured', 'reached', 'word'),
    [(0.95, True, 'holds'), (0.9, True, 'holds'), (0.98, True, 'holds'),
     (0.89, False, 'FALLS SHORT'), (0.99, False, 'FALLS SHORT'),
     (float('nan'), False, 'FALLS SHORT'), (None, None, 'not measured')],
)  # fmt: skip
def test_a_figure_beside_its_bounds(measured, reached, word):
    target = Target('share', measured, at_least=0.9, at_most=0.98)
    assert target.reached is reached
    assert target.line().endswith(word)
    assert 'at least 0.9 and at most 0.98' in target.line()


def test_every_sequence_on_which_anybody_switches_has_to_be_won():
    document = {
        f'features.{name}.{who}.switches': value
        for name, ours, theirs in (
            ('a', 0.0, 1.0),
            ('b', 1.0, 1.0),
            ('c', 0.0, 0.0),
            ('all', 0.0, 1.0),
        )
        for who, value in (('ours', ours), ('reference', theirs))
    }
    found = {target.what: target for target in targets(document)}
    name = 'sequences where the reference switches no more, with features'
    assert found[name].measured == 1.0
    assert found[name].reached is False
    document['features.b.ours.switches'] = 0.0
    assert next(t for t in targets(document) if t.what == name).reached is True


def test_ratios_are_taken_place_by_place_and_what_is_missing_is_not_measured():
    document = {
        'distance.noisy-truth.hall.alone.median': 0.08,
        'distance.noisy-truth.hall.ground.median': 0.03,
        'distance.noisy-truth.all.ground.median': None,
    }
    found = {target.what: target for target in targets(document)}
    assert found['distance error, ground over none, noisy-truth, hall'].measured == 0.375
    assert found['distance error, ground over none, noisy-truth, all'].reached is None
    assert found['an update with 40 people, median ms of one core'].reached is None
