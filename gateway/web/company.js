/** Who is here, as the gateway tells it: pure. `members` is a list of `{id, name, kind, doing}` in the order of joining. */

export const NOBODY = Object.freeze({ you: null, members: Object.freeze([]) });

/** The company after `event`; the same object when the event means nothing here. */
export function meet(company, event) {
  if (event.type === "presence.snapshot") return { you: event.you ?? null, members: event.members.map(fromWire) };
  if (event.type !== "presence.changed") return company;
  const news = new Map([...event.joined, ...event.changed].map((member) => [member.id, fromWire(member)]));
  const stay = company.members.filter((member) => !event.left.includes(member.id));
  const known = new Set(stay.map((member) => member.id));
  const come = event.joined.filter((member) => !known.has(member.id)).map(fromWire);
  return { ...company, members: [...stay.map((member) => news.get(member.id) ?? member), ...come] };
}

function fromWire({ id, name, kind, doing = [] }) {
  return { id, name, kind, doing };
}
