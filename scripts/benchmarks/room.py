"""A room with a loudspeaker and a microphone in it, and a call in that room: closed-loop echo on virtual time.

What a real :class:`media.leg.VoiceLeg` plays goes through Opus, a loudspeaker that is not quite linear, a room and a
delay into the leg's own microphone, together with noise and a user who speaks at set times. When the leg pauses, its
echo goes too, which no recording can show. No clock is read and every seed is fixed, so a run repeats to the sample.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from media.codecs.opus import Decoder, Encoder
from media.echo import Defence
from media.frames import MIC_FRAME, MIC_RATE_HZ, PTIME_MS, VOICE_FRAME, VOICE_RATE_HZ, Pcm, silence
from media.hearing import edges, endpoint
from media.hearing.endpoint import TurnOptions
from media.leg import Engines, Report, VoiceLeg
from media.resample import Resampler
from media.speech import Recognition, Speech
from media.vad import SpeechModel

Sound = NDArray[np.float64]
"""Samples at 16 kHz, full scale 32768."""


@dataclass(frozen=True, slots=True)
class RoomOptions:
    """One room. ``echo_db`` is the level of the echo against what is played; None is a headset."""

    echo_db: float | None = -12.0
    delay_ms: float = 120.0
    """From the frame's leaving to the first echo: the client's buffer and the network both ways."""

    rt60_s: float = 0.3
    """How long the room takes to fall by 60 dB."""

    direct_db: float = 3.0
    """Direct sound against all reflections."""

    bend: float = 0.7
    """How hard the loudspeaker is driven: tanh distortion at this share of full scale; 0 is linear."""

    drift_ppm: float = 0.0
    """How much faster the client's sound card runs than the gateway's tick."""

    noise_dbfs: float = -58.0
    codec: bool = True
    """Opus both ways, as on a call."""

    moves: tuple[tuple[int, float], ...] = ()
    """(ms, delay_ms): when the client's buffer jumps, and to what."""

    seed: int = 0


def _response(options: RoomOptions, rng: np.random.Generator) -> Sound:
    """An impulse and exponentially decaying noise (Polack's model), of unit energy."""
    length = int(options.rt60_s * MIC_RATE_HZ)
    t = np.arange(length) / MIC_RATE_HZ
    tail = rng.normal(0, 1, length) * np.exp(-6.91 * t / options.rt60_s)
    tail[:24] = 0  # 1.5 ms: the nearest wall
    tail *= 10 ** (-options.direct_db / 20) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    return np.asarray(tail / np.sqrt(np.sum(tail**2)))


def _hum(rng: np.random.Generator, count: int, dbfs: float) -> Sound:
    """Room noise: falls by 3 dB an octave."""
    spectrum = np.fft.rfft(rng.normal(0, 1, count))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)) * MIC_RATE_HZ / count, 50.0))
    noise = np.fft.irfft(spectrum, count)
    return np.asarray(noise / np.sqrt(np.mean(noise**2)) * 32768 * 10 ** (dbfs / 20))


class Room:
    """Frames of an answer in, frames of a microphone out, 20 ms at a time."""

    def __init__(self, options: RoomOptions, ticks: int) -> None:
        rng = np.random.default_rng(options.seed)
        self._options: Final = options
        response = _response(options, rng)
        self._taps: Final = len(response)
        self._size: Final = 1 << (self._taps + MIC_FRAME).bit_length()
        gain = 0.0 if options.echo_db is None else 10 ** (options.echo_db / 20)
        self._response: Final = np.fft.rfft(response * gain, self._size)
        self._wet: Final = np.zeros(ticks * MIC_FRAME + self._size)
        self._noise: Final = _hum(rng, 10 * MIC_RATE_HZ, options.noise_dbfs)
        self._tick = 0
        self._to_mic_rate: Final = Resampler(VOICE_RATE_HZ, MIC_RATE_HZ)
        self._down: Final = (Encoder(VOICE_RATE_HZ), Decoder(VOICE_RATE_HZ))
        self._up: Final = (Encoder(MIC_RATE_HZ), Decoder(MIC_RATE_HZ))

    def tick(self, played: Pcm | None, user: Sound) -> Pcm:
        """What the microphone hears while *played* leaves the gateway."""
        at = self._tick * MIC_FRAME
        if self._options.echo_db is not None:
            self._sound(played, at)
        heard = self._echo(at) + user
        rows = np.arange(at, at + MIC_FRAME) % len(self._noise)
        heard = heard + self._noise[rows]
        self._tick += 1
        pcm = np.clip(np.rint(heard), -32768, 32767).astype(np.int16)
        if not self._options.codec:
            return pcm
        encoder, decoder = self._up
        return decoder.decode(encoder.encode(pcm))

    def _sound(self, played: Pcm | None, at: int) -> None:
        if self._options.codec:
            encoder, decoder = self._down
            played = decoder.decode(encoder.encode(played))
        dry = self._to_mic_rate.process(played if played is not None else silence(VOICE_FRAME)).astype(np.float64)
        if self._options.bend:
            full = 32768 * self._options.bend
            dry = np.tanh(dry / full) * full
        wet = np.fft.irfft(np.fft.rfft(dry, self._size) * self._response, self._size)
        self._wet[at : at + self._size] += wet

    def _echo(self, at: int) -> Sound:
        now_ms = self._tick * PTIME_MS
        delay_ms = [self._options.delay_ms, *(delay for since, delay in self._options.moves if since <= now_ms)][-1]
        late = delay_ms * MIC_RATE_HZ / 1000
        where = np.arange(at, at + MIC_FRAME) * (1 + self._options.drift_ppm * 1e-6) - late
        whole = np.floor(where).astype(np.int64)
        if whole[0] < 1 or whole[-1] + 2 >= len(self._wet):
            return np.zeros(MIC_FRAME)
        share = where - whole
        if not share.any():
            return np.asarray(self._wet[whole])
        a, b, c, d = (self._wet[whole + k] for k in (-1, 0, 1, 2))
        # Catmull-Rom: the echo between two samples.
        cubic = b + share / 2 * (c - a + share * (2 * a - 5 * b + 4 * c - d + share * (3 * (b - c) + d - a)))
        return np.asarray(cubic)


# --- a call in it ---

MERCY_MS: Final = 1_000
"""How long after an utterance what the leg does is still its consequence."""

PAUSED_WITHIN_MS: Final = 600
"""A barge-in that has not paused the answer by then was missed, whatever follows."""


@dataclass(frozen=True, slots=True)
class Talk:
    """Something the user says: *pcm* (16 kHz) from *at_ms* on."""

    at_ms: int
    pcm: Pcm

    @property
    def end_ms(self) -> int:
        return self.at_ms + len(self.pcm) * 1000 // MIC_RATE_HZ


@dataclass(slots=True)
class Catch:
    """What became of one barge-in, in ms after its onset; None: never."""

    talk: Talk
    paused_ms: int | None = None
    confirmed_ms: int | None = None
    cut_ms: int | None = None

    @property
    def caught(self) -> bool:
        """Paused in time, and cut in the end."""
        return self.paused_ms is not None and self.paused_ms <= PAUSED_WITHIN_MS and self.cut_ms is not None


@dataclass(slots=True)
class Outcome:
    """What happened in a call."""

    ms: int = 0
    self_cuts_ms: list[int] = field(default_factory=list)
    """When an answer was cut though nobody spoke."""

    false_pauses_ms: list[int] = field(default_factory=list)
    double_pauses: int = 0
    """False pauses within a second of the last one's end: the limit cycle."""

    wanted_ticks: int = 0
    """Ticks in which an answer should have sounded and nobody spoke."""

    audible_ticks: int = 0
    catches: list[Catch] = field(default_factory=list)

    @property
    def self_cuts(self) -> int:
        return len(self.self_cuts_ms)

    @property
    def false_pauses(self) -> int:
        return len(self.false_pauses_ms)

    @property
    def audible(self) -> float:
        return self.audible_ticks / max(1, self.wanted_ticks)

    @property
    def false_pauses_per_minute(self) -> float:
        return self.false_pauses / max(1e-9, self.wanted_ticks * PTIME_MS / 60_000)


class _Recording:
    """A synthesizer that plays one recording, again and again, in pieces of 60 ms."""

    exact_words = True

    def __init__(self, pcm: Pcm) -> None:
        self._pcm = pcm
        self._at = 0

    async def speak(self, text: str) -> AsyncGenerator[Speech, None]:
        piece = 3 * VOICE_FRAME
        while True:
            yield Speech(np.take(self._pcm, range(self._at, self._at + piece), mode="wrap"))
            self._at = (self._at + piece) % len(self._pcm)

    async def aclose(self) -> None: ...


class _Listener:
    """A recognizer and its recognitions in one: takes sound, and says nothing of it."""

    name = "none"
    live = False

    def listen(self) -> Recognition:
        return self

    def feed(self, pcm: Pcm) -> None: ...

    async def partial(self) -> str:
        return ""

    async def judge(self) -> str:
        return ""

    async def finish(self) -> str:
        return ""

    def cancel(self) -> None: ...

    async def aclose(self) -> None: ...


class Call:
    """A leg in a room, and a session that acts as the core would with a recognizer that always hears words.

    Sustained voice cuts, and so does whatever shorter utterance ends over an answer. An answer that was cut begins
    again, as soon as the turn has ended.
    """

    def __init__(
        self,
        answer: Pcm,
        options: RoomOptions,
        talks: tuple[Talk, ...],
        ticks: int,
        new_model: Callable[[], SpeechModel | None],
        new_echo: Callable[[], Defence],
    ) -> None:
        self._ticks: Final = ticks
        self._room = Room(options, ticks)
        self._user = np.zeros(ticks * MIC_FRAME)
        for talk in talks:
            at = talk.at_ms * MIC_RATE_HZ // 1000
            self._user[at : at + len(talk.pcm)] += talk.pcm[: max(0, len(self._user) - at)]
        self.outcome = Outcome(ticks * PTIME_MS, catches=[Catch(talk) for talk in talks])
        self._now_ms = 0
        self._generation = 0
        self._alive = False
        self._confirmed = False
        self._was_held = False
        self._released_ms = -10_000
        self._rest_ms = 0
        self.log: list[tuple[int, str]] = []
        self.microphone: list[Pcm] = []
        self.played: list[Pcm | None] = []
        self.leg = VoiceLeg(
            Engines(_Recording(answer), _Listener(), new_model, new_echo=new_echo),
            self._heard,
            lambda: self._now_ms / 1000,
            turns=TurnOptions(),
            client_buffer_ms=60,
        )

    async def run(self) -> Outcome:
        """Let the call happen."""
        for tick in range(self._ticks):
            self._now_ms = tick * PTIME_MS
            if not self._alive and self._now_ms >= self._rest_ms and self._talk() is None:
                self._answer()
            for _ in range(4):
                await asyncio.sleep(0)
            frame = self.leg.pull()
            self._count(frame)
            mic = self._room.tick(frame, self._user[tick * MIC_FRAME : (tick + 1) * MIC_FRAME])
            self.microphone.append(mic)
            self.played.append(frame)
            self.leg.hear(mic)
        await self.leg.aclose()
        return self.outcome

    def _talk(self) -> Catch | None:
        """The barge-in that explains what the leg does now."""
        for catch in self.outcome.catches:
            if catch.talk.at_ms - PTIME_MS <= self._now_ms < catch.talk.end_ms + MERCY_MS:
                return catch
        return None

    def _answer(self) -> None:
        self._generation += 1
        self._alive, self._confirmed = True, False
        self.leg.begin(self._generation, f"resp_{self._generation}", f"item_{self._generation}")
        self.leg.mouth.speak(self._generation, "A long story. ")

    def _cut(self) -> None:
        catch = self._talk()
        if catch is None:
            self.outcome.self_cuts_ms.append(self._now_ms)
        elif catch.cut_ms is None:
            catch.cut_ms = self._now_ms + PTIME_MS - catch.talk.at_ms
        self._alive = False
        self._rest_ms = self._now_ms + 700
        self.leg.flush(self._generation)
        self.leg.release()

    def _heard(self, report: Report) -> None:
        self.log.append((self._now_ms, type(report).__name__))
        if not self._alive:
            return
        match report:
            case edges.Confirmed():
                self._confirmed = True
                catch = self._talk()
                if catch is not None and catch.confirmed_ms is None:
                    catch.confirmed_ms = self._now_ms + PTIME_MS - catch.talk.at_ms
            case edges.Sustained() | edges.Ended() | endpoint.TurnEnded() if self._confirmed:
                self._cut()

    def _count(self, frame: Pcm | None) -> None:
        held, catch, outcome = self.leg.mouth.held, self._talk(), self.outcome
        if held and not self._was_held and self._alive and catch is None:
            outcome.false_pauses_ms.append(self._now_ms)
            outcome.double_pauses += self._now_ms - self._released_ms < 1000
        if held and self._alive and catch is not None and catch.paused_ms is None:
            catch.paused_ms = max(0, self._now_ms - catch.talk.at_ms)
        if self._was_held and not held:
            self._released_ms = self._now_ms
        self._was_held = held
        if catch is None:
            outcome.wanted_ticks += 1
            outcome.audible_ticks += frame is not None


def hold_call(
    answer: Pcm,
    options: RoomOptions,
    talks: tuple[Talk, ...],
    seconds: float,
    new_model: Callable[[], SpeechModel | None],
    new_echo: Callable[[], Defence],
) -> Outcome:
    """A call of *seconds* in which *answer* (24 kHz) is spoken without end. See :class:`Call`."""
    call = Call(answer, options, talks, int(seconds * 1000 / PTIME_MS), new_model, new_echo)
    return asyncio.run(call.run())
