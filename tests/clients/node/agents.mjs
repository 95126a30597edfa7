// @openai/agents-realtime in Node, over a WebSocket: it truncates and calls the function by itself.
import { RealtimeAgent, RealtimeSession } from "@openai/agents-realtime";
import { Application } from "./agents-application.mjs";
import { Microphone, NotApplicable } from "./kit.mjs";
import { hold } from "./script.mjs";
import { clips, report, stage } from "./stage.mjs";

const application = new Application();
const agent = new RealtimeAgent({ name: "assistant", instructions: "Be brief.", tools: [application.tool()] });
const session = new RealtimeSession(agent, { transport: "websocket", model: "local" });
application.follow(session);
session.on("audio", (event) => application.hear(event.data.byteLength));
await session.connect({ apiKey: stage.key, url: `${stage.websocket}?model=local` });
application.microphone = new Microphone((frame) => session.sendAudio(frame.buffer));
await hold(application, clips, report);
application.microphone.off();
session.close();
await report.case("resume", async () => {
  throw new NotApplicable("the package does not connect again");
});
