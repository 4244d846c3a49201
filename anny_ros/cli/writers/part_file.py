# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A file that appears under its name only when it is complete."""

from __future__ import annotations

import os
from pathlib import Path

from anny_ros.errors import InputError


class PartFile:
    """
    The path to write to until all is well.

    Parameters
    ----------
    path : Path
        Where the result belongs. What is there already stays until ``commit``.

    Raises
    ------
    InputError
        If nothing can be written there; found out before any work is done.

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.part = path.with_name(f'{path.stem}.part{path.suffix}')
        if path.is_dir():
            raise InputError(f'cannot write {str(path)!r}: it is a folder; give a file name')
        if not path.parent.is_dir():
            raise InputError(
                f'cannot write {str(path)!r}: there is no folder {str(path.parent)!r}; make it'
            )
        try:
            self.part.touch()
        except OSError as error:
            raise InputError(
                f'cannot write {str(path)!r}: {error.strerror}; choose a folder that you may '
                'write to'
            ) from None
        if path.exists() and not os.access(path, os.W_OK):
            self.discard()
            raise InputError(f'cannot write {str(path)!r}: it is write-protected; choose another')

    def commit(self) -> None:
        """Put the finished file in its place."""
        self.part.replace(self.path)

    def discard(self) -> None:
        """Leave nothing behind."""
        self.part.unlink(missing_ok=True)
