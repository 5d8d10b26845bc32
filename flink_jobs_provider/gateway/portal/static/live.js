// Parts of pages that are kept up to date: by server-sent events, and by asking where those do not
// come through. What is shown comes from the server, which has escaped it.
import { morph } from "./morph.js";
import { localTime, localTimes } from "./times.js";

const POLL_MS = 5000;
const PATIENCE_MS = 4000;

class Part {
  constructor(region) {
    this.region = region;
    this.banner = region.parentElement.querySelector(":scope > [data-lost]");
    this.seen = region.dataset.seen;
    this.waiting = null;
    this.since = null;
    this.ended = false;
  }

  follow() {
    const events = new URL(this.region.dataset.events, location.href);
    events.searchParams.set("seen", this.seen);
    this.source = new EventSource(events);
    this.source.addEventListener("open", () => this.connected());
    this.source.addEventListener("part", (event) => {
      this.connected();
      this.show(event.data, event.lastEventId);
    });
    this.source.addEventListener("gone", () => this.end("gone"));
    this.source.addEventListener("signed-out", () => this.end("signedOut"));
    this.source.addEventListener("unavailable", () => this.say(this.banner.dataset.unavailable));
    this.source.addEventListener("error", () => this.lost());
  }

  connected() {
    clearTimeout(this.waiting);
    this.waiting = null;
    this.since = null;
    this.say("");
  }

  lost() {
    if (this.ended) return;
    if (this.since === null) this.since = new Date();
    this.say(this.banner.dataset.since.replace("{time}", localTime(this.since)));
    if (this.waiting === null) this.waiting = setTimeout(() => this.poll(), PATIENCE_MS);
  }

  async poll() {
    this.waiting = null;
    if (this.ended) return;
    try {
      const answer = await fetch(this.region.dataset.part, { cache: "no-store" });
      if (answer.status === 401) return this.end("signedOut");
      if (answer.status === 403 || answer.status === 404) return this.end("gone");
      if (!answer.ok) throw new Error(String(answer.status));
      this.show(await answer.text(), answer.headers.get("X-Part"));
      this.since = null;
      this.say("");
      // A stream that was refused once does not come back by itself.
      if (this.source.readyState === EventSource.CLOSED) this.waiting = setTimeout(() => this.poll(), POLL_MS);
    } catch {
      if (this.since === null) this.since = new Date();
      this.say(this.banner.dataset.since.replace("{time}", localTime(this.since)));
      this.waiting = setTimeout(() => this.poll(), POLL_MS);
    }
  }

  show(html, seen) {
    if (seen === this.seen) return;
    this.seen = seen;
    const focused = this.region.contains(document.activeElement) ? document.activeElement : null;
    const made = document.createElement("template");
    made.innerHTML = html;
    localTimes(made.content);
    morph(this.region, made.content);
    // What has moved has lost it.
    if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
  }

  end(how) {
    this.ended = true;
    this.source.close();
    clearTimeout(this.waiting);
    this.say(this.banner.dataset[how]);
  }

  say(what) {
    if (this.banner.textContent !== what) this.banner.textContent = what;
    this.banner.hidden = what === "";
  }
}

export function followParts(within) {
  for (const region of within.querySelectorAll("[data-live]")) {
    if (region.dataset.events) new Part(region).follow();
  }
}
