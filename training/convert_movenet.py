# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Cut MoveNet MultiPose into the network alone: no normalisation, no limit of six people.

The original graph ends in a decoder with room for six people, a batch of one, and scores that
depend on the size of the picture. ``anny_ros.keypoints`` decodes by itself, so the new file stops
at the six heads and takes a batch of any size. Weights are copied bit by bit. It is what
``training.keypoint_network.train`` starts from.

Needs the ``onnx`` package, which nothing else here needs: ``pip install onnx``.

    python -m training.convert_movenet movenet_original.onnx out/movenet.onnx
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, TensorProto
import onnxruntime

# Tensors of the original graph and what they are called in the cut one.
FIRST_NORMALISED = 't7'  # (1, 3, H, W), -1..1
HEADS = {
    't375': 'centre_heat',  # (B, 1, H/4, W/4), 0..1
    't506': 'box_size',  # (B, 2, ...) height, width in cells
    't536': 'centre_offset',  # (B, 2, ...) y, x in cells
    't286': 'regressed',  # (B, 34, ...) y, x of each keypoint from the centre's cell, in cells
    't308': 'keypoint_heat',  # (B, 17, ...) 0..1
    't297': 'keypoint_offset',  # (B, 34, ...) y, x in cells
}
UNCHANGED = '; weights unchanged'
CHANGES = (
    'converted from TensorFlow.js graph model to ONNX; normalisation and post-processing cut off, '
    f'the six heads are the outputs, batch size free{UNCHANGED}'
)


def cut(model: onnx.ModelProto) -> onnx.ModelProto:
    """Copy of ``model`` from the normalised picture to the six heads."""
    producers = {output: node for node in model.graph.node for output in node.output}
    initializers = {tensor.name: tensor for tensor in model.graph.initializer}
    needed, pending = set(), list(HEADS)
    while pending:
        name = pending.pop()
        if name in needed or name == FIRST_NORMALISED or name not in producers:
            needed.add(name)
            continue
        needed.add(name)
        pending.extend(producers[name].input)
    nodes = [
        node
        for node in model.graph.node
        if any(output in needed for output in node.output) and FIRST_NORMALISED not in node.output
    ]
    names = {**HEADS, FIRST_NORMALISED: 'pictures'}
    for node in nodes:
        for names_of_node in (node.input, node.output):
            for index, name in enumerate(names_of_node):
                names_of_node[index] = names.get(name, name)
    channels = {'centre_heat': 1, 'box_size': 2, 'centre_offset': 2, 'keypoint_heat': 17}
    graph = helper.make_graph(
        nodes,
        'movenet_multipose_lightning',
        [
            helper.make_tensor_value_info(
                'pictures', TensorProto.FLOAT, ['batch', 3, 'height', 'width']
            )
        ],
        [
            helper.make_tensor_value_info(
                name, TensorProto.FLOAT, ['batch', channels.get(name, 34), 'rows', 'columns']
            )
            for name in HEADS.values()
        ],
        [tensor for name, tensor in initializers.items() if name in needed],
    )
    result = helper.make_model(graph, opset_imports=model.opset_import)
    result.ir_version = model.ir_version
    for prop in model.metadata_props:
        value = CHANGES if prop.key == 'modifications' else prop.value
        result.metadata_props.add(key=prop.key, value=value)
    onnx.checker.check_model(result)
    return result


def largest_difference(original: onnx.ModelProto, result: onnx.ModelProto) -> float:
    """Run both on noise and compare all six heads; the original is asked for its inner tensors."""
    for name in HEADS:
        original.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    sessions = [
        onnxruntime.InferenceSession(m.SerializeToString(), providers=['CPUExecutionProvider'])
        for m in (original, result)
    ]
    picture = np.random.default_rng(0).integers(0, 256, (1, 192, 256, 3), dtype=np.int32)
    normalised = picture.astype(np.float32) * np.float32(0.007843017578125) - np.float32(1.0)
    normalised = np.ascontiguousarray(normalised.transpose(0, 3, 1, 2))
    expected = sessions[0].run(list(HEADS), {'input': picture})
    met = sessions[1].run(list(HEADS.values()), {'pictures': normalised})
    return max(float(np.abs(a - b).max()) for a, b in zip(expected, met, strict=True))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('source', type=Path, help='the original graph as ONNX')
    parser.add_argument('output', type=Path)
    arguments = parser.parse_args()
    result = cut(onnx.load(str(arguments.source)))
    difference = largest_difference(onnx.load(str(arguments.source)), result)
    if difference > 1e-4:
        raise SystemExit(f'the cut graph differs by {difference:g}; is this the same original?')
    onnx.save(result, str(arguments.output))
    print(f'{arguments.output}: heads differ by at most {difference:.1e}')


if __name__ == '__main__':
    main()
