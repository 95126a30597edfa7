/**
 * Who has the floor: pure. Folds what both connections tell about voices and sound into one status.
 *
 * `voice` is what is heard from the user over an answer (suspected, confirmed) or as a turn (started), or null;
 * `sounding` and `answering` hold ids of responses; `note` is the last thing that happened in an instant,
 * `holder` the device that speaks the answers, where there are several.
 */

export const QUIET = Object.freeze({
  live: false,
  voice: null,
  paused: false,
  sounding: Object.freeze([]),
  answering: Object.freeze({}),
  awaiting: Object.freeze([]),
  note: Object.freeze({ kind: null, count: 0 }),
  holder: null,
});

/** The floor after `event`; the same object when the event means nothing here. */
export function follow(floor, event) {
  const rule = RULES[event.type];
  return rule ? { ...floor, ...rule(floor, event) } : floor;
}

/** One word for it; what just happened is `floor.note`. */
export function statusOf(floor) {
  const answering = Object.values(floor.answering);
  if (floor.voice === "started") return "hearing";
  if (floor.sounding.length > 0 && floor.voice === "confirmed") return "confirmed";
  if (floor.sounding.length > 0 && (floor.voice === "suspected" || floor.paused)) return "suspected";
  if (floor.sounding.length > 0) return "speaking";
  if (answering.some((answer) => answer.begun && !answer.spoken)) return "writing";
  if (answering.length > 0) return "thinking";
  if (floor.awaiting.length > 0) return "understanding";
  return floor.live ? "listening" : "ready";
}

/** True while there is something that Stop would stop. */
export function canStop(floor) {
  return floor.sounding.length > 0 || Object.keys(floor.answering).length > 0;
}

/** What an event means for the loudspeaker: "mute", "unmute" or null. What is told again is no order. */
export function orderFor(event) {
  if (event.replay || event.moved) return null; // what was sent of a word that is finished here is still to be heard
  if (MUTE.has(event.type)) return "mute";
  return UNMUTE.has(event.type) ? "unmute" : null;
}

const MUTE = new Set(["output_audio_buffer.paused", "output_audio_buffer.cleared", "input_audio_buffer.speech_started"]);
const UNMUTE = new Set(["output_audio_buffer.resumed", "output_audio_buffer.started"]);

const SILENT = { voice: null, paused: false, sounding: [] };

const RULES = {
  "local.call": (floor, event) => (event.live ? { live: true } : { live: false, ...SILENT, answering: inWriting(floor) }),
  "session.snapshot": (floor, event) => ({ ...QUIET, live: floor.live, holder: floor.holder, note: floor.note, answering: unfinished(event) }),
  // Signals are not told again. Without a call nobody has told them meanwhile, so that what was open is unknown.
  "session.resumed": (floor) => (floor.live ? {} : SILENT),
  "input_audio_buffer.speech_suspected": () => ({ voice: "suspected" }),
  "input_audio_buffer.speech_confirmed": () => ({ voice: "confirmed" }),
  "input_audio_buffer.speech_dismissed": (floor) => ({
    voice: null,
    note: floor.sounding.length > 0 ? noted(floor, "resumed") : floor.note,
  }),
  "input_audio_buffer.speech_started": () => ({ voice: "started" }),
  "input_audio_buffer.speech_stopped": (floor, event) => ({ voice: null, awaiting: having(floor.awaiting, event.item_id) }),
  "input_audio_buffer.committed": (floor, event) => ({ awaiting: having(floor.awaiting, event.item_id) }),
  "conversation.item.input_audio_transcription.completed": transcriptKnown,
  "conversation.item.input_audio_transcription.failed": transcriptKnown,
  "conversation.item.deleted": transcriptKnown,
  "output_audio_buffer.paused": () => ({ paused: true }),
  "output_audio_buffer.resumed": () => ({ paused: false }),
  "output_audio_buffer.started": (floor, event) => ({
    paused: false,
    sounding: having(floor.sounding, event.response_id),
  }),
  "output_audio_buffer.stopped": (floor, event) => ({
    paused: false,
    sounding: lacking(floor.sounding, event.response_id),
  }),
  // In a call that goes on this is the cut itself, which `response.done` only confirms.
  "output_audio_buffer.cleared": (floor, event) => ({
    paused: false,
    sounding: lacking(floor.sounding, event.response_id),
    answering: floor.live && !event.moved ? without(floor.answering, [event.response_id]) : floor.answering,
  }),
  "session.created": (floor, event) => ({ holder: event.session.bargein?.floor?.device ?? null }),
  "floor.changed": (floor, event) => ({ holder: event.device }),
  // Sound also ends when its call does; only these say that the answer was cut.
  "conversation.item.truncated": (floor, event) => cut(floor, event, event.heard_text !== undefined),
  "response.created": (floor, event) => answer(floor, event.response.id, { spoken: isSpoken(event.response) }),
  "response.output_item.added": (floor, event) => answer(floor, event.response_id, { begun: true }),
  "response.done": (floor, event) => ({
    answering: without(floor.answering, [event.response.id, event.response.output?.[0]?.id]),
    ...cut(floor, event, event.response.status === "cancelled"),
  }),
};

/** A snapshot names no responses: what is being written stands under its item's id until it is done. */
function unfinished(snapshot) {
  const open = snapshot.items.find((item) => item.role === "assistant" && item.status === "in_progress");
  return open ? { [open.id]: { begun: true, spoken: false } } : {};
}

function cut(floor, event, is) {
  return is && !event.replay ? { note: noted(floor, "cut") } : {};
}

/** Without the call that spoke them, answers go on in writing. */
function inWriting(floor) {
  return Object.fromEntries(Object.entries(floor.answering).map(([id, known]) => [id, { ...known, spoken: false }]));
}

function without(answering, over) {
  return Object.fromEntries(Object.entries(answering).filter(([id]) => !over.includes(id)));
}

function transcriptKnown(floor, event) {
  return { awaiting: lacking(floor.awaiting, event.item_id) };
}

function noted(floor, kind) {
  return { kind, count: floor.note.count + 1 };
}

function answer(floor, id, changes) {
  const known = floor.answering[id];
  return { answering: { ...floor.answering, [id]: { begun: false, spoken: false, ...known, ...changes } } };
}

function isSpoken(response) {
  return response.output_modalities?.includes("audio") ?? false;
}

const having = (list, one) => (list.includes(one) ? list : [...list, one]);
const lacking = (list, one) => list.filter((other) => other !== one);

/**
 * Two connections tell the same events in the same order; this lets each through once, from whichever is first.
 * It holds, for each source, what the other one has told already and this one still will.
 */
export class FirstSaid {
  #expected = new Map();

  /** `source` tells from now on. */
  joined(source) {
    this.#expected.set(source, []);
  }

  left(source) {
    this.#expected.delete(source);
  }

  /** Is this the first time that somebody says so? */
  isFirst(source, event) {
    const key = `${event.type} ${event.response_id ?? event.item_id ?? ""}`;
    const expected = this.#expected.get(source) ?? [];
    const at = expected.indexOf(key);
    if (at >= 0) {
      expected.splice(0, at + 1); // what stood before it was missed by this source, and never comes
      return false;
    }
    for (const [other, list] of this.#expected) if (other !== source) list.push(key);
    return true;
  }
}
