/** Everything the page says, in one place. */

/** What each status of the floor is called, and what one can do now. */
export const STATUS = {
  ready: ["Ready", "Type a message, or press Talk."],
  listening: ["Listening", "Say something. “Tell me a long story”, for example."],
  hearing: ["Hearing you", "Go on. It answers when you pause."],
  suspected: ["Paused: is that you?", "A cough lets the answer go on; a voice keeps it silent."],
  confirmed: ["Paused: that is you", "The answer waits for what you say."],
  cut: ["Cut", "It keeps only what you heard."],
  resumed: ["False alarm: going on", "Nothing of the answer is missing."],
  understanding: ["Understanding", "Putting your words into writing."],
  thinking: ["Thinking", "Press Esc to stop it."],
  speaking: ["Speaking", "Talk over it, type, or press Esc."],
  writing: ["Writing", "Type to interrupt it, or press Esc."],
};

/** The same for who can only type. */
export const TEXT_ALONE = ["Ready", "Type a message."];

/** The short names in the trail of what has just happened. */
export const STEP = {
  ready: "ready",
  listening: "listening",
  hearing: "hearing you",
  suspected: "suspected",
  confirmed: "confirmed",
  cut: "cut",
  resumed: "resumed",
  understanding: "understanding",
  thinking: "thinking",
  speaking: "speaking",
  writing: "writing",
};

/** Engines that are there so that everything can be tried with nothing. A name may say so itself. */
const DEMO = /^offline$|^espeak|demo quality/;

/** Who answers, speaks and listens, as `session.bargein` tells it. */
export function aboutText({ agent, synthesizer, recognizer }) {
  const names = [agent, synthesizer, recognizer].filter(Boolean);
  const allDemo = names.every((name) => DEMO.test(name));
  const named = (name) => {
    const plain = name === "offline" ? "offline agent" : name.replace(" (demo quality)", "");
    return DEMO.test(name) && !allDemo ? `${plain} (demo quality)` : plain;
  };
  const parts = [`Answers: ${named(agent)}`];
  if (synthesizer) parts.push(`speaks: ${named(synthesizer)}`);
  if (recognizer) parts.push(`listens: ${named(recognizer)}`);
  return parts.join(" · ") + (allDemo ? ". All offline, in demo quality." : "");
}

/** The state of the control socket. */
export const CONNECTION = {
  connected: "Connected",
  connecting: "Connecting…",
  waiting: "Reconnecting",
  refused: "Disconnected by the gateway",
  unauthorised: "This gateway asks for its token: open the page as /#token=…",
  closed: "Disconnected",
};

/** How long until the next attempt; both times on the clock of `Date.now()`. */
export function countdownText(retryAt, now) {
  return `in ${Math.max(1, Math.ceil((retryAt - now) / 1000))} s`;
}

/** What the call is doing and by which way; `obstacle` says why it cannot be had, or is null. */
export function modeText(call, via, muted, obstacle) {
  switch (call) {
    case "asking":
      return "Allow the microphone, please.";
    case "connecting":
      return "Connecting the sound…";
    case "waiting":
      return "The sound was lost. Reconnecting…";
    case "live":
      if (muted) return "Your microphone is muted.";
      return via === "socket" ? "Voice is on, by WebSocket: UDP does not get through." : "Voice is on.";
    default:
      return obstacle ?? "Text only until you press Talk.";
  }
}

export const EDIT = "Edit";
export const AGAIN = "Answer again";

/** Which of the messages at its place one sees. */
export function siblingText({ index, count }) {
  return `Version ${index + 1} of ${count}`;
}

export const TALK = { off: "Talk", asking: "Cancel", connecting: "Cancel", waiting: "Cancel", live: "End talk" };

export const VOICE_UNAVAILABLE = "This gateway serves text alone: install bargein[offline] there to talk.";
export const SESSION_LOST = "That conversation is not on this gateway (any more). This is a new one.";
export const SOUND_BLOCKED = "The browser holds the sound back. Press Talk once more.";

export const YOU = "You";

const DOING = {
  suspected: "may be speaking",
  speaking: "speaking",
  typing: "typing…",
  holding: "holds the answer",
  playing: "plays the answer",
  muted: "muted",
  listening: "on a call",
};

/** What a device does: the foremost of it, or "". */
export function doingText(doing) {
  const foremost = Object.keys(DOING).find((one) => doing.includes(one));
  return foremost ? DOING[foremost] : "";
}

/** How many others are not shown. */
export const moreText = (count) => `and ${count} more`;

/** Who said a message. `mine` is false when it came from another device. */
export function whoText(item, mine) {
  if (item.role === "tool") return item.name ? `Tool ${item.name}` : "Result";
  if (item.role !== "user") return item.role === "assistant" ? "Answer" : "Instruction";
  const how = item.spoken ? "by voice" : "typed";
  return mine ? `You, ${how}` : `You, ${how} on another device`;
}

/** What became of a message, or "". */
export function markText(item) {
  if (item.pending) return "Not sent yet";
  if (item.ended?.kind === "not-understood") return "No words could be made out";
  if (item.unheard) return item.text ? "Interrupted. The rest was not heard." : "Interrupted before a word was heard.";
  if (item.ended?.kind === "short") return "Ended early: the model may not say more";
  if (item.ended?.kind === "failed") return `Broken off: ${item.ended.message || "the answer failed"}`;
  if (item.unheard !== null || item.ended?.kind === "interrupted") return "Interrupted";
  return item.continues ? "Going on after a false interruption" : "";
}
