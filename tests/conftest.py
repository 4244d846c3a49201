# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""For all tests."""

import signal

# A shell that runs the tests in the background has told them to ignore Ctrl-C, and so would every
# program that they start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
