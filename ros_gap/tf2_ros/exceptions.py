# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Why a transform cannot be given."""


class TransformException(Exception):  # noqa: N818  (the real name)
    """Base of all of them."""


class LookupException(TransformException):
    """A frame does not exist."""


class ConnectivityException(TransformException):
    """The frames exist but are not connected with each other."""


class ExtrapolationException(TransformException):
    """The time asked for is outside of what was received."""


class InvalidArgumentException(TransformException):
    """A frame's name is empty or starts with a slash."""
