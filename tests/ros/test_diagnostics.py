# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Each trouble has a level and a text with the cure."""

from anny_ros.inference.gpu_memory import GpuMemory
from anny_ros.ros.cameras import CameraHealth
from anny_ros.ros.diagnostics import (
    inference_status,
    input_status,
    InputState,
    surroundings_status,
    tracking_status,
)
from anny_ros.ros.statistics import Statistics
from anny_ros.ros.surroundings import SourceReport
from diagnostic_msgs.msg import DiagnosticStatus
import pytest

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
IMAGE = 'sensor_msgs/msg/Image'


def statistics_of(
    num_pictures=1, camera_source='camera_info', same_stamp=False, rejected_people=0
):
    statistics = Statistics()
    for index in range(num_pictures):
        statistics.picture_processed(
            stamp=1.0 if same_stamp else float(index),
            frame_id='camera',
            camera_source=camera_source,
            stages_ms={'decode': 1.0 + index, 'total': 10.0 + index},
            age_ms=20.0 + index,
            people={'tracked': 2, 'lost': 1},
            rejected_people=rejected_people,
            reset=False,
        )
    return statistics


def state_of(**changes):
    values = {
        'enabled': True,
        'topic': '/camera/image_raw',
        'publisher_types': (IMAGE,),
        'wanted_type': IMAGE,
        'seconds_since_picture': 0.1,
        'received': 10,
        'dropped': 2,
        'camera': CameraHealth(received=1, ignored=0, fault='', distorted=False),
    }
    return InputState(**{**values, **changes})


@pytest.mark.parametrize(
    ('changes', 'level', 'text'),
    [
        ({}, OK, 'pictures arrive'),
        ({'enabled': False, 'seconds_since_picture': None}, OK, '~/enable'),
        (
            {'seconds_since_picture': None, 'publisher_types': ()},
            WARN,
            'nobody publishes /camera/image_raw: start the camera or remap image',
        ),
        ({'seconds_since_picture': 9.0}, ERROR, 'FASTDDS_DEFAULT_PROFILES_FILE'),
        (
            {
                'seconds_since_picture': None,
                'publisher_types': ('sensor_msgs/msg/CompressedImage',),
            },
            ERROR,
            'set input.transport to compressed',
        ),
        ({'camera': CameraHealth(1, 1, 'camera_info has NaN', False)}, WARN, 'NaN'),
        ({'camera': CameraHealth(1, 0, '', True)}, WARN, 'image_rect'),
    ],
)
def test_input(changes, level, text):
    status = input_status('robot/anny', state_of(**changes), statistics_of().report(1.0))
    assert status.name == 'robot/anny: Input'
    assert status.level == level
    assert text in status.message
    assert status.hardware_id == 'camera'


def test_guessed_focal_length_is_a_warning():
    status = input_status('anny', state_of(), statistics_of(camera_source='estimated').report(1.0))
    assert status.level == WARN
    assert 'camera_info or set camera.k' in status.message


def test_rejected_pictures_are_an_error_only_while_they_come():
    statistics = statistics_of()
    statistics.picture_rejected('size 0x0')
    status = input_status('anny', state_of(), statistics.report(1.0))
    assert (status.level, status.message) == (ERROR, 'size 0x0')
    status = input_status('anny', state_of(), statistics.report(1.0))
    assert status.level == OK
    assert {pair.key: pair.value for pair in status.values}['rejected'] == '1'


def test_inference():
    report = statistics_of(num_pictures=4).report(2.0)
    status = inference_status('anny', 'anny-lite', 'onnx', 'cpu', report, None)
    assert (status.level, status.message, status.hardware_id) == (OK, '2.0 Hz', 'cpu')
    values = {pair.key: pair.value for pair in status.values}
    assert values['decode, mean [ms]'] == '2.50'
    assert values['total, max [ms]'] == '13.00'
    assert values['age of results, max [ms]'] == '23.0'


def test_failing_inference():
    statistics = statistics_of()
    statistics.inference_failed('RuntimeError: out of memory')
    status = inference_status('anny', 'm', 'b', 'cpu', statistics.report(1.0), None)
    assert status.level == ERROR
    assert 'out of memory' in status.message


def test_numbers_that_are_not_finite_are_told_while_they_come():
    statistics = statistics_of(2, rejected_people=3)
    status = inference_status('anny', 'm', 'b', 'cpu', statistics.report(1.0), None)
    assert status.level == WARN
    assert 'set inference.dtype to float32' in status.message
    status = inference_status('anny', 'm', 'b', 'cpu', statistics.report(1.0), None)
    assert status.level == OK
    values = {pair.key: pair.value for pair in status.values}
    assert values['people left out (numbers not finite)'] == '6'


def test_no_picture_in_an_interval():
    statistics = statistics_of()
    statistics.report(1.0)
    report = statistics.report(1.0)
    assert report.rate != report.rate
    assert report.processed == 1
    assert (
        inference_status('anny', 'm', 'b', 'cpu', report, None).message == 'no picture to work on'
    )


def test_tracking():
    status = tracking_status('anny', statistics_of().report(1.0))
    assert (status.level, status.message) == (OK, '3 people')
    still = tracking_status('anny', statistics_of(2, same_stamp=True).report(1.0))
    assert still.level == WARN
    assert 'header.stamp' in still.message


def test_surroundings():
    assert surroundings_status('anny', [], 'camera').message == 'the camera alone'
    frame, depth = SourceReport('frame odom', 7, 0, ''), SourceReport('depth', 3, 4, '')
    status = surroundings_status('robot/anny', [frame, depth], 'camera')
    assert status.name == 'robot/anny: Surroundings'
    assert (status.level, status.message) == (OK, 'frame odom, depth')
    late = SourceReport('frame odom', 7, 1, 'odom comes too late: raise tracking.frame_timeout')
    status = surroundings_status('anny', [late, depth], 'camera')
    assert (status.level, status.message) == (WARN, late.fault)
    values = {pair.key: pair.value for pair in status.values}
    assert values['depth, pictures without it'] == '4'


def test_memory_of_the_gpu():
    report = statistics_of().report(1.0)

    def told(gpu):
        status = inference_status('anny', 'm', 'torch', 'cuda', report, gpu)
        return {pair.key: pair.value for pair in status.values if 'GPU' in pair.key}

    assert told(None) == {'GPU memory': 'none'}
    mib = 1 << 20
    assert told(GpuMemory(300 * mib, 500 * mib + 5, 7000 * mib, 8000 * mib)) == {
        'GPU memory, allocated [MiB]': '300',
        'GPU memory, reserved [MiB]': '500',
        'GPU memory, free [MiB]': '7000',
        'GPU memory, total [MiB]': '8000',
    }
