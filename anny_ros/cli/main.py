# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Find the verb and run it.

A verb is a module with ``SUMMARY``, ``add_arguments(parser)`` and ``run(arguments) -> exit code``;
it imports what it needs inside ``run``, so that ``--help`` is instant and needs neither torch
nor ROS.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import importlib
import sys
from typing import NoReturn

from anny_ros import __version__
from anny_ros.errors import AnnyError

VERBS = ('track', 'report', 'anonymize', 'demo', 'bench', 'doctor', 'build-engine')

EXIT_WRONG_INPUT = 2
EXIT_INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        """Print the complaint and where to look, then leave."""
        sentence = message.replace('\n', ' ')
        self.exit(EXIT_WRONG_INPUT, f'{self.prog}: {sentence}; see {self.prog} --help\n')


def make_parser() -> argparse.ArgumentParser:
    """Parser of all verbs."""
    parser = _Parser(
        prog='anny-ros', description='Tracked whole-body people: who, where and how, in metres.'
    )
    parser.add_argument('--version', action='version', version=f'anny-ros {__version__}')
    verbs = parser.add_subparsers(dest='verb', required=True, metavar='VERB', title='verbs')
    for name in VERBS:
        module = importlib.import_module(f'anny_ros.cli.{name.replace("-", "_")}')
        verb = verbs.add_parser(
            name,
            help=module.SUMMARY,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(verb)
        verb.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run one command.

    Parameters
    ----------
    argv : sequence of str or None
        Arguments without the program's name; None takes those of the process.

    Returns
    -------
    int
        0 done, 2 wrong input (one line on standard error), 130 interrupted; a verb may have
        others.

    """
    try:
        arguments = make_parser().parse_args(argv)
    except SystemExit as leaving:  # --help, --version or a complaint already printed
        return leaving.code if isinstance(leaving.code, int) else EXIT_WRONG_INPUT
    try:
        return int(arguments.run(arguments))
    except AnnyError as mistake:
        sentence = ' '.join(str(mistake).split())
        print(f'anny-ros {arguments.verb}: {sentence}', file=sys.stderr)
        return EXIT_WRONG_INPUT
    except KeyboardInterrupt:
        print(f'anny-ros {arguments.verb}: interrupted', file=sys.stderr)
        return EXIT_INTERRUPTED


if __name__ == '__main__':
    sys.exit(main())
