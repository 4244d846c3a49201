# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
A stand-in for the module tensorrt 10, as far as the product calls it.

A plan holds the ONNX graph that it was built from, and ONNX Runtime executes it, reading and
writing the addresses that it was given. Failures are those of the real library: None or False
instead of an object, and the reason only in the logger.
"""

from __future__ import annotations

import ctypes
import enum
import json

import numpy as np
import onnxruntime


class HostMemory:
    """What ``DeviceMemory`` does, without a device."""

    stream = 7

    def __init__(self):
        self.arrays = {}

    def allocate(self, name, shape, dtype):
        self.arrays[name] = np.zeros(shape, dtype)
        return self.arrays[name].ctypes.data

    def upload(self, name, array):
        self.arrays[name][...] = array

    def download(self, names):
        return {name: self.arrays[name].copy() for name in names}


class Severity(enum.Enum):
    INTERNAL_ERROR = 0
    ERROR = 1
    WARNING = 2
    INFO = 3


class ILogger:
    INTERNAL_ERROR = Severity.INTERNAL_ERROR
    ERROR = Severity.ERROR
    WARNING = Severity.WARNING
    INFO = Severity.INFO

    def __init__(self):
        self.initialised = True


class IProgressMonitor:
    def __init__(self):
        self.initialised = True


class NetworkDefinitionCreationFlag(enum.IntEnum):
    EXPLICIT_BATCH = 0
    STRONGLY_TYPED = 1


class BuilderFlag(enum.Enum):
    TF32 = 7


class TensorIOMode(enum.Enum):
    INPUT = 1
    OUTPUT = 2


def nptype(dtype):
    return {'uint8': np.uint8, 'float': np.float32}[dtype]


def make_session(graph):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=['CPUExecutionProvider'])


class Network:
    def __init__(self, flags):
        self.flags = flags
        self.graph = None


class Config:
    def __init__(self):
        self.flags = {BuilderFlag.TF32}
        self.progress_monitor = None

    def clear_flag(self, flag):
        self.flags.discard(flag)


class ParserError:
    def __init__(self, text):
        self._text = text

    def desc(self):
        return self._text


class Module:
    """
    One installation on one machine.

    ``fails`` names what goes wrong: 'parse', 'build', 'memory', 'execute' or 'numbers'.
    """

    ILogger, IProgressMonitor = ILogger, IProgressMonitor
    NetworkDefinitionCreationFlag = NetworkDefinitionCreationFlag
    BuilderFlag, TensorIOMode = BuilderFlag, TensorIOMode
    nptype = staticmethod(nptype)

    def __init__(self, version='10.3.0', gpu='Fake GPU', fails=''):
        self.__version__ = version
        self.gpu = gpu
        self.fails = fails
        self.calls = []

    @property
    def header(self):
        return json.dumps([self.__version__, self.gpu]).encode() + b'\n'

    def Builder(self, logger):  # noqa: N802
        assert logger.initialised
        return Builder(self, logger)

    def OnnxParser(self, network, logger):  # noqa: N802
        assert logger.initialised
        return OnnxParser(self, network)

    def Runtime(self, logger):  # noqa: N802
        assert logger.initialised
        return Runtime(self, logger)


class Builder:
    def __init__(self, module, logger):
        self._module, self._logger = module, logger

    def create_network(self, flags=0):
        self._module.calls.append(('create_network', flags))
        return Network(flags)

    def create_builder_config(self):
        return Config()

    def build_serialized_network(self, network, config):
        self._module.calls.append(('build', frozenset(config.flags)))
        monitor = config.progress_monitor
        assert monitor.initialised
        monitor.phase_start('Building engine', None, 2)
        monitor.phase_start('Timing tactics', 'Building engine', 1)
        going_on = monitor.step_complete('Timing tactics', 0)
        monitor.phase_finish('Timing tactics')
        for step in range(2):
            going_on = going_on and monitor.step_complete('Building engine', step)
        monitor.phase_finish('Building engine')
        if not going_on:
            return None
        if self._module.fails == 'build':
            self._logger.log(ILogger.WARNING, 'a tactic was skipped')
            self._logger.log(ILogger.ERROR, 'Error Code 10: could not find any\n implementation')
            return None
        return self._module.header + network.graph


class OnnxParser:
    def __init__(self, module, network):
        self._module, self._network = module, network
        self._errors = []
        self.num_errors = 0

    def parse_from_file(self, path):
        with open(path, 'rb') as file:  # noqa: PTH123
            graph = file.read()
        try:
            make_session(graph)
        except Exception:  # noqa: BLE001
            self._errors.append(ParserError('Failed to parse the ONNX model.'))
        if self._module.fails == 'parse':
            self._errors.append(ParserError('No importer registered for op: Erf'))
        self.num_errors = len(self._errors)
        self._network.graph = graph
        return not self._errors

    def get_error(self, index):
        return self._errors[index]


class Runtime:
    def __init__(self, module, logger):
        self._module, self._logger = module, logger

    def deserialize_cuda_engine(self, plan):
        if not plan.startswith(self._module.header):
            self._logger.log(
                ILogger.ERROR, 'Error Code 1: Serialization (version tag does not match)'
            )
            return None
        return Engine(self._module, self._logger, plan[len(self._module.header) :])


class Engine:
    def __init__(self, module, logger, graph):
        self.module, self.logger = module, logger
        self.session = make_session(graph)
        self._inputs = {tensor.name: tensor for tensor in self.session.get_inputs()}
        self._tensors = self._inputs | {t.name: t for t in self.session.get_outputs()}
        self.num_io_tensors = len(self._tensors)

    def get_tensor_name(self, index):
        return list(self._tensors)[index]

    def get_tensor_shape(self, name):
        return list(self._tensors[name].shape)  # a Dims object: iterable, no tuple

    def get_tensor_dtype(self, name):
        return self._tensors[name].type.removeprefix('tensor(').removesuffix(')')

    def get_tensor_mode(self, name):
        return TensorIOMode.INPUT if name in self._inputs else TensorIOMode.OUTPUT

    def create_execution_context(self):
        if self.module.fails == 'memory':
            self.logger.log(ILogger.ERROR, 'Error Code 2: OutOfMemory')
            return None
        return Context(self)


class Context:
    def __init__(self, engine):
        self._engine = engine
        self._addresses = {}

    def set_tensor_address(self, name, address):
        assert type(address) is int
        self._addresses[name] = address
        return True

    def execute_async_v3(self, stream):
        engine = self._engine
        engine.module.calls.append(('execute', stream))
        if engine.module.fails == 'execute':
            engine.logger.log(ILogger.ERROR, 'Error Code 1: Cuda Runtime (launch failure)')
            return False
        feeds = {name: self._view(name) for name in engine._inputs}
        names = [name for name in self._addresses if name not in feeds]
        for name, value in zip(names, engine.session.run(names, feeds), strict=True):
            wrong = 0.5 if engine.module.fails == 'numbers' and name == 'pose' else 0.0
            self._view(name)[...] = value + np.float32(wrong)
        return True

    def _view(self, name):
        shape = self._engine.get_tensor_shape(name)
        dtype = np.dtype(nptype(self._engine.get_tensor_dtype(name)))
        buffer = (ctypes.c_uint8 * (int(np.prod(shape)) * dtype.itemsize)).from_address(
            self._addresses[name]
        )
        return np.frombuffer(buffer, dtype).reshape(shape)
