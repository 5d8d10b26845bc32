// Parts of pages that are kept up to date: by server-sent events, and by asking where those do not
// come through. What is shown comes from the server, which has escaped it.
import { localTime, localTimes } from "./times.js";

const POLL_MS = 5000;
const PATIENCE_MS = 4000;

class Part {
  constructor(region) {
    this.region = region;
    this.banner = region.previousElementSibling;
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
    const open = [...this.region.querySelectorAll("details[open][id]")].map((each) => each.id);
    const focused = this.region.contains(document.activeElement) ? document.activeElement.id : "";
    const made = document.createElement("template");
    made.innerHTML = html;
    this.replace([...made.content.children]);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }

  // Only what has changed is replaced: what somebody selects or reads elsewhere stays.
  replace(pieces) {
    const sources = pieces.map((piece) => piece.outerHTML);
    pieces.forEach((piece) => localTimes(piece));
    if (this.sources?.length === sources.length) {
      const old = [...this.region.children];
      pieces.forEach((piece, at) => sources[at] === this.sources[at] || old[at].replaceWith(piece));
    } else {
      this.region.replaceChildren(...pieces);
    }
    this.sources = sources;
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
