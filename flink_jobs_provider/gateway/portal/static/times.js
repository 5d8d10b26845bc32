// Times in the viewer's zone and language, with UTC on hover.

const language = document.documentElement.lang;
const format = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });

export function localTime(moment) {
  return format.format(moment);
}

export function localTimes(within) {
  for (const time of within.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    const utc = moment.toISOString().replace("T", " ").replace(/\.\d+Z$/, "");
    time.title = document.body.dataset.utc.replace("{time}", utc);
    time.textContent = localTime(moment);
  }
}
