/** What this device is called where others see it, as `{name, kind}`. */

const BROWSERS = [["Edg/", "Edge"], ["OPR/", "Opera"], ["Firefox/", "Firefox"], ["FxiOS/", "Firefox"], ["CriOS/", "Chrome"], ["Chrome/", "Chrome"], ["Safari/", "Safari"]];
const SYSTEMS = [["Android", "Android"], ["iPhone", "iPhone"], ["iPad", "iPad"], ["Windows", "Windows"], ["CrOS", "ChromeOS"], ["Mac OS", "Mac"], ["Linux", "Linux"]];

export function describe(agent) {
  const found = (marks) => marks.find(([mark]) => agent.includes(mark))?.[1];
  const name = [found(BROWSERS) ?? "Browser", found(SYSTEMS)].filter(Boolean).join(" on ");
  return { name, kind: /Mobi|Android|iPhone|iPad/.test(agent) ? "phone" : "browser" };
}
