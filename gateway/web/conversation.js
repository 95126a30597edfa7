/**
 * The conversation: a pure function of the server's events. Applying an event twice changes nothing more, so that what
 * a resume tells again is not doubled. The Python client folds alike (gateway/client/items.py).
 *
 * An item is `{id, role, status, text, spoken, unheard, seen, device, awaited, pending, ended, continues, siblings}`: `text`
 * is what was said or heard, `unheard` the rest of a cut answer (null when it was not cut), `seen` what of that had been
 * shown, `awaited` true while a spoken message has no words yet, `pending` true while only this page knows it, `ended`
 * how an answer ended if not by itself, `siblings` which of the messages at its place it is (`{index, count, ids}`; null
 * when there is no other). A tool's call is an item too: its `role` is `tool`, its `kind` `function_call` or
 * `function_call_output`, `callId` joins the two, `name` is the tool's, and `text` its arguments or its result. `answers`
 * holds, by response, what is being generated.
 */

export const EMPTY = Object.freeze({ items: Object.freeze([]), answers: Object.freeze({}) });

/** The conversation after `event`; the same object when the event means nothing here. */
export function reduce(state, event) {
  const rule = RULES[event.type];
  return rule ? rule(state, event) : state;
}

const RULES = {
  "session.snapshot": snapshot,
  "conversation.item.added": (state, event) => added(state, event.item, event.previous_item_id),
  "conversation.item.done": (state, event) => added(state, event.item, undefined),
  "conversation.item.deleted": (state, event) => without(state, event.item_id),
  "conversation.item.truncated": truncated,
  "conversation.item.redacted": redacted,
  "conversation.siblings": siblingsChanged,
  "conversation.item.input_audio_transcription.completed": (state, event) =>
    changed(state, event.item_id, { text: event.transcript, awaited: false }),
  "conversation.item.input_audio_transcription.failed": (state, event) =>
    changed(state, event.item_id, { awaited: false, ended: { kind: "not-understood" } }),
  "response.created": responseCreated,
  "response.output_item.added": (state, event) => owned(state, event.response_id, event.item),
  "response.content_part.added": (state, event) =>
    event.part.type === "audio" ? changed(state, event.item_id, { spoken: true }) : state,
  "response.output_text.delta": appended,
  "response.output_audio_transcript.delta": appended,
  "response.output_text.done": (state, event) => whole(state, event.item_id, event.text),
  "response.output_audio_transcript.done": (state, event) => whole(state, event.item_id, event.transcript),
  "response.done": responseDone,
  "local.submitted": (state, event) => ({ ...state, items: [...state.items, event.item] }),
  "local.withdrawn": (state, event) => ({
    ...state,
    items: state.items.filter((item) => !(item.pending && item.id === event.item_id)),
  }),
};

/** A typed message that the gateway has not confirmed yet. */
export function typed(id, text, device) {
  return fromWire({ id, role: "user", status: "completed", device, content: [{ type: "input_text", text }] }, true);
}

/** The first `count` code points of `text`: offsets count code points, strings count UTF-16 units. */
export function firstPoints(text, count) {
  return PAIRED.test(text) ? Array.from(text).slice(0, count).join("") : text.slice(0, count);
}

/** How many code points `text` has. */
function points(text) {
  return PAIRED.test(text) ? Array.from(text).length : text.length;
}

const PAIRED = /[\ud800-\udfff]/;

/** How many code points are known of each item that is not finished. */
export function heldOf(state) {
  const open = state.items.filter((item) => item.status === "in_progress" && !item.pending);
  return Object.fromEntries(open.map((item) => [item.id, points(item.text)]));
}

/** True for text whose beginning was never told. */
export function lacks(state, event) {
  if (!DELTAS.has(event.type)) return false;
  const item = state.items.find((one) => one.id === event.item_id);
  return item !== undefined && item.unheard === null && event.offset > points(item.text);
}

const DELTAS = new Set(["response.output_text.delta", "response.output_audio_transcript.delta"]);

/** What an item says that is no message: a tool's arguments, or what came of its call. */
const said = (item) => item.output ?? item.arguments ?? "";

function fromWire(item, pending = false) {
  const parts = item.content ?? [];
  const unheard = item.unheard_text ?? null;
  return {
    id: item.id,
    kind: item.type ?? "message",
    callId: item.call_id ?? "",
    name: item.name ?? "",
    role: item.role ?? "tool",
    spoken: parts.some((part) => part.type.endsWith("audio")),
    text: item.content ? parts.map((part) => part.transcript ?? part.text ?? "").join("") : said(item),
    unheard,
    seen: item.seen_text ?? "",
    status: item.status,
    device: item.device ?? "",
    awaited: item.role === "user" && parts.some((part) => part.type === "input_audio" && part.transcript == null),
    pending,
    ended: item.status === "incomplete" ? { kind: "interrupted" } : null,
    continues: null,
    siblings: item.siblings ?? null,
  };
}

function siblingsChanged(state, event) {
  const items = state.items.map((item) => {
    const siblings = event.siblings[item.id] ?? null;
    return JSON.stringify(siblings) === JSON.stringify(item.siblings) ? item : { ...item, siblings };
  });
  return { ...state, items };
}

function snapshot(state, event) {
  const items = event.items.map((item) => fromWire(item));
  const answered = items.findLastIndex((item) => item.role === "assistant");
  const shown = items.map((item, index) =>
    item.awaited && index < answered ? { ...item, awaited: false, ended: { kind: "not-understood" } } : item,
  );
  const known = new Set(shown.map((item) => item.id));
  return { items: [...shown, ...state.items.filter((item) => item.pending && !known.has(item.id))], answers: running(event) };
}

function running({ running: ids = [] }) {
  return Object.fromEntries(ids.map((id) => [id, { itemId: null, continues: null }]));
}

function added(state, wire, previous) {
  if (!Array.isArray(wire?.content) && !wire?.call_id) return state; // an item of a kind that is not known here
  const item = fromWire(wire);
  const known = state.items.find((one) => one.id === item.id);
  if (known && !known.pending) return changed(state, item.id, merged(known, item));
  const others = state.items.filter((one) => one.id !== item.id);
  const continues = Object.values(state.answers).find((answer) => answer.itemId === item.id)?.continues ?? null;
  const at = placeAfter(others, previous);
  return { ...state, items: [...others.slice(0, at), { ...item, continues }, ...others.slice(at)] };
}

/** Where an item goes: after the one named, at the beginning for null, at the end for one that is not known. */
function placeAfter(items, previous) {
  if (previous === null) return 0;
  const index = items.findIndex((item) => item.id === previous);
  return index < 0 ? items.length : index + 1;
}

/** What `item` tells anew about `known`; an opening that is told again takes no words away. */
function merged(known, item) {
  if (known.unheard !== null && item.unheard === null) return { status: item.status };
  const words = item.text || !known.text ? { text: item.text, awaited: item.awaited } : {};
  return { ...words, status: item.status, spoken: known.spoken || item.spoken, unheard: item.unheard, seen: item.seen };
}

function changed(state, id, changes) {
  return { ...state, items: state.items.map((item) => (item.id === id ? { ...item, ...changes } : item)) };
}

function without(state, id) {
  return { ...state, items: state.items.filter((item) => item.id !== id) };
}

function redacted(state, event) {
  const item = state.items.find((one) => one.id === event.item_id);
  return changed(state, event.item_id, { text: "", unheard: item?.unheard == null ? null : "", seen: "", awaited: false });
}

function truncated(state, event) {
  if (event.heard_text === undefined) return state;
  const seen = event.seen_text ?? "";
  return changed(state, event.item_id, { text: event.heard_text, unheard: event.unheard_text ?? "", seen });
}

function appended(state, event) {
  const item = state.items.find((one) => one.id === event.item_id);
  if (item === undefined || item.unheard !== null) return state;
  return changed(state, item.id, {
    text: firstPoints(item.text, event.offset) + event.delta,
    spoken: item.spoken || event.type === "response.output_audio_transcript.delta",
  });
}

function whole(state, id, text) {
  const item = state.items.find((one) => one.id === id);
  return item === undefined || item.unheard !== null ? state : changed(state, id, { text });
}

function responseCreated(state, event) {
  const { id, continues = null } = event.response;
  return { ...state, answers: { ...state.answers, [id]: { itemId: null, continues } } };
}

/** The newest part of an answer; what steers it is an item of it as well, but no part. */
function owned(state, responseId, item) {
  const answer = state.answers[responseId];
  if (answer === undefined || item.role !== "assistant") return state;
  return { ...state, answers: { ...state.answers, [responseId]: { ...answer, itemId: item.id } } };
}

const ENDINGS = { failed: "failed", incomplete: "short" };

function responseDone(state, event) {
  const { id, status, output, status_details: details } = event.response;
  const itemId = state.answers[id]?.itemId ?? output?.findLast((item) => item.role === "assistant")?.id;
  const { [id]: _over, ...answers } = state.answers;
  const next = { ...state, answers };
  if (status === "completed" || itemId === undefined) return next;
  const message = details?.error?.message ?? "";
  return changed(next, itemId, { ended: { kind: ENDINGS[status] ?? "interrupted", message } });
}
