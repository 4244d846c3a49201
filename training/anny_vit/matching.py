# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Which query answers for which person."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment
import torch
from torch import Tensor


@torch.no_grad()
def match(location: Tensor, picture: Tensor, wanted: Tensor) -> Tensor:
    """
    Give every person of each picture a query of their own, by their places alone.

    Parameters
    ----------
    location : Tensor, (B, Q, 2)
        Where the queries say that faces are.
    picture : Tensor, (M,), int64
        Picture of each person, rising; at most Q of one picture.
    wanted : Tensor, (M, 2)
        Where the faces are, in the same unit.

    Returns
    -------
    Tensor, (M,), int64
        The queries, so that all distances of a picture together are smallest.

    """
    queries = torch.zeros(len(picture), dtype=torch.int64)
    # Copied at once, since every copy waits for the device.
    distance = torch.cdist(wanted[:, None], location[picture])[:, 0].cpu().numpy()  # (M, Q)
    of_picture = picture.cpu().numpy()
    starts = np.flatnonzero(np.diff(of_picture, prepend=-1))
    for rows in np.split(np.arange(len(of_picture)), starts[1:]):
        if len(rows):
            mine, columns = linear_sum_assignment(np.nan_to_num(distance[rows], nan=1e9))
            queries[torch.as_tensor(rows[mine])] = torch.as_tensor(columns)
    return queries.to(location.device)
