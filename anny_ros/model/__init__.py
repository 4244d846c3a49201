# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
The single-shot network: one forward pass finds and reconstructs everybody in a picture.

Architecture of Multi-HMR 2 (arXiv 2606.14841) with a DINOv3 or DINOv2 backbone, written from its
description. Module names follow the official checkpoint, so that its weights load as they are;
the weights themselves are never part of this package.
"""

from __future__ import annotations

from anny_ros.model.checkpoint import load_network
from anny_ros.model.network import NetworkOutput, SingleShotNetwork
from anny_ros.model.presets import NetworkConfig, PRESETS

__all__ = ['PRESETS', 'NetworkConfig', 'NetworkOutput', 'SingleShotNetwork', 'load_network']
