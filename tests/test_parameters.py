# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.errors import ParameterError
from anny_ros.parameters import declaration, declarations, Parameters
import pytest


@pytest.mark.parametrize('d', list(declarations()), ids=lambda d: d.name)
def test_every_declaration_is_whole(d):
    assert d.description.endswith('.')
    assert d.check(d.default) == d.default
    assert Parameters().get(d.name) == d.default
    if isinstance(d.default, float):
        assert d.minimum is not None
        assert d.maximum is not None


def test_values_are_set_by_dotted_name_in_a_copy():
    before = Parameters()
    after = before.with_values(
        {'detection.threshold': 1, 'camera.k': [1, 2, 3, 4], 'autostart': False}
    )
    assert after.detection.threshold == 1.0
    assert isinstance(after.detection.threshold, float)
    assert after.camera.k == (1.0, 2.0, 3.0, 4.0)
    assert after.autostart is False
    assert before == Parameters()


@pytest.mark.parametrize(
    ('name', 'value', 'message'),
    [
        ('detection.threshold', 2.0, 'between -1 and 1, got 2'),
        ('detection.threshold', 'high', 'must be a float'),
        ('detection.threshold', float('nan'), 'between -1 and 1'),
        ('detection.zoom', 1, 'must be a bool'),
        ('inference.device', 'tpu', 'one of auto, cpu, cuda'),
        ('inference.threads', True, 'must be a int'),
        ('camera.k', [1, 2, 3], '0 or 4 finite numbers'),
        ('camera.k', 'wide', 'list of numbers'),
        ('detection.treshold', 0.5, 'did you mean detection.threshold'),
        ('zzz', 0.5, 'see docs/parameters.md'),
    ],
)
def test_wrong_values_are_refused_with_the_reason(name, value, message):
    with pytest.raises(ParameterError, match=message):
        Parameters().with_values({name: value})


@pytest.mark.parametrize(
    ('name', 'text', 'value'),
    [
        ('detection.threshold', '0.5', 0.5),
        ('detection.zoom', 'False', False),
        ('inference.threads', '2', 2),
        ('camera.k', '500,501, 320,240', (500.0, 501.0, 320.0, 240.0)),
        ('camera.k', '', ()),
        ('model.name', 'anny-lite', 'anny-lite'),
    ],
)
def test_text_is_read(name, text, value):
    assert declaration(name).parse(text) == value


@pytest.mark.parametrize(
    ('name', 'text'),
    [('detection.threshold', 'x'), ('detection.zoom', 'yes'), ('camera.k', 'a,b,c,d')],
)
def test_wrong_text_is_refused(name, text):
    with pytest.raises(ParameterError, match='for instance'):
        declaration(name).parse(text)
