# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

from anny_ros.errors import InputError
import pytest

from training.pictures.motions import load_motions
from training.pictures.pack import in_split, is_held_out, load_pack

HELD_OUT = ['asset6', 'asset7', 'asset8', 'asset9', 'asset11']


def test_the_split_depends_on_the_name_alone_and_is_fixed():
    # These names must never change sides, or training sees what it is tested on.
    assert is_held_out('shoes02') == in_split('shoes02', 'heldout')
    names = [f'asset{k}' for k in range(2000)]
    held = [n for n in names if is_held_out(n)]
    assert 0.15 < len(held) / len(names) < 0.25
    assert held[:5] == HELD_OUT


def test_a_missing_folder_ends_in_a_sentence(tmp_path):
    with pytest.raises(InputError, match='pass the folder of the data pack'):
        load_pack(tmp_path)
    with pytest.raises(InputError, match='choose train or heldout'):
        load_pack(Path('anywhere'), 'test')


def test_training_and_held_out_assets_are_disjoint_and_both_complete(data):
    train, held = load_pack(data, 'train'), load_pack(data, 'heldout')
    for kind in ('suit', 'shoes', 'hair', 'eyebrows', 'eyelashes'):
        names = [{g.name for g in pack.garments[kind]} for pack in (train, held)]
        assert all(names)
        assert not names[0] & names[1]
    assert {g.gender for g in held.garments['suit']} == {'male', 'female'}
    for attribute in ('skins', 'eyes'):
        a, b = (set(getattr(pack, attribute)) for pack in (train, held))
        assert a
        assert b
        assert not a & b


def test_clips_made_from_one_recording_are_on_the_same_side(data):
    train, held = load_motions(data, 'train'), load_motions(data, 'heldout')
    assert not set(train.clips) & set(held.clips)
    assert len(train.clips) + len(held.clips) == len(train.name)
    assert not set(train.frames) & set(held.frames)
    with_walks = [m for m in (train, held) if (m.category[m.clips] == 'walk').sum() > 5]
    assert len(with_walks) == 2
