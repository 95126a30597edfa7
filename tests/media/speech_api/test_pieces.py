"""Sound that comes in any bytes, as pieces."""

import pytest
from hypothesis import given, strategies as st

from media.frames import VOICE_RATE_HZ
from media.speech import SpeechError
from media.speech.api.pieces import LONGEST_CHAR_S, LONGEST_S, Pieces


@given(st.lists(st.binary(max_size=6000), max_size=8))
def test_pieces_joined_are_the_bytes_but_for_half_a_sample(chunks: list[bytes]) -> None:
    pieces = Pieces(1, "a server")
    given_ = [piece for chunk in chunks for piece in pieces.take(chunk)]
    assert all(480 <= len(piece) <= 2400 for piece in given_)
    data = b"".join(chunks)
    assert b"".join(piece.tobytes() for piece in (*given_, pieces.rest())) == data[: len(data) // 2 * 2]


def test_more_sound_than_a_text_can_have_is_no_speech() -> None:
    pieces = Pieces(2, "a server")
    most = round((LONGEST_S + 2 * LONGEST_CHAR_S) * VOICE_RATE_HZ) * 2
    pieces.take(bytes(most))
    with pytest.raises(SpeechError, match="a server sends sound without end"):
        pieces.take(b"\0")
