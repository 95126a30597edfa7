"""What is said aloud when a model fails: whoever asked by voice would else wait for an answer in silence.

It is a part of the answer, for it was heard. What went wrong, and what to do about it, stands in the response's error.
"""

from typing import Final

NO_ANSWER: Final = {
    "en": "I am sorry, I cannot answer right now. Please try again in a moment.",
    "de": "Es tut mir leid, ich kann gerade nicht antworten. Bitte versuchen Sie es gleich noch einmal.",
    "fr": "Je suis désolé, je ne peux pas répondre pour le moment. Veuillez réessayer dans un instant.",
    "es": "Lo siento, ahora mismo no puedo responder. Inténtelo de nuevo en un momento.",
    "it": "Mi dispiace, al momento non posso rispondere. Riprovi tra un attimo.",
}
NO_MORE: Final = {
    "en": "I am sorry, I cannot go on. Please ask me again.",
    "de": "Es tut mir leid, ich kann nicht weitersprechen. Bitte fragen Sie mich noch einmal.",
    "fr": "Je suis désolé, je ne peux pas continuer. Veuillez me reposer la question.",
    "es": "Lo siento, no puedo continuar. Pregúnteme otra vez, por favor.",
    "it": "Mi dispiace, non posso continuare. Me lo chieda di nuovo, per favore.",
}


def regret(language: str, *, spoke: bool) -> str:
    """The sentence, in English where there is none in *language*; *spoke*: some of the answer came."""
    said = NO_MORE if spoke else NO_ANSWER
    sentence = said.get(language, said["en"])
    return f" {sentence}" if spoke else sentence
