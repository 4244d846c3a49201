# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The way of one picture: message, frame, people, tracks, publishers."""

from __future__ import annotations

from collections.abc import Sequence
import time

from anny_ros.errors import InputError
from anny_ros.geometry.cues import CAMERA_UP
from anny_ros.parameters import Parameters
from anny_ros.perception import Perception
from anny_ros.ros.cameras import Cameras
from anny_ros.ros.conversions import stamp_seconds
from anny_ros.ros.pictures import decode_compressed_image, decode_image
from anny_ros.ros.publishers import ScenePublisher
from anny_ros.ros.result import Result, shown_people
from anny_ros.ros.statistics import Statistics
from anny_ros.ros.surroundings import SurroundingsWatch
from anny_ros.types import CameraSource, Frame, Scene, TrackState
from rclpy.clock import Clock
from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.time import Time
from sensor_msgs.msg import CompressedImage, Image

_LOG_PERIOD = 5.0  # seconds between two lines about the same trouble


class Pipeline:
    """
    Turn picture messages into published results, in the inference thread.

    A picture that cannot be used, or on which something fails, is counted and skipped.

    Parameters
    ----------
    perception : Perception
    cameras : Cameras
    surroundings : SurroundingsWatch
    publishers : sequence of ScenePublisher
    parameters : Parameters
    logger : RcutilsLogger
    clock : Clock
        Of the node, for the age of results.

    """

    def __init__(
        self,
        *,
        perception: Perception,
        cameras: Cameras,
        surroundings: SurroundingsWatch,
        publishers: Sequence[ScenePublisher],
        parameters: Parameters,
        logger: RcutilsLogger,
        clock: Clock,
    ) -> None:
        self.statistics = Statistics()
        self.parameters = parameters  # replaced by the executor's thread, applied by ours
        self.newest: Result | None = None
        self._perception = perception
        self._cameras = cameras
        self._surroundings = surroundings
        self._publishers = publishers
        self._logger = logger
        self._clock = clock
        self._applied: Parameters | None = None

    def reset_tracks(self) -> None:
        """Forget everybody before the next picture."""
        self._perception.reset()

    def __call__(self, message: Image | CompressedImage) -> None:
        """Work on one picture; never raises."""
        try:
            self._work(message)
        except InputError as error:
            self.statistics.picture_rejected(str(error))
            self._logger.warning(f'picture skipped: {error}', throttle_duration_sec=_LOG_PERIOD)
        except Exception as error:  # noqa: BLE001  a thread that dies would be a silent node
            failure = f'{type(error).__name__}: {error}'
            self.statistics.inference_failed(failure)
            self._logger.error(
                f'picture skipped, work on it failed: {failure}',
                throttle_duration_sec=_LOG_PERIOD,
            )

    def _work(self, message: Image | CompressedImage) -> None:
        parameters = self._apply_parameters()
        watch = [time.perf_counter()]
        compressed = isinstance(message, CompressedImage)
        rgb = decode_compressed_image(message) if compressed else decode_image(message)
        camera = self._cameras.camera_for(rgb)
        frame = Frame(rgb, stamp_seconds(message.header), camera)
        watch.append(time.perf_counter())
        rejected = self._perception.num_rejected
        height, width = rgb.shape[:2]
        source = self._surroundings.source(message.header, width, height)
        scene = self._perception(frame, source)
        rejected = self._perception.num_rejected - rejected
        if scene.reset:
            self._logger.warning(
                f'time jumped back to {scene.stamp:.3f} s (a bag that starts again?): all tracks '
                'were dropped'
            )
        watch.append(time.perf_counter())
        shown = shown_people(scene, tentative=parameters.publish.tentative)
        body = self._perception.estimator.body
        ground = self._surroundings.newest.ground
        result = Result(
            message.header,
            frame,
            shown,
            body,
            parameters.publish.mesh,
            everybody=scene,
            up=CAMERA_UP if ground is None else ground.up,
        )
        self.newest = result  # first, for whoever asks about what was just received
        for publisher in self._publishers:
            if publisher.wanted():
                publisher.publish(result)
        watch.append(time.perf_counter())
        self._count(result, rejected, watch)

    def _count(self, result: Result, rejected: int, watch: list[float]) -> None:
        begin, decoded, perceived, published = watch
        stages = {'decode': 1e3 * (decoded - begin)}
        stages.update(result.scene.humans.timings_ms)
        stages['publish'] = 1e3 * (published - perceived)
        stages['total'] = 1e3 * (published - begin)
        age = self._clock.now() - Time.from_msg(
            result.header.stamp, clock_type=self._clock.clock_type
        )
        self.statistics.picture_processed(
            stamp=result.scene.stamp,
            frame_id=result.header.frame_id,
            camera_source=CameraSource(result.scene.camera.source).name.lower(),
            stages_ms=stages,
            age_ms=age.nanoseconds * 1e-6,
            people=people_by_state(result.scene),
            rejected_people=rejected,
            reset=result.scene.reset,
        )

    def _apply_parameters(self) -> Parameters:
        parameters = self.parameters
        if parameters is not self._applied:
            self._perception.parameters = parameters
            for publisher in self._publishers:
                publisher.parameters = parameters
            self._applied = parameters
        return parameters


def people_by_state(scene: Scene) -> dict[str, int]:
    """Count people of each state."""
    return {state.name.lower(): int((scene.states == state).sum()) for state in TrackState}
