# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import sys

from anny_ros.cli import bench
from anny_ros.cli.benchmarks import network, node, skinning
from anny_ros.cli.benchmarks.report import CannotMeasure, KEYS, Report
from anny_ros.cli.benchmarks.timing import side_by_side
from anny_ros.cli.main import main
from anny_ros.errors import ModelError
import numpy as np
import pytest


def fail_with(error):
    def measure(report):
        raise error

    return measure


@pytest.fixture
def measurements(monkeypatch):
    """Replace what is measured."""

    def use(*subjects):
        monkeypatch.setattr(bench, '_measurements', lambda arguments: list(subjects))

    return use


def test_json_has_every_key_and_a_reason_for_what_is_null(measurements, tmp_path, capsys):
    def markers(report):
        report.results['markers_bytes_over_points'] = 99.0

    measurements(
        ('messages', ('markers_bytes_over_points', 'mesh_decode_over_list'), markers),
        ('skinning', skinning.KEYS, fail_with(CannotMeasure('needs\nanny'))),
        ('tracking', ('track_fps',), fail_with(ModelError('no weights; get some'))),
        ('node', node.KEYS, fail_with(ImportError('No module named rclpy'))),
    )
    path = tmp_path / 'bench.json'
    assert main(['bench', '--json', str(path)]) == 0
    found = json.loads(path.read_text())
    assert list(found) == ['machine', 'versions', 'results', 'reasons']
    assert set(KEYS) <= set(found['results'])
    assert found['results']['markers_bytes_over_points'] == 99.0
    for key, value in found['results'].items():
        assert (value is None) == (key in found['reasons'])
    assert found['reasons']['skinning_over_official_n8'] == 'needs anny'
    assert found['reasons']['track_fps'] == 'no weights; get some'
    assert found['machine']['cores'] >= 1
    assert 'numpy' in found['versions']
    out = capsys.readouterr().out
    assert all(key in out for key in KEYS)
    assert sorted(p.name for p in tmp_path.iterdir()) == ['bench.json']


def test_a_bug_in_a_measurement_is_not_hidden(measurements, tmp_path):
    measurements(('messages', (), fail_with(ZeroDivisionError())))
    with pytest.raises(ZeroDivisionError):
        main(['bench', '--json', str(tmp_path / 'bench.json')])
    assert list(tmp_path.iterdir()) == []


def test_only(measurements, capsys):
    measurements(
        ('messages', (), fail_with(ZeroDivisionError())),
        ('network', ('forward',), lambda report: report.results.update(forward=[])),
    )
    assert main(['bench', '--only', 'network']) == 0
    assert 'forward:' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['--json', 'no/such/folder/b.json'], 'there is no folder'),
        (['--model', 'nowhere.pt'], 'nowhere.pt'),
        (['--only', 'everything'], 'everything'),
    ],
    ids=['json', 'model', 'only'],
)
def test_wrong_input_is_one_line_and_exit_2(arguments, words, capsys):
    assert main(['bench', *arguments]) == 2
    err = capsys.readouterr().err
    assert err.count('\n') == 1
    assert words in err


def test_every_key_belongs_to_one_subject():
    subjects = bench._measurements(bench_arguments())
    assert sorted(key for _, keys, _ in subjects for key in keys) == sorted(KEYS)
    assert tuple(name for name, _, _ in subjects) == bench.SUBJECTS


def bench_arguments():
    import argparse

    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    return parser.parse_args([])


def test_side_by_side_takes_turns():
    calls = []
    a, b = side_by_side(lambda: calls.append('a'), lambda: calls.append('b'), seconds=0.0)
    assert ''.join(calls) == 'ab' * 6  # once to warm up, then five rounds
    assert a > 0
    assert b > 0


def test_network_of_the_tiny_preset(monkeypatch):
    pytest.importorskip('torch')
    monkeypatch.setattr(network, '_REPEATS', {'tiny': 2})
    report = Report()
    network.measure(report, full=False)
    passes = [e for e in report.results['forward'] if e['device'] == 'cpu']
    if passes:
        assert [(e['mode'], e['shape']) for e in passes if e['mode'] != 'onnx'] == [
            (mode, shape) for shape in ([96, 160], [128, 160]) for mode in ('eager', 'folded')
        ]
        assert all(e['preset'] == 'tiny' and e['ms_p50'] > 0 for e in passes)
        assert {e['ratio_to_eager_float32'] for e in passes if e['mode'] == 'eager'} == {1.0}
        assert 'forward: compiled, recorded, half precision' in report.reasons
    assert set(report.results['people_scaling']) == {'model', 'device', 'n0', 'n1', 'n10', 'n40'}
    json.dumps(report.as_object())


def test_marker_ways_send_the_same_message(monkeypatch):
    pytest.importorskip('rclpy')
    messages = pytest.importorskip('anny_ros.cli.benchmarks.messages')
    from rclpy.serialization import deserialize_message
    from visualization_msgs.msg import MarkerArray

    class Kept:
        sent: list = []  # noqa: RUF012

        def publish(self, message):
            if isinstance(message, bytes):
                message = deserialize_message(message, MarkerArray)
            self.sent.append(message.markers[0].points)

    vertices = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    corners = np.array([0, 1, 2, 2, 3, 4])
    messages._markers(Report(), Kept(), vertices, corners, 0.0)
    assert len(Kept.sent) >= 3
    assert all(points == Kept.sent[0] for points in Kept.sent)
    assert len(Kept.sent[0]) == 6


def test_skinning_against_the_official_model(monkeypatch):
    anny = pytest.importorskip('anny', reason='needs the development package anny==0.6.2')
    import torch

    def stand_in():
        """Build in a moment, not in minutes, what has the reference's vertices."""
        model = anny.Anny(rig='makehuman-blender', topology='anny',
                          pose_parameterization='local-bone', skinning_method='lbs')  # fmt: skip
        index = model.base_mesh_vertex_indices
        forward = model.forward

        def with_all_vertices(**arguments):
            found = forward(**arguments)
            everything = torch.full((len(found['vertices']), 19158, 3), torch.nan)
            everything[:, index] = found['vertices']
            return {'vertices': everything}

        monkeypatch.setattr(model, 'forward', with_all_vertices)
        return model.to(torch.float32)

    monkeypatch.setattr(skinning, '_reference_model', stand_in)
    report = Report()
    skinning.measure(report, seconds=0.0)
    assert all(report.results[key] > 0 for key in skinning.KEYS)
    assert report.results['skinning_max_error_m'] <= 1e-5
    for count in (1, 8):
        lean, reference = (
            report.results[f'skinning_{way}ms_n{count}'] for way in ('', 'reference_')
        )
        fastest = min(lean['lbs'], lean['warp_lbs'])
        ratio = report.results[f'skinning_over_official_n{count}']
        assert ratio == pytest.approx(fastest / lean['ours'], abs=0.02)
        assert reference['difference_m'] < 1e-4
    json.dumps(report.as_object(), allow_nan=False)


def test_without_the_official_body_model(monkeypatch):
    monkeypatch.setitem(sys.modules, 'anny', None)
    with pytest.raises(CannotMeasure, match='pip install anny'):
        skinning.measure(Report())
