// Forms that are sent once, and not lost where they cannot be sent. Before one is sent, the gateway
// is asked whether it answers, and whether somebody is signed in. If it does not answer, the page
// stays with what was typed.
const PATIENCE_MS = 5000;
const LONG_MS = 30000;
const PLAIN = "application/x-www-form-urlencoded";
const WITH_FILE = "multipart/form-data";
const [READY, ASKING, CLEARED, SENDING] = ["ready", "asking", "cleared", "sending"];

async function asked(address) {
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const answer = await fetch(address, { cache: "no-store", redirect: "manual", signal });
    return { answers: answer.ok, signedOut: answer.status === 401 || answer.type === "opaqueredirect" };
  } catch {
    return { answers: false, signedOut: false };
  }
}

class SentForm {
  constructor(form) {
    this.form = form;
    this.state = READY;
    form.addEventListener("submit", (event) => this.submit(event));
    // The page is shown again, or the browser was stopped before an answer came.
    addEventListener("pageshow", () => this.stopped());
    globalThis.navigation?.addEventListener("navigateerror", () => this.stopped());
  }

  submit(event) {
    if (this.tooLarge(event.submitter)) {
      event.preventDefault();
      return;
    }
    if (this.state === CLEARED || (this.state === READY && !this.form.dataset.kept)) {
      this.become(SENDING);
      return;
    }
    event.preventDefault();
    if (this.state === READY) this.ask(event.submitter);
  }

  // A file that the gateway would refuse is not sent; it stays chosen, as all else that was typed.
  tooLarge(submitter) {
    if (submitter?.formEnctype !== WITH_FILE) return false;
    const input = this.form.querySelector("input[type=file][data-most]");
    const found = [...(input?.files ?? [])].some((file) => file.size > Number(input.dataset.most));
    this.show("too-large", found);
    return found;
  }

  async ask(submitter) {
    this.become(ASKING);
    this.show("unsent", false);
    const { answers, signedOut } = await asked(this.form.dataset.kept);
    if (!answers && !signedOut) {
      this.become(READY);
      this.show("unsent", true);
      return;
    }
    // The gateway keeps what was typed until the next sign-in, and no file.
    if (signedOut && submitter?.hasAttribute("formenctype")) submitter.formEnctype = PLAIN;
    this.state = CLEARED;
    this.form.requestSubmit(submitter);
  }

  become(state) {
    this.state = state;
    this.show("sending", state === SENDING);
    // Browsers without that event do not tell: somebody who waits for so long may press again.
    if (state === SENDING && !globalThis.navigation) setTimeout(() => this.stopped(), LONG_MS);
  }

  stopped() {
    if (this.state === SENDING) this.become(READY);
  }

  show(which, shown) {
    const banner = this.form.querySelector(`[data-${which}]`);
    if (banner) banner.hidden = !shown;
  }
}

export function sendOnce(within) {
  for (const form of within.querySelectorAll("form[method=post]")) new SentForm(form);
}
