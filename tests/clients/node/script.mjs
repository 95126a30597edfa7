// The session that every client in JavaScript holds: all cases but `resume`, in one conversation.
import { ensure, sleep } from "./kit.mjs";

export const WEATHER = {
  type: "function",
  name: "get_weather",
  description: "Tells the weather in a city.",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false },
};
export const FORECAST = "rain with some hail";
const LISTENED_MS = 1600;
const SILENT_AFTER_MS = 200; // from the end of a cut answer until nothing of it may be heard any more

/**
 * `client` has `heard`, `microphone`, `asked` (with what its function was called), `sent` (truncations, if not more),
 * `complaints`, `sound()` (how much the application was given), `say(text)`, `cancel()`, `remembered(item)` (the words
 * in its own history, null where it keeps none), `sounds`, the event with which an answer begins to sound, and
 * `truncates`: false over WebRTC, where the gateway does that. `keep` leaves what was heard to the runner.
 * Gives the id of the answer that was cut.
 */
export async function hold(client, clips, report, keep) {
  const { heard } = client;
  let story = null;
  await report.case("connect", async () => {
    await heard.until("session.created");
    await heard.until("session.updated");
  });
  await report.case("text", async () => {
    heard.here();
    await client.say("Good morning.");
    ensure((await answer(heard)).includes("short answer"), "the answer was another");
  });
  await report.case("function_call", () => useFunction(client));
  await report.case("voice", async () => {
    story = await voice(client, clips);
  });
  await report.case("barge_in", () => bargeIn(client, clips, story));
  await report.case("truncation", async () => truncation(client, story));
  await report.case("cancel", () => cancel(client));
  await report.case("no_errors", async () => {
    ensure(heard.errors.length === 0, `errors: ${heard.errors.join(", ")}`);
    ensure(client.complaints.length === 0, `complaints: ${client.complaints.join("; ")}`);
  });
  await keep(heard.events);
  return story;
}

/** The words of the next answer that has any, complete. */
export async function answer(heard) {
  for (;;) {
    const { response } = await heard.until("response.done");
    ensure(response.status === "completed", `an answer is ${response.status}`);
    const words = response.output.flatMap((item) => item.content ?? []).map((part) => part.transcript ?? part.text ?? "");
    if (words.join("")) return words.join("");
  }
}

async function useFunction(client) {
  client.heard.here();
  await client.say("What is the weather in Paris?");
  const called = await client.heard.until("response.function_call_arguments.done");
  ensure(called.name === "get_weather", "another function was called");
  const words = await answer(client.heard);
  ensure(JSON.stringify(client.asked) === '[{"city":"Paris"}]', `the function was called with ${JSON.stringify(client.asked)}`);
  ensure(words.includes(FORECAST), "the answer knows nothing of the function's result");
}

/** The id of the answer, which is a long one and goes on. */
async function voice(client, clips) {
  const { heard } = client;
  const before = client.sound();
  heard.here();
  client.microphone.say(await clips("ask_long_story"));
  await heard.until("input_audio_buffer.speech_started");
  const committed = await heard.until("input_audio_buffer.committed");
  const added = await heard.until("response.output_item.added");
  await heard.until(client.sounds, added.response_id);
  await sleep(LISTENED_MS);
  ensure(client.sound() > before, "the application was given no sound");
  const said = heard.since(committed, "conversation.item.input_audio_transcription.completed");
  ensure(said.length && said[0].transcript.includes("story"), "what was said was not understood");
  return added.item.id;
}

async function bargeIn(client, clips, story) {
  const { heard } = client;
  ensure(story, "there was no answer to interrupt");
  client.microphone.say(await clips("no_something_else"));
  await heard.until("input_audio_buffer.speech_started");
  const done = await heard.until("response.done");
  ensure(done.response.status === "cancelled", `the answer is ${done.response.status}`);
  ensure(done.response.status_details.reason === "turn_detected", "it was cut for another reason");
  await sleep(SILENT_AFTER_MS);
  const before = client.sound();
  await heard.until("response.created");
  ensure(client.sound() === before, "the application was given sound after the cut");
  await answer(heard);
  const late = heard.since(done, "response.output_audio.delta").filter((event) => event.item_id === story);
  ensure(late.length === 0, `${late.length} pieces of sound came after the cut`);
}

function truncation(client, story) {
  const { events } = client.heard;
  const asked = client.sent.filter((event) => event.type === "conversation.item.truncate");
  ensure(!client.truncates || asked.some((event) => event.item_id === story), "the client sent no truncation");
  const told = events.filter((event) => event.type === "conversation.item.truncated" && event.item_id === story);
  const cuts = told.filter((event) => "heard_text" in event);
  ensure(cuts.length, "what was heard was not told");
  const deltas = events.filter((event) => event.type === "response.output_audio_transcript.delta" && event.item_id === story);
  const whole = deltas.map((event) => event.delta).join("");
  const kept = cuts.at(-1).heard_text.trim();
  ensure(kept && kept.length < whole.trim().length, "what was heard is nothing, or everything");
  ensure(whole.startsWith(kept), "what was heard is no beginning of what was said");
  const own = client.remembered(story);
  ensure(own === null || own.trim() === kept, `the client's own history holds something else: ${own}`);
}

async function cancel(client) {
  const { heard } = client;
  heard.here();
  await client.say("Tell me a long story.");
  const created = await heard.until("response.created");
  await heard.until(client.sounds, created.response.id);
  await client.cancel();
  const { response } = await heard.until("response.done");
  ensure(response.status === "cancelled", `the answer is ${response.status}`);
  ensure(response.status_details.reason === "client_cancelled", "it was stopped for another reason");
}
