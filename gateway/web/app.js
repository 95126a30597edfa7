/** Wires the page: a conversation, its voice, and the elements that show them. */

import { Address } from "./address.js";
import { Conversation, freshId } from "./bargein.js";
import { NOBODY, meet } from "./company.js";
import { describe } from "./device.js";
import { showElsewhere } from "./elsewhere.js";
import { FirstSaid, QUIET, canStop, follow, orderFor, statusOf } from "./floor.js";
import { deviceId, lastMicrophone, lastSession, rememberMicrophone, rememberSession, token } from "./keep.js";
import { Meter } from "./meter.js";
import { list, obstacle, watch } from "./microphone.js";
import { ShownStatus } from "./shown.js";
import { Typing } from "./typing.js";
import { View } from "./view.js";
import { SESSION_LOST, SOUND_BLOCKED, VOICE_UNAVAILABLE } from "./words.js";

/** What the call may tell before the socket does: who speaks, and what sounds. The rest comes by the socket alone. */
const OF_THE_MOMENT = /^(input_audio_buffer|output_audio_buffer)\./;

/** What belongs together comes in several messages: it is drawn at once. Silence does not wait for it. */
const DRAW_WITHIN_MS = 16;

/** Refusals that only say that there was nothing to do. */
const HARMLESS = new Set(["response_cancel_not_active"]);

const device = deviceId();
const loudspeaker = document.getElementById("loudspeaker");

let floor = QUIET;
let company = NOBODY;
let drawing = false;
const levels = { microphone: 0, answer: 0 };
const firstSaid = new FirstSaid();
const shown = new ShownStatus(draw);

const view = new View(device, {
  ...{ talk, send, stop, fresh, link, mute, choose, here, edit, again, select },
  reconnect: () => conversation.hurry(),
  upgrade: () => call.networkChanged(),
});
const meter = new Meter((measured) => {
  Object.assign(levels, measured);
  view.showLevel(levels.microphone);
});
const conversation = new Conversation(location.origin, { device, token: token() });
const call = conversation.voice({
  state: callChanged,
  event: fromCall,
  microphone: (stream) => meter.listen("microphone", stream),
  sound: play,
  latency: () => meter.latency,
  error: (error) => view.notify(error.message, error.code ?? "call_failed"),
  busy: () => canStop(floor),
});
const typing = new Typing(document.getElementById("text"), (type) => conversation.tell(type));

// --- what is told ---

function fromSocket(event) {
  if (event.type === "error" || event.type === "command.rejected") refused(event);
  if (event.replay || !OF_THE_MOMENT.test(event.type) || firstSaid.isFirst("socket", event)) apply(event);
  company = meet(company, event);
  draw();
}

function fromCall(event) {
  if (event.type === "error") refused(event);
  if (OF_THE_MOMENT.test(event.type) && firstSaid.isFirst("call", event)) apply(event);
}

/** Silence comes first: it waits for no drawing. */
function apply(event) {
  const order = orderFor(event);
  if (order) loudspeaker.muted = order === "mute";
  const before = floor;
  floor = follow(floor, event);
  if (floor.note.count !== before.note.count) shown.flash(floor.note.kind);
  draw();
}

function refused(event) {
  const { code, message } = event.error ?? event;
  if (!HARMLESS.has(code)) view.notify(message, code);
}

function socketChanged(state) {
  if (state.kind === "connected") {
    firstSaid.joined("socket");
    rememberSession(conversation.session);
    conversation.tell("presence.update", describe(navigator.userAgent));
    call.hurry();
    call.probe();
  } else {
    firstSaid.left("socket");
  }
  draw();
}

function sessionLost() {
  view.notify(SESSION_LOST, "session_not_found");
  fresh();
}

// --- what the user does ---

function talk() {
  if (call.state !== "off") {
    call.stop();
    return;
  }
  meter.start();
  loudspeaker.muted = false;
  call.start(lastMicrophone());
}

function send(text) {
  if (conversation.state.kind === "connected") silence(); // otherwise the answer goes on until the command gets there
  typing.sent();
  conversation.send(text, { onActive: "interrupt" }).catch((error) => {
    if (error.code !== "closed") view.notify(error.message, error.code); // what the gateway refuses is told once
  });
}

/** Say a message otherwise, and have it answered. Returns the id that it will have. */
function edit(id, text) {
  const item = freshId("item_");
  const content = [{ type: "input_text", text }];
  command("conversation.item.update", { item_id: id, content, new_item_id: item, response: true });
  return item;
}

function again(id) {
  command("response.create", { replaces: id });
}

function select(id) {
  command("conversation.branch.select", { item_id: id });
}

/** What the gateway refuses comes as an event too, and is told once. */
function command(type, fields) {
  conversation.command(type, fields).catch(refused);
}

function stop() {
  if (!canStop(floor)) return;
  silence();
  const fields = { event_id: freshId("evt_") };
  if (!conversation.tell("response.cancel", fields)) call.send({ type: "response.cancel", ...fields });
}

/** What the user has just ended is not waited for. The next answer's start gives the sound back. */
function silence() {
  if (floor.sounding.length > 0) loudspeaker.muted = true;
}

function fresh() {
  call.stop();
  floor = QUIET;
  company = NOBODY;
  shown.reset();
  history.replaceState(null, "", location.pathname);
  conversation.join(null);
  draw();
}

function link() {
  const url = new URL(location.pathname, location.href);
  url.searchParams.set("session", conversation.session);
  return showElsewhere(document.getElementById("elsewhere"), new Address(location.origin, token()), conversation.session, url.href);
}

function mute() {
  call.muted = !call.muted;
  call.send({ type: "input_audio_buffer.mute", muted: call.muted });
  draw();
}

/** Let the answer, and the next ones, be spoken by this device. */
function here() {
  call.send({ type: "floor.claim" });
}

function choose(id) {
  rememberMicrophone(id);
  call.choose(id);
}

// --- sound ---

function callChanged(state) {
  const live = state === "live";
  if (live) firstSaid.joined("call");
  else firstSaid.left("call");
  if (state === "off") {
    meter.stop();
    loudspeaker.srcObject = null;
  }
  if (live !== floor.live) apply({ type: "local.call", live });
  if (live) offerMicrophones(); // only now does the browser tell their names
  draw();
}

function play(stream) {
  meter.listen("answer", stream);
  loudspeaker.srcObject = stream;
  loudspeaker.play().catch((error) => {
    if (error.name === "NotAllowedError") view.notify(SOUND_BLOCKED, "sound_blocked");
  });
}

async function offerMicrophones() {
  view.showMicrophones(await list(), lastMicrophone());
}

// --- drawing ---

function draw() {
  if (drawing) return;
  drawing = true;
  setTimeout(() => {
    drawing = false;
    shown.follow(statusOf(floor));
    view.show(model());
  }, DRAW_WITHIN_MS);
}

function model() {
  return {
    connection: conversation.state,
    items: conversation.items,
    status: shown.now,
    trail: shown.trail,
    canStop: canStop(floor),
    call: call.state,
    via: call.via,
    muted: call.muted,
    elsewhere: call.state === "live" && floor.holder !== null && floor.holder !== device,
    company,
    obstacle: obstacle()?.message ?? (conversation.about?.voice === false ? VOICE_UNAVAILABLE : null),
    about: conversation.about,
  };
}

// --- begin ---

/** For the curious, and for tests: what the page knows. */
window.bargein = Object.freeze({
  get state() {
    return {
      session: conversation.session,
      device,
      connection: conversation.state.kind,
      call: call.state,
      via: call.via,
      paths: call.paths,
      status: statusOf(floor),
      holder: floor.holder,
      trail: [...shown.trail],
      items: structuredClone(conversation.items),
      company: structuredClone(company),
      muted: loudspeaker.muted,
      levels: { ...levels },
    };
  },
});

function networkChanged() {
  conversation.renew();
  call.networkChanged();
}

window.addEventListener("online", networkChanged);
// It is also told when the same network only becomes slower.
let network = navigator.connection?.type;
navigator.connection?.addEventListener("change", () => {
  if (navigator.connection.type !== network) networkChanged();
  network = navigator.connection.type;
});
window.addEventListener("pagehide", () => call.stop());
watch(offerMicrophones);
offerMicrophones();
conversation.addEventListener("event", ({ detail }) => fromSocket(detail));
conversation.addEventListener("items", draw);
conversation.addEventListener("state", ({ detail }) => socketChanged(detail));
conversation.addEventListener("lost", sessionLost);
conversation.join(new URLSearchParams(location.search).get("session") ?? lastSession());
