// The AI SDK's experimental realtime model, as a server uses it: it makes the address and translates events both ways; the
// application opens the socket and does the rest.
import { createOpenAI } from "@ai-sdk/openai";
import { WebSocket } from "ws";
import { Heard, Microphone, NotApplicable, Played } from "./kit.mjs";
import { FORECAST, WEATHER, hold } from "./script.mjs";
import { clips, keep, report, stage } from "./stage.mjs";

const provider = createOpenAI({ baseURL: `${stage.url}/v1`, apiKey: stage.key });
const model = provider.experimental_realtime("local");
const { url, headers } = await model.getServerWebSocketConfig();
const socket = new WebSocket(url, { headers });
const send = (event) => socket.send(JSON.stringify(model.serializeClientEvent(event)));
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
    send({ type: "conversation-item-create", item: { type: "text-message", role: "user", text } });
    send({ type: "response-create" });
  },
  cancel() {
    send({ type: "response-cancel" });
    played.item = null;
  },
  remembered: () => null, // the model keeps no history
};
let called = false;

/** An event as the SDK reads it. */
function take(event) {
  switch (event.type) {
    case "audio-delta": {
      const bytes = Buffer.from(event.delta, "base64").length;
      sound += bytes;
      played.take(event.itemId, bytes);
      break;
    }
    case "speech-started":
      truncate();
      break;
    case "function-call-arguments-done":
      called = true;
      application.asked.push(JSON.parse(event.arguments));
      send({ type: "conversation-item-create", item: { type: "function-call-output", callId: event.callId, output: FORECAST } });
      break;
    case "response-done":
      if (called) send({ type: "response-create" });
      called = false;
      break;
    case "error":
      application.complaints.push(event.message);
      break;
  }
}

function truncate() {
  if (played.item === null) return;
  application.sent.push({ type: "conversation.item.truncate", item_id: played.item });
  send({ type: "conversation-item-truncate", itemId: played.item, contentIndex: 0, audioEndMs: played.ms });
  played.item = null;
}

socket.on("message", (data) => {
  const event = JSON.parse(data);
  application.heard.add(event);
  for (const each of [model.parseServerEvent(event)].flat()) take(each);
});
socket.on("error", (error) => application.complaints.push(error.message));
socket.on("open", () => {
  const config = {
    instructions: "Be brief.",
    tools: [WEATHER],
    turnDetection: { type: "server-vad" },
    inputAudioTranscription: {},
  };
  send({ type: "session-update", config });
  application.microphone = new Microphone((frame) => {
    send({ type: "input-audio-append", audio: Buffer.from(frame).toString("base64") });
  });
});

await application.heard.until("session.created");
application.heard.rewind();
await hold(application, clips, report, keep);
await report.case("resume", async () => {
  throw new NotApplicable("connecting is the application's");
});
application.microphone.off();
socket.close();
process.exit(0); // also where a case has left something open
