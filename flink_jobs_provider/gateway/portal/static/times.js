// Times in the viewer's zone and language, with UTC on hover, and how long ago some of them are.

const language = document.documentElement.lang;
// Of those that the browser prefers, the one of the page's language: en-GB writes dates as en-US does not.
const locale = navigator.languages.find((each) => each.split("-")[0] === language) ?? language;
const format = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" });
const relative = new Intl.RelativeTimeFormat(locale, { style: "short" });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const TICK_MS = 1000;

export function localTime(moment) {
  return format.format(moment);
}

function age(moment) {
  const seconds = Math.max(0, Math.round((Date.now() - moment) / 1000));
  const [unit, length] = UNITS.find(([, each]) => seconds >= 2 * each) ?? UNITS.at(-1);
  return relative.format(-Math.floor(seconds / length), unit);
}

export function localTimes(within) {
  for (const time of within.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    const utc = moment.toISOString().replace("T", " ").replace(/\.\d+Z$/, "");
    const local = localTime(moment);
    const hover = document.body.dataset.utc.replace("{time}", utc);
    const onlyAge = time.dataset.age === "only";
    time.title = onlyAge ? `${local}, ${hover}` : hover;
    const shown = onlyAge ? age(moment) : "age" in time.dataset ? `${local} (${age(moment)})` : local;
    if (time.textContent !== shown) time.textContent = shown;
  }
}

export function keepAges(within) {
  setInterval(() => {
    for (const time of within.querySelectorAll("time[data-age]")) localTimes(time.parentElement);
  }, TICK_MS);
}
