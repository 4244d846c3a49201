# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
import re

from anny_ros.tracking.names import NameGenerator
import pytest


def test_names_are_five_letters_and_never_repeat():
    generator = NameGenerator(seed=0)
    names = [generator.draw() for _ in range(5000)]
    assert len(set(names)) == 5000
    assert all(re.fullmatch('[a-z]{5}', name) for name in names)


def test_a_seed_repeats_and_another_differs():
    first, again, other = (NameGenerator(seed) for seed in (1, 1, 2))
    drawn = [first.draw() for _ in range(10)]
    assert drawn == [again.draw() for _ in range(10)]
    assert drawn != [other.draw() for _ in range(10)]


def test_every_name_is_drawn_once_before_it_ends():
    generator = NameGenerator(seed=0, letters='ab')
    assert len({generator.draw() for _ in range(32)}) == 32
    with pytest.raises(RuntimeError, match='used up'):
        generator.draw()


def test_generators_without_a_seed_share_what_they_gave(monkeypatch):
    monkeypatch.setattr('anny_ros.tracking.names._issued', set())
    first, second = NameGenerator(letters='xyz'), NameGenerator(letters='xyz')
    names = [generator.draw() for _ in range(60) for generator in (first, second)]
    assert len(set(names)) == 120
