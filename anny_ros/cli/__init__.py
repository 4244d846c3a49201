# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The command line: ``anny-ros VERB``, one verb a file."""
