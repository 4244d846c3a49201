# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Mistakes that a user can make; the text of each is one sentence that holds the cure."""

from __future__ import annotations


class AnnyError(Exception):
    """Anything that a user can mend; commands print its text and exit with 2."""


class InputError(AnnyError):
    """A picture, clip, bag or folder cannot be used."""


class ModelError(AnnyError):
    """A model, checkpoint, engine or its runtime is missing or does not fit."""


class ParameterError(AnnyError):
    """A parameter has an unknown name, a wrong type or a value out of range."""
