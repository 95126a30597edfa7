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
  await second.heard.until("conversation.item.done");
  second.say("Good morning.");
  await answer(second.heard);
  ensure(second.remembered(story) === first.remembered(story), "the history is another");
  ensure(second.complaints.length === 0, `complaints: ${second.complaints.join("; ")}`);
  again.close();
  return "the application connects again, with `session=` in the address";
});
process.exit(0); // also where a case has left something open
