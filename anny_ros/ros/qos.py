# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Quality of service of every topic, in one place.

Each function returns a new profile: rclpy writes the user's ``qos_overrides`` into the profile
that it is given, so a shared one would leak from topic to topic.
"""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions


def pictures() -> QoSProfile:
    """
    Pictures and their intrinsics: best effort, depth 5.

    The mailbox behind it keeps the newest alone. What is replaced there is counted; what a queue
    of one loses while Python is busy would not be.
    """
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=5, reliability=ReliabilityPolicy.BEST_EFFORT
    )


def results() -> QoSProfile:
    """Results: reliable, depth 10."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=10, reliability=ReliabilityPolicy.RELIABLE
    )


def large_results() -> QoSProfile:
    """Meshes, markers and pictures: reliable, depth 1, so that a slow reader costs no memory."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.RELIABLE
    )


def latched() -> QoSProfile:
    """Descriptions that hardly change: reliable, transient local, depth 1."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=1,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )


def overridable() -> QoSOverridingOptions:
    """Let the user set history, depth and reliability as ``qos_overrides`` parameters."""
    return QoSOverridingOptions.with_default_policies()
