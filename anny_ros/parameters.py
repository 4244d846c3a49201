# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Every parameter of the node and of the commands, declared once.

A group is a frozen dataclass; a field's default gives the type, its metadata the description,
unit, range or choices, and whether a running node may change it. ROS declarations, ``--set`` of
the commands and ``docs/parameters.md`` are all made from these declarations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
import math
from typing import Any

from anny_ros.errors import ParameterError


def _declare(
    default: Any,
    description: str,
    *,
    unit: str = '',
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    lengths: tuple[int, ...] = (),
    dynamic: bool = False,
) -> Any:
    """Make a dataclass field that carries its whole declaration; ``dynamic`` may change live."""
    metadata = {
        'description': description,
        'unit': unit,
        'minimum': minimum,
        'maximum': maximum,
        'choices': choices,
        'lengths': lengths,
        'dynamic': dynamic,
    }
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class ModelParameters:
    """Which estimator."""

    name: str = _declare(
        'anny-lite',
        'Estimator: the embedded anny-lite, or multihmr2 with your own weights: those of '
        'Multi-HMR 2, or of v1 for Anny bodies (the file says which).',
        choices=('anny-lite', 'multihmr2'),
    )
    checkpoint: str = _declare(
        '', 'Path of the weights that you bring (multihmr2.pt); not needed for anny-lite.'
    )


@dataclass(frozen=True)
class InferenceParameters:
    """Where and how the network runs."""

    device: str = _declare(
        'auto',
        'Device of the networks; auto takes the GPU when there is one.',
        choices=('auto', 'cpu', 'cuda'),
    )
    backend: str = _declare(
        'auto',
        'Runtime of the network; auto takes the fastest that is ready on this machine. onnx and '
        'tensorrt need a file that `anny-ros build-engine` makes for the size of the picture.',
        choices=('auto', 'torch', 'onnx', 'tensorrt'),
    )
    dtype: str = _declare(
        'auto',
        'Arithmetic of the backbone; heads, camera and body always run in float32. '
        'auto is float32 on a CPU and float16 on a GPU.',
        choices=('auto', 'float32', 'float16', 'bfloat16'),
    )
    threads: int = _declare(
        0, 'CPU threads of the networks; 0 takes all cores.', minimum=0, maximum=256
    )
    engine_folder: str = _declare(
        '', 'Folder of what build-engine makes; empty: anny_ros/engines in the cache of the user.'
    )
    allow_engine_build: bool = _declare(
        False,
        'Build an engine that is missing when the first picture comes, which takes minutes '
        'without results; false refuses and names the command that builds it.',
    )


@dataclass(frozen=True)
class InputParameters:
    """What the node listens to."""

    transport: str = _declare(
        'raw',
        'Form of the pictures: raw (sensor_msgs/Image) or compressed (CompressedImage, on the '
        "image topic's name + /compressed).",
        choices=('raw', 'compressed'),
    )


@dataclass(frozen=True)
class CameraParameters:
    """Intrinsics when no camera_info arrives."""

    k: tuple[float, ...] = _declare(
        (),
        'Intrinsics fx, fy, cx, cy of the rectified picture, used when there is no camera_info; '
        'empty: not known.',
        unit='px',
        lengths=(0, 4),
    )
    hfov: float = _declare(
        1.22,
        'Assumed horizontal field of view when nothing better is known and the model cannot tell.',
        unit='rad',
        minimum=0.17,
        maximum=2.97,
    )
    info_timeout: float = _declare(
        2.0,
        'How long the first pictures wait for a camera_info before they are processed without.',
        unit='s',
        minimum=0.0,
        maximum=60.0,
    )


@dataclass(frozen=True)
class DetectionParameters:
    """Who counts as a person."""

    threshold: float = _declare(
        -1.0,
        'Lowest score of a person; higher gives fewer false people and misses more. Negative: '
        'what the model was made for (anny-lite 0.2, Multi-HMR 2 0.4, Multi-HMR v1 0.3).',
        minimum=-1.0,
        maximum=1.0,
        dynamic=True,
    )
    nms_distance: float = _declare(
        0.25,
        'Of two people whose pelvises are closer than this, the less certain one is dropped '
        '(but see image_nms).',
        unit='m',
        minimum=0.0,
        maximum=10.0,
        dynamic=True,
    )
    image_nms: bool = _declare(
        True,
        'Single-shot models: tell doubles by the picture too. Bodies that cover each other joint '
        'by joint are one person, whatever the error of depth; bodies that do not are two, '
        'however close (people who hug). Off: the published rule, nms_distance alone.',
        dynamic=True,
    )
    zoom: bool = _declare(
        True,
        'anny-lite: look a second time, enlarged, at people who are small or doubtful.',
        dynamic=True,
    )
    zoom_regions: int = _declare(
        0,
        'Single-shot models: how many parts of a large picture to look at enlarged, besides the '
        'whole and in the same batch, for people who are small. Each costs as much as the whole; '
        "pictures less than 1.5 times as large as the network's canvas (768 pixels) have none.",
        minimum=0,
        maximum=4,
        dynamic=True,
    )


@dataclass(frozen=True)
class TrackingParameters:
    """How long and how strictly identities are kept."""

    birth_score: float = _declare(
        0.4,
        'Score from which a detection may begin a new track; below it (but above '
        'detection.threshold) it only continues the track of a person who was just seen.',
        minimum=0.0,
        maximum=1.0,
        dynamic=True,
    )
    memory: float = _declare(
        10.0,
        'How long a person who is out of sight keeps the identity.',
        unit='s',
        minimum=0.0,
        maximum=600.0,
        dynamic=True,
    )
    confirm_time: float = _declare(
        0.2,
        'A new person is TENTATIVE until seen again for this long.',
        unit='s',
        minimum=0.0,
        maximum=10.0,
        dynamic=True,
    )
    occlusion_time: float = _declare(
        0.5,
        'Unseen for longer than this, an OCCLUDED person becomes LOST.',
        unit='s',
        minimum=0.0,
        maximum=60.0,
        dynamic=True,
    )
    smoothing: bool = _declare(
        True,
        'Filter poses over time (one-euro): people who stand do not tremble; off shows each '
        'picture as it is. Distance, shape and velocity are filtered in any case.',
        dynamic=True,
    )
    frame: str = _declare(
        '',
        'Frame that stands still (odom, say): people are tracked in it and velocities are '
        'relative to it, whatever the robot does; TF must know it. Empty: the camera stands '
        'still.',
    )
    frame_timeout: float = _declare(
        0.05,
        'How long a result may wait for the transform to tracking.frame (or fusion.ground_frame) '
        "at the picture's stamp; after that, people are tracked without it.",
        unit='s',
        minimum=0.0,
        maximum=1.0,
    )


@dataclass(frozen=True)
class FusionParameters:
    """Sensors beside the camera."""

    ground_frame: str = _declare(
        '',
        'Frame whose z points up and whose z = 0 is the floor (base_footprint, odom): feet on '
        "that floor correct people's sizes and distances, and cues know where up is; TF must know "
        'it. Empty: no floor is known.',
    )
    depth: str = _declare(
        'auto',
        'Depth pictures on the topic depth, registered to the pictures, correct distances: auto '
        'uses them when they come, on also warns when they do not, off ignores them.',
        choices=('auto', 'on', 'off'),
    )
    depth_tolerance: float = _declare(
        0.02,
        'Largest difference of the stamps of a picture and its depth picture.',
        unit='s',
        minimum=0.0,
        maximum=0.5,
    )


@dataclass(frozen=True)
class PublishParameters:
    """What leaves the node."""

    mesh: str = _declare(
        'full',
        'Surface of ~/meshes and ~/markers: full (13718 vertices) or coarse (1229).',
        choices=('full', 'coarse'),
    )
    attributes: bool = _declare(
        False, 'Publish the estimated age and the probability of being a minor; else NaN.'
    )
    raw_images: bool = _declare(
        True, 'Allow outputs that show camera pixels (~/overlay); false guarantees that none does.'
    )
    tentative: bool = _declare(True, 'Publish people of state TENTATIVE too.', dynamic=True)


@dataclass(frozen=True)
class TfParameters:
    """Frames of people."""

    enable: bool = _declare(True, 'Broadcast a frame body_<id> for each person.', dynamic=True)
    prediction_horizon: float = _declare(
        0.0,
        'Broadcast where people will be so much after the picture, with that later stamp, in '
        'tracking.frame if that is set; 0: where they were in it, in the frame of the picture.',
        unit='s',
        minimum=0.0,
        maximum=1.0,
        dynamic=True,
    )
    joints: str = _declare(
        'none',
        'Also broadcast frames of joints: none, rep155 (the links of its human description, for '
        'instance l_elbow_<id>), or all (besides, every joint of the body model by its name).',
        choices=('none', 'rep155', 'all'),
        dynamic=True,
    )


@dataclass(frozen=True)
class PointsParameters:
    """Surface points of people for costmaps."""

    spacing: float = _declare(
        0.05,
        'About how far apart the points of ~/points are; half a cell of the costmap is enough.',
        unit='m',
        minimum=0.01,
        maximum=0.5,
        dynamic=True,
    )
    min_height: float = _declare(
        0.0,
        "Lowest point to send, above the person's soles.",
        unit='m',
        minimum=-1.0,
        maximum=3.0,
        dynamic=True,
    )
    max_height: float = _declare(
        2.0,
        "Highest point to send, above the person's soles; the height of the robot is enough.",
        unit='m',
        minimum=0.0,
        maximum=3.0,
        dynamic=True,
    )


@dataclass(frozen=True)
class FollowParameters:
    """Whom ~/followed_pose follows."""

    select: str = _declare(
        'nobody',
        'Choice at the start; ~/select_human changes it.',
        choices=('nobody', 'nearest', 'raised_hand'),
    )


@dataclass(frozen=True)
class DiagnosticsParameters:
    """Reports."""

    period: float = _declare(
        1.0, 'Time between two ~/stats and /diagnostics.', unit='s', minimum=0.1, maximum=60.0
    )


@dataclass(frozen=True)
class Parameters:
    """All groups; ``parameters.detection.threshold`` is the parameter ``detection.threshold``."""

    autostart: bool = _declare(
        True, 'Configure and activate at start; false leaves that to a lifecycle manager.'
    )
    model: ModelParameters = field(default_factory=ModelParameters)
    inference: InferenceParameters = field(default_factory=InferenceParameters)
    input: InputParameters = field(default_factory=InputParameters)
    camera: CameraParameters = field(default_factory=CameraParameters)
    detection: DetectionParameters = field(default_factory=DetectionParameters)
    tracking: TrackingParameters = field(default_factory=TrackingParameters)
    fusion: FusionParameters = field(default_factory=FusionParameters)
    publish: PublishParameters = field(default_factory=PublishParameters)
    tf: TfParameters = field(default_factory=TfParameters)
    points: PointsParameters = field(default_factory=PointsParameters)
    follow: FollowParameters = field(default_factory=FollowParameters)
    diagnostics: DiagnosticsParameters = field(default_factory=DiagnosticsParameters)

    def get(self, name: str) -> Any:
        """Value of a dotted name; ParameterError if there is no such parameter."""
        declaration(name)
        value: Any = self
        for part in name.split('.'):
            value = getattr(value, part)
        return value

    def with_values(self, values: Mapping[str, Any]) -> Parameters:
        """
        Copy with some parameters changed, each checked against its declaration.

        ``values`` maps dotted names to values.

        Raises
        ------
        ParameterError
            Unknown name, wrong type or value out of range; nothing is changed.

        """
        result = self
        for name, value in values.items():
            checked = declaration(name).check(value)
            *groups, leaf = name.split('.')
            if groups:
                group = replace(getattr(result, groups[0]), **{leaf: checked})
                result = replace(result, **{groups[0]: group})
            else:
                result = replace(result, **{leaf: checked})
        return result


@dataclass(frozen=True)
class Declaration:
    """One parameter: dotted name, default, and what its field's metadata says."""

    name: str
    default: Any
    description: str
    unit: str
    minimum: float | None
    maximum: float | None
    choices: tuple[str, ...]
    lengths: tuple[int, ...]
    dynamic: bool

    def check(self, value: Any) -> Any:
        """Return the value in the declared type; ParameterError says what is wrong with it."""
        kind = type(self.default)
        if kind is tuple:
            return self._check_numbers(value)
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not kind:
            raise ParameterError(
                f'{self.name} must be a {kind.__name__}, got {value!r} '
                f'({type(value).__name__}); for instance {self.default!r}'
            )
        if self.choices and value not in self.choices:
            raise ParameterError(
                f'{self.name} must be one of {", ".join(self.choices)}, got {value!r}'
            )
        if kind in (int, float):
            self._check_range(value)
        return value

    def parse(self, text: str) -> Any:
        """Read a value written on a command line; ParameterError if it does not fit."""
        kind = type(self.default)
        lowered = text.strip().lower()
        try:
            if kind is bool:
                value: Any = {'true': True, 'false': False}[lowered]
            elif kind is tuple:
                value = tuple(float(part) for part in text.split(',') if part.strip())
            else:
                value = kind(text)
        except (KeyError, ValueError):
            raise ParameterError(
                f'{self.name} must be a {"list of numbers" if kind is tuple else kind.__name__}, '
                f'got {text!r}; for instance {self.name}={self.default}'
            ) from None
        return self.check(value)

    def _check_range(self, value: float) -> None:
        low = -math.inf if self.minimum is None else self.minimum
        high = math.inf if self.maximum is None else self.maximum
        if not low <= value <= high:
            unit = f' {self.unit}' if self.unit else ''
            raise ParameterError(
                f'{self.name} must be between {low:g} and {high:g}{unit}, got {value:g}'
            )

    def _check_numbers(self, value: Any) -> tuple[float, ...]:
        try:
            numbers = tuple(float(v) for v in value)
        except (TypeError, ValueError):
            raise ParameterError(f'{self.name} must be a list of numbers, got {value!r}') from None
        if len(numbers) not in self.lengths or not all(map(math.isfinite, numbers)):
            counts = ' or '.join(map(str, self.lengths))
            raise ParameterError(
                f'{self.name} must be {counts} finite numbers, got {list(numbers)}'
            )
        return numbers


def declarations() -> Iterator[Declaration]:
    """Every parameter in the order of its declaration."""
    for outer in fields(Parameters):
        if outer.metadata:
            yield Declaration(outer.name, outer.default, **outer.metadata)
            continue
        group: Any = outer.default_factory
        for inner in fields(group):
            yield Declaration(f'{outer.name}.{inner.name}', inner.default, **inner.metadata)


def declaration(name: str) -> Declaration:
    """Look up one parameter; ParameterError names the nearest ones if there is none."""
    known = {d.name: d for d in declarations()}
    if name not in known:
        import difflib

        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
        hint = f'did you mean {" or ".join(near)}?' if near else 'see docs/parameters.md'
        raise ParameterError(f'there is no parameter {name!r}; {hint}')
    return known[name]
