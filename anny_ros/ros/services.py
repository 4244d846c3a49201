# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""``~/enable``, ``~/reset_tracks`` and ``~/get_mesh``."""

from __future__ import annotations

from collections.abc import Callable

from anny_ros.body import BodyModel
from anny_ros.msg import HumanMesh
from anny_ros.parameters import Parameters
from anny_ros.ros.conversions import body_model, floats
from anny_ros.ros.work import Work
from anny_ros.srv import GetMesh
from rclpy.lifecycle import LifecycleNode
from std_srvs.srv import SetBool, Trigger

_NOT_ACTIVE = 'the node is not active: activate it first'


class Services:
    """
    Offer the services of a configured node.

    Parameters
    ----------
    node : LifecycleNode
    body : BodyModel
    parameters : Parameters
    work : callable
        Gives what the node does while it is active, else None.

    """

    def __init__(
        self,
        node: LifecycleNode,
        body: BodyModel,
        parameters: Parameters,
        work: Callable[[], Work | None],
    ) -> None:
        self._node = node
        self._body = body
        self._work = work
        self._resolutions = {
            GetMesh.Request.CONFIGURED: parameters.publish.mesh,
            GetMesh.Request.FULL: 'full',
            GetMesh.Request.COARSE: 'coarse',
        }
        self._services = [
            node.create_service(SetBool, '~/enable', self._enable),
            node.create_service(Trigger, '~/reset_tracks', self._reset_tracks),
            node.create_service(GetMesh, '~/get_mesh', self._get_mesh),
        ]

    def close(self) -> None:
        """Take the services away."""
        for service in self._services:
            self._node.destroy_service(service)
        self._services.clear()

    def _enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        work = self._work()
        if work is None:
            response.message = _NOT_ACTIVE
            return response
        if request.data:
            work.start()
        else:
            work.stop()
        response.success = True
        response.message = 'pictures are worked on' if request.data else 'pictures are ignored'
        return response

    def _reset_tracks(
        self, request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        work = self._work()
        if work is None:
            response.message = _NOT_ACTIVE
            return response
        work.pipeline.reset_tracks()
        response.success = True
        response.message = 'all tracks are dropped before the next picture'
        return response

    def _get_mesh(self, request: GetMesh.Request, response: GetMesh.Response) -> GetMesh.Response:
        work = self._work()
        newest = None if work is None else work.pipeline.newest
        if newest is None or request.id not in newest.scene.ids:
            known = ', '.join(newest.scene.ids) if newest is not None else ''
            response.message = (
                f'nobody of id {request.id!r} is being tracked; known: {known or "nobody"}'
            )
            return response
        if request.resolution not in self._resolutions:
            response.message = (
                f'resolution must be 0 (configured), 1 (full) or 2 (coarse), got '
                f'{request.resolution}'
            )
            return response
        resolution = self._resolutions[request.resolution]
        row = newest.scene.ids.index(request.id)
        (vertices,) = self._body.vertices(newest.scene.humans[row], resolution)
        response.header = newest.header
        response.mesh = HumanMesh(
            id=request.id,
            track_number=int(newest.scene.track_numbers[row]),
            body_model=self._body.hash(resolution),
            vertices=floats(vertices),
        )
        response.body_model = body_model(self._body, resolution)
        response.success = True
        return response
