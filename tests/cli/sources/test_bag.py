# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from anny_ros.cli import sources
from anny_ros.errors import InputError
from anny_ros.types import CameraSource
import cv2
import numpy as np
import pytest

rosbag2 = pytest.importorskip('rosbags.rosbag2')
from rosbags.typesys import get_typestore, Stores  # noqa: E402

STORE = get_typestore(Stores.ROS2_HUMBLE)
TYPES = STORE.types
WIDTH, HEIGHT, START = 32, 24, 1000
K = [50.0, 0.0, 15.5, 0.0, 51.0, 11.5, 0.0, 0.0, 1.0]
RAW, COMPRESSED = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'


@pytest.fixture
def open_source():
    """Open sources that are closed after the test."""
    opened = []

    def open_one(*arguments, **options):
        opened.append(sources.open_source(*arguments, **options))
        return opened[-1]

    yield open_one
    for source in opened:
        source.close()


def header(stamp):
    time = TYPES['builtin_interfaces/msg/Time'](int(stamp), round(stamp % 1 * 1e9))
    return TYPES['std_msgs/msg/Header'](time, 'camera_optical')


def rgb_of(index):
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    rgb[...] = (200, 100 + index, 30)
    return rgb


def image(index, encoding='rgb8', stamp=None, **changes):
    rgb = rgb_of(index)
    pixels = {'rgb8': rgb, 'bgr8': rgb[:, :, ::-1], 'mono8': rgb[:, :, 1]}.get(encoding, rgb)
    fields = {
        'header': header(START + index / 10 if stamp is None else stamp),
        'height': HEIGHT,
        'width': WIDTH,
        'encoding': encoding,
        'is_bigendian': 0,
        'step': pixels[0].size,
        'data': np.ascontiguousarray(pixels).reshape(-1),
    }
    return TYPES[RAW](**{**fields, **changes})


def compressed(index):
    _, png = cv2.imencode('.png', rgb_of(index)[:, :, ::-1])
    return TYPES[COMPRESSED](header(START + index / 10), 'png', png.reshape(-1))


def info(k=K, width=WIDTH, height=HEIGHT):
    region = TYPES['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False)
    return TYPES['sensor_msgs/msg/CameraInfo'](
        header(START), height, width, 'plumb_bob', np.zeros(5), np.array(k), np.eye(3).reshape(-1),
        np.zeros(12), 0, 0, region,
    )  # fmt: skip


def write(path, messages, plugin='mcap'):
    """Write (topic, type, message) in this order, 0.1 s apart."""
    storage = {'mcap': rosbag2.StoragePlugin.MCAP, 'db3': rosbag2.StoragePlugin.SQLITE3}[plugin]
    with rosbag2.Writer(path, version=9, storage_plugin=storage) as writer:
        connections = {}
        for index, (topic, msgtype, message) in enumerate(messages):
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, msgtype, typestore=STORE)
            if message is not None:
                raw = STORE.serialize_cdr(message, msgtype)
                writer.write(connections[topic], int((2000 + index / 10) * 1e9), raw)
    return path


def raws(topic='/camera/image_raw', encoding='rgb8', count=4):
    return [(topic, RAW, image(i, encoding)) for i in range(count)]


@pytest.mark.parametrize('plugin', ['mcap', 'db3'])
@pytest.mark.parametrize('what', ['folder', 'file'])
def test_file_and_folder_of_each_storage(open_source, tmp_path, plugin, what):
    path = write(tmp_path / 'bag', raws(), plugin)
    source = open_source(path if what == 'folder' else path / f'bag.{plugin}')
    assert source.num_frames == 4
    frames = list(source.frames())
    assert [f.stamp for f in frames] == [pytest.approx(START + i / 10) for i in range(4)]
    assert source.fps == pytest.approx(10, rel=0.01)
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.rgb, rgb_of(index))
        assert frame.camera is None


@pytest.mark.parametrize(
    ('encoding', 'wanted'), [('bgr8', (200, 100, 30)), ('mono8', (100, 100, 100))]
)
def test_encodings(open_source, tmp_path, encoding, wanted):
    path = write(tmp_path / 'bag', raws(encoding=encoding))
    assert next(open_source(path).frames()).rgb[3, 5].tolist() == list(wanted)


def test_compressed_pictures(open_source, tmp_path):
    topic = '/camera/image_raw/compressed'
    path = write(tmp_path / 'bag', [(topic, COMPRESSED, compressed(i)) for i in range(3)])
    frames = list(open_source(path).frames())
    np.testing.assert_array_equal(frames[2].rgb, rgb_of(2))


def test_padded_rows(open_source, tmp_path):
    data = np.zeros((HEIGHT, WIDTH * 3 + 7), np.uint8)
    data[:, : WIDTH * 3] = rgb_of(0).reshape(HEIGHT, -1)
    message = image(0, step=WIDTH * 3 + 7, data=data.reshape(-1))
    path = write(tmp_path / 'bag', [('/image', RAW, message)])
    np.testing.assert_array_equal(next(open_source(path).frames()).rgb, rgb_of(0))


def test_raw_goes_before_its_compressed_copy(open_source, tmp_path):
    both = [*raws(), ('/camera/image_raw/compressed', COMPRESSED, compressed(0))]
    assert open_source(write(tmp_path / 'bag', both)).num_frames == 4


def test_depth_is_not_taken_for_the_camera(open_source, tmp_path):
    depth = ('/camera/depth/image_rect', RAW, image(0, '16UC1'))
    assert open_source(write(tmp_path / 'bag', [*raws(), depth])).num_frames == 4


def test_choice_between_two_cameras(open_source, tmp_path):
    path = write(tmp_path / 'bag', [*raws('/left/image'), *raws('/right/image', count=2)])
    with pytest.raises(InputError, match='--topic: /left/image, /right/image'):
        open_source(path)
    assert open_source(path, '/right/image').num_frames == 2


def test_camera_info_goes_before_the_parameter(open_source, tmp_path):
    # It may also be recorded after the first picture.
    messages = [*raws(), ('/camera/camera_info', 'sensor_msgs/msg/CameraInfo', info())]
    path = write(tmp_path / 'bag', messages)
    for frame in open_source(path, k=(9.0, 9.0, 9.0, 9.0)).frames():
        assert frame.camera.source == CameraSource.CAMERA_INFO
        assert frame.camera.K.reshape(-1).tolist() == K


@pytest.mark.parametrize(
    ('message', 'warning'),
    [
        (info(k=[0.0] * 9), 'no usable intrinsics'),
        (info(k=[np.nan] * 9), 'no usable intrinsics'),
        (info(width=640, height=480), 'is for 640x480'),
    ],
    ids=['zero', 'nan', 'size'],
)
def test_useless_camera_info_falls_back_and_says_so(open_source, tmp_path, message, warning):
    messages = [('/camera/camera_info', 'sensor_msgs/msg/CameraInfo', message), *raws()]
    source = open_source(write(tmp_path / 'bag', messages), k=(9.0, 9.0, 5.0, 5.0))
    assert {f.camera.source for f in source.frames()} == {CameraSource.PARAMETER}
    assert len(source.warnings) == 1
    assert warning in source.warnings[0]


def test_pictures_without_stamps_take_the_time_of_recording(open_source, tmp_path):
    path = write(tmp_path / 'bag', [('/image', RAW, image(i, stamp=0)) for i in range(3)])
    source = open_source(path)
    assert [f.stamp for f in source.frames()] == [pytest.approx(2000 + i / 10) for i in range(3)]
    assert 'no stamps' in source.warnings[0]


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'encoding': '16UC1'}, "encoding '16UC1'"),
        ({'encoding': ''}, "encoding ''"),
        ({'width': 0}, 'size 0x24'),
        ({'data': np.zeros(10, np.uint8)}, 'has 10'),
        ({'step': 5}, 'step 5'),
    ],
    ids=['depth', 'no encoding', 'size 0', 'few bytes', 'short step'],
)
def test_unusable_picture_is_named(open_source, tmp_path, changes, words):
    path = write(
        tmp_path / 'bag', [('/image', RAW, image(0)), ('/image', RAW, image(1, **changes))]
    )
    with pytest.raises(InputError, match=f'picture 1 on ./image.*{words}'):
        list(open_source(path).frames())


def test_broken_jpeg(open_source, tmp_path):
    message = TYPES[COMPRESSED](header(START), 'jpeg', np.zeros(20, np.uint8))
    path = write(tmp_path / 'bag', [('/image', COMPRESSED, message)])
    with pytest.raises(InputError, match="format 'jpeg'"):
        list(open_source(path).frames())


@pytest.mark.parametrize(
    ('messages', 'topic', 'words'),
    [
        ([('/camera_info', 'sensor_msgs/msg/CameraInfo', info())], None, 'no image topic'),
        (raws(), '/nope', 'its image topics are /camera/image_raw'),
        ([('/image', RAW, None)], None, 'no picture on'),
    ],
    ids=['none', 'unknown', 'silent'],
)
def test_no_pictures_to_be_had(open_source, tmp_path, messages, topic, words):
    path = write(tmp_path / 'bag', messages)
    with pytest.raises(InputError, match=words):
        list(open_source(path, topic).frames())


@pytest.mark.parametrize('name', ['bag.mcap', 'bag.db3', 'metadata.yaml'])
def test_what_is_no_bag(open_source, tmp_path, name):
    folder = tmp_path / 'bag'
    folder.mkdir()
    (folder / name).write_text('nonsense')
    with pytest.raises(InputError, match='cannot be read as a ROS bag'):
        open_source(folder if name == 'metadata.yaml' else folder / name)


def test_cut_bag(open_source, tmp_path):
    file = write(tmp_path / 'bag', raws(count=40)) / 'bag.mcap'
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(InputError, match='bag'):
        list(open_source(file).frames())
