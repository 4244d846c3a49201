# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Our own network: shapes, windows, conventions, and the way from a file to tracked people."""

from __future__ import annotations

import json
import math
from pathlib import Path

from anny_ros.body import BodyModel
from anny_ros.cli.main import main
from anny_ros.geometry.camera import project
from anny_ros.geometry.rotations import rotmat_to_ray, rotmat_to_rot6d, rotvec_to_rotmat
from anny_ros.inference.backends import RawPeople
from anny_ros.inference.export import export_onnx
from anny_ros.inference.single_shot import SingleShotEstimator
from anny_ros.keypoints.lifter import LIFTED_JOINTS
from anny_ros.model import load_network, PRESETS
from anny_ros.model.anny_vit import among_all_bones, AnnyVitNetwork, NUM_LIFTED
from anny_ros.model.anny_vit_layers import (
    encode_place,
    patch_centres,
    start_windows,
    Window,
    WindowLook,
)
from anny_ros.model.checkpoint import build_network
from anny_ros.model.network import normalise
from anny_ros.model.packed_weights import pack_weights, unpack_weights
from anny_ros.model.pose import JOINT_BONES, LIFTED_BONES, person_convention
from anny_ros.parameters import Parameters
from anny_ros.types import Camera, CameraSource, Frame
import numpy as np
from PIL import Image
import pytest
from safetensors.torch import save_file
import torch

DATA = Path(__file__).parents[1] / 'data'
TINY = PRESETS['anny_vit_tiny']
MIB = 1 << 20


@pytest.fixture
def tiny(randomise):
    network = AnnyVitNetwork(TINY)
    randomise(network, 5)
    return network.requires_grad_(False).eval()


def pixels(height=84, width=112, count=1):
    generator = torch.Generator().manual_seed(height)
    return torch.randn(count, 3, height, width, generator=generator)


def test_the_lifted_bones_are_the_lifters():
    names = BodyModel.load().joint_names
    assert tuple(names[JOINT_BONES.index(bone)] for bone in LIFTED_BONES) == LIFTED_JOINTS


@pytest.mark.parametrize('size', [(84, 112), (112, 84), (112, 112), (14, 28)])
def test_shapes_do_not_depend_on_what_is_seen(tiny, size):
    output = tiny(pixels(*size, count=2))._asdict()
    assert {name: tuple(value.shape) for name, value in output.items()} == {
        'hfov': (2,),
        'confidence': (2, 16),
        'location': (2, 16, 2),
        'log_pixels_per_metre': (2, 16),
        'shape': (2, 16, 6),
        'pose': (2, 16, 978),
        'appearance': (2, 16, 8),
    }
    assert all(
        value.dtype == torch.float32 and value.isfinite().all() for value in output.values()
    )


def test_every_layer_is_described_and_the_last_is_the_output(tiny):
    features, _ = tiny.encoder(pixels())
    layers, appearance = tiny.people(features)
    assert len(layers) == TINY.decoder_depth
    output = tiny(pixels())
    assert torch.equal(output.confidence, layers[-1].logit.sigmoid())
    assert torch.equal(output.location, layers[-1].location)
    assert torch.equal(output.appearance, appearance)
    assert not torch.equal(layers[0].location, layers[1].location)


def test_pictures_of_a_batch_do_not_see_each_other(tiny):
    both = pixels(count=2)
    for one, two in zip(tiny(both), tiny(both[1:]), strict=True):
        torch.testing.assert_close(one[1:], two, atol=1e-5, rtol=1e-5)


def test_first_windows_cover_the_picture_row_by_row():
    start = start_windows(torch.zeros(1, 18, 32, 1), 8)
    assert start.centre[0, 0].tolist() == [2.0, 1.125]
    assert start.centre[0, 1].tolist() == [6.0, 1.125]
    assert start.centre[0, -1].tolist() == [30.0, 16.875]
    low, high = start.centre - start.half, start.centre + start.half
    assert low.amin() < 0
    assert (high.amax(1)[0] > torch.tensor([32, 18])).all()
    assert (high[0, 0] > low[0, 9]).all()  # neighbours overlap


def test_a_window_reads_the_picture_where_it_is():
    """Points of a window are bilinear samples; here of the patches' own places."""
    look = WindowLook(width=2, side=4, channels=2)
    context = patch_centres(torch.zeros(1, 9, 12, 1))[None]
    eye = torch.eye(2)
    look.value.load_state_dict({'weight': eye, 'bias': torch.zeros(2)})
    look.to_out = torch.nn.Identity()
    window = Window(torch.tensor([[[5.0, 4.0], [6.5, 3.0]]]), torch.tensor([[[2.0, 3.0], [4, 1]]]))
    seen = look(context, window).reshape(2, 4, 4, 2)
    step = torch.tensor([-0.75, -0.25, 0.25, 0.75])
    for q in range(2):
        centre, half = window.centre[0, q], window.half[0, q]
        torch.testing.assert_close(seen[q, 1, :, 0], centre[0] + half[0] * step)
        torch.testing.assert_close(seen[q, :, 2, 1], centre[1] + half[1] * step)


def test_outside_of_the_picture_there_is_nothing():
    look = WindowLook(width=1, side=2, channels=1)
    look.value.load_state_dict({'weight': torch.ones(1, 1), 'bias': torch.zeros(1)})
    look.to_out = torch.nn.Identity()
    far = Window(torch.tensor([[[40.0, 2.0]]]), torch.ones(1, 1, 2))
    assert look(torch.ones(1, 4, 4, 1), far).abs().max() == 0


def test_places_are_told_apart_whatever_the_size():
    small = encode_place(patch_centres(torch.zeros(1, 4, 8, 1)), 4, 8)
    large = encode_place(2 * patch_centres(torch.zeros(1, 4, 8, 1)), 8, 16)
    torch.testing.assert_close(small, large)
    apart = torch.cdist(small.flatten(0, 1), small.flatten(0, 1)) + torch.eye(32)
    assert apart.min() > 0.1


def test_other_bones_rest():
    pose = torch.randn(1, 1, NUM_LIFTED, 6)
    whole = among_all_bones(pose, 163).unflatten(-1, (163, 6))
    assert torch.equal(whole[:, :, list(LIFTED_BONES)], pose)
    rest = [bone for bone in range(163) if bone not in LIFTED_BONES]
    assert (whole[0, 0, rest] == torch.tensor([1.0, 0, 0, 1, 0, 0])).all()


@pytest.mark.filterwarnings('ignore')  # of the compiler's own parts
def test_it_is_one_graph(tiny):
    torch.compiler.reset()
    compiled = torch.compile(tiny, fullgraph=True, dynamic=False, backend='eager')
    with torch.no_grad():
        for met, wanted in zip(compiled(pixels()), tiny(pixels()), strict=True):
            torch.testing.assert_close(met, wanted)


@pytest.mark.parametrize('size', [(84, 112), (70, 42)])
def test_onnx_runtime_says_the_same(tiny, compare, tmp_path, size):
    onnx = pytest.importorskip('onnx', reason='needs the development package onnx')
    import onnxruntime

    height, width = size
    path = tmp_path / 'network.onnx'
    export_onnx(tiny, width=width, height=height, path=path)
    kinds = {node.op_type for node in onnx.load(str(path)).graph.node}
    assert not kinds & {'NonZero', 'If', 'Loop', 'TopK'}
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    canvas = np.random.default_rng(0).integers(0, 256, (1, height, width, 3), np.uint8)
    met = session.run(None, {'canvases': canvas})
    wanted = tiny(normalise(torch.from_numpy(canvas)))._asdict()
    assert [output.name for output in session.get_outputs()] == list(wanted)
    for value, (name, tensor) in zip(met, wanted.items(), strict=True):
        compare(name, value, tensor, 2e-5 * max(1.0, float(tensor.abs().max())))


def test_packed_weights_are_small_and_say_nearly_the_same(randomise):
    network = build_network(PRESETS['anny_vit'])
    state = network.state_dict()
    packed = pack_weights(state)
    size = sum(tensor.numel() * tensor.element_size() for tensor in packed.values())
    print(f'{size / MIB:.1f} MiB')
    assert size <= 32 * MIB
    again = unpack_weights(packed)
    assert again.keys() == state.keys()
    for name, tensor in state.items():
        met = again[name].float()
        if again[name].dtype == torch.float16:
            torch.testing.assert_close(met, tensor.float(), rtol=1e-3, atol=1e-4)
        else:  # half a step of the row's scale
            step = tensor.flatten(1).abs().amax(1, keepdim=True) / 127
            assert ((met - tensor).flatten(1).abs() <= 0.51 * step + 1e-7).all(), name


def test_packed_zeros_stay_zeros():
    packed = pack_weights({'a': torch.zeros(256, 256)})
    assert packed['a'].dtype == torch.int8
    assert torch.equal(unpack_weights(packed)['a'], torch.zeros(256, 256))


class KnownNetwork:
    """Backend that sees the people it is told, in the convention of anny-vit."""

    name = 'known'
    model = 'anny_vit'
    image_size, multiple = 560, 14

    def __init__(self, raw):
        self.raw = raw

    def __call__(self, canvases):
        return [self.raw]


def test_numbers_become_the_people_they_describe():
    """Truth to the network's numbers by hand, and back through the estimator."""
    body = BodyModel.load()
    rng = np.random.default_rng(2)
    num, J = 3, len(body.joint_names)
    rows = [body.joint_names.index(name) for name in LIFTED_JOINTS]
    camera = Camera.from_hfov(1.0, 560, 420, CameraSource.CAMERA_INFO)
    phenotype = rng.uniform(0.3, 0.7, (num, 6)).astype(np.float32)
    E = np.tile(np.eye(3), (num, J, 1, 1))
    E[:, rows] = rotvec_to_rotmat(rng.normal(0, 0.3, (num, len(rows), 3)))
    upright = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    E[:, 0] = E[:, 0] @ upright
    local = body.local_from_world(torch.as_tensor(phenotype), torch.as_tensor(E))
    place = torch.tensor([[-1.2, 0.2, 4.0], [0.1, 0.0, 5.0], [1.5, 0.4, 6.0]])
    truth = body.pose(torch.as_tensor(phenotype), local, place)
    face = truth.landmarks[:, body.landmark_index('face_centre')].numpy().astype(np.float64)
    lifted = E[:, rows].copy()
    lifted[:, 0] = np.swapaxes(rotmat_to_ray(face), 1, 2) @ lifted[:, 0]
    pose = torch.as_tensor(rotmat_to_rot6d(lifted)).float()[None]
    raw = RawPeople(
        hfov=1.3,
        confidence=np.array([0.9, 0.8, 0.7], np.float32),
        location=(project(face, camera.K) + 0.5).astype(np.float32),
        log_pixels_per_metre=np.log(camera.K[0, 0] / face[:, 2]).astype(np.float32),
        shape=phenotype,
        pose=among_all_bones(pose, 163)[0].numpy(),
        appearance=np.eye(3, 64, dtype=np.float32),
    )
    frame = Frame(np.zeros((420, 560, 3), np.uint8), 0.0, camera)
    found = SingleShotEstimator(KnownNetwork(raw))(frame)
    assert len(found.score) == num
    np.testing.assert_allclose(found.joint_positions, truth.joint_positions, atol=2e-4)
    assert person_convention('anny_vit').anchor == 'face_centre'


@pytest.mark.parametrize('ray', [(0, 0, 1), (0.4, -0.2, 1), (-3, 1, 0.2), (0, 2, 0)])
def test_rotations_to_rays(ray):
    R = rotmat_to_ray(ray)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(R[:, 2], np.array(ray) / np.linalg.norm(ray), atol=1e-12)
    axis = np.cross([0, 0, 1], ray)  # stays where it is
    np.testing.assert_allclose(R @ axis, axis, atol=1e-12)


@pytest.fixture(params=['float32', 'packed'])
def file(request, tiny, tmp_path):
    tiny.people.mlp_conf[2].bias += 3.0  # random weights: let some be people
    path = tmp_path / 'anny_vit.safetensors'
    state = tiny.state_dict()
    save_file(state if request.param == 'float32' else pack_weights(state), path)
    return path


def test_a_file_is_recognised_and_loads(file, tiny):
    network = load_network(file)
    assert isinstance(network, AnnyVitNetwork)
    assert network.config == TINY
    for met, wanted in zip(network(pixels()), tiny(pixels()), strict=True):
        torch.testing.assert_close(met, wanted, rtol=0.05, atol=0.05 * float(wanted.abs().max()))


def test_doctor_knows_it(file, capsys):
    assert main(['doctor', '--checkpoint', str(file)]) == 0
    assert 'anny_vit_tiny: all tensors fit' in capsys.readouterr().out


def test_another_size_is_named(tiny, tmp_path, capsys):
    state = tiny.state_dict()
    del state['people.start']
    save_file(state, tmp_path / 'a.safetensors')
    assert main(['doctor', '--checkpoint', str(tmp_path / 'a.safetensors')]) == 1
    assert 'anny-vit, of another size or version' in capsys.readouterr().out


@pytest.mark.parametrize('backend', ['torch', 'onnx'])
def test_a_file_runs_on_a_real_picture(file, tmp_path, backend):
    if backend == 'onnx':
        pytest.importorskip('onnx', reason='needs the development package onnx')
    with Image.open(DATA / 'street_060.jpg') as picture:
        rgb = np.asarray(picture.convert('RGB'))
    values = {
        'detection.threshold': 0.05,
        'inference.backend': backend,
        'inference.device': 'cpu',
        'inference.allow_engine_build': backend == 'onnx',
        'inference.engine_folder': str(tmp_path / 'engines'),
    }
    estimator = SingleShotEstimator.load(file, Parameters().with_values(values))
    assert (estimator.name, estimator.backend) == ('anny_vit_tiny', backend)
    detections = estimator(Frame(rgb, 0.0))
    assert len(detections.score) >= 1
    assert detections.appearance.shape[1] == TINY.feature_size
    assert all(
        np.isfinite(value).all()
        for value in vars(detections).values()
        if isinstance(value, np.ndarray)
    )
    assert 0 < detections.camera.hfov < math.pi


def test_track_takes_the_file(file, tmp_path):
    pictures = tmp_path / 'pictures'
    pictures.mkdir()
    for name in ('a.jpg', 'b.jpg'):
        (pictures / name).write_bytes((DATA / 'park_100.jpg').read_bytes())
    output = tmp_path / 'tracks.jsonl'
    command = ['track', str(pictures), '--model', str(file), '--output', str(output)]
    assert main([*command, '--set', 'detection.threshold=0.05']) == 0
    header, *frames = (json.loads(line) for line in output.read_text().splitlines())
    assert header['model']['name'] == 'anny_vit_tiny'
    assert len(frames) == 2
