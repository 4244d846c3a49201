# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The perception node: its life cycle, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
import sys
import traceback
from typing import Any

from anny_ros.errors import AnnyError
from anny_ros.inference import Estimator
from anny_ros.parameters import Parameters
from anny_ros.ros.intrinsics import check_focal_lengths
from anny_ros.ros.parameters import declare_parameters, LiveParameters, read_parameters
from anny_ros.ros.publishers import PUBLISHERS, ScenePublisher
from anny_ros.ros.reports import Reports
from anny_ros.ros.services import Services
from anny_ros.ros.signals import stop_on_signal
from anny_ros.ros.spinning import spin
from anny_ros.ros.work import Work
from anny_ros.tracking import Tracker
import rclpy
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions

EstimatorFactory = Callable[[Parameters], Estimator]

_USER_MISTAKE = 2  # exit status


def load_estimator(parameters: Parameters) -> Estimator:
    """Load what ``model.name`` and ``model.checkpoint`` ask for."""
    return Estimator.load(parameters=parameters)


class AnnyNode(LifecycleNode):
    """
    Track people in the pictures of one camera.

    Two threads. The executor's takes messages, serves requests and never waits for the model,
    except in transitions and ``~/enable``. The inference thread takes the newest picture, runs
    the model and publishes the results itself (rclpy lets any thread publish), so that a result
    does not wait for the executor.

    Parameters
    ----------
    name : str
    estimator_factory : callable
        Makes the estimator that parameters ask for; raises AnnyError if it cannot.
    kwargs
        Go to rclpy's LifecycleNode.

    Raises
    ------
    ParameterError
        If a parameter that was given has the wrong type or is out of range.

    """

    def __init__(
        self,
        name: str = 'anny',
        *,
        estimator_factory: EstimatorFactory = load_estimator,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, **kwargs)
        self._estimator_factory = estimator_factory
        self._tracker: Tracker | None = None
        self._estimator: Estimator | None = None
        self._outputs: list[ScenePublisher] = []
        self._reports: Reports | None = None
        self._work: Work | None = None
        self._undo_configure = ExitStack()
        self._undo_activate = ExitStack()
        declare_parameters(self)
        self._live = LiveParameters(self, self._on_parameters)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model; make publishers and services."""
        return self._guarded(self._configure, super().on_configure, state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe and begin to work."""
        # Publishers first: what is sent at the start must go out.
        result = super().on_activate(state)
        if result != TransitionCallbackReturn.SUCCESS:
            return result
        return self._guarded(self._activate, None, state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop to work, tell viewers, unsubscribe."""
        return self._guarded(self._undo_activate.close, super().on_deactivate, state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the model; take publishers and services away."""
        return self._guarded(self._undo_configure.close, super().on_cleanup, state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give everything back, whatever the state is."""
        return self._guarded(self.release, super().on_shutdown, state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give everything back, so that the node can be configured anew."""
        return self._guarded(self.release, super().on_error, state)

    def release(self) -> None:
        """Stop, and give back whatever there is; may be called in any state."""
        self._undo_activate.close()
        self._undo_configure.close()

    def destroy_node(self) -> None:
        """Give everything back and destroy the node."""
        self.release()
        super().destroy_node()

    def _configure(self) -> None:
        parameters = read_parameters(self)
        check_focal_lengths(parameters.camera.k)
        with ExitStack() as undo:  # if something fails, what was made before is given back
            undo.callback(self._forget)
            self._estimator = estimator = self._estimator_factory(parameters)
            # Kept for the node's life: no identity is given twice in it.
            self._tracker = self._tracker or Tracker(parameters.tracking)
            self._tracker.reset()
            for kind in PUBLISHERS:
                if kind.allowed(parameters):
                    publisher = kind(self, estimator.body, parameters)
                    undo.callback(publisher.close)
                    self._outputs.append(publisher)
            self._reports = Reports(self, parameters, estimator)
            undo.callback(self._reports.close)
            services = Services(self, estimator.body, parameters, lambda: self._work)
            undo.callback(services.close)
            self._undo_configure = undo.pop_all()
        self.get_logger().info(f'configured: {estimator.name}, run by {estimator.backend}')

    def _forget(self) -> None:
        self._estimator = self._reports = None
        self._outputs = []

    def _activate(self) -> None:
        assert self._estimator is not None
        assert self._tracker is not None
        assert self._reports is not None
        with ExitStack() as undo:
            parameters = read_parameters(self)
            self._work = Work(self, parameters, self._estimator, self._tracker, self._outputs)
            undo.callback(self._end_work)
            self._work.start()
            self._reports.start(self._work)
            undo.callback(self._reports.stop)
            assert self._work.inputs is not None
            topic = self._work.inputs.topic
            self._undo_activate = undo.pop_all()
        self.get_logger().info(f'active: waiting for pictures on {topic}')

    def _end_work(self) -> None:
        if self._work is not None:
            self._work.stop()
        self._work = None

    def _on_parameters(self, parameters: Parameters) -> None:
        if self._work is not None:
            self._work.pipeline.parameters = parameters

    def _guarded(
        self,
        own: Callable[[], None],
        inherited: Callable[[LifecycleState], TransitionCallbackReturn] | None,
        state: LifecycleState,
    ) -> TransitionCallbackReturn:
        """Run a transition; rclpy would swallow what it raises without a word."""
        try:
            own()
            if inherited is None:
                return TransitionCallbackReturn.SUCCESS
            return inherited(state)
        except AnnyError as error:
            self.get_logger().error(str(error))
            return TransitionCallbackReturn.FAILURE
        except Exception:  # noqa: BLE001  the last place where it can be told
            self.get_logger().error(traceback.format_exc())
            return TransitionCallbackReturn.ERROR


def autostart(node: AnnyNode) -> bool:
    """Configure and activate a node if its parameter says so; False if that failed."""
    if not node.get_parameter('autostart').value:
        return True
    success = TransitionCallbackReturn.SUCCESS
    return node.trigger_configure() == success and node.trigger_activate() == success


def main(args: list[str] | None = None) -> int:
    """Run the node until it is told to stop; the exit status is 2 for a user's mistake."""
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    node = None
    try:
        with stop_on_signal() as stop:
            node = AnnyNode()
            if not autostart(node):
                return _USER_MISTAKE
            spin(node, stop)
    except AnnyError as error:
        get_logger('anny').fatal(str(error))
        return _USER_MISTAKE
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
