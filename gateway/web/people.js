/** A small list of who is here and what they do. Who is alone is not told so. */

import { doingText, moreText, YOU } from "./words.js";

const SHOWN_AT_MOST = 6;

/** Show `company` (see `company.js`) in `list`, in the order of joining. Of many, those that do something come first in. */
export function showPeople(list, { you, members }) {
  const key = JSON.stringify([you, members]);
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.hidden = members.length < 2;
  const foremost = [...members].sort((one, other) => rank(one, you) - rank(other, you)).slice(0, SHOWN_AT_MOST);
  const rows = members.filter((member) => foremost.includes(member)).map((member) => row(member, member.id === you));
  if (members.length > SHOWN_AT_MOST) rows.push(more(members.length - SHOWN_AT_MOST));
  list.replaceChildren(...rows);
}

function rank(member, you) {
  if (member.id === you) return 2;
  return member.doing.some((doing) => doing !== "listening" && doing !== "muted") ? 0 : 1;
}

function row(member, mine) {
  const element = document.createElement("li");
  element.dataset.doing = member.doing.join(" ");
  const name = document.createElement("b");
  name.textContent = mine ? YOU : member.name;
  name.title = `${member.name} (${member.kind})`;
  element.append(name);
  const doing = doingText(member.doing);
  if (doing) element.append(` ${doing}`);
  return element;
}

function more(count) {
  const element = document.createElement("li");
  element.textContent = moreText(count);
  return element;
}
