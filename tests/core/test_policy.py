"""Thresholds and word lists."""

import pytest

from gateway.core.policy import BACKCHANNELS, STOP_WORDS, Policy, has_words, is_backchannel, is_stop_word, normalised


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("  Hold   ON! ", "hold on"),
        ("uh-huh", "uh huh"),
        ("That's it.", "that's it"),
        ("…", ""),
        ("Ärger 2", "ärger 2"),
    ],
)
def test_words_are_compared_without_case_or_punctuation(text: str, words: str) -> None:
    assert normalised(text) == words
    assert has_words(text) is bool(words)


@pytest.mark.parametrize("text", ["stop", "Wait!", "Hold on.", "STOP, STOP", "Please stop.", "one moment"])
def test_stop_words_are_known(text: str) -> None:
    assert is_stop_word(text, "en")


@pytest.mark.parametrize("text", ["", "stop at ten", "don't stop", "unstoppable", "the bus stop", "waiter"])
def test_what_only_contains_a_stop_word_is_none(text: str) -> None:
    assert not is_stop_word(text, "en")


@pytest.mark.parametrize("text", ["Mm hm.", "mm hm, mm hm", "yeah yeah", "OK.", "uh-huh uh-huh", "I see", "oh okay"])
def test_backchannels_are_known_also_when_repeated(text: str) -> None:
    assert is_backchannel(text, "en")


@pytest.mark.parametrize("text", ["", "...", "yeah but", "okay stop", "no", "what", "right now please", "seen"])
def test_words_that_ask_for_something_are_no_backchannel(text: str) -> None:
    assert not is_backchannel(text, "en")


@pytest.mark.parametrize(
    ("language", "stop", "backchannel"),
    [
        ("de", "Warte mal!", "Ach so."),
        ("fr", "Arrête !", "D'accord."),
        ("es", "Espera.", "Vale, vale."),
        ("it", "Basta!", "Va bene."),
    ],
)
def test_each_language_has_lists_of_its_own(language: str, stop: str, backchannel: str) -> None:
    assert is_stop_word(stop, language)
    assert not is_stop_word(stop, "en")
    assert is_backchannel(backchannel, language)
    assert not is_backchannel(stop, language)


def test_a_session_may_bring_lists_of_its_own() -> None:
    assert is_stop_word("Banana!", "en", ("banana",))
    assert not is_stop_word("stop", "en", ("banana",))
    assert is_backchannel("Roger, roger.", "en", ("roger",))
    assert not is_backchannel("okay", "en", ())


def test_a_language_without_lists_uses_the_english_ones() -> None:
    assert is_stop_word("stop", "xx")
    assert is_backchannel("okay", "xx")


def test_no_utterance_is_both_a_stop_word_and_a_backchannel() -> None:
    for language, words in STOP_WORDS.items():
        assert not [word for word in words if is_backchannel(word, language)]


def test_every_listed_word_is_written_as_utterances_are_compared() -> None:
    for words in (*STOP_WORDS.values(), *BACKCHANNELS.values()):
        assert [word for word in words if normalised(word) != word] == []


def test_the_limits_of_a_session() -> None:
    policy = Policy()
    assert policy.judge_within == 2.0  # the design: at 2 s it must decide
    assert policy.go_on_within == 2.0  # the design: empty or failed within 2 s
    assert policy.transcribe_within >= policy.go_on_within  # a transcript may be late and still count
    assert policy.turn_within > 60.0  # the leg's own turn limit comes first
    assert policy.pause_within == 60.0  # the design: an older pause becomes a cut
    assert policy.flush_within <= policy.judge_within  # nobody waits for a loudspeaker longer than for a doubt
    assert policy.after_empty_cut == "continue"
