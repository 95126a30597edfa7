"""The formats of sound that goes and comes as events: what is heard and said is the same in each of them."""

import asyncio
import base64
import json

import numpy as np
import pytest

from gateway.agents.scripted import ScriptedAgent
from gateway.transports.microphone import Microphone
from gateway.transports.sound import LAWS, SoundFormat, encoder, rate_hz
from media.codecs import g711
from media.frames import MIC_RATE_HZ, VOICE_FRAME, VOICE_RATE_HZ, Pcm, from_bytes
from tests.media.engines import ScriptedRecognizer
from tests.protocol.stock import problems
from tests.transports.inbox import Json
from tests.transports.wire import Client, line, update
from tests.virtual_time import run

FORMATS: list[SoundFormat] = ["audio/pcm", "audio/pcmu", "audio/pcma"]


def tone(ms: int, rate: int, hz: int = 500) -> Pcm:
    return (8000 * np.sin(2 * np.pi * hz * np.arange(rate * ms // 1000) / rate)).astype(np.int16)


def sent(form: SoundFormat, ms: int, *, loud: bool = True) -> bytes:
    """Sound as a client would send it."""
    pcm = tone(ms, rate_hz(form)) * loud
    law = LAWS.get(form)
    return pcm.astype("<i2").tobytes() if law is None else g711.encoding(law)[pcm.view(np.uint16)].tobytes()


def got(form: SoundFormat, data: bytes) -> Pcm:
    """Sound as a client would play it."""
    law = LAWS.get(form)
    return from_bytes(data) if law is None else g711.decoding(law)[np.frombuffer(data, dtype=np.uint8)]


def pitch(pcm: Pcm, rate: int) -> float:
    """The strongest frequency, in Hz."""
    return float(np.argmax(np.abs(np.fft.rfft(pcm * np.hanning(len(pcm)))))) * rate / len(pcm)


def formats(heard: Json, told: Json) -> Json:
    return update(audio={"input": {"format": heard}, "output": {"format": told}})


async def append(client: Client, data: bytes, *, piece: int) -> None:
    for at in range(0, len(data), piece):
        await client.send("input_audio_buffer.append", audio=base64.b64encode(data[at : at + piece]).decode())
        await asyncio.sleep(0.02)


def heard_from(client: Client, form: SoundFormat, since: int = 0) -> Pcm:
    deltas = client.all("response.output_audio.delta")[since:]
    return got(form, b"".join(base64.b64decode(event["delta"]) for event in deltas))


# --- one way ---


@pytest.mark.parametrize("form", FORMATS)
def test_a_microphone_is_heard_at_16_khz_however_its_sound_is_cut(form: SoundFormat) -> None:
    data = sent(form, 400)
    whole = Microphone(form).take(base64.b64encode(data).decode())
    assert len(whole) == MIC_RATE_HZ * 400 // 1000
    assert pitch(whole, MIC_RATE_HZ) == pytest.approx(500, abs=5)
    assert np.abs(whole[200:]).max() == pytest.approx(8000, rel=0.05)
    cut = Microphone(form)
    pieces = [cut.take(base64.b64encode(data[at : at + 333]).decode()) for at in range(0, len(data), 333)]
    assert np.array_equal(np.concatenate(pieces), whole)


@pytest.mark.parametrize("form", FORMATS)
def test_an_answers_frames_last_as_long_as_they_sound(form: SoundFormat) -> None:
    encode = encoder(form)
    frames = tone(400, VOICE_RATE_HZ).reshape(-1, VOICE_FRAME)
    pieces = [encode(frame) for frame in frames]
    width = 1 if form in LAWS else 2
    assert {len(piece) for piece in pieces} == {rate_hz(form) // 50 * width}
    sound = got(form, b"".join(pieces))
    assert pitch(sound, rate_hz(form)) == pytest.approx(500, abs=5)
    assert np.abs(sound[100:]).max() == pytest.approx(8000, rel=0.05)


# --- a conversation ---


@pytest.mark.parametrize("form", FORMATS)
def test_a_turn_and_its_answer_in_each_format(form: SoundFormat) -> None:
    async def main() -> None:
        async with line(ScriptedAgent("one two three"), hears=["count"]) as at:
            client = await at.connect(await at.open())
            await client.send("session.update", **formats({"type": form}, {"type": form}))
            audio = client.all("session.updated")[0]["session"]["audio"]
            shown = {"type": form, "rate": 24000} if form == "audio/pcm" else {"type": form}
            assert (audio["input"]["format"], audio["output"]["format"]) == (shown, shown)
            piece = rate_hz(form) // 50 * (1 if form in LAWS else 2)
            await append(client, sent(form, 800) + sent(form, 1000, loud=False), piece=piece)
            await client.get("response.done")
            assert at.engines is not None
            assert isinstance(at.engines.recognizer, ScriptedRecognizer)
            # What a detector has confirmed, its padding, and the silence that ended the turn.
            assert 1200 <= at.engines.recognizer.opened[0].heard_ms <= 1400
            started = client.all("input_audio_buffer.speech_started")[0]["audio_start_ms"]
            stopped = client.all("input_audio_buffer.speech_stopped")[0]["audio_end_ms"]
            assert stopped - started == pytest.approx(1300, abs=60)
            sound = heard_from(client, form)
            assert len(sound) == rate_hz(form) * 3 * 200 // 1000
            assert pitch(sound[: rate_hz(form) // 8], rate_hz(form)) == pytest.approx(400, abs=10)
            assert all(problems(json.dumps(event)) == [] for event in client.got)
            await client.leave()

    run(main())


def test_what_was_played_is_counted_in_milliseconds_in_any_format() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("one two three four five six seven eight"), hears=()) as at:
            client = await at.connect(await at.open())
            await client.send("session.update", **formats({"type": "audio/pcmu"}, {"type": "audio/pcma"}))
            await client.ask("count")
            await asyncio.sleep(1.5)
            item_id = client.all("response.output_item.added")[0]["item"]["id"]
            await client.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=650)
            cut = await client.get("conversation.item.truncated")
            assert (cut["audio_end_ms"], cut["heard_text"]) == (650, "one two three")
            await client.leave()

    run(main())


def test_a_format_changes_between_turns_and_in_an_answer_only_after_it() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("one two three four", "five", "six"), hears=["a turn"]) as at:
            client = await at.connect(await at.open())
            await client.ask("first")
            await client.get("response.output_audio.delta", 5)
            await client.send("session.update", **formats({"type": "audio/pcma"}, {"type": "audio/pcmu"}))
            await client.get("response.done")
            first = client.all("response.output_audio.delta")
            assert {len(base64.b64decode(event["delta"])) for event in first} == {2 * VOICE_FRAME}
            await client.ask("second")
            await client.get("response.done", 2)
            assert len(heard_from(client, "audio/pcmu", len(first))) == 8000 * 200 // 1000
            await append(client, sent("audio/pcma", 600) + sent("audio/pcma", 1000, loud=False), piece=160)
            await client.get("response.done", 3)
            assert len(client.all("input_audio_buffer.speech_started")) == 1
            await client.leave()

    run(main())


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"type": "audio/pcm", "rate": 16000}, "unsupported_format"),
        ({"type": "audio/pcmu", "rate": 24000}, "unsupported_format"),
        ({"type": "audio/opus"}, "unsupported_format"),
        ({"type": "pcm16"}, "unsupported_format"),
        ("pcm16", "invalid_value"),
        ({"type": 5}, "invalid_value"),
    ],
)
@pytest.mark.parametrize("way", ["input", "output"])
def test_another_format_is_refused_and_the_session_goes_on_with_the_one_it_had(
    given: object, code: str, way: str
) -> None:
    async def main() -> None:
        async with line(ScriptedAgent("one"), hears=()) as at:
            client = await at.connect(await at.open())
            await client.send("session.update", event_id="e1", **update(audio={way: {"format": given}}))
            error = client.all("error")[0]["error"]
            assert (error["code"], error["event_id"]) == (code, "e1")
            assert error["param"].startswith(f"session.audio.{way}.format")
            await client.send("session.update", **update())
            audio = client.all("session.updated")[0]["session"]["audio"]
            assert audio[way]["format"] == {"type": "audio/pcm", "rate": 24000}
            await client.ask("hi")
            await client.get("response.done")
            assert len(heard_from(client, "audio/pcm")) == VOICE_RATE_HZ * 200 // 1000
            await client.leave()

    run(main())


@pytest.mark.parametrize("given", [{"type": "audio/pcm", "rate": None}, {"type": "audio/pcm"}, {"rate": 24000}])
def test_the_rate_and_the_type_may_be_left_out(given: Json) -> None:
    async def main() -> None:
        async with line(hears=()) as at:
            client = await at.connect(await at.open())
            await client.send("session.update", **formats(given, {"type": "audio/pcmu", "rate": 8000}))
            audio = client.all("session.updated")[0]["session"]["audio"]
            assert audio["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
            assert audio["output"]["format"] == {"type": "audio/pcmu"}
            await client.leave()

    run(main())


# --- how fast ---


@pytest.mark.parametrize("speed", [0.5, 1.5])
def test_an_answer_is_spoken_as_fast_as_it_is_wanted_and_cut_where_it_was_heard(speed: float) -> None:
    async def main() -> None:
        async with line(ScriptedAgent("one two three", "one two three four five six."), hears=()) as at:
            client = await at.connect(await at.open())
            await client.send("session.update", **update(audio={"output": {"speed": speed}}))
            assert client.all("session.updated")[0]["session"]["audio"]["output"]["speed"] == speed
            await client.ask("count")
            await client.get("response.done")
            sound = heard_from(client, "audio/pcm")
            assert len(sound) == pytest.approx(VOICE_RATE_HZ * 0.6 / speed, abs=VOICE_FRAME)
            assert pitch(sound[: VOICE_RATE_HZ // 8], VOICE_RATE_HZ) == pytest.approx(400, abs=10)
            await client.ask("again")
            item_id = (await client.get("response.output_item.added", 2))["item"]["id"]
            await asyncio.sleep(0.2 * 3 / speed + 0.1)
            claim = round(500 / speed)  # two words and a half
            await client.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=claim)
            assert (await client.get("conversation.item.truncated"))["heard_text"] == "one two"
            await client.leave()

    run(main())


def test_another_speed_is_for_the_next_answer() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("one two three four", "five six"), hears=()) as at:
            client = await at.connect(await at.open())
            await client.ask("first")
            await client.get("response.output_audio.delta", 5)
            await client.send("session.update", **update(audio={"output": {"speed": 0.5}}))
            await client.get("response.done")
            whole = len(heard_from(client, "audio/pcm"))
            assert whole == VOICE_RATE_HZ * 800 // 1000
            first = len(client.all("response.output_audio.delta"))
            await client.ask("second")
            await client.get("response.done", 2)
            assert len(heard_from(client, "audio/pcm", first)) == VOICE_RATE_HZ * 2 * 400 // 1000
            await client.leave()

    run(main())
