# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from anny_ros.cli.document import parameters_page
from anny_ros.parameters import declarations

PAGE = Path(__file__).parents[2] / 'docs' / 'parameters.md'


def test_page_is_up_to_date():
    assert PAGE.read_text() == parameters_page(), 'run make docs'


def test_every_parameter_is_on_the_page():
    page = parameters_page()
    for d in declarations():
        assert f'| `{d.name}` |' in page
        assert d.description in page
