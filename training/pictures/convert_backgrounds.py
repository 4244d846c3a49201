# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Turn the environments of the npm package @pmndrs/assets (CC0-1.0) into panoramas for backgrounds.

    npm pack @pmndrs/assets@1.7.0 && pip install OpenEXR
    python -m training.pictures.convert_backgrounds pmndrs-assets-1.7.0.tgz
"""

from __future__ import annotations

import argparse
import base64
from pathlib import Path
import re
import sys
import tarfile
import tempfile
from typing import Any

from anny_ros.errors import AnnyError, InputError
import cv2
import numpy as np
from numpy.typing import NDArray

_SIZE = (1024, 512)


def tone_map(linear: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Map linear light (H, W, 3) to 8 bits, the brightest parts clipped softly."""
    linear = np.nan_to_num(linear, posinf=1e4)  # the sun may exceed half precision
    # Compression rings around lamps and the sun: what fell to nothing there takes its
    # neighbours' light.
    nothing = linear.min(2) < 1e-3 * np.median(linear)
    linear = np.where(nothing[..., None], cv2.dilate(linear, np.ones((9, 9))), linear)
    level = linear / max(float(np.median(linear)) * 3.0, 1e-6)
    level = level / (1.0 + np.clip(level - 0.6, 0.0, None))
    return np.asarray(np.clip(level, 0, 1) ** (1 / 2.2) * 255 + 0.5, np.uint8)


def convert(package: Path, output: Path) -> int:
    """
    Write a PNG for each environment.

    Parameters
    ----------
    package : Path
        What ``npm pack`` makes.
    output : Path
        Folder.

    Returns
    -------
    int
        How many.

    Raises
    ------
    InputError
        If OpenEXR is not installed or the package holds no environments.

    """
    try:
        import OpenEXR
    except ImportError as error:
        raise InputError('OpenEXR reads the environments; pip install OpenEXR') from error
    output.mkdir(parents=True, exist_ok=True)
    count = 0
    try:
        with tarfile.open(package) as archive, tempfile.TemporaryDirectory() as scratch:
            for member in archive:
                found = re.search(r'hdri/(\w+)\.exr\.js$', member.name)
                file = archive.extractfile(member) if found else None
                if not found or file is None:
                    continue
                text = file.read().decode().split('base64,', 1)[1]
                encoded = re.match(r'[A-Za-z0-9+/=]+', text)
                exr = Path(scratch) / 'environment.exr'
                exr.write_bytes(base64.b64decode(encoded.group(0) if encoded else ''))
                linear = OpenEXR.File(str(exr)).channels()['RGB'].pixels.astype(np.float32)
                rgb = cv2.resize(tone_map(linear), _SIZE, interpolation=cv2.INTER_CUBIC)
                cv2.imwrite(str(output / f'{found.group(1)}.png'), rgb[..., ::-1])
                count += 1
    except (OSError, tarfile.TarError) as error:
        raise InputError(f'{package} cannot be read ({error}); make it with npm pack') from error
    if not count:
        raise InputError(f'{package} holds no environments; pass what npm pack made')
    return count


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('package', type=Path)
    parser.add_argument('--output', type=Path, default=Path('out/backgrounds'))
    options = parser.parse_args(arguments)
    try:
        print(f'{options.output}: {convert(options.package, options.output)} panoramas')
    except AnnyError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
