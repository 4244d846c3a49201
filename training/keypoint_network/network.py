# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The 2D network with weights that can be trained: read from ONNX, written back to it."""

from __future__ import annotations

from pathlib import Path

from anny_ros.errors import InputError
from anny_ros.keypoints.hints import NUM_HINTS
import numpy as np
from numpy.typing import NDArray
import onnx
from onnx import helper, numpy_helper, TensorProto
import onnxruntime
import torch
from torch import nn, Tensor

from training.convert_movenet import UNCHANGED

# Whose word on the person in the middle of a crop is read from the deepest features.
DEEPEST = 't210'
# Up to here features are those of any picture, and stay as they are.
STEM = 't43'
_HINT_WIDTH = 256


class Original:
    """
    The network as it was: what it says of pictures, and the features where training begins.

    Parameters
    ----------
    path : Path
    threads : int

    """

    def __init__(self, path: Path, threads: int) -> None:
        model = onnx.load(str(path))
        self._heads = [output.name for output in model.graph.output]
        model.graph.output.append(helper.make_tensor_value_info(STEM, TensorProto.FLOAT, None))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=['CPUExecutionProvider']
        )

    def __call__(self, pictures: Tensor) -> dict[str, Tensor]:
        """Heads of pictures (B, 3, H, W), -1..1, by name, and the tensor ``STEM``."""
        names = [*self._heads, STEM]
        values = self._session.run(names, {'pictures': pictures.numpy()})
        return {name: torch.as_tensor(value) for name, value in zip(names, values, strict=True)}


class KeypointNetwork(nn.Module):
    """
    MoveNet's graph in PyTorch from the stem on, and a head of our own for hints.

    Parameters
    ----------
    path : Path
        ONNX file as ``training.convert_movenet`` writes it.

    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._model = onnx.load(str(path))
        graph = self._model.graph
        if any(output.name == 'hints' for output in graph.output):
            raise InputError(f'{path} has hints already; give what training.convert_movenet wrote')
        initial = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        widened = {n.output[0]: n.input[0] for n in graph.node if n.op_type == 'Cast'}
        self.weights = nn.ParameterDict()
        self._steps: list[tuple[str, list[str], str, int, int]] = []
        known = {STEM}
        for node in graph.node:
            values = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            if node.op_type not in ('Conv', 'Clip', 'Relu', 'Sigmoid', 'Add', 'Resize'):
                continue  # what only widens weights or computes sizes
            if node.input[0] not in known:
                continue  # before the stem
            known.add(node.output[0])
            names = [name for name in node.input if name]
            if node.op_type == 'Conv':
                for name in names[1:]:
                    array = initial[widened.get(name, name)].astype(np.float32)
                    if name not in self.weights:
                        self.weights[name] = nn.Parameter(torch.tensor(array))
            stride, group = values.get('strides', [1])[0], values.get('group', 1)
            self._steps.append((node.op_type, names, node.output[0], stride, group))
        deep = self.weights[self._weight_of(DEEPEST)].shape[0]
        self.hints = nn.Sequential(
            nn.Conv2d(deep, _HINT_WIDTH, 1), nn.ReLU(), nn.Conv2d(_HINT_WIDTH, NUM_HINTS, 1)
        )

    def _weight_of(self, output: str) -> str:
        """Name of the weights of the convolution before an activation."""
        inputs = next(names[0] for _, names, out, _, _ in self._steps if out == output)
        return next(names[1] for _, names, out, _, _ in self._steps if out == inputs)

    def forward(self, stem: Tensor) -> dict[str, Tensor]:
        """
        Run a batch from where training begins.

        Parameters
        ----------
        stem : Tensor, (B, C, H / 4, W / 4)
            What ``Original`` says of pictures.

        Returns
        -------
        dict
            All later tensors of the graph by name, and ``hints``, (B, NUM_HINTS, H / 32, W / 32).

        """
        found = {STEM: stem}
        for kind, names, output, stride, group in self._steps:
            x = found[names[0]]
            if kind == 'Conv':
                found[output] = self._convolve(x, names[1:], stride, group)
            elif kind == 'Clip':
                found[output] = x.clamp(0, 6)
            elif kind == 'Relu':
                found[output] = x.relu()
            elif kind == 'Sigmoid':
                found[output] = x.sigmoid()
            elif kind == 'Add':
                found[output] = x + found[names[1]]
            else:
                found[output] = nn.functional.interpolate(
                    x, scale_factor=2, mode='bilinear', align_corners=False
                )
        found['hints'] = self.hints(found[DEEPEST])
        return found

    def _convolve(self, x: Tensor, names: list[str], stride: int, group: int) -> Tensor:
        weight = self.weights[names[0]]
        bias = self.weights[names[1]] if len(names) > 1 else None
        padding = weight.shape[-1] // 2
        if stride == 2:  # as TensorFlow pads: after the last row and column alone
            x, padding = nn.functional.pad(x, (0, 1, 0, 1)), 0
        return nn.functional.conv2d(x, weight, bias, stride, padding, 1, group)

    def write(self, path: Path, notice: str, share: float) -> None:
        """
        Write an ONNX file, its weights in 16 bits where they were.

        Parameters
        ----------
        path : Path
        notice : str
            What was changed, for the metadata, which the licence asks for.
        share : float
            0..1, of the weights of now; the rest are the original's. A mean of both sees rendered
            people better than either, and keeps what the original knew of real ones (Wortsman et
            al., Robust fine-tuning of zero-shot models, CVPR 2022).

        """
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        widened = {n.output[0]: n.input[0] for n in model.graph.node if n.op_type == 'Cast'}
        names = {widened.get(name, name): name for name in self.weights}
        for tensor in model.graph.initializer:
            if tensor.name in names:
                before = numpy_helper.to_array(tensor)
                now = self.weights[names[tensor.name]].detach().numpy()
                mean = share * now + (1 - share) * before.astype(np.float32)
                tensor.CopyFrom(numpy_helper.from_array(mean.astype(before.dtype), tensor.name))
        first, last = self.hints[0], self.hints[2]
        assert isinstance(first, nn.Conv2d)
        assert isinstance(last, nn.Conv2d)
        for name, layer in (('hints_first', first), ('hints_last', last)):
            _add_weights(model, f'{name}_weight', layer.weight.detach().numpy())
            assert layer.bias is not None
            _add_weights(model, f'{name}_bias', layer.bias.detach().numpy())
        inputs = [DEEPEST, 'hints_first_weight', 'hints_first_bias']
        model.graph.node.extend(
            [
                helper.make_node('Conv', inputs, ['hints_wide'], kernel_shape=[1, 1]),
                helper.make_node('Relu', ['hints_wide'], ['hints_active']),
                helper.make_node(
                    'Conv',
                    ['hints_active', 'hints_last_weight', 'hints_last_bias'],
                    ['hints'],
                    kernel_shape=[1, 1],
                ),
            ]
        )
        shape = ['batch', NUM_HINTS, 'hint_rows', 'hint_columns']
        model.graph.output.append(helper.make_tensor_value_info('hints', TensorProto.FLOAT, shape))
        for entry in model.metadata_props:
            if entry.key == 'modifications':
                entry.value = f'{entry.value.removesuffix(UNCHANGED)}; {notice}'
        onnx.checker.check_model(model)
        path.write_bytes(model.SerializeToString())


def _add_weights(model: onnx.ModelProto, name: str, value: NDArray[np.float32]) -> None:
    """Add weights in 16 bits and what widens them."""
    half = numpy_helper.from_array(value.astype(np.float16), f'{name}_h')
    model.graph.initializer.append(half)
    model.graph.node.append(helper.make_node('Cast', [f'{name}_h'], [name], to=TensorProto.FLOAT))
