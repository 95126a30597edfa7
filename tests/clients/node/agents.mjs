// @openai/agents-realtime in Node, over a WebSocket: it truncates and calls the function by itself.
import { RealtimeAgent, RealtimeSession } from "@openai/agents-realtime";
import { Application } from "./agents-application.mjs";
import { Microphone, ensure } from "./kit.mjs";
import { answer, hold } from "./script.mjs";
import { clips, keep, report, stage } from "./stage.mjs";

async function converse(query) {
  const application = new Application();
  const agent = new RealtimeAgent({ name: "assistant", instructions: "Be brief.", tools: [application.tool()] });
  const session = new RealtimeSession(agent, { transport: "websocket", model: "local" });
  application.follow(session);
  session.on("audio", (event) => application.hear(event.data.byteLength));
  await session.connect({ apiKey: stage.key, url: `${stage.websocket}?model=local${query}` });
  return [application, session];
}

const [first, session] = await converse("");
first.microphone = new Microphone((frame) => session.sendAudio(frame.buffer));
const story = await hold(first, clips, report, keep);
first.microphone.off();
session.close();
await report.case("resume", async () => {
  const [second, again] = await converse(`&session=${first.heard.events[0].session.id}`);
  // The package empties its history once it is connected, also of what it was told by then: it is asked for again.
  again.transport.sendEvent({ type: "conversation.item.retrieve", item_id: story });
  await second.heard.until("conversation.item.retrieved");
  second.say("Good morning.");
  await answer(second.heard);
  const [now, before] = [second, first].map((each) => each.remembered(story).trim());
  ensure(now === before, `the history holds something else: ${now}, not ${before}`);
  ensure(second.complaints.length === 0, `complaints: ${second.complaints.join("; ")}`);
  again.close();
  return "the application connects again, with `session=` in the address, and retrieves what its history shall hold";
});
process.exit(0); // also where a case has left something open
