// Forms that are not lost where they cannot be sent: before one is, the gateway is asked whether it
// answers, and reads its records. If not, the page stays with what was typed.
const PATIENCE_MS = 5000;

async function answers(address) {
  try {
    const answer = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    return answer.status < 500;
  } catch {
    return false;
  }
}

class KeptForm {
  constructor(form) {
    this.form = form;
    this.banner = form.querySelector("[data-unsent]");
    this.asking = false;
    this.asked = false;
  }

  async send(event) {
    if (this.asked) return;
    event.preventDefault();
    if (this.asking) return;
    this.asking = true;
    this.banner.hidden = true;
    const there = await answers(this.form.dataset.kept);
    this.asking = false;
    if (!there) {
      this.banner.hidden = false;
      return;
    }
    this.asked = true;
    this.form.requestSubmit(event.submitter);
    this.asked = false;
  }
}

export function keepForms(within) {
  for (const form of within.querySelectorAll("form[data-kept]")) {
    const kept = new KeptForm(form);
    form.addEventListener("submit", (event) => kept.send(event));
  }
}
