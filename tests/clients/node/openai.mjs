// openai for JavaScript, over TLS. The application truncates, since the package leaves that to it.
import OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";
import { Heard, Microphone, NotApplicable, Played } from "./kit.mjs";
import { FORECAST, WEATHER, hold } from "./script.mjs";
import { clips, keep, report, stage } from "./stage.mjs";

const client = new OpenAI({ baseURL: `${stage.url}/v1`, apiKey: stage.key });
const connection = new OpenAIRealtimeWS({ model: "gpt-realtime" }, client);
const played = new Played();
let sound = 0;

const application = {
  heard: new Heard(),
  microphone: null,
  asked: [],
  sent: [],
  complaints: [],
  sounds: "response.output_audio.delta",
  truncates: true,
  sound: () => sound,
  say(text) {
    const content = [{ type: "input_text", text }];
    connection.send({ type: "conversation.item.create", item: { type: "message", role: "user", content } });
    connection.send({ type: "response.create" });
  },
  cancel() {
    connection.send({ type: "response.cancel" });
    played.item = null;
  },
  remembered: () => null, // the package keeps no history
};

connection.on("event", (event) => application.heard.add(event));
connection.on("error", (error) => application.complaints.push(error.message));
connection.on("response.output_audio.delta", (event) => {
  const bytes = Buffer.from(event.delta, "base64").length;
  sound += bytes;
  played.take(event.item_id, bytes);
});
connection.on("input_audio_buffer.speech_started", () => {
  if (played.item === null) return;
  const event = { type: "conversation.item.truncate", item_id: played.item, content_index: 0, audio_end_ms: played.ms };
  played.item = null;
  application.sent.push(event);
  connection.send(event);
});
connection.on("response.function_call_arguments.done", (event) => {
  application.asked.push(JSON.parse(event.arguments));
  const item = { type: "function_call_output", call_id: event.call_id, output: FORECAST };
  connection.send({ type: "conversation.item.create", item });
});
connection.on("response.done", (event) => {
  if (event.response.output.some((item) => item.type === "function_call")) connection.send({ type: "response.create" });
});

connection.socket.on("open", () => {
  const transcription = { model: "gpt-4o-mini-transcribe" };
  const session = { type: "realtime", instructions: "Be brief.", tools: [WEATHER], audio: { input: { transcription } } };
  connection.send({ type: "session.update", session });
  const append = (frame) =>
    connection.send({ type: "input_audio_buffer.append", audio: Buffer.from(frame).toString("base64") });
  application.microphone = new Microphone(append);
});

await application.heard.until("session.created");
application.heard.rewind();
await hold(application, clips, report, keep);
await report.case("resume", async () => {
  throw new NotApplicable("it connects again, but to a new session, and cannot be told another address");
});
application.microphone?.off();
connection.close();
process.exit(0); // also where a case has left something open
